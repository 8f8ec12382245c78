/** What the store tells about itself, and the options of its calls: plain data. */
import type { HistogramSnapshot } from '../base/histogram.ts'
import type { CollectionClass, Giant } from '../capture/index.ts'
import type { EngineStatus, Refusal } from '../checkpoint/index.ts'
import type { Codec } from '../codec/index.ts'
import type { HydrationProgress } from '../cold/index.ts'
import type { Lagging } from '../format/index.ts'
import type { ScheduleStats } from '../schedule/index.ts'
import type { CollectionStats } from './collection-stats.ts'
import type { UpkeepStats } from './upkeep.ts'

/** What `open` found and did. */
export interface Restored {
  /** Epoch the state was restored from; 0 for a new store. */
  readonly epoch: number
  /** Time of that epoch's barrier, ms since 1970; 0 for a new store. */
  readonly timeMs: number
  readonly entries: number
  /** Records read from the log. */
  readonly records: number
  readonly durationMs: number
  /** Epochs lost to damage, when `restore.onDamage` is 'fall-back' and there was any. */
  readonly lost:
    | {
        readonly firstLostEpoch: number
        /** The newest epoch of which a trace was found. */
        readonly lastSeenEpoch: number
        readonly file: string
        readonly offset: number
        /** What is wrong there. */
        readonly message: string
      }
    | undefined
  /** Collections that the epoch had left out: they are back as of the epoch that is named. */
  readonly lagging: readonly Lagging[]
  /** What was mended on the way, in words. */
  readonly notes: readonly string[]
}

export interface MemoryStats {
  /** What live entries take, estimated, with what the engine keeps for keys that were written. */
  readonly liveBytes: number
  /** Entries that left the heap since `open`. */
  readonly evicted: number
  /** Of these, objects that the service may still hold. */
  readonly held: number
  /** The same as `coldReads` of the whole. */
  readonly reads: HistogramSnapshot
  /** Why entries that are stored may not leave yet, or what of their segments cannot be read; undefined while all is well. */
  readonly lastError: string | undefined
}

/**
 * What is counted is counted since `open` and never begins anew, histograms too: their percentiles and `maxMs` are of all that time. A stretch of
 * it is the difference between two looks, for a histogram that of `buckets`.
 */
export interface StoreStats {
  readonly status: EngineStatus
  /** The newest that is durable; 0: none is. */
  readonly epoch: number
  readonly collections: Readonly<Record<string, CollectionStats>>
  /** Upper bound of the entries written since the last barrier. */
  readonly dirtyMax: number
  /** Of all collections, each of them an upper bound: see there. */
  readonly entries: number
  /** Engine time in turns of the event loop, outside calls of the user. */
  readonly stalls: HistogramSnapshot
  /** Stalls beyond `budget.stallMsMax`; each is an event too. */
  readonly stallsOver: number
  /** Values so large that capturing one may take longer than the budget, largest first: bytes of the last record. */
  readonly giants: readonly Giant[]
  /**
   * Engine time inside calls of the user: captures before a value changes or leaves, encoding what a transaction may have to put back, letting
   * entries go for others. Not in it: copies of plain objects for a transaction, most of which take no longer than a look at the clock, and
   * reading stored entries, which `coldReads` has.
   */
  readonly access: HistogramSnapshot
  /**
   * Look-ups of entries that are not in the heap, while a block might have to be read: those inside calls of the user, and those of objects that
   * hydration makes ahead.
   */
  readonly coldReads: HistogramSnapshot
  /**
   * Of each commit, from its last append to its read-back. Of the waits for `budget.ioBytesPerSecondMax` that of this append alone is in it:
   * what the blocks before it waited `durationMs` of a checkpoint has.
   */
  readonly commits: HistogramSnapshot
  /** Of each commit, its one sync; those that came early, while blocks were written, are not in it. */
  readonly syncs: HistogramSnapshot
  /** Epochs that became durable, automatic ones included. */
  readonly checkpoints: number
  /** Attempts to make an epoch durable that failed; each is made again. */
  readonly failures: number
  /** Cuts that moved; each is a `voided` event too. */
  readonly voids: number
  /** How often the rest of an epoch was captured in one slice, because its cut had moved too often. */
  readonly forcedSlices: number
  /** Appended to the log by epochs that were acknowledged, framing included; without what attempts that failed appended, seals, and headers of files. */
  readonly bytesWritten: number
  /**
   * Bytes that the log, as `bytesWritten` has them, and upkeep wrote, over those of the log; undefined while nothing was logged. A manifest that begins
   * a log file and other small files are not in it.
   */
  readonly writeAmplification: number | undefined
  /** Record bytes before compression. */
  readonly bytesRaw: number
  /** Changed and deleted keys, of the same epochs as `bytesWritten`. */
  readonly recordsWritten: number
  /** Record bytes that were handed to the writer and are not on their way to the disk yet. */
  readonly bytesInFlight: number
  /** Captured before their barrier; and of all that was captured, what was written again before its barrier, estimated from one key in 16. */
  readonly drain: { readonly records: number; readonly bytes: number; readonly wasteRecords: number; readonly wasteBytes: number }
  /** Entries that cannot be encoded, which keep their last good value on disk: the first 1,000. */
  readonly refused: readonly Refusal[]
  /** The message of what made the status 'degraded' or 'failed'. */
  readonly degradedBy: string | undefined
  /**
   * Stored blocks on their way into memory, with `restore.hydrate` 'background' or 'eager'; undefined before the first is to come, and with 'on-demand'.
   * 'failed': those that could be read are there, and `hydrated()` rejects.
   */
  readonly hydration: HydrationProgress | undefined
  /** With `budget.memoryBytesMax`. */
  readonly memory: MemoryStats | undefined
  /** Folding, merging and collecting, since `open`. */
  readonly upkeep: UpkeepStats
  /** When barriers fall and what could be lost; undefined in a store that is open read-only. */
  readonly schedule: ScheduleStats | undefined
  readonly restored: Restored
}

