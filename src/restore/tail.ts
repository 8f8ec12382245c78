/**
 * The tail of the log, behind the fold point: what a restart reads, as a table that can be asked. Nothing is decoded.
 *
 * Does: puts the blocks of verified epochs into one table; keeps the table from holding much more than what counts; says what the catalogue
 * is after the last epoch. Owns: the table while it is built. Does not own: the judgement of the log (log/), segments.
 * Invariants: a record is in the table only if its epoch was verified whole; superseded records take at most as many bytes as those that count,
 * plus SLACK_BYTES; `nextId` is above the ids of every catalogue and of every put that was read.
 */
import { ByteWriter } from '../base/bytes.ts'
import { BLOCK_RAW_BYTES } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import { appendRecord, type CatalogueEntry, type Commit, type FoldPoint, GENESIS, type LogEntry } from '../format/index.ts'
import { TailTable } from '../image/index.ts'
import { type BlockItem, LogLength, LogScan, ownMemory, readsOtherwise, type ScanOptions, type ScanReport } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'

export interface TailRequest {
  readonly storage: Storage
  readonly storeId: string
  readonly log: readonly LogEntry[]
  /** `null`: nothing is folded, the log is the store. */
  readonly fold: FoldPoint | null
  readonly known?: ScanOptions['known']
  readonly until?: ScanOptions['until']
  readonly leftOverEpoch?: ScanOptions['leftOverEpoch']
  readonly onDamage: 'refuse' | 'fall-back'
  /** Gives way to other work when it is time; undefined when it is not. */
  readonly pause: Pauser
}

export interface Tail {
  readonly table: TailTable
  /** After the last epoch that counts. Where nothing is folded, `entries` is what is there; otherwise what the commit says. */
  readonly catalogue: readonly CatalogueEntry[]
  /** Of the last epoch that counts; 0 for an empty store. */
  readonly epoch: number
  readonly timeMs: number
  readonly nextId: number
  readonly report: ScanReport
  /** Records read, and their bytes, superseded ones with them; the length of the log that was. */
  readonly records: number
  readonly rawBytes: number
  readonly logBytes: number
}

/** Superseded bytes that are not worth the work. */
const SLACK_BYTES = 64 * 1024 * 1024
/** Records written again, sorted or counted between two looks at the clock. */
const STRIDE = 256
/** Room is made for so many records of an epoch at once; they may all be of one place. */
const EXPECTED_RECORDS_MAX = 131_072
/** Records counted at once: looking at one takes nanoseconds. */
const COUNT_STRIDE = 16_384

/** @throws TIDEMARK_LOG_DAMAGED, TIDEMARK_STORAGE */
export async function readTail(request: TailRequest, slackBytes = SLACK_BYTES): Promise<Tail> {
  const { tail, isWhole } = await readOnce(request, slackBytes)
  const { damage, end } = tail.report
  if (damage === null || isWhole) return tail
  // Some of the epoch with the damage is in the table, and nothing takes it out again.
  const again = await readTail({ ...request, until: { epoch: end.epoch } }, slackBytes)
  if (again.report.damage !== null) return again
  if (again.report.end.epoch !== end.epoch) throw readsOtherwise(damage)
  return { ...again, report: tail.report }
}

/** `isWhole`: no record is in the table of an epoch that does not count. */
async function readOnce(request: TailRequest, slackBytes: number): Promise<{ readonly tail: Tail; readonly isWhole: boolean }> {
  const { storage, storeId, log, leftOverEpoch, fold, known, until, onDamage, pause } = request
  const from = fold ?? undefined
  let table = new TailTable()
  let expected: Commit | undefined
  let isWhole = true
  const take = ({ bytes, commit }: BlockItem): void => {
    if (commit !== expected) {
      expected = commit
      table.expect(Math.min(expected.records, EXPECTED_RECORDS_MAX))
    }
    isWhole = false
    table.add(ownMemory(bytes))
  }
  const scan = new LogScan({ storage, storeId, log, leftOverEpoch, from, known, until, onDamage, take, pause })
  let packedBytes = 0
  let nextId = fold?.nextId ?? 1
  let records = 0
  let rawBytes = 0
  const length = new LogLength(fold ?? GENESIS)
  let logBytes = 0
  let catalogue = fold?.catalogue ?? []
  for await (const item of scan) {
    if (item.type === 'block') {
      await pause()
      continue
    }
    const { commit } = item
    isWhole = true
    records += commit.records
    rawBytes += commit.rawBytes
    logBytes += length.to(item.position)
    catalogue = commit.catalogue
    for (const { id } of catalogue) nextId = Math.max(nextId, id + 1)
    if (table.rawBytes > 2 * packedBytes + slackBytes) {
      nextId = Math.max(nextId, table.highestId + 1)
      const alive = new Set(catalogue.map(({ id }) => id))
      table = await pack(table, alive, fold !== null, pause)
      packedBytes = table.rawBytes
    }
  }
  const { report } = scan
  const { lastCommit } = report
  nextId = Math.max(nextId, table.highestId + 1)
  if (fold === null) {
    const counts = await countPuts(table, pause)
    catalogue = catalogue.map(entry => ({ ...entry, entries: counts.get(entry.id) ?? 0 }))
  }
  const epoch = lastCommit?.epoch ?? fold?.epoch ?? 0
  const timeMs = lastCommit?.timeMs ?? fold?.timeMs ?? 0
  return { tail: { table, catalogue, epoch, timeMs, nextId, report, records, rawBytes, logBytes }, isWhole }
}

async function countPuts(table: TailTable, pause: TailRequest['pause']): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  while (!table.settleSome()) await pause()
  for (let at = 0; at < table.records; at += COUNT_STRIDE) {
    table.countPuts(counts, at, at + COUNT_STRIDE)
    await pause()
  }
  return counts
}

/** The same without what was superseded, what was dropped, and, where nothing older lies under it, without tombstones. */
async function pack(table: TailTable, alive: ReadonlySet<number>, tombstones: boolean, pause: TailRequest['pause']): Promise<TailTable> {
  while (!table.sortSome(STRIDE)) await pause()
  const packed = new TailTable()
  let writer = new ByteWriter(BLOCK_RAW_BYTES)
  const cursor = table.cursor()
  for (let count = 1; cursor.next(); count++) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    if (alive.has(collection) && (put || tombstones)) {
      appendRecord(writer, collection, bytes.subarray(keyStart, keyEnd), put ? bytes.subarray(start, end) : undefined)
    }
    if (writer.length >= BLOCK_RAW_BYTES) {
      packed.add(writer.view())
      writer = new ByteWriter(BLOCK_RAW_BYTES)
    }
    if (count % STRIDE === 0) await pause()
  }
  packed.add(Buffer.from(writer.view()))
  return packed
}
