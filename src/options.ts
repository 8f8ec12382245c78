/**
 * Settings: plain data, their defaults and their validation. Unknown names and wrong types are refused with the name in question.
 */
import { TidemarkError } from './base/errors.ts'
import { BLOCK_RAW_BYTES, IO_BYTES_PER_SECOND_MIN, LOG_FILE_BYTES_MAX, MANIFESTS_MAX, TIMER_MS_MAX } from './base/limits.ts'
import { type Codec, type ValueCodec, wrapCodec } from './codec/index.ts'
import type { CadenceSettings } from './schedule/index.ts'

export interface Settings {
  /** Open beside a live writer without writing; sees the newest recovery point at the time of opening. Default false. */
  readonly readOnly?: boolean
  readonly checkpoint?: {
    /** Time between automatic checkpoints in ms; 0: only when asked. Default 1,000. */
    readonly intervalMs?: number
    /**
     * No automatic checkpoint follows another sooner, ms, whatever `deltaBytesMax` says, but for the `rpoMs` of a critical collection, and where
     * `intervalMsMax`, or the time that a rebuildable collection may lag, would else be exceeded; at most `intervalMs`. Default a quarter of it.
     */
    readonly intervalMsMin?: number
    /**
     * The recovery point objective, ms: no change is to stay longer without being durable, as far as the storage lets it; when one does, the
     * `decision` event says so. At least `intervalMs`. Given, it also says that checkpoints may come later than `intervalMs` when that saves
     * work or meets a lull, or when the event loop or the storage has no room. Default four times `intervalMs`, and none comes later.
     */
    readonly intervalMsMax?: number
    /** Estimated record bytes at which a checkpoint does not wait for its interval. Default 64 MiB. */
    readonly deltaBytesMax?: number
    /** Time after which the load of the service repeats, ms, from a minute to a week; its lulls are learned over it. Default a day. */
    readonly cycleMs?: number
  }
  readonly budget?: {
    /** Longest time in ms the engine may hold a turn of the event loop. Default 1. */
    readonly stallMsMax?: number
    /**
     * Most bytes a second the engine writes, log, folding and merging together; from 65,536. Commits go first and folding waits; what does
     * not fit makes checkpoints late, never memory grow. Default `Infinity`: as much as an even stream needs.
     */
    readonly ioBytesPerSecondMax?: number
    /**
     * Bytes that entries may take in the heap, estimated; needs `restore.hydrate` 'on-demand'. Above it entries leave the heap, the oldest first,
     * and come back when they are asked for, each the same object while anybody holds it; so a collection may be larger than memory. What was
     * written and is not folded yet stays beyond the bound, and so does what one turn of the event loop brings in. 0: none stays longer than it
     * has to. Default `Infinity`: none leaves.
     */
    readonly memoryBytesMax?: number
  }
  readonly restore?: {
    /** Recovery point to start from: 'latest', an epoch, or the newest one whose barrier was not later than a Date. Default 'latest'. */
    readonly at?: 'latest' | number | Date
    /**
     * How entries come back. `open` reads none. 'background': their bytes come into memory off the heap, each becomes an object when it is
     * asked for. 'eager': all become objects, in the background. 'on-demand': nothing is read before it is asked for. Default 'background'.
     */
    readonly hydrate?: 'background' | 'on-demand' | 'eager'
    /** What to do about damage before the end of the log: refuse to open, or fall back and report the epochs lost. Default 'refuse'. */
    readonly onDamage?: 'refuse' | 'fall-back'
  }
  /** What of the past can be restored; anything else is folded together and given back. */
  readonly retention?: {
    /** Newest fold points kept whatever their age, each a recovery point. Default 3. */
    readonly keepLast?: number
    /**
     * Time in ms for which fold points are kept, with the log behind the oldest: one a minute, of those older than a day one an hour, of those
     * older than 30 days one a day, and the last one before that time. Every epoch in between can be restored. They age while the store is open;
     * how long it was closed counts from the run after the next on. Default 3,600,000.
     */
    readonly keepMs?: number
  }
  /** 'zstd' where the platform has it (otherwise deflate), 'deflate', or 'none'. Default 'zstd'. */
  readonly compression?: 'zstd' | 'deflate' | 'none'
  /** 'os' takes the operating system's lock on the directory; 'none' leaves it to the fencing tokens alone. Default 'os'. */
  readonly lock?: 'os' | 'none'
  /**
   * Codecs of collections that do not use the default one, for `hydrate: 'eager'`: without theirs, entries become objects when they are asked for,
   * once `map` or `value` was given it.
   */
  readonly codecs?: readonly Codec[]
  readonly debug?: {
    /** Re-encode a sample of clean entries before each barrier and name changes that nobody declared. Default false. */
    readonly untracked?: boolean
    /** Entries sampled per barrier and collection. Default 1,000. */
    readonly sample?: number
  }
}

