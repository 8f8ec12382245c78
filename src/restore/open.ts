/**
 * Opening a store: which manifest counts, and making it ours.
 *
 * Does: tells a store from a foreign directory, creates one, takes one over (a manifest with a higher token, durable before the log is
 * read), forks one. Owns: the order of these steps. Does not own: the lock (the caller holds it), reading the log (LogScan), writing it.
 * Invariants: nothing is written into a directory that is not a store; of several openers of one number all but one get TIDEMARK_FENCED;
 * opening for reading writes nothing.
 */
import { TidemarkError } from '../base/errors.ts'
import { type Failpoint, noFailpoint } from '../base/failpoint.ts'
import type { Random } from '../base/random.ts'
import { LOG_FOLDER, MANIFEST_FOLDER, type Manifest } from '../format/index.ts'
import { proveEpoch, type ScanReport } from '../log/index.ts'
import {
  type Author,
  type FoundManifest,
  firstManifest,
  fork,
  listManifests,
  pruneManifests,
  publish,
  readNewest,
  takeOver,
} from '../manifest/index.ts'
import { directoryError, FileStorage, LOCK_FILE, type Storage } from '../storage/index.ts'
import { followChain } from './follow.ts'

export interface OpenFacts {
  readonly createdBy: string
  readonly random: Random
  /** Default true: an empty directory becomes a store. */
  readonly create?: boolean
  readonly failpoint?: Failpoint
}

export interface OpenedStore {
  /** For a writer: made by this opening. Its `log` is what a LogScan reads. */
  readonly manifest: Manifest
  readonly created: boolean
  /** A living writer may go on, and give back files that the manifest names. */
  readonly shared: boolean
  /** Newer manifests that did not verify; what they named is found by following the chain of files. */
  readonly damagedManifests: FoundManifest['damaged']
}

/** Creates or takes over the store. The caller holds the lock and then scans `manifest.log`. */
export async function openForWriting(storage: Storage, facts: OpenFacts): Promise<OpenedStore> {
  const failpoint = facts.failpoint ?? noFailpoint
  const author: Author = { writer: hex(facts.random.bytes(16)), createdBy: facts.createdBy }
  const found = await readNewest(storage)
  if (found === undefined) {
    await refuseForeign(storage)
    if (facts.create === false) throw noStore()
    await failpoint('open.folders')
    await storage.makeFolder(LOG_FOLDER)
    await storage.makeFolder(MANIFEST_FOLDER)
    const manifest = firstManifest(hex(facts.random.bytes(16)), hex(facts.random.bytes(16)), author)
    await claim(storage, manifest, failpoint)
    return { manifest, created: true, shared: false, damagedManifests: [] }
  }
  const old = await withKept(storage, found)
  const manifest = takeOver(old, found.newestNumber, await logOf(storage, found), author)
  await failpoint('open.takeover')
  await claim(storage, manifest, failpoint)
  await pruneManifests(storage, manifest)
  await failpoint('open.scan')
  return { manifest, created: false, shared: false, damagedManifests: found.damaged }
}

/** The store as it is; nothing is written. A living writer may go on meanwhile. */
export async function openForReading(storage: Storage): Promise<OpenedStore> {
  const found = await readNewest(storage).catch(error => {
    throw storage instanceof FileStorage ? directoryError(storage.root, error, 'reads') : error
  })
  if (found === undefined) {
    await refuseForeign(storage)
    throw noStore()
  }
  const manifest: Manifest = { ...(await withKept(storage, found)), log: await logOf(storage, found) }
  return { manifest, created: false, shared: true, damagedManifests: found.damaged }
}

/**
 * Makes history go on from where a scan ended, an older point or the last one before damage: a new manifest with a new lineage, durable when it
 * resolves. `image`: the manifest whose segments it stands on. What lies beyond is no longer named; its bytes stay until they are collected.
 * @throws TIDEMARK_FAILED when the last epoch of the file that was open cannot be made durable
 */
export async function forkAt(
  storage: Storage,
  manifest: Manifest,
  { end, unproven }: Pick<ScanReport, 'end' | 'unproven'>,
  facts: Pick<OpenFacts, 'random' | 'failpoint'>,
  image: Manifest = manifest,
): Promise<Manifest> {
  const next = fork(manifest, end, hex(facts.random.bytes(16)), image)
  // The fork closes this file where it ends: the next writer takes it for durable up to there.
  if (unproven !== null) await proveEpoch(storage, manifest.storeId, unproven, end)
  await claim(storage, next, facts.failpoint ?? noFailpoint)
  await pruneManifests(storage, next)
  return next
}

async function logOf(storage: Storage, found: FoundManifest): Promise<Manifest['log']> {
  const [newest] = found.damaged
  return newest === undefined ? found.manifest.log : await followChain(storage, found.manifest, newest.file)
}

/** Fold points that a later manifest, which is damaged, did not keep any more may be gone. */
async function withKept(storage: Storage, { manifest, damaged }: FoundManifest): Promise<Manifest> {
  if (damaged.length === 0) return manifest
  const there = new Set(await listManifests(storage))
  return { ...manifest, retained: manifest.retained.filter(({ number }) => there.has(number)) }
}

async function claim(storage: Storage, manifest: Manifest, failpoint: Failpoint): Promise<void> {
  if ((await publish(storage, manifest, failpoint)) === 'ours') return
  throw new TidemarkError('TIDEMARK_FENCED', `another opener took manifest ${manifest.number} first`, {
    hint: 'two processes open this store at once; keep one',
    info: { number: manifest.number },
  })
}

async function refuseForeign(storage: Storage): Promise<void> {
  const names = (await storage.list('')).filter(name => name !== LOCK_FILE)
  const logs = await storage.list(LOG_FOLDER)
  if (names.length === 0 && logs.length === 0) return
  throw new TidemarkError('TIDEMARK_DIRECTORY', 'the directory is neither empty nor a store', {
    hint:
      logs.length > 0
        ? 'it holds log files and no manifest: put the folder `manifest` back'
        : 'give an empty directory, or one that holds a store',
    info: { found: [...names, ...logs.map(name => `${LOG_FOLDER}/${name}`)].slice(0, 10) },
  })
}

function noStore(): TidemarkError {
  return new TidemarkError('TIDEMARK_NO_STORE', 'there is no store in this directory', { hint: 'open it for writing once to create it' })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
