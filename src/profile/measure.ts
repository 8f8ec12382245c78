/**
 * What compression does to the sampled runs, by really compressing them. Times are of this machine, now.
 *
 * Owns no state. Invariant: what is timed decodes to what went in, or it is an error of the engine.
 */
import { crc32 } from 'node:zlib'
import { ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { BLOCK_RAW_BYTES, SEGMENT_BLOCK_RAW_BYTES } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  COMPRESSION_DEFLATE,
  COMPRESSION_NONE,
  COMPRESSION_ZSTD,
  type Compress,
  type CompressionPreference,
  compareBytes,
  type DecompressEvery,
  FRAME_HEADER_BYTES,
  hashPlace,
  openCompress,
  openEveryDecompress,
  RecordCursor,
} from '../format/index.ts'
import { FACTORS } from './key-table.ts'
import type { Run } from './run-sample.ts'
import { RatioOverTime } from './spans.ts'
import type { BlockMeasurement } from './types.ts'

export interface Measuring {
  readonly monotonic: Clock['monotonic']
  /** Gives way to other work when it is time; undefined when it is not. */
  readonly pause: Pauser
}

const KIB = 1024
const BLOCK_SIZES = [4 * KIB, SEGMENT_BLOCK_RAW_BYTES, 16 * KIB, 32 * KIB, 64 * KIB]
const WAYS: readonly { readonly compression: CompressionPreference; readonly level: number; readonly id: number }[] = [
  { compression: 'zstd', level: 1, id: COMPRESSION_ZSTD },
  { compression: 'zstd', level: 3, id: COMPRESSION_ZSTD },
  { compression: 'deflate', level: 1, id: COMPRESSION_DEFLATE },
  { compression: 'none', level: 0, id: COMPRESSION_NONE },
]
/** Shrinks in every way. */
const PROBE = Buffer.alloc(KIB)
/** Of the sample, that is measured: all of it would only take longer. */
const MEASURED_BYTES_MAX = KIB * KIB
/** Each block is timed so often, and the fastest counts: the others were interrupted. */
const TIMINGS = 2

interface Piece {
  readonly collection: number
  readonly bytes: Buffer
  readonly keyStart: number
  readonly keyEnd: number
  readonly start: number
  readonly end: number
}

export interface SpanRatio {
  /** Stored bytes / raw bytes. */
  readonly ratio: number
  /** One standard error, relative. */
  readonly errorShare: number
}

export type LogRatios = ReadonlyMap<CompressionPreference, SpanRatio>

/**
 * What compression makes of epochs, were so many of them one: by factor; empty without a run.
 *
 * How well records compress depends on their order, and nobody knows in which one a longer interval would have captured them: as they were
 * first written, or, where the capture's set of keys has grown, by the hash of the key. Both are measured, and the truth taken to be between.
 */
export async function measureSpans(
  runs: readonly Run[],
  compression: CompressionPreference,
  { pause }: Measuring,
  factors: readonly number[] = FACTORS,
): Promise<SpanRatio[]> {
  const compress = await openCompress(compression)
  const found: SpanRatio[] = []
  for (const factor of factors) {
    const [first, second] = [new RatioOverTime(), new RatioOverTime()]
    for (const { epochs } of runs) {
      for (let at = 0; at + factor <= epochs.length; at += factor) {
        const pieces = newest(epochs.slice(at, at + factor))
        addStored(first, pieces, compress)
        if (factor > 1) addStored(second, scattered(pieces), compress)
        await pause()
      }
    }
    const { ratio } = first
    if (first.spans === 0) {
      // Epochs so large that no run holds so many: their blocks are full whatever the interval.
      const [before, beforeIt] = [found.at(-1), found.at(-2)]
      if (before === undefined) return []
      const more = beforeIt === undefined ? 0 : Math.abs(before.ratio / beforeIt.ratio - 1)
      found.push({ ratio: before.ratio, errorShare: before.errorShare + more })
      continue
    }
    const errorShare = first.spans < 2 ? 0 : first.errorShare
    if (factor === 1) found.push({ ratio, errorShare })
    else {
      const middle = (ratio + second.ratio) / 2
      // Evenly between the two: a standard error of their distance / sqrt(12).
      found.push({ ratio: middle, errorShare: Math.hypot(errorShare, (second.ratio - ratio) / middle / Math.sqrt(12)) })
    }
  }
  return found
}

/** What each compression makes of epochs as they are; one that this runtime does not have is what takes its place. Empty without a run. */
export async function measureLog(runs: readonly Run[], measuring: Measuring): Promise<LogRatios> {
  const found = new Map<CompressionPreference, SpanRatio>()
  for (const compression of ['zstd', 'deflate', 'none'] as const) {
    const [one] = await measureSpans(runs, compression, measuring, [1])
    if (one !== undefined) found.set(compression, one)
  }
  return found
}