export interface ResolvedSettings {
  readonly readOnly: boolean
  readonly cadence: CadenceSettings
  readonly stallMsMax: number
  readonly ioBytesPerSecondMax: number
  readonly memoryBytesMax: number
  readonly at: 'latest' | number | Date
  readonly hydrate: 'background' | 'on-demand' | 'eager'
  readonly onDamage: 'refuse' | 'fall-back'
  readonly retention: { readonly keepLast: number; readonly keepMs: number }
  readonly compression: 'zstd' | 'deflate' | 'none'
  readonly lock: 'os' | 'none'
  readonly codecs: readonly ValueCodec[]
  readonly untracked: boolean
  readonly sample: number
}

type Check = (value: unknown, path: string) => void
type Shape = { readonly [name: string]: Check | Shape }

const refuse = (path: string, want: string, got: unknown): never => {
  throw new TidemarkError('TIDEMARK_SETTINGS', `setting '${path}' must be ${want}, not ${show(got)}`, {
    hint: 'see Settings in the README',
    info: { path },
  })
}
const boolean: Check = (value, path) => void (typeof value === 'boolean' || refuse(path, 'true or false', value))
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value, path) =>
    void (allowed.includes(value as string) || refuse(path, `one of ${allowed.map(name => `'${name}'`).join(', ')}`, value))
const number =
  (min: number, max: number): Check =>
  (value, path) =>
    void ((typeof value === 'number' && value >= min && value <= max) || refuse(path, `a number from ${min} to ${max}`, value))

/** Fold points that one manifest may keep, with room for those of `keepMs`. */
const KEEP_MAX = MANIFESTS_MAX / 2

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS

const SHAPE: Shape = {
  readOnly: boolean,
  checkpoint: {
    intervalMs: number(0, TIMER_MS_MAX),
    intervalMsMin: number(0, TIMER_MS_MAX),
    intervalMsMax: number(1, TIMER_MS_MAX),
    deltaBytesMax: number(BLOCK_RAW_BYTES, Number.POSITIVE_INFINITY),
    cycleMs: number(MINUTE_MS, WEEK_MS),
  },
  budget: {
    stallMsMax: number(0.1, 1000),
    ioBytesPerSecondMax: number(IO_BYTES_PER_SECOND_MIN, Number.POSITIVE_INFINITY),
    memoryBytesMax: number(0, Number.POSITIVE_INFINITY),
  },
  restore: {
    at: (value, path) => {
      const ok =
        value === 'latest' ||
        (Number.isSafeInteger(value) && (value as number) >= 0) ||
        (value instanceof Date && !Number.isNaN(value.getTime()))
      if (!ok) refuse(path, `'latest', an epoch or a valid Date`, value)
    },
    hydrate: oneOf('background', 'on-demand', 'eager'),
    onDamage: oneOf('refuse', 'fall-back'),
  },
  retention: {
    keepLast: (value, path) =>
      void (
        (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= KEEP_MAX) ||
        refuse(path, `a whole number from 1 to ${KEEP_MAX}`, value)
      ),
    keepMs: number(0, Number.MAX_SAFE_INTEGER),
  },
  compression: oneOf('zstd', 'deflate', 'none'),
  lock: oneOf('os', 'none'),
  codecs: (value, path) => void (Array.isArray(value) || refuse(path, 'an array of codecs', value)),
  debug: { untracked: boolean, sample: number(1, 1e9) },
}

