/** The public contract. Nothing of the engine is loaded before `open` is called. */
import { resolve } from 'node:path'
import { TidemarkError } from './base/errors.ts'
import { optionsIn } from './base/given.ts'
import { systemScheduler } from './base/scheduler.ts'
import type { Codec } from './codec/index.ts'
import type { Profile, ProfileOptions } from './profile/index.ts'
import type { Copied, CopyOptions, RecoveryPoint, Verification } from './restore/index.ts'
import type { Explanation } from './schedule/index.ts'
import { checkSettings, type Settings } from './settings.ts'
import type { Store } from './store.ts'

export { CODES, type ErrorCode, type ErrorKind, hasCode, TidemarkError } from './base/errors.ts'
export type { HistogramSnapshot } from './base/histogram.ts'
export type { CollectionClass, CollectionKind, Giant, Spared, TidemarkMap, TidemarkValue, VoidReason } from './capture/index.ts'
export type { CheckpointPoint, EngineStatus, Refusal, StallInfo } from './checkpoint/index.ts'
export type { Codec, Key } from './codec/index.ts'
export type { HydrationProgress } from './cold/index.ts'
export type {
  CollectionOptions,
  CollectionStats,
  MemoryStats,
  Restored,
  StoreEvents,
  StoreStats,
  TimeoutOptions,
  UpkeepStats,
} from './face/index.ts'
export type { Lagging, StoredDecision } from './format/index.ts'
export type {
  BlockMeasurement,
  CollectionProfile,
  Distribution,
  Effect,
  HourOfDay,
  IntervalEffect,
  Lull,
  Merged,
  Profile,
  ProfileOptions,
  Recommendation,
} from './profile/index.ts'
export type { Copied, CopyOptions, FileReport, LostEpochs, RecoveryPoint, UnlistedEpochs, Verification } from './restore/index.ts'
export type { DayPart, Decision, DecisionReason, DecisionType, Explanation, ScheduleStats } from './schedule/index.ts'
export type { Settings } from './settings.ts'
export type { Store } from './store.ts'

const MEMORY = ':memory:'

/**
 * Opens the store in a directory, which is created when it is missing, but not by an open at a recovery point; `':memory:'` keeps nothing.
 *
 * @throws TIDEMARK_SETTINGS, TIDEMARK_DIRECTORY, TIDEMARK_LOCKED, TIDEMARK_LOG_DAMAGED, TIDEMARK_FORMAT_NEWER, TIDEMARK_NO_STORE, TIDEMARK_NO_SUCH_POINT,
 * TIDEMARK_ARGUMENT, TIDEMARK_LOCK_UNAVAILABLE, TIDEMARK_STORAGE, TIDEMARK_FAILED, TIDEMARK_PACKAGE_INCOMPLETE, TIDEMARK_MANIFEST_DAMAGED,
 * TIDEMARK_MANIFEST_FULL, TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_VALUE_DAMAGED, TIDEMARK_COMPRESSION_UNAVAILABLE, TIDEMARK_NUMBERS_SPENT, TIDEMARK_FENCED
 * @example
 * const store = await open('./state')
 * const players = store.map<{ score: number }>('players')
 * players.set('ada', { score: 1 })
 * await store.durable()
 * await store.close()
 */
export async function open(directory: string, settings?: Settings): Promise<Store> {
  const path = asOfNow(directory)
  const taken = settings === undefined ? undefined : checkSettings(settings)
  const { openWith } = await import('./engine.ts')
  const inline = path === MEMORY ? (await import('./apart.ts')).InlineHost : undefined
  // Loaded with the package: a test of the service may have faked the timers when the first store is opened, which loads all else.
  return await openWith(inline, path, taken, { scheduler: systemScheduler })
}

/**
 * Reads every byte that the newest manifest names, in a store that may be in use: the manifests kept, the segments, the log. Writes nothing.
 * Damage is in the answer, not thrown. @throws TIDEMARK_ARGUMENT, TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE
 */
export async function verify(directory: string): Promise<Verification> {
  const path = pathGiven('verify', directory)
  const { verifyDirectory } = await import('./apart.ts')
  return await verifyDirectory(path)
}

/**
 * What can be restored, newest first, as `recoveryPoints()` of a store lists it, in a directory whose newest state need not open: an open with
 * `restore.at` reaches each. The store may be in use, and nothing is written. What keeps the newest state from opening is not told.
 * @throws TIDEMARK_ARGUMENT, TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE; damage that hides all
 */
