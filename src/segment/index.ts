/** Segments: immutable sorted files of records, written, read and verified (RFC 0006); and the contract of a layer. */
export { BlockCache } from './block-cache.ts'
export { buildFilter, filterBytes, filterHas } from './filter.ts'
export type { Found, Layer, LayerCursor, Range } from './layer.ts'
export type { ReadAhead } from './read-ahead.ts'
export type { Segment, SegmentOptions } from './segment.ts'
export type { SegmentRecord, SegmentStart, SegmentWriter } from './segment-writer.ts'
