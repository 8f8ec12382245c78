/**
 * Settings: plain data, and their check. Unknown names and wrong types are refused with the name in question.
 * Does not own: their defaults (options.ts). Loads nothing of the engine, since they are taken as they are when `open` is called.
 */
import { types } from 'node:util'
import { DAY_MS, MINUTE_MS } from './base/durations.ts'
import { TidemarkError } from './base/errors.ts'
import { isPlain, namesIn, valueIn } from './base/given.ts'
import { BLOCK_RAW_BYTES, IO_BYTES_PER_SECOND_MIN, KEEP_LAST_MAX, TIMER_MS_MAX } from './base/limits.ts'
import type { Codec } from './codec/index.ts'

export interface Settings {
  /** Open beside a live writer without writing; sees the newest recovery point at the time of opening. Default false. */
  readonly readOnly?: boolean
  readonly checkpoint?: {
    /** Time between automatic checkpoints in ms, or up to a sixteenth less where writes come in bursts; 0: only when asked. Default 1,000. */
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
     * Most bytes a second the engine writes, log, folding and merging together; from 65,536. Commits go first and folding waits, until it is
     * behind (`stats().upkeep.behind`); what does not fit makes checkpoints late, never memory grow. Default `Infinity`: as much as an even stream needs.
     */
    readonly ioBytesPerSecondMax?: number
    /**
     * Bytes that entries may take in the heap, estimated; needs `restore.hydrate` 'on-demand'. Above it entries leave the heap, the oldest first,
     * and come back when they are asked for, each the same object while anybody holds it; so a collection may be larger than memory. What was
     * written and is not folded yet stays beyond the bound, and so does what one turn of the event loop brings in. In the order of a map, entries
     * that left the heap count as not touched. What a codec of your own makes counts for what shows of it, and as many bytes as its values that were
     * read so far have at least; a view of a larger buffer counts its own bytes, though it keeps all of it. 0: none stays longer than it has to. Default `Infinity`: none leaves.
     */
    readonly memoryBytesMax?: number
  }
  readonly restore?: {
    /** Recovery point to start from: 'latest', an epoch, or the newest one whose barrier was not later than a Date: with these `open` creates no store. Default 'latest'. */
    readonly at?: 'latest' | number | Date
    /**
     * How entries come back. `open` reads none. 'background': their bytes come into memory off the heap, each becomes an object when it is
     * asked for. 'eager': all become objects, in the background. 'on-demand': no entry is read before it is asked for; filters and indexes are,
     * in the background. Default 'background'.
     */
    readonly hydrate?: 'background' | 'on-demand' | 'eager'
    /**
     * What to do about damage before the end of the log, and about what is not given back there by the device (EIO) or by a file system that is
     * damaged itself (EUCLEAN, EBADMSG; a repair of it may bring it back): refuse to open, or fall back and report the epochs lost. Default 'refuse'.
     */
    readonly onDamage?: 'refuse' | 'fall-back'
  }
  /** What of the past can be restored; anything else is folded together and given back. */
  readonly retention?: {
    /** Newest fold points kept whatever their age, each a recovery point. Default 3. */
    readonly keepLast?: number
    /**
     * Time in ms for which fold points are kept, with the log behind the oldest: one a minute, of those older than a day one an hour, of those
     * older than 30 days one a day, and the last one before that time. Every epoch in between can be restored. They age while the store is open;
     * how long it was closed counts from the run after the next on. No more than 65,536 files of the log are kept for it. Default 3,600,000.
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
    /**
     * Re-encode a sample of clean entries before each barrier and name changes that nobody declared. That is done in the turn of the barrier, whatever
     * `stallMsMax` is: for as long as encoding the sample takes, and a walk over the keys that were written. For development. Default false.
     */
    readonly untracked?: boolean
    /** Entries sampled per barrier and collection, in turn; 500,000 at most count. Default 1,000. */
    readonly sample?: number
  }
}

type Check = (value: unknown, path: string) => void
type Shape = { readonly [name: string]: Check | Shape }

export const refuse = (path: string, want: string, got: unknown): never => {
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

const isTime = (date: Date): boolean => !Number.isNaN(date.getTime())

/** In `retention`, and no part of the public contract: the command line finds it by this name. */
const KEEP_PAST = Symbol.for('tidemark.keepPast')

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
      const ok = value === 'latest' || (Number.isSafeInteger(value) && (value as number) >= 0) || (types.isDate(value) && isTime(value))
      if (!ok) refuse(path, `'latest', an epoch or a valid Date`, value)
    },
    hydrate: oneOf('background', 'on-demand', 'eager'),
    onDamage: oneOf('refuse', 'fall-back'),
  },
  retention: {
    keepLast: (value, path) =>
      void (
        (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= KEEP_LAST_MAX) ||
        refuse(path, `a whole number from 1 to ${KEEP_LAST_MAX}`, value)
      ),
    keepMs: number(0, Number.MAX_SAFE_INTEGER),
  },
  compression: oneOf('zstd', 'deflate', 'none'),
  lock: oneOf('os', 'none'),
  codecs: (value, path) => void (Array.isArray(value) || refuse(path, 'an array of codecs', value)),
  debug: { untracked: boolean, sample: number(1, 1e9) },
}

/** A copy, as they are now, inherited and hidden ones included. @throws TIDEMARK_SETTINGS */
export function checkSettings(settings: unknown): Settings {
  return walk(settings, SHAPE, '') as Settings
}

/** Every fold point that the open finds is to be kept, beside what `retention` asks for. */
export function keepsPast({ retention = {} }: Settings): boolean {
  return (retention as { readonly [KEEP_PAST]?: unknown })[KEEP_PAST] === true
}

function walk(value: unknown, shape: Shape, path: string): object {
  if (!isPlain(value)) return refuse(path === '' ? 'settings' : path, 'an object', value)
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`)
  for (const name of namesIn(value)) {
    if (Object.hasOwn(shape, name)) continue
    throw new TidemarkError('TIDEMARK_SETTINGS', `unknown setting '${below(name)}'`, {
      hint: `known here: ${Object.keys(shape).map(below).join(', ')}`,
      info: { path: below(name) },
    })
  }
  // Whoever reads it must not find what every object has either.
  const copy: Record<string | symbol, unknown> = Object.create(null)
  if (Object.hasOwn(value, KEEP_PAST)) copy[KEEP_PAST] = Reflect.get(value, KEEP_PAST)
  for (const [name, rule] of Object.entries(shape)) {
    const inner = valueIn(value, name)
    if (inner === undefined) continue
    if (typeof rule !== 'function') copy[name] = walk(inner, rule, below(name))
    else {
      rule(inner, below(name))
      copy[name] = Array.isArray(inner) ? [...inner] : types.isDate(inner) ? new Date(inner) : inner
    }
  }
  return copy
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return 'an array'
    if (types.isDate(value)) return isTime(value) ? 'a Date' : 'an invalid Date'
    return isPlain(value) ? 'an object' : `an object (${Object.prototype.toString.call(value).slice(8, -1)})`
  }
  return typeof value === 'function' ? 'a function' : String(value)
}
