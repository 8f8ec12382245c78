/**
 * A copy of the newest recovery point as a store of its own: the segments and the log behind them as they are, then a manifest that says so.
 *
 * Does: copies file by file beside a living writer, reads back and verifies what was copied, publishes the manifest last.
 * Owns: the target until then, under its lock, where it is to be locked. Does not own: the source, which it only reads.
 * Invariants: the target is no store before all of it is durable and verified; a piece of COPY_BYTES is all that is held of a file; a copy that
 * was cut short leaves the file COPYING, and the next one begins again, unless it was whole by then: such a one is ended by who opens it; the copy
 * goes on in a lineage of its own, with nothing of the past; what the target refuses or damages says nothing of the source, and ends the copy.
 */
import { resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { assert, hasCode, TidemarkError } from '../base/errors.ts'
import { noFailpoint } from '../base/failpoint.ts'
import { COPY_BYTES, COPY_SYNC_BYTES, MANIFEST_NUMBER_MAX, MANIFEST_NUMBERS_AHEAD_MAX } from '../base/limits.ts'
import { type Pauser, systemPauser } from '../base/pauser.ts'
import { type Random, systemRandom } from '../base/random.ts'
import {
  entriesOf,
  GENESIS,
  LOG_FOLDER,
  type LogEntry,
  logNumbers,
  MANIFEST_FOLDER,
  type Manifest,
  manifestName,
  manifestNumber,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentNumbers,
  segmentsOf,
} from '../format/index.ts'
import { holdsNothing, LogScan, type ScanReport } from '../log/index.ts'
import { fork, noStoreIn, publish, readManifest, spoiled } from '../manifest/index.ts'
import { verifySegment } from '../segment/index.ts'
import {
  acquireLock,
  directoryError,
  endedBy,
  FileStorage,
  isForeignLock,
  LOCK_FILE,
  type Lock,
  lockHolder,
  nameOf,
  type Storage,
  type StorageFile,
} from '../storage/index.ts'
import { type Believe, besideWriter } from './beside.ts'
import { COPYING, isCutShort } from './directory.ts'
import { type OpenedStore, openForReading } from './open.ts'

export interface Copied {
  /** The recovery point that the copy holds. */
  readonly epoch: number
  /** Live entries of all collections, by its commit; at most so many where values were refused. */
  readonly entries: number
  readonly files: number
  readonly bytes: number
}

export interface CopyOptions {
  /** Of the target: 'os' takes the operating system's lock; 'none' takes none, for where there are no locks and nobody else goes. Default 'os'. */
  readonly lock?: 'os' | 'none'
}

/** Under such a name COPYING comes to be. */
const COPYING_BEGINS = /^\.tmp-[0-9a-f]{16}-copying$/
const FOLDERS = [LOG_FOLDER, SEGMENT_FOLDER]
/** Its folders, and which files there may be a store's. */
const OWN: Readonly<Record<string, (name: string) => boolean>> = {
  [MANIFEST_FOLDER]: name => manifestNumber(name) !== undefined,
  [LOG_FOLDER]: name => logNumbers(name) !== undefined,
  [SEGMENT_FOLDER]: name => segmentNumbers(name) !== undefined,
}

/** @throws TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY for a target with something in it, TIDEMARK_LOCKED, damage, TIDEMARK_STORAGE */
export async function copyDirectory(directory: string, target: string, { lock: wanted = 'os' }: CopyOptions = {}): Promise<Copied> {
  const from = new FileStorage(directory)
  const to = new FileStorage(target)
  const pause = systemPauser()
  const opened = await openForReading(from, pause).catch(error => {
    throw noStoreIn(resolve(directory), error, 'correct the path')
  })
  const lock = await prepare(to, target, wanted === 'os').catch(error => {
    throw endedBy(directoryError(to.root, error, 'writes'))
  })
  try {
    // Somebody may have been faster.
    await refuseUsed(to, await to.names(), target)
    await to.removeTemporaries('', Number.POSITIVE_INFINITY)
    return await copyStore(from, to, systemRandom, pause, opened)
  } finally {
    lock?.release()
  }
}

/** The target is there, has nothing of others in it, and is locked, if it is to be. */
async function prepare(to: FileStorage, target: string, locks: boolean): Promise<Lock | undefined> {
  await refuseUsed(to, await to.names(), target)
  if (isForeignLock(to.root)) throw notEmpty(target, [LOCK_FILE])
  await to.makeFolder('')
  return locks ? await acquireLock(to.root, lockHolder(systemClock.now())) : undefined
}

async function refuseUsed(to: Storage, names: readonly string[], target: string): Promise<void> {
  const others = names.filter(name => name !== LOCK_FILE && !COPYING_BEGINS.test(name))
  if (others.length === 0 || (await isBegun(to, others))) return
  throw notEmpty(target, others)
}

function notEmpty(target: string, found: readonly string[]): TidemarkError {
  return new TidemarkError('TIDEMARK_DIRECTORY', `${resolve(target)} is not empty`, {
    hint: 'give a directory that is missing or empty',
    info: { found: found.slice(0, 10) },
  })
}

/**
 * A copy that was cut short left this, and nothing else: COPYING is empty, and every name is one that a copy makes. The one manifest may stand there
 * in part, where files have no other name first; a store that somebody went on with has more than one.
 */
async function isBegun(to: Storage, names: readonly string[]): Promise<boolean> {
  if (!names.every(name => name === COPYING || Object.hasOwn(OWN, name))) return false
  let files: string[] = []
  for (const folder of FOLDERS) {
    const inside = await to.list(folder)
    if (!inside.every(name => OWN[folder]?.(name))) return false
    files = files.concat(inside)
  }
  if (!(await isCutShort(to, files))) return false
  const [manifest, ...more] = await to.list(MANIFEST_FOLDER)
  return manifest === undefined || (more.length === 0 && (await isDamaged(to, manifest)))
}

async function isDamaged(to: Storage, manifest: string): Promise<boolean> {
  const number = manifestNumber(manifest)
  if (number === undefined) return false
  try {
    await readManifest(to, number)
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) return true
    if (!hasCode(error, 'TIDEMARK_FORMAT_NEWER')) throw error
  }
  return false
}