export function resolveSettings(settings: Settings = {}): ResolvedSettings {
  walk(settings, SHAPE, '')
  const memoryBytesMax = settings.budget?.memoryBytesMax ?? Number.POSITIVE_INFINITY
  const hydrate = settings.restore?.hydrate ?? 'background'
  if (memoryBytesMax !== Number.POSITIVE_INFINITY && hydrate !== 'on-demand') {
    throw new TidemarkError('TIDEMARK_SETTINGS', `setting 'budget.memoryBytesMax' needs restore.hydrate 'on-demand', not '${hydrate}'`, {
      hint: "set restore: { hydrate: 'on-demand' }: the other ways bring everything into memory",
      info: { path: 'budget.memoryBytesMax' },
    })
  }
  return {
    readOnly: settings.readOnly ?? false,
    cadence: resolveCadence(settings.checkpoint ?? {}),
    stallMsMax: settings.budget?.stallMsMax ?? 1,
    ioBytesPerSecondMax: settings.budget?.ioBytesPerSecondMax ?? Number.POSITIVE_INFINITY,
    at: settings.restore?.at ?? 'latest',
    hydrate,
    memoryBytesMax,
    onDamage: settings.restore?.onDamage ?? 'refuse',
    retention: { keepLast: settings.retention?.keepLast ?? 3, keepMs: settings.retention?.keepMs ?? 3_600_000 },
    compression: settings.compression ?? 'zstd',
    lock: settings.lock ?? 'os',
    codecs: (settings.codecs ?? []).map(codec => wrapCodec(codec)),
    untracked: settings.debug?.untracked ?? false,
    sample: settings.debug?.sample ?? 1000,
  }
}

function resolveCadence(given: NonNullable<Settings['checkpoint']>): CadenceSettings {
  const { intervalMs = 1000, intervalMsMin = intervalMs / 4, deltaBytesMax = LOG_FILE_BYTES_MAX, cycleMs = DAY_MS } = given
  const intervalMsMax = given.intervalMsMax ?? Math.min(TIMER_MS_MAX, 4 * intervalMs)
  if (intervalMsMin > intervalMs) refuse('checkpoint.intervalMsMin', `at most intervalMs, which is ${intervalMs}`, intervalMsMin)
  if (intervalMs === 0 && given.intervalMsMax !== undefined)
    refuse('checkpoint.intervalMsMax', 'left out where intervalMs is 0: nothing is checkpointed unless asked for', intervalMsMax)
  if (intervalMsMax < intervalMs) refuse('checkpoint.intervalMsMax', `at least intervalMs, which is ${intervalMs}`, intervalMsMax)
  return { intervalMs, intervalMsMin, intervalMsMax, elastic: given.intervalMsMax !== undefined, deltaBytesMax, cycleMs }
}

function walk(value: unknown, shape: Shape, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path === '' ? 'settings' : path, 'an object', value)
  for (const [name, inner] of Object.entries(value as object)) {
    const here = path === '' ? name : `${path}.${name}`
    const rule = Object.hasOwn(shape, name) ? shape[name] : undefined
    if (rule === undefined) {
      const known = Object.keys(shape).map(other => (path === '' ? other : `${path}.${other}`))
      throw new TidemarkError('TIDEMARK_SETTINGS', `unknown setting '${here}'`, {
        hint: `known here: ${known.join(', ')}`,
        info: { path: here },
      })
    }
    if (inner === undefined) continue
    if (typeof rule === 'function') rule(inner, here)
    else walk(inner, rule, here)
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`
  if (typeof value === 'object' && value !== null)
    return value instanceof Date ? 'an invalid Date' : Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
