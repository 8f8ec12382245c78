/**
 * What describes the blocks of a segment, as it stands behind them in the file: the index, the filter, the facts, the header again.
 *
 * Does: reads and checks it piece by piece, the filter by itself: with nine tenths of the bytes it is what a look-up can do without, and what is
 * most likely to be where a device gives nothing back.
 * Owns: the order of the pieces. Does not own: the file and when it is read (segment.ts), layouts (format/).
 * Invariants: nothing is given before its checksum held at its offset in this file and it agrees with the manifest's entry.
 */
import { crc32 } from 'node:zlib'
import { hasCode, TidemarkError } from '../base/errors.ts'
import {
  decodeHeaderOf,
  decodeSegmentFacts,
  decodeSegmentHeader,
  decodeSegmentSums,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  isEnd,
  SEGMENT_FACTS,
  SEGMENT_FILTER,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_INDEX,
  type SegmentEntry,
  type SegmentFacts,
  SegmentIndex,
  type SegmentSums,
  segmentNumbers,
} from '../format/index.ts'
import { withFile } from '../storage/index.ts'
import { filterBytes } from './filter.ts'

/** Bytes checked in one step: a quarter of a millisecond. */
const CHECK_BYTES = 256 * 1024

export interface Description {
  readonly salt: number
  readonly index: SegmentIndex
  /** The facts as they stand in the file: of its collections, which may be thousands, nobody asks who looks something up. */
  readonly factBytes: Buffer
  /** Where the frame of the filter begins, and its bytes. */
  readonly filterAt: number
  readonly filterLength: number
}

interface FramePlace extends FrameHeader<number> {
  /** Of the payload, in the file. */
  readonly at: number
}

/** Bytes of the file; fewer where it ends before. */
export type ReadPart = (offset: number, length: number) => Buffer

/** Reads from bytes that begin at `start` of the file. */
export function within(start: number, bytes: Buffer): ReadPart {
  return (offset, length) => bytes.subarray(Math.max(0, offset - start), Math.max(0, offset - start + length))
}

/** All but the filter; ends a step after each piece of work. @throws TIDEMARK_SEGMENT_DAMAGED, and what `read` throws */
export function* readDescription(entry: SegmentEntry, read: ReadPart): Generator<undefined, Description, undefined> {
  const { file, describedAt } = entry
  const end = entry.bytes - SEGMENT_HEADER_BYTES
  const header = end < describedAt ? undefined : decodeSegmentHeader(read(end, SEGMENT_HEADER_BYTES), 0, file)
  if (header === undefined) throw segmentDamage(file, describedAt, 'it does not end as it should')
  const numbers = segmentNumbers(file.slice(SEGMENT_FOLDER.length + 1))
  if (header.token !== numbers?.token || header.sequence !== numbers.sequence || header.describedAt !== describedAt) {
    throw segmentDamage(file, end, 'it is another file than its name says')
  }
  const { salt } = header
  const index = place(entry, SEGMENT_INDEX, describedAt, salt, read)
  const indexBytes = yield* checked(entry, index, read)
  const filterAt = index.at + index.storedLength
  const filterLength = FRAME_HEADER_BYTES + filterBytes(entry.records)
  const facts = place(entry, SEGMENT_FACTS, filterAt + filterLength, salt, read)
  const factBytes = yield* checked(entry, facts, read)
  try {
    if (facts.at + facts.storedLength !== end || !agrees(decodeSegmentSums(factBytes), entry)) {
      throw segmentDamage(file, describedAt, 'it does not hold what the manifest says')
    }
    return { salt, index: new SegmentIndex(indexBytes, describedAt), factBytes, filterAt, filterLength }
  } catch (error) {
    throw asDamage(entry, error)
  }
}

