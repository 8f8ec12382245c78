/**
 * Opening a store: which manifest counts, and making it ours.
 *
 * Does: creates a store, takes one over (a manifest with a higher token, durable before the log is read). Owns: the order of these steps.
 * Does not own: the lock (the caller holds it), what a foreign directory is (directory.ts), reading the log (LogScan), writing it.
 * Invariants: nothing is written into a directory that is not a store; of several openers of one number all but one get TIDEMARK_FENCED;
 * opening for reading writes nothing, and opening for writing nothing before it has seen that what it stands on is there (there.ts).
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { type Failpoint, noFailpoint } from '../base/failpoint.ts'
import { READ_ATTEMPTS_MAX } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import type { Random } from '../base/random.ts'
import { LOG_FOLDER, MANIFEST_FOLDER, type Manifest, manifestName } from '../format/index.ts'
import {
  type Author,
  type FoundManifest,
  firstManifest,
  isUnbegun,
  newestNumber,
  noStore,
  pruneManifests,
  publish,
  readManifest,
  readNewest,
  spoiled,
  takeOver,
} from '../manifest/index.ts'
import { directoryError, FileStorage, isErrno, type Storage } from '../storage/index.ts'
import { endCopy, refuseForeign } from './directory.ts'
import { assertStillDamaged, type Followed, followChain, hasLaterFiles } from './follow.ts'
import { type Asked, assertNotOutlived, assertThere, filesThere, highestToken, missingOf, type NewestManifest, withKept } from './there.ts'

export interface OpenFacts extends Asked {
  readonly createdBy: string
  readonly random: Random
  /** Default true: an empty directory becomes a store. */
  readonly create?: boolean
  readonly failpoint?: Failpoint
  /** Gives way while the log is followed, where the newest manifest is lost. Default: it does not. */
  readonly pause?: Pauser
  /** Reads what is about to be published, where that hides what only lost manifests named; throws where the open would reject. */
  readonly tryOut?: (opened: OpenedStore) => Promise<void>
}

export interface OpenedStore {
  /** For a writer: made by this opening. Its `log` is what a LogScan reads. */
  readonly manifest: Manifest
  readonly created: boolean
  /** A living writer may go on, and give back files that the manifest names. */
  readonly shared: boolean
  /** Newer manifests that did not verify, or were not given back; what they named is found by following the chain of files. */
  readonly damagedManifests: FoundManifest['damaged']
  /** What to tell where the newest manifest that is there is older than the log, which was followed on. */
  readonly older: string | undefined
  /** The newest epoch of files behind damage in the last one that is known, which only these manifests named; 0 where there are none. */
  readonly leftOverEpoch: number
}

/** Creates or takes over the store. The caller holds the lock and then scans `manifest.log`. */
export async function openForWriting(storage: Storage, facts: OpenFacts): Promise<OpenedStore> {
  const { failpoint = noFailpoint, pause = () => {} } = facts
  const author: Author = { writer: hex(facts.random.bytes(16)), createdBy: facts.createdBy }
  const { found: newest, left } = await findStore(storage)
  if (newest === undefined) {
    // Behind what first openings left that died inside their manifest: of a number there is one only, and so there is of the files of a token.
    const number = left + 1
    if (facts.create === false) throw noStore(number > 1)
    await failpoint('open.folders')
    await storage.makeFolder(LOG_FOLDER)
    await storage.makeFolder(MANIFEST_FOLDER)
    // Were their names lost, and ours kept without what is in it, nobody could tell that it was a first one.
    if (number > 1) await storage.syncFolder(MANIFEST_FOLDER)
    const first = firstManifest(hex(facts.random.bytes(16)), hex(facts.random.bytes(16)), author)
    const manifest = await claim(storage, { ...first, number, token: number }, failpoint)
    return { manifest, created: true, shared: false, damagedManifests: [], older: undefined, leftOverEpoch: 0 }
  }
  const [{ log, token, leftOverEpoch, found }, there] = await Promise.all([followOn(storage, newest, pause), filesThere(storage)])
  const followed = { ...found.manifest, log }
  const older = olderThan(found, log)
  if (older !== undefined) await assertNotOutlived(storage, found, followed, there, facts)
  await assertThere(storage, found, followed, there, facts)
  await assertStillDamaged(storage, followed, leftOverEpoch, facts, pause)
  const next = takeOver(await withKept(storage, found, log, there), found.newestNumber, log, author, highestToken(token, there))
  const about = { created: false, shared: false, damagedManifests: found.damaged, older, leftOverEpoch }
  const missing = missingOf(followed, there).length > 0
  if (missing || found.damaged.length > 0 || found.isOld) await tryOut(storage, found.newestNumber, { ...about, manifest: next }, facts)
  await failpoint('open.takeover')
  const manifest = await claim(storage, next, failpoint)
  // It may have gone with the files that are given up, or, where it was empty, with a tool that copies files alone.
  if (![...there].some(file => file.startsWith(`${LOG_FOLDER}/`))) await storage.makeFolder(LOG_FOLDER)
  await endCopy(storage)
  // Where it falls back, or goes back to a point, what is missing may come back, and with it what only older manifests name.
  if (!missing) await pruneManifests(storage, manifest)
  await failpoint('open.scan')
  return { ...about, manifest }
}

