/**
 * Finding the log without the newest manifest: files that go on, by epoch and digest, where the files of an older manifest end.
 *
 * Invariants: only files of this store that hold a commit are followed (a file is named by a durable manifest before its first append, so
 * such a file was in use); of several that go on from the same log the one with the highest token and sequence counts; every step raises
 * token and sequence, so the walk ends.
 */
import { GENESIS, LOG_FOLDER, type LogEntry, type LogHeader, type LogPosition, type Manifest } from '../format/index.ts'
import { LogScan, lastSeenIn, openLog } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'

interface Candidate {
  readonly file: string
  readonly header: LogHeader
}

/** The log list of the manifest, and what chains on to it. */
export async function followChain(storage: Storage, manifest: Manifest): Promise<readonly LogEntry[]> {
  const log = [...manifest.log]
  let candidates = await findCandidates(storage, manifest)
  for (;;) {
    const ends = await endsOf(storage, manifest.storeId, log)
    const next = candidates.find(({ header }) => ends.has(`${header.baseEpoch} ${header.baseDigest}`))
    if (next === undefined) return log
    const end = ends.get(`${next.header.baseEpoch} ${next.header.baseDigest}`) as LogPosition
    const last = log.at(-1)
    if (last !== undefined && last.end === null) {
      log.pop()
      // A file that holds nothing the next one builds upon is dropped, as a roll would have done.
      if (end.file === last.file) log.push({ file: last.file, end: { bytes: end.bytes, epoch: end.epoch, digest: end.digest } })
    }
    log.push({ file: next.file, end: null })
    candidates = candidates.filter(({ header }) => after(header, next.header))
  }
}

/** Every place at which the log may be gone on from, by epoch and digest. */
async function endsOf(storage: Storage, storeId: string, log: readonly LogEntry[]): Promise<Map<string, LogPosition>> {
  const ends = new Map<string, LogPosition>()
  const add = (position: LogPosition): void => {
    ends.set(`${position.epoch} ${position.digest}`, position)
  }
  const last = log.at(-1)
  const closed = log.findLast(entry => entry.end !== null)
  if (closed?.end != null) add({ file: closed.file, ...closed.end })
  else add(GENESIS)
  if (last === undefined || last.end !== null) return ends
  // Its header says what it goes on from: the files before it may be kept no more.
  const opened = await openLog(storage, last, storeId, undefined)
  if (!('window' in opened)) return ends
  await opened.window.file.close()
  const from = { file: last.file, bytes: opened.start, epoch: opened.header.baseEpoch, digest: opened.header.baseDigest }
  if (closed === undefined) add({ ...from, file: null })
  const scan = new LogScan({ storage, storeId, log: [last], from, payloads: false, onDamage: 'fall-back' })
  for await (const item of scan) if (item.type === 'commit') add(item.position)
  return ends
}

/** Files beyond those the manifest names that hold a commit; the highest token and sequence first. */
async function findCandidates(storage: Storage, manifest: Manifest): Promise<Candidate[]> {
  const named = new Set(manifest.log.map(entry => entry.file))
  const last = manifest.log.at(-1)?.file ?? ''
  const candidates: Candidate[] = []
  for (const name of await storage.list(LOG_FOLDER)) {
    const file = `${LOG_FOLDER}/${name}`
    // Names are fixed-width hex: their order is that of token and sequence.
    if (named.has(file) || file <= last || !/^[0-9a-f]{8}-[0-9a-f]{8}\.log$/.test(name)) continue
    const entry: LogEntry = { file, end: null }
    const opened = await openLog(storage, entry, manifest.storeId, undefined)
    if (!('window' in opened)) continue
    await opened.window.file.close()
    const seen = await lastSeenIn(storage, entry, manifest.storeId, () => {})
    if (seen > opened.header.baseEpoch) candidates.push({ file, header: opened.header })
  }
  return candidates.reverse()
}

function after(a: LogHeader, b: LogHeader): boolean {
  return a.token > b.token || (a.token === b.token && a.sequence > b.sequence)
}
