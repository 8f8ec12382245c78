/**
 * Finding the log without the newest manifest, which is damaged or not there: files that go on, by epoch and digest, where those of an older one end.
 *
 * Invariants: only files of this store that hold a commit are followed (a file is named by a durable manifest before its first append, so
 * such a file was in use), and whose token is not below the manifest's, who names all that counts of those before; of several that go on from the
 * same log the one with the highest token and sequence counts; every step raises token and sequence, so the walk ends. A later file that goes on
 * from nothing that was followed (history was forked, or a file between is lost), or from before the fold point, holds epochs that were acknowledged:
 * it is never passed over, not even where something before it cannot be read at the moment; only with the last file that is named, where that is damaged
 * and it may go on from there. Where no manifest is damaged only a file of a later token tells that there was a newer one: of its own token there may be
 * files that were given up, with a commit that nobody acknowledged. A file whose header is damaged goes on from nobody knows what: where it holds an
 * epoch it is refused like one that goes on from nothing, and its token counts by its name.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { mostOf } from '../base/extremes.ts'
import { MANIFEST_NUMBERS_AHEAD_MAX } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  GENESIS,
  LOG_FOLDER,
  type LogEntry,
  type LogHeader,
  type LogPosition,
  logNumbers,
  type Manifest,
  manifestName,
} from '../format/index.ts'
import { holdsCommit, LogScan, lastSeenIn, openLog, readsOtherwise } from '../log/index.ts'
import { nameOf, type Storage } from '../storage/index.ts'
import type { Asked } from './there.ts'

interface Candidate {
  readonly file: string
  readonly header: LogHeader
  readonly lastSeenEpoch: number
}

export interface Followed {
  readonly log: readonly LogEntry[]
  /** The highest token of the manifest and of the store's files in the log, those with a damaged header among them. */
  readonly token: number
  /** Of files that nobody can follow to, because the last one of the log is damaged; 0 where there are none. */
  readonly leftOverEpoch: number
}

/** Whether the log has a file of a later writer than the manifest's, by its name. Every writer publishes a manifest before he makes a file. */
export async function hasLaterFiles(storage: Storage, manifest: Manifest): Promise<boolean> {
  return (await storage.list(LOG_FOLDER)).some(name => tokenOf(name) > manifest.token)
}

/**
 * The log list of the manifest, and what chains on to it. `damaged`: the newest manifest, which does not verify; undefined where it is not there.
 * @throws TIDEMARK_MANIFEST_DAMAGED when there is more, and only that manifest could say how it goes on
 */
export async function followChain(storage: Storage, manifest: Manifest, damaged: string | undefined, pause: Pauser): Promise<Followed> {
  const log = [...manifest.log]
  const found = await findCandidates(storage, manifest, pause)
  const { token, headless } = found
  let { candidates } = found
  const unknown = headless.find(file => damaged !== undefined || tokenOf(file) > manifest.token)
  if (unknown !== undefined) throw leftOver(unknown, undefined, manifest, damaged)
  if (damaged === undefined && !candidates.some(({ header }) => header.token > manifest.token)) candidates = []
  while (candidates.length > 0) {
    let { ends, whole, least, givesUp } = await endsOf(storage, manifest, log, pause)
    // What is read wrong once would give up all of these.
    if (!whole && !candidates.some(goesOn(ends))) ({ ends, whole, least, givesUp } = await endsOf(storage, manifest, log, pause))
    const next = candidates.find(goesOn(ends))
    if (next === undefined) {
      const forked = candidates.find(({ header }) => header.baseEpoch < least)
      // Where the last file is damaged itself, whoever reads it says so, and that these are lost with it. Without a manifest that was there it may be gone.
      if (!whole && damaged !== undefined && forked === undefined)
        return { log, token, leftOverEpoch: mostOf(candidates, ({ lastSeenEpoch }) => lastSeenEpoch) }
      const { file, header } = forked ?? (candidates[0] as Candidate)
      throw leftOver(file, header, manifest, damaged)
    }
    // Segments hold what was folded: where history went on from before that, only a fork that was lost could say what they are without it.
    if (next.header.baseEpoch < (manifest.fold?.epoch ?? 0)) throw leftOver(next.file, next.header, manifest, damaged)
    const end = ends.get(`${next.header.baseEpoch} ${next.header.baseDigest}`) as LogPosition
    if (damaged === undefined && givesUp(end)) throw twoHistories(next, log.at(-1) as LogEntry, manifest)
    const last = log.at(-1)
    if (last !== undefined && last.end === null) {
      log.pop()
      // A file that holds nothing the next one builds upon is dropped, as a roll would have done.
      if (end.file === last.file) log.push({ file: last.file, end: { bytes: end.bytes, epoch: end.epoch, digest: end.digest } })
    }
    log.push({ file: next.file, end: null })
    candidates = candidates.filter(({ header }) => after(header, next.header))
  }
  return { log, token, leftOverEpoch: 0 }
}

