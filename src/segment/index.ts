/** Segments: immutable sorted files of records, written, read and verified (RFC 0006); and the contract of a layer. */

export type { SegmentRecord } from './block-builder.ts'
export { BlockCache } from './block-cache.ts'
export { filterBytes, filterHas } from './filter.ts'
export type { Found, Layer, LayerCursor, Range } from './layer.ts'
export { ReadAhead } from './read-ahead.ts'
export { readFacts } from './read-facts.ts'
export { assertDecompressible } from './readable.ts'
export { Segment, type SegmentOptions } from './segment.ts'
export { type SegmentStart, SegmentWriter } from './segment-writer.ts'
export { rangesTogether, type StoredRange } from './together.ts'
export { type BlocksWanted, type RawBlocks, unpackBlocks } from './unpack.ts'
export { verifySegment } from './verify.ts'