export async function recoveryPoints(directory: string): Promise<readonly RecoveryPoint[]> {
  const path = pathGiven('recoveryPoints', directory)
  const { pointsOfDirectory } = await import('./apart.ts')
  return await pointsOfDirectory(path)
}

/**
 * Copies the newest recovery point of a store, which may be in use, into a directory that is missing or empty, as a store of its own: durable
 * and verified when it resolves, and no store before. Holds a few megabytes whatever the size.
 * @throws TIDEMARK_ARGUMENT, TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY for a target with something in it, TIDEMARK_LOCKED, TIDEMARK_LOG_DAMAGED,
 * TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_STORAGE
 */
export async function copy(directory: string, target: string, options: CopyOptions = {}): Promise<Copied> {
  const paths = [pathGiven('copy', directory), pathGiven('copy', target)] as const
  const lock = lockGiven(options)
  const { copyDirectory } = await import('./apart.ts')
  return await copyDirectory(...paths, { lock })
}

/**
 * What the retained log of a store says about how it is written, and what could be set otherwise with which effect; the store may be in use, and
 * nothing is written. Damage is in the answer, not thrown: `ok` is false, and the figures are of what lies before it. Reading gives way twice
 * a millisecond; at its end it may hold the event loop for half a second and more, so a service leaves it to the command line.
 *
 * @throws TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_MANIFEST_DAMAGED, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE, and TIDEMARK_ARGUMENT for what
 * is no path, for options that it does not know, and for a collection that the history does not
 * @example
 * const { all, recommendations } = await profile('./state')
 * console.log(all.rewriteRatio, recommendations)
 */
export async function profile(directory: string, options?: ProfileOptions): Promise<Profile> {
  const path = pathGiven('profile', directory)
  const { profileDirectory } = await import('./apart.ts')
  return await profileDirectory(path, options)
}

/**
 * What the scheduler of this store decided of late and why, and how busy the parts of the day are, as the running or the last process kept it: at
 * most a minute old, or five where the device did not give back what was kept before, and older where it takes nothing (`savedMs`). Writes nothing. @throws TIDEMARK_ARGUMENT, TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_STORAGE
 */
export async function explain(directory: string): Promise<Explanation> {
  const path = pathGiven('explain', directory)
  const { explainDirectory } = await import('./apart.ts')
  return await explainDirectory(path)
}

/**
 * The codec of collections that were given none: values to bytes and back, each exactly. `V` is whatever the caller says that the values are.
 *
 * @example
 * store.map<{ score: number }>('players', { codec: await defaultCodec() })
 * const codec = await defaultCodec<{ score: number }>()
 */
export async function defaultCodec<V = unknown>(): Promise<Codec<V>> {
  const { plainTideCodec } = await import('./engine.ts')
  return plainTideCodec as Codec<V>
}

/** The engine is loaded first, and the process may stand elsewhere by then, as settings may have changed. What is no path is left for the engine to refuse. */
function asOfNow(directory: string): string {
  if (typeof directory !== 'string' || directory === '' || directory === MEMORY || directory.includes('\0')) return directory
  return resolved(directory)
}

/** @throws TIDEMARK_DIRECTORY where the path is relative, and there is nothing that it could be relative to */
function resolved(path: string): string {
  try {
    return resolve(path)
  } catch (cause) {
    throw new TidemarkError('TIDEMARK_DIRECTORY', `${path} is relative, and the working directory is gone: ${(cause as Error).message}`, {
      hint: 'give the whole path, or start the process in a directory that is there',
      cause,
    })
  }
}

/** Of a copy. @throws TIDEMARK_ARGUMENT */
function lockGiven(options: CopyOptions): 'os' | 'none' {
  const fail = (what: string, hint: string): never => {
    throw new TidemarkError('TIDEMARK_ARGUMENT', `copy: ${what}`, { hint })
  }
  const { lock = 'os' } = optionsIn(options, ['lock'], fail) as CopyOptions
  if (lock !== 'os' && lock !== 'none') fail("lock must be 'os' or 'none'", "copy('./state', './copy', { lock: 'none' })")
  return lock
}

/** As of now. @throws TIDEMARK_ARGUMENT for what is no path, and for memory, which nobody else sees */
function pathGiven(call: string, given: unknown): string {
  if (typeof given === 'string' && given !== '' && given !== MEMORY && !given.includes('\0')) return resolved(given)
  const what = typeof given === 'string' ? JSON.stringify(given) : given === null ? 'null' : typeof given
  throw new TidemarkError('TIDEMARK_ARGUMENT', `${call} takes the path of a directory, not ${what}`, { hint: `${call}('./state')` })
}