/**
 * Of a manifest that may not be the newest: where a file is missing it may be an older copy, and what tells that is away. What is there may be damaged, not
 * be given back, or not be unpacked here.
 */
async function tryOut(storage: Storage, number: number, opened: OpenedStore, facts: OpenFacts): Promise<void> {
  await facts.tryOut?.(opened).catch(async error => {
    // A writer who came meanwhile gives files back; whoever claims a number behind him is told.
    if ((await newestNumber(storage)) === number) throw error
  })
}

/** The store as it is; nothing is written. A living writer may go on meanwhile. `pause`: as in OpenFacts. */
export async function openForReading(storage: Storage, pause: Pauser = () => undefined): Promise<OpenedStore> {
  const { found: newest, left } = await findStore(storage).catch(error => {
    throw storage instanceof FileStorage ? directoryError(storage.root, error, 'reads') : error
  })
  if (newest === undefined) throw noStore(left > 0)
  const { log, leftOverEpoch, found } = await followOn(storage, newest, pause)
  const isAll = (found.damaged.length === 0 && !found.isOld) || found.manifest.retained.length === 0
  const kept = isAll ? found.manifest : await withKept(storage, found, log, await filesThere(storage))
  const manifest: Manifest = { ...kept, log }
  return { manifest, created: false, shared: true, damagedManifests: found.damaged, older: olderThan(found, log), leftOverEpoch }
}

interface FoundStore {
  /** Undefined: there is none, and nothing of others. */
  readonly found: NewestManifest | undefined
  /**
   * The highest number of what first openings left that died inside their manifest; 0 where there is none. Asked for before it is seen that no log was
   * begun: behind a later number there may be a store by now, which a first manifest above it would end.
   */
  readonly left: number
}

/** @throws TIDEMARK_DIRECTORY where there is no store, and something of others */
async function findStore(storage: Storage): Promise<FoundStore> {
  for (let attempt = 1; ; attempt++) {
    let left = 0
    const found = await findNewest(storage).catch(async error => {
      if (!hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) throw error
      left = await newestNumber(storage)
      if (!(await isUnbegun(storage))) throw error
      return undefined
    })
    if (found !== undefined) return { found, left }
    try {
      await refuseForeign(storage)
      return { found, left }
    } catch (error) {
      // A first opening, or the end of a copy, has made one between the looks.
      const isLate = hasCode(error, 'TIDEMARK_DIRECTORY') && (await newestNumber(storage)) > 0
      if (!isLate || attempt === READ_ATTEMPTS_MAX) throw error
    }
  }
}