/** Carries an error of the target past those who take it for one of the source. */
class TargetFailed extends Error {
  constructor(error: TidemarkError) {
    super(error.message, { cause: error })
  }
}

/** What `work` on the target makes. Damage in a segment passes as it is: it may have been copied. */
async function onTarget<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof TidemarkError && error.code !== 'TIDEMARK_SEGMENT_DAMAGED' ? inTarget(error) : error
  }
}

function inTarget(error: TidemarkError): TargetFailed {
  const { code, kind, message, hint, file, info } = endedBy(error) as TidemarkError
  // What to do about damage is said of a store.
  const details = { cause: error, ...(hint && kind !== 'damage' && { hint }), ...(file && { file }), ...(info && { info }) }
  return new TargetFailed(new TidemarkError(code, `in the target, ${message}`, details))
}

/** What to tell of an error of the target. @throws the source's own, where a damaged segment was copied as it is there */
async function whose(error: unknown, from: Storage, segments: readonly SegmentEntry[], pause: Pauser): Promise<unknown> {
  if (!(error instanceof TidemarkError) || error.code !== 'TIDEMARK_SEGMENT_DAMAGED') return error
  for (const entry of segments) if (entry.file === error.file) await verifySegment(from, entry, pause)
  return inTarget(error)
}

/** `to`: empty, or what a copy that was cut short left. */
export async function copyStore(from: Storage, to: Storage, random: Random, pause: Pauser, opened?: OpenedStore): Promise<Copied> {
  const begin = opened ?? (await openForReading(from, pause))
  try {
    return await besideWriter(from, begin, pause, (newest, believe) => attempt(from, to, newest, random, believe, pause))
  } catch (error) {
    throw error instanceof TargetFailed ? error.cause : error
  }
}

async function attempt(from: Storage, to: Storage, opened: OpenedStore, random: Random, believe: Believe, pause: Pauser): Promise<Copied> {
  const { manifest, leftOverEpoch } = opened
  await onTarget(() => clear(to))
  const { fold } = manifest
  const segments = segmentsOf(manifest)
  // From here on their names may go.
  const open = new Map<string, StorageFile>()
  try {
    for (const { file } of segments) open.set(file, await from.open(file, 'read'))
    const first = fold === null ? 0 : manifest.log.findIndex(entry => entry.file === fold.file)
    assert(first >= 0, 'the log reaches back to the fold point')
    const log = manifest.log.slice(first)
    // After falling back the damaged file may be named though nothing in it counts, and may be lost: what holds nothing is not read.
    const read = log.filter((entry, at) => !holdsNothing(entry, (at === 0 ? fold : log[at - 1]?.end) ?? GENESIS))
    for (const { file } of read) open.set(file, await from.open(file, 'read'))
    const report = await scan(from, manifest, log, pause, leftOverEpoch)
    if (report.damage !== null) await believe(report.damage.file)
    const lineage = random.bytes(16).toString('hex')
    // A log that was found without the newest manifests may go on in files of a later token than that of the manifest that was read.
    const token = log.reduce((most, { file }) => Math.max(most, logNumbers(nameOf(file))?.token ?? 0), manifest.token)
    const next = fork({ ...manifest, number: numberBehind(opened), token, log, retained: [] }, report.end, lineage)
    const lengths = new Map<string, number>(segments.map(({ file, bytes }) => [file, bytes] as const))
    for (const { file, end } of next.log) {
      // One that was closed may have lost of its last echo, which nothing needs.
      const size = await open.get(file)?.size()
      if (size !== undefined) lengths.set(file, Math.min(end?.bytes ?? 0, size))
    }
    let bytes = 0
    for (const [file, length] of lengths) {
      await copyFile(open.get(file) as StorageFile, to, file, length)
      bytes += length
    }
    const last = read.length > 0 ? undefined : next.log.at(-1)
    const unread = last?.end == null ? 0 : await copyUnread(from, to, last.file, last.end.bytes)
    await onTarget(() => finish(to, next, segments, report.end.epoch, pause)).catch(async error => {
      throw await whose(error, from, segments, pause)
    })
    const catalogue = report.lastCommit?.catalogue ?? fold?.catalogue ?? []
    const entries = entriesOf(catalogue)
    return { epoch: report.end.epoch, entries, files: lengths.size + (unread > 0 ? 1 : 0), bytes: bytes + unread }
  } finally {
    for (const file of open.values()) await file.close().catch(() => {})
  }
}