function addStored(to: RatioOverTime, pieces: readonly Piece[], compress: Compress): void {
  const blocks = cut(pieces, BLOCK_RAW_BYTES)
  const raw = blocks.reduce((sum, block) => sum + block.length, 0)
  to.add(
    raw,
    blocks.reduce((sum, block) => sum + FRAME_HEADER_BYTES + compress(block).payload.length, 0),
  )
}

/** In the order of the hash of the key. */
function scattered(pieces: readonly Piece[]): Piece[] {
  return pieces
    .map(piece => ({ piece, hash: hashPlace(piece.collection, piece.bytes, piece.keyStart, piece.keyEnd) }))
    .sort((a, b) => a.hash - b.hash)
    .map(({ piece }) => piece)
}

/** Blocks of segments in every size and way that this runtime has. */
export async function measureBlocks(runs: readonly Run[], { monotonic, pause }: Measuring): Promise<BlockMeasurement[]> {
  const pieces = sorted(runs)
  if (pieces.length === 0) return []
  const decompress = await openEveryDecompress()
  const found: BlockMeasurement[] = []
  for (const { id, ...way } of WAYS) {
    const compress = await openCompress(way.compression, way.level)
    // Another one took its place.
    if (compress(PROBE).id !== id) continue
    for (const blockBytes of BLOCK_SIZES) {
      const blocks = cut(pieces, blockBytes)
      const sums = { raw: 0, stored: 0, compressMs: 0, getMs: 0 }
      for (const block of blocks) {
        time(block, compress, decompress, monotonic, sums)
        await pause()
      }
      const us = (ms: number): number => (1000 * ms) / blocks.length
      const ratio = sums.raw / sums.stored
      found.push({ ...way, blockBytes, ratio, compressUs: us(sums.compressMs), getUs: us(sums.getMs) })
    }
  }
  return found
}

function time(
  block: Buffer,
  compress: Compress,
  decompress: DecompressEvery,
  monotonic: () => number,
  sums: { raw: number; stored: number; compressMs: number; getMs: number },
): void {
  let compressMs = Number.POSITIVE_INFINITY
  let getMs = Number.POSITIVE_INFINITY
  let packed = compress(block)
  for (let round = 0; round < TIMINGS; round++) {
    const begin = monotonic()
    packed = compress(block)
    const middle = monotonic()
    crc32(packed.payload)
    const back = decompress(packed.id, Buffer.from(packed.payload), block.length)
    getMs = Math.min(getMs, monotonic() - middle)
    compressMs = Math.min(compressMs, middle - begin)
    assert(back.length === block.length, 'a block comes back whole')
  }
  sums.raw += block.length
  sums.stored += FRAME_HEADER_BYTES + packed.payload.length
  sums.compressMs += compressMs
  sums.getMs += getMs
}

/** The last record of each key, in the order of their first ones. */
function newest(epochs: readonly Buffer[]): Piece[] {
  const found = new Map<string, Piece>()
  for (const bytes of epochs) {
    const cursor = new RecordCursor(bytes)
    for (let start = 0; cursor.next(); start = cursor.at) {
      const { collection, keyStart, keyEnd, at: end } = cursor
      found.set(`${collection} ${bytes.toString('latin1', keyStart, keyEnd)}`, { collection, bytes, keyStart, keyEnd, start, end })
    }
  }
  return [...found.values()]
}

/** The last records of some keys of the sample, in the order of places. */
function sorted(runs: readonly Run[]): Piece[] {
  const epochs = runs.flatMap(run => run.epochs)
  const pieces = newest(epochs)
  let bytes = 0
  return pieces
    .filter(({ start, end }) => (bytes += end - start) <= MEASURED_BYTES_MAX || bytes === end - start)
    .sort((a, b) => a.collection - b.collection || compareBytes(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd))
}

/** Whole records in blocks of at most `blockBytes`; a larger one is alone in its block. */
function cut(pieces: readonly Piece[], blockBytes: number): Buffer[] {
  const blocks: Buffer[] = []
  let writer = new ByteWriter(blockBytes)
  for (const { bytes, start, end } of pieces) {
    if (writer.length > 0 && writer.length + end - start > blockBytes) {
      blocks.push(writer.view())
      writer = new ByteWriter(blockBytes)
    }
    writer.raw(bytes, start, end)
  }
  if (writer.length > 0) blocks.push(writer.view())
  return blocks
}