async function findNewest(storage: Storage): Promise<NewestManifest | undefined> {
  for (let attempt = 1; ; attempt++) {
    const found = await readNewest(storage)
    if (found === undefined) return undefined
    const isBehind = found.damaged.length === 0 && (await hasLaterFiles(storage, found.manifest))
    // One who came between the two looks has left a manifest.
    const isNewest = !isBehind || (await newestNumber(storage)) === found.newestNumber
    if (isNewest || attempt === READ_ATTEMPTS_MAX) return { ...found, isOld: isBehind && isNewest }
  }
}

function olderThan({ manifest, isOld }: NewestManifest, log: Manifest['log']): string | undefined {
  if (!isOld || log.length === 0 || log.at(-1)?.file === manifest.log.at(-1)?.file) return undefined
  return `${manifestName(manifest.number)}, the newest that is there, is older than the log, which was followed on`
}

/** The log; and `newest`, told by what is in the files that have later tokens in their names: one of another store says nothing of the manifests here. */
async function followOn(storage: Storage, newest: NewestManifest, pause: Pauser): Promise<Followed & { readonly found: NewestManifest }> {
  const followed = await logOf(storage, newest, pause)
  return { ...followed, found: { ...newest, isOld: newest.isOld && followed.token > newest.manifest.token } }
}

async function logOf(storage: Storage, found: NewestManifest, pause: Pauser): Promise<Followed> {
  const { manifest, damaged, unread, isOld } = found
  const [newest] = damaged
  if (isOld) return await followChain(storage, manifest, undefined, pause)
  if (newest === undefined) return { log: manifest.log, token: manifest.token, leftOverEpoch: 0 }
  try {
    const followed = await followChain(storage, manifest, newest.file, pause)
    if (unread === undefined || missingOf({ ...manifest, log: followed.log }, await filesThere(storage)).length === 0) return followed
  } catch (error) {
    if (unread === undefined || !hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) throw error
  }
  // It may be given back another time, unless something is published above it.
  throw unread
}

/** A manifest of ours that does not read back is followed by another so often. */
const PUBLISH_TRIES = 3

/**
 * Publishes a manifest of ours, and gives it back. A call may have made the name and say that it was there, as over a network where the first
 * answer was lost: nobody knows then whether it is durable, and the next number is taken. So it is where what was made does not read back.
 */
export async function claim(storage: Storage, manifest: Manifest, failpoint: Failpoint, tries = PUBLISH_TRIES): Promise<Manifest> {
  const { number, writer } = manifest
  const outcome = await publish(storage, manifest, failpoint)
  if (outcome === 'ours') return manifest
  let failure: unknown
  const there = outcome === 'taken' ? await readManifest(storage, number).catch(error => void (failure = error)) : undefined
  const isOurs = there?.writer === writer
  if (isOurs || outcome === 'spoiled') {
    if (tries <= 1) throw spoiled(number)
    return await claim(storage, { ...manifest, number: number + 1 }, failpoint, tries - 1)
  }
  if (outcome === 'taken' && (await newestNumber(storage)) < number) {
    const file = manifestName(number)
    throw new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file} is no file, and has the name of the next manifest`, {
      file,
      hint: 'move it away: it is a folder, a link to itself, or the like, and nobody can write to this store while it is there',
    })
  }
  if (failure instanceof TidemarkError && failure.code === 'TIDEMARK_STORAGE' && !isErrno(failure, 'ENOENT'))
    throw unknownAuthor(number, failure)
  throw new TidemarkError('TIDEMARK_FENCED', `another opener took manifest ${number} first`, {
    hint: 'two processes open this store at once; keep one',
    info: { number },
  })
}

/** It may be ours or a rival's: so it is not said to have been read, which one that is spoiled is. */
function unknownAuthor(number: number, cause: TidemarkError): TidemarkError {
  const file = manifestName(number)
  const info = { ...cause.info, operation: 'createIfAbsent' }
  const hint = 'try again: where another process opens this store, too, keep one of them'
  return new TidemarkError('TIDEMARK_STORAGE', `${file} is there, and whose it is cannot be read: ${cause.message}`, {
    file,
    cause,
    info,
    hint,
  })
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
