/**
 * Merging segments into new ones: reads ahead, walks, writes, in the rhythm it is given.
 *
 * Owns: the files it opens, and those it writes until they are given out. Does not own: what is merged and when, manifests.
 * Invariants: of several words on a place the newest is written; a place of a collection that is gone is not; tombstones are written only
 * where something older may lie under them; after an error no file of this merge is left, as far as files can be removed.
 */
import type { Random } from '../base/random.ts'
import { type BaseRange, type Compress, FIRST_PLACE, type Place, type SegmentEntry } from '../format/index.ts'
import { type BasePart, Image, type SegmentLayer } from '../image/index.ts'
import type { Rhythm } from '../pace/index.ts'
import { type LayerCursor, type Range, ReadAhead, Segment, SegmentWriter } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'

export interface WriteParts {
  readonly storage: Storage
  readonly random: Random
  readonly compress: Compress
  /** A name that never was. It is let be by whoever collects until `named`. */
  readonly newFile: () => string
}

export interface WriteRequest {
  readonly from: number
  readonly through: number
  /** Ids of the collections that count. */
  readonly alive: readonly number[]
  readonly tombstones: boolean
  /** Stored bytes at which a file is closed and the next begun. */
  readonly cutBytes: number
}

export interface MergeRequest extends WriteRequest {
  /** Newest first. */
  readonly young: readonly SegmentEntry[]
  /** Neighbours; none: only young segments are merged. */
  readonly ranges: readonly BaseRange[]
  readonly range: Range
}

/** Complete blocks are written when the beat is over, and at the latest when they are so many bytes. */
const FLUSH_BYTES = 64 * 1024

/** New segments in the order of places; none when nothing counts any more. `described` is called when all inputs are open, and said what they hold. */
export async function mergeSegments(
  parts: WriteParts,
  request: MergeRequest,
  rhythm: Rhythm,
  described: () => void = () => {},
): Promise<SegmentEntry[]> {
  const opened: Segment[] = []
  const aheads: ReadAhead[] = []
  const open = async (entry: SegmentEntry, range: Range): Promise<SegmentLayer> => {
    const segment = await Segment.open(parts.storage, entry)
    opened.push(segment)
    const ahead = new ReadAhead(segment, range)
    aheads.push(ahead)
    return ahead
  }
  try {
    const young: SegmentLayer[] = []
    for (const entry of request.young) young.push(await open(entry, request.range))
    const base: BasePart[] = []
    for (const { start, through, segment } of request.ranges) {
      base.push({ start, through, layer: segment === null ? null : await open(segment, request.range) })
    }
    if (base.length === 0) base.push({ start: FIRST_PLACE, through: 0, layer: null })
    else if (base[0]?.start.collection !== 0 || base[0].start.key !== '') base.unshift({ start: FIRST_PLACE, through: 0, layer: null })
    const image = new Image({ tables: [], young, base })
    const fill = async (): Promise<void> => {
      for (const ahead of aheads) if (!ahead.ready) await ahead.fill()
    }
    const cursor = image.cursor(request.range)
    for (const segment of opened) await segment.describeBlocks()
    described()
    await fill()
    while (cursor.open()) {
      rhythm.stepped()
      if (rhythm.due) await rhythm.rest()
    }
    return await writeSegments(parts, request, cursor, rhythm, fill)
  } finally {
    for (const segment of opened) await segment.close().catch(() => {})
  }
}

/** Writes what the cursor walks. `fill` is awaited now and then, before the walk needs what it brings. */
export async function writeSegments(
  parts: WriteParts,
  request: WriteRequest,
  cursor: LayerCursor,
  rhythm: Rhythm,
  fill: () => Promise<void>,
): Promise<SegmentEntry[]> {
  const { from, through, tombstones, cutBytes } = request
  const alive = new Set(request.alive)
  const written: SegmentEntry[] = []
  let writer: SegmentWriter | undefined
  const breathe = (bytes = 0): Promise<void> | undefined => {
    rhythm.wrote(bytes)
    return bytes === 0 || rhythm.due ? rhythm.rest() : undefined
  }
  const finish = async (): Promise<void> => {
    if (writer === undefined) return
    const ended = writer
    written.push(await ended.finish({ from, through }, breathe))
    writer = undefined
  }
  try {
    await fill()
    while (cursor.next()) {
      const bytes = HEAD_BYTES + cursor.end - cursor.keyStart
      if (alive.has(cursor.collection) && (cursor.put || tombstones)) {
        if (writer !== undefined && (writer.full || writer.storedBytes >= cutBytes)) await finish()
        writer ??= await create(parts)
        writer.add(cursor)
        if (writer.pendingBytes >= FLUSH_BYTES) await writer.flush()
      }
      rhythm.done(bytes + RECORD_BYTES)
      if (rhythm.due) {
        if (rhythm.spent) await writer?.flush()
        await rhythm.rest()
        await fill()
      }
    }
    await finish()
    return written
  } catch (error) {
    await writer?.abandon()
    await discard(parts.storage, written)
    throw error
  }
}

/** Segments that no manifest names, or will. */
export async function discard(storage: Storage, entries: readonly SegmentEntry[]): Promise<void> {
  for (const { file } of entries) await storage.remove(file).catch(() => {})
}

/** The bounds of the ranges, as a walk takes them. */
export function rangeOf(start: Place, end: Place | undefined): Range {
  const bound = ({ collection, key }: Place): NonNullable<Range['from']> => ({ collection, key: Buffer.from(key, 'hex') })
  return end === undefined ? { from: bound(start) } : { from: bound(start), to: bound(end) }
}

async function create({ storage, random, compress, newFile }: WriteParts): Promise<SegmentWriter> {
  return await SegmentWriter.create({ storage, file: newFile(), salt: random.bytes(4).readUInt32LE(), compress })
}

/** Bytes of a record before its key, where the collection's number is small. */
const HEAD_BYTES = 6

/** What a record costs beside its bytes. */
export const RECORD_BYTES = 16