/**
 * The number that the copy's is behind. The highest of the source, whether it verifies or not: whoever has that open, and finds the copy in its place,
 * sees a later one there. Where so many were given that there is an end to them, it counts from the beginning: nobody's is as low. Not from 1, which a
 * first opening that died leaves.
 */
function numberBehind({ manifest, damagedManifests }: OpenedStore): number {
  let { number } = manifest
  for (const { file } of damagedManifests) {
    const damaged = manifestNumber(nameOf(file)) ?? 0
    // One further ahead is no manifest of this store.
    if (damaged - manifest.number <= MANIFEST_NUMBERS_AHEAD_MAX) number = Math.max(number, damaged)
  }
  return number <= MANIFEST_NUMBER_MAX / 2 ? number : 1
}

/** Verifies what was copied, and makes a store of it. */
async function finish(to: Storage, next: Manifest, segments: readonly SegmentEntry[], epoch: number, pause: Pauser): Promise<void> {
  for (const folder of FOLDERS) await to.syncFolder(folder)
  for (const entry of segments) await verifySegment(to, entry, pause)
  const copied = await scan(to, next, next.log, pause)
  assert(copied.damage === null && copied.end.epoch === epoch, 'the log of the copy ends where that of the store does')
  const published = await publish(to, next, noFailpoint)
  if (published === 'spoiled') {
    // What cannot be opened must not stand there as a store.
    await to.remove(manifestName(next.number)).catch(() => {})
    throw spoiled(next.number)
  }
  assert(published === 'ours', 'nobody else makes a store here')
  await to.remove(COPYING)
  await to.syncFolder('')
}

/** What an attempt before this one left. */
async function clear(to: Storage): Promise<void> {
  if (!(await to.exists(COPYING))) await to.createIfAbsent(COPYING, new Uint8Array(0))
  await to.syncFolder('')
  for (const folder of [MANIFEST_FOLDER, ...FOLDERS]) {
    await to.makeFolder(folder)
    const names = await to.list(folder)
    const foreign = names.find(name => !OWN[folder]?.(name))
    if (foreign !== undefined) {
      throw new TidemarkError('TIDEMARK_DIRECTORY', `${folder}/${foreign} is not of a store`, {
        hint: 'give a directory that is missing or empty',
        info: { found: [`${folder}/${foreign}`] },
      })
    }
    for (const name of names) await to.remove(`${folder}/${name}`)
    // One in part that came back would stand beside the next one.
    if (folder === MANIFEST_FOLDER && names.length > 0) await to.syncFolder(folder)
  }
}

async function scan(
  storage: Storage,
  { storeId, fold }: Manifest,
  log: readonly LogEntry[],
  pause: Pauser,
  leftOverEpoch = 0,
): Promise<ScanReport> {
  const found = new LogScan({ storage, storeId, log, from: fold ?? undefined, leftOverEpoch, payloads: false, onDamage: 'refuse', pause })
  for await (const _ of found);
  return found.report
}

/**
 * The last file of a log of which nothing is read: an opening behind a damaged manifest asks that there be something of the log. It may be damaged
 * itself, or lost, and then stays behind. Gives its bytes, 0 where it did.
 */
async function copyUnread(from: Storage, to: Storage, file: string, length: number): Promise<number> {
  let source: StorageFile | undefined
  try {
    source = await from.open(file, 'read')
    await copyFile(source, to, file, length)
    return length
  } catch (error) {
    if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
    if (source !== undefined) await onTarget(() => to.remove(file))
    return 0
  } finally {
    await source?.close().catch(() => {})
  }
}

async function copyFile(source: StorageFile, to: Storage, file: string, length: number): Promise<void> {
  const target = await onTarget(() => to.open(file, 'create'))
  try {
    let unsynced = 0
    for (let at = 0; at < length; ) {
      const piece = await source.read(at, Math.min(COPY_BYTES, length - at))
      if (piece.length === 0) throw new TidemarkError('TIDEMARK_STORAGE', `${file} ends at ${at}, before ${length}`, { file })
      await onTarget(() => target.append([piece]))
      at += piece.length
      unsynced += piece.length
      if (unsynced < COPY_SYNC_BYTES) continue
      await onTarget(() => target.sync())
      unsynced = 0
    }
    await onTarget(() => target.sync())
  } finally {
    await onTarget(() => target.close())
  }
}