/**
 * For who is about to publish a log that files were left out of, `leftOverEpoch` among what they hold: what stands before them has to be damaged still, and
 * to be fallen back from.
 * @throws TIDEMARK_LOG_DAMAGED where it is not, TIDEMARK_STORAGE where it reads whole now
 */
export async function assertStillDamaged(
  storage: Storage,
  { storeId, fold, log }: Manifest,
  leftOverEpoch: number,
  { atPoint = false, onDamage }: Asked,
  pause: Pauser,
): Promise<void> {
  if (leftOverEpoch === 0) return
  const options = { storage, storeId, log, from: fold ?? undefined, leftOverEpoch, payloads: false, pause } as const
  const { damage } = await new LogScan({ ...options, onDamage: atPoint ? 'fall-back' : onDamage }).run()
  if (damage === null) throw readsOtherwise(log.at(-1) as LogEntry)
}

function goesOn(ends: Ends['ends']): (candidate: Candidate) => boolean {
  return ({ header }) => ends.has(`${header.baseEpoch} ${header.baseDigest}`)
}

interface Ends {
  /** Every place at which the log may be gone on from, by epoch and digest. */
  readonly ends: ReadonlyMap<string, LogPosition>
  /** The last file could be read to its end. */
  readonly whole: boolean
  /** What goes on from before this epoch goes on from no place in the last file: history was forked. */
  readonly least: number
  /** Whether the last file has more behind there than one epoch that nobody may have acknowledged, as a writer leaves in a file that it gives up. */
  readonly givesUp: (end: LogPosition) => boolean
}

const nothing = (): boolean => false

async function endsOf(storage: Storage, { storeId, fold }: Manifest, log: readonly LogEntry[], pause: Pauser): Promise<Ends> {
  const ends = new Map<string, LogPosition>()
  const add = (position: LogPosition): void => {
    ends.set(`${position.epoch} ${position.digest}`, position)
  }
  const last = log.at(-1)
  const closed = log.findLast(entry => entry.end !== null)
  if (closed?.end != null) add({ file: closed.file, ...closed.end })
  else add(GENESIS)
  const least = Math.max(closed?.end?.epoch ?? 0, fold?.epoch ?? 0)
  if (last === undefined || last.end !== null) return { ends, whole: true, least, givesUp: nothing }
  // Its header says what it goes on from: the files before it may be kept no more.
  const opened = await openLog(storage, last, storeId, undefined)
  if (!('window' in opened)) return { ends, whole: false, least, givesUp: nothing }
  await opened.window.file.close()
  const from = { file: last.file, bytes: opened.start, epoch: opened.header.baseEpoch, digest: opened.header.baseDigest }
  if (closed === undefined) add({ ...from, file: null })
  let givesUp: Ends['givesUp'] = nothing
  const isWholeFrom = async (position: LogPosition): Promise<boolean> => {
    try {
      const scan = new LogScan({ storage, storeId, log: [last], from: position, known: fold, payloads: false, onDamage: 'refuse', pause })
      for await (const item of scan) if (item.type === 'commit') add(item.position)
      const { end, unproven } = scan.report
      givesUp = ({ epoch }) => epoch < end.epoch && epoch !== unproven?.before.epoch
      return true
    } catch (error) {
      // What the device does not give back now it may give to the next reader, who would take the log for whole as far as it is named.
      if (!hasCode(error, 'TIDEMARK_LOG_DAMAGED')) throw error
      return false
    }
  }
  if (await isWholeFrom(from)) return { ends, whole: true, least, givesUp }
  if (fold?.file !== last.file) return { ends, whole: false, least, givesUp }
  // Of what is folded nobody reads the log any more.
  add(fold)
  return { ends, whole: await isWholeFrom(fold), least, givesUp }
}