export interface CollectionOptions<V> {
  /** Encoding of this collection's values; the name is recorded and has to be the same at every open. */
  readonly codec?: Codec<V>
  /**
   * Whether a change is worth writing for its own sake; only `false` says that it is not. The value in memory changes all the same. An
   * insignificant change is written with the next significant one of its key, by `durable()` and `close()`, when more than 262,144 keys
   * of the collection wait, and when they keep `memoryBytesMax` from being kept; checkpoints, automatic or asked for by `checkpoint()`, pass it over, and a crash loses it.
   *
   * `old` is the value at the last change that was significant, so that small steps add up. It is not called for what always counts: a new
   * key, a key that is not in memory, a delete, an object that was changed in place and set again (return a new one from `update` to be
   * asked), everything inside a transaction, which counts together or not at all, and what a listener of `barrier` sets. Called inside `set`: it has to be quick, and must not
   * change what it is given. When it throws or returns a promise, the change is significant, and the event `significantFailed` says so. A
   * later `map` without the option keeps the function that was given before. Default: every change is significant.
   *
   * @example
   * store.map<{ x: number }>('ships', { significant: (old, next) => Math.abs(next.x - old.x) >= 1 })
   */
  readonly significant?: (old: V, next: V) => boolean
  /**
   * How much it matters that changes are durable soon. 'critical': captured first in every epoch, and within `rpoMs` if that is given.
   * 'rebuildable': while durability does not keep up, an epoch may leave the collection out, for at most ten intervals, or
   * `intervalMsMax` where that is longer (ten epochs where there is no interval); its recovery point then has the collection as of an earlier one and says so (`lagging`). `durable()` and
   * `close()` never leave it out, `checkpoint()` may. What a transaction changed together is in one epoch: with a collection of a
   * stricter class the stricter one counts. Not stored: until `map` says so again after a restart it is 'standard', which is the default.
   */
  readonly class?: CollectionClass
  /**
   * With class 'critical': a barrier, which cuts all collections, follows a change, `clear` and `store.delete` included, within this time, and
   * an epoch that has such a change is spread only where all of it is captured within this time all the same. A hold and an epoch under way come
   * first: where they keep the barrier back for as long again, the `decision` event says `rpo-broken`, with this time as `rpoMsMax`, and `rpo-met`
   * when the change is durable. Default: that of the interval.
   */
  readonly rpoMs?: number
}

export interface TimeoutOptions {
  /** Rejects with TIDEMARK_TIMEOUT after this time; the engine goes on trying, but for `close`, which ends it. Default 30,000. */
  readonly timeoutMs?: number
}