/** Reads all but the filter ahead, without holding the turn, for `readDescription`. What lies elsewhere than it should is missed, which is damage. */
export async function readUnfiltered(entry: SegmentEntry, read: (offset: number, length: number) => Promise<Buffer>): Promise<ReadPart> {
  const { describedAt, bytes } = entry
  const part = async (start: number, end: number): Promise<{ start: number; bytes: Buffer }> => {
    const from = Math.min(start, bytes)
    return { start: from, bytes: await read(from, Math.min(end, bytes) - from) }
  }
  const header = await part(bytes - SEGMENT_HEADER_BYTES, bytes)
  const head = await part(describedAt, describedAt + FRAME_HEADER_BYTES)
  const salt = decodeSegmentHeader(header.bytes, 0, entry.file)?.salt ?? 0
  const index = frameHeader(entry, head.bytes, salt, describedAt)
  const filterAt = describedAt + FRAME_HEADER_BYTES + (index?.storedLength ?? 0)
  const factsAt = filterAt + FRAME_HEADER_BYTES + filterBytes(entry.records)
  const parts = [await part(describedAt, filterAt), await part(factsAt, bytes)]
  return (offset, length) => {
    const found = parts.find(({ start, bytes }) => offset >= start && offset + length <= start + bytes.length)
    return found === undefined ? Buffer.alloc(0) : found.bytes.subarray(offset - found.start, offset - found.start + length)
  }
}

/** @throws TIDEMARK_SEGMENT_DAMAGED where what it says of collections is none, TIDEMARK_FORMAT_NEWER */
export function factsOf(entry: SegmentEntry, { factBytes }: Description): SegmentFacts {
  try {
    return decodeSegmentFacts(factBytes)
  } catch (error) {
    throw asDamage(entry, error)
  }
}

function asDamage({ file, describedAt }: SegmentEntry, error: unknown): unknown {
  return hasCode(error, 'TIDEMARK_VALUE_DAMAGED')
    ? segmentDamage(file, describedAt, (error as Error).message, error)
    : withFile(file, error)
}

/** The filter; ends a step after each piece of work. @throws TIDEMARK_SEGMENT_DAMAGED, and what `read` throws */
export function* readFilter(entry: SegmentEntry, description: Description, read: ReadPart): Generator<undefined, Buffer, undefined> {
  const { filterAt, filterLength, salt } = description
  const filter = place(entry, SEGMENT_FILTER, filterAt, salt, read)
  if (FRAME_HEADER_BYTES + filter.storedLength !== filterLength) throw unverified(entry, filterAt)
  return yield* checked(entry, filter, read)
}

function place(entry: SegmentEntry, kind: number, at: number, salt: number, read: ReadPart): FramePlace {
  const frame = frameHeader(entry, read(at, FRAME_HEADER_BYTES), salt, at)
  const end = entry.bytes - SEGMENT_HEADER_BYTES
  if (frame?.kind !== kind || at + FRAME_HEADER_BYTES + frame.storedLength > end) throw unverified(entry, at)
  return { ...frame, at: at + FRAME_HEADER_BYTES }
}

function frameHeader({ file }: SegmentEntry, bytes: Buffer, salt: number, at: number): FrameHeader<number> | undefined {
  try {
    return decodeHeaderOf(SEGMENT_FRAMES, bytes, 0, salt, at)
  } catch (error) {
    throw withFile(file, error)
  }
}

function* checked(
  entry: SegmentEntry,
  { at, storedLength, payloadCrc }: FramePlace,
  read: ReadPart,
): Generator<undefined, Buffer, undefined> {
  const payload = read(at, storedLength)
  let sum = 0
  for (let from = 0; from < payload.length; from += CHECK_BYTES) {
    sum = crc32(payload.subarray(from, from + CHECK_BYTES), sum)
    yield
  }
  if (payload.length !== storedLength || sum !== payloadCrc) throw unverified(entry, at - FRAME_HEADER_BYTES)
  return payload
}

function unverified({ file }: SegmentEntry, at: number): TidemarkError {
  return segmentDamage(file, at, 'its description does not verify')
}

export function segmentDamage(file: string, offset: number, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', `${file} is damaged at ${offset}: ${what}`, {
    file,
    info: { offset },
    hint: 'keep a copy of the directory, then restore it from one, or open at an earlier recovery point',
    ...(cause === undefined ? {} : { cause }),
  })
}

function agrees(facts: SegmentSums, entry: SegmentEntry): boolean {
  return (
    facts.from === entry.from &&
    facts.through === entry.through &&
    facts.records === entry.records &&
    facts.tombstones === entry.tombstones &&
    facts.rawBytes === entry.rawBytes &&
    isEnd(entry.first, facts.first) &&
    isEnd(entry.last, facts.last)
  )
}
