/**
 * Blocks of a segment file unpacked where nobody is held up by it: in a thread that has the storage, and of the segment no more than it is told.
 *
 * Owns: the check of one block, here and where a look-up reads it. Does not own: which blocks are wanted, whose thread it is.
 * Invariants: no byte is given before its checksum held at its offset in this file; what is given lies in shared memory of its own, in one piece; beside
 * what was read, no more than HYDRATION_RAW_BYTES and one block of raw bytes are held, twice for a moment; a turn takes one block, or that copy.
 */
import { HYDRATION_AWAY_RAW_MAX, HYDRATION_RAW_BYTES } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import { sharedMemory } from '../base/shared-memory.ts'
import {
  type DecompressEvery,
  decodeHeaderOf,
  FRAME_HEADER_BYTES,
  openEveryDecompress,
  payloadMatches,
  SEGMENT_BLOCK,
  SEGMENT_FRAMES,
} from '../format/index.ts'
import type { Storage, StorageFile } from '../storage/index.ts'
import { rangesTogether, type StoredRange } from './together.ts'

/** Plain data. */
export interface BlocksWanted {
  readonly file: string
  readonly salt: number
  /** Offset and length of each, in the order of the file: flat, for there may be thousands. At least one. */
  readonly ranges: Float64Array
}

/** Plain data. */
export interface RawBlocks {
  /** Of the first so many that were wanted, one behind the other, in memory that holds nothing else. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** Where each ends; at least one. */
  readonly ends: readonly number[]
}

/** Undefined: it is not the block that is said to lie there, or has more than `rawMax` bytes. @throws TIDEMARK_VALUE_DAMAGED, want of memory or of what decompresses */
export function unpackBlock(
  decompress: DecompressEvery,
  salt: number,
  { offset, length }: StoredRange,
  stored: Buffer,
  rawMax = Number.POSITIVE_INFINITY,
): Buffer | undefined {
  const header = decodeHeaderOf(SEGMENT_FRAMES, stored, 0, salt, offset)
  if (header !== undefined && header.rawLength > rawMax) return undefined
  const payload = stored.subarray(FRAME_HEADER_BYTES)
  if (header?.kind !== SEGMENT_BLOCK || stored.length !== length || !payloadMatches(header, payload)) return undefined
  return decompress(header.compression, payload, header.rawLength)
}

/**
 * The first of the blocks, up to HYDRATION_RAW_BYTES raw and one more; those before the first that cannot be had, or is too large. `pause` is awaited before each.
 * Undefined: not even the first; whoever reads it by itself learns why.
 */
export async function unpackBlocks(
  storage: Storage,
  { file: name, salt, ranges }: BlocksWanted,
  pause: Pauser,
): Promise<RawBlocks | undefined> {
  const raws: Buffer[] = []
  let file: StorageFile | undefined
  try {
    const decompress = await openEveryDecompress()
    file = await storage.open(name, 'read')
    let rawBytes = 0
    for (const together of rangesTogether(pairs(ranges), range => range)) {
      const from = (together[0] as StoredRange).offset
      const last = together.at(-1) as StoredRange
      const stored = await file.read(from, last.offset + last.length - from)
      for (const range of together) {
        await pause()
        const start = range.offset - from
        const raw = unpackBlock(decompress, salt, range, stored.subarray(start, start + range.length), HYDRATION_AWAY_RAW_MAX)
        if (raw === undefined) return inOnePiece(raws)
        raws.push(raw)
        rawBytes += raw.length
        if (rawBytes >= HYDRATION_RAW_BYTES) return inOnePiece(raws)
      }
    }
    return inOnePiece(raws)
  } catch {
    return undefined
  } finally {
    await file?.close().catch(() => {})
  }
}

function pairs(ranges: Float64Array): StoredRange[] {
  return Array.from({ length: ranges.length / 2 }, (_, at) => ({ offset: ranges[2 * at] as number, length: ranges[2 * at + 1] as number }))
}

function inOnePiece(raws: readonly Buffer[]): RawBlocks | undefined {
  const [first] = raws
  if (first === undefined) return undefined
  const bytes = sharedMemory(raws.reduce((sum, raw) => sum + raw.length, 0))
  const ends: number[] = []
  let end = 0
  for (const raw of raws) {
    bytes.set(raw, end)
    end += raw.length
    ends.push(end)
  }
  return { bytes, ends }
}