/** Files beyond those the manifest names. */
interface Beyond {
  /** Those that hold a commit; the highest token and sequence first. */
  readonly candidates: readonly Candidate[]
  /** Those that hold one, too, and whose header is damaged. */
  readonly headless: readonly string[]
  /** The highest of all that are of this store, as far as anybody knows. */
  readonly token: number
}

async function findCandidates(storage: Storage, manifest: Manifest, pause: Pauser): Promise<Beyond> {
  const named = new Set(manifest.log.map(entry => entry.file))
  const last = manifest.log.at(-1)?.file ?? ''
  const candidates: Candidate[] = []
  const headless: string[] = []
  let { token } = manifest
  for (const name of await storage.list(LOG_FOLDER)) {
    const file = `${LOG_FOLDER}/${name}`
    // Names are fixed-width hex: their order is that of token and sequence.
    if (named.has(file) || file <= last || logNumbers(name) === undefined) continue
    const entry: LogEntry = { file, end: null }
    const opened = await openLog(storage, entry, manifest.storeId, undefined)
    if (!('window' in opened)) {
      const ahead = tokenOf(file) - manifest.token
      if (opened.kind !== 'damaged' || ahead < 0 || ahead > MANIFEST_NUMBERS_AHEAD_MAX) continue
      token = Math.max(token, tokenOf(file))
      if (await holdsCommit(storage, file, pause)) headless.push(file)
      continue
    }
    await opened.window.file.close()
    token = Math.max(token, opened.header.token)
    const look = (): Promise<number> => lastSeenIn(storage, entry, manifest.storeId, pause)
    let seen = await look()
    // One of these that is read wrong would be passed over without a word.
    if (seen <= opened.header.baseEpoch) seen = await look()
    if (seen > opened.header.baseEpoch && opened.header.token >= manifest.token)
      candidates.push({ file, header: opened.header, lastSeenEpoch: seen })
  }
  return { candidates: candidates.reverse(), headless, token }
}

function tokenOf(file: string): number {
  return logNumbers(nameOf(file))?.token ?? 0
}

function after(a: LogHeader, b: LogHeader): boolean {
  return a.token > b.token || (a.token === b.token && a.sequence > b.sequence)
}

/** `header`: undefined where it is damaged. */
function leftOver(file: string, header: LogHeader | undefined, { number }: Manifest, damaged: string | undefined): TidemarkError {
  const newest = manifestName(number)
  const what = damaged === undefined ? `no manifest is there that is newer than ${newest}` : `${damaged} does not verify`
  const which = header === undefined ? 'whose header is damaged' : `which goes on from epoch ${header.baseEpoch}`
  return new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${what}, and without it nobody knows how history came to ${file}, ${which}`, {
    file: damaged ?? newest,
    info: { log: file, baseEpoch: header?.baseEpoch },
    hint: `keep a copy of the directory, then put the newest copy of the folder \`manifest\` back; what ${file} holds is given up by moving it away`,
  })
}

/** Where no manifest is damaged: either an older copy of them was put back, and a newer one says why, or the file is of another history. */
function twoHistories({ file, header }: Candidate, last: LogEntry, { number }: Manifest): TidemarkError {
  const newest = manifestName(number)
  return new TidemarkError(
    'TIDEMARK_MANIFEST_DAMAGED',
    `${file} goes on from epoch ${header.baseEpoch}, inside ${last.file}, which goes on itself, and no manifest is there that is newer than ${newest}`,
    {
      file: newest,
      info: { log: file, baseEpoch: header.baseEpoch },
      hint: `where an older copy of the folder \`manifest\` was put back, put the newest one there; where files of another copy were left behind as this one was put over it, move ${file} away, and all that came after it there`,
    },
  )
}
