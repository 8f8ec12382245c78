/**
 * Folding: committed epochs of the log become young segments. The log itself is the queue, so nothing is kept for it and nothing is lost.
 *
 * What: reads verified epochs behind the fold point into a table, sorts it in steps, writes it. An epoch larger than a table is written in
 * parts, which are named together.
 * Owns: the table while it is built, the files it writes until they are given out. Does not own: when, the manifest.
 * Invariants: only committed epochs up to `end` are read; a fold ends behind a whole epoch; memory is one table of FOLD_TABLE_BYTES and one
 * block.
 */
import { assert } from '../base/errors.ts'
import { FOLD_TABLE_BYTES, FOLD_TABLE_RECORDS } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import { type FoldPoint, GENESIS, type LogPosition, type Manifest, type SegmentEntry } from '../format/index.ts'
import { RecordTable } from '../image/index.ts'
import { type BlockItem, LogLength, LogScan, ownMemory } from '../log/index.ts'
import { closeLog } from '../manifest/index.ts'
import type { Rhythm } from '../pace/index.ts'
import { discard, RECORD_BYTES, type WriteParts, writeSegments } from './merge.ts'
import type { TailSize } from './tail.ts'

export interface Folded {
  readonly point: FoldPoint
  /** Newest first. */
  readonly segments: readonly SegmentEntry[]
  /** Of the epochs that were read. */
  readonly size: TailSize
}

const SORT_RECORDS = 256
/** What reading a byte costs, in bytes of writing one. Sorting is a matter of milliseconds: as work it would only keep bytes from leaving. */
const READ_SHARE = 1 / 16

/** What there is to do, in bytes of work, to fold so much. */
export function foldWork({ rawBytes, records, logBytes }: TailSize): number {
  return Math.max(rawBytes, logBytes) * READ_SHARE + writeWork(rawBytes, records)
}

function writeWork(rawBytes: number, records: number): number {
  return rawBytes + records * RECORD_BYTES
}

/**
 * Folds what was committed up to `end`, or the beginning of it: whole epochs, until a table is full or they are `enough` by every measure, or as
 * many as there are. Undefined: nothing was committed.
 */
export async function foldLog(
  parts: WriteParts,
  manifest: Manifest,
  end: LogPosition,
  rhythm: Rhythm,
  enough?: TailSize,
): Promise<Folded | undefined> {
  const { fold, storeId } = manifest
  const log = closeLog(manifest.log, end)
  const pause: Pauser = () => (rhythm.due ? rhythm.rest() : undefined)
  const length = new LogLength(fold ?? GENESIS)
  const from = fold?.epoch ?? 0
  const segments: SegmentEntry[] = []
  let table = new RecordTable()
  const take = ({ bytes }: BlockItem): void => table.add(ownMemory(bytes))
  const scan = new LogScan({ storage: parts.storage, storeId, log, from: fold ?? undefined, take, pause })
  let nextId = fold?.nextId ?? 1
  let point: FoldPoint | undefined
  let rawBytes = 0
  let records = 0
  let logBytes = 0
  let ended = false
  const write = async (through: number, alive: readonly number[]): Promise<void> => {
    const full = table
    table = new RecordTable()
    while (!full.sortSome(SORT_RECORDS)) {
      rhythm.stepped()
      if (rhythm.due) await rhythm.rest()
    }
    // What was written again is not written twice, and there may be less than the tail said.
    if (ended) rhythm.remains(writeWork(full.rawBytes, full.records))
    const request = { from, through, alive, tombstones: true, cutBytes: Number.POSITIVE_INFINITY }
    segments.unshift(...(await writeSegments(parts, request, full.cursor(), rhythm, async () => {})))
  }
  try {
    for await (const item of scan) {
      const { commit } = item
      const alive = commit.catalogue.map(entry => entry.id)
      if (item.type === 'block') {
        rhythm.done(item.bytes.length * READ_SHARE)
        if (isFull(table)) {
          nextId = Math.max(nextId, table.highestId + 1)
          await write(commit.epoch, alive)
        }
        continue
      }
      for (const id of alive) nextId = Math.max(nextId, id + 1)
      rawBytes += commit.rawBytes
      records += commit.records
      const more = length.to(item.position)
      logBytes += more
      // Epochs that hold next to nothing are work, and end a slice.
      rhythm.done(Math.max(0, more - commit.blockBytes) * READ_SHARE)
      rhythm.stepped()
      const { file, bytes, epoch, digest } = item.position
      assert(file !== null, 'an epoch lies in a file')
      const { timeMs, catalogue, refused } = commit
      point = { file, bytes, epoch, digest, timeMs, nextId, catalogue, ...(refused > 0 ? { refused } : {}) }
      // Parts of an epoch are followed by nothing but its last one: what they share is their epochs.
      if (segments.length > 0 || isFull(table)) break
      if (enough !== undefined && rawBytes >= enough.rawBytes && records >= enough.records && logBytes >= enough.logBytes) break
    }
    if (point === undefined) return undefined
    ended = true
    nextId = Math.max(nextId, table.highestId + 1)
    await write(
      point.epoch,
      point.catalogue.map(entry => entry.id),
    )
    return { point: { ...point, nextId }, segments, size: { rawBytes, records, logBytes } }
  } catch (error) {
    await discard(parts.storage, segments)
    throw error
  }
}

function isFull(table: RecordTable): boolean {
  return table.rawBytes >= FOLD_TABLE_BYTES || table.records >= FOLD_TABLE_RECORDS
}
