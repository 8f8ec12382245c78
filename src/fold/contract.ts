/** What upkeep needs of the writer beside it, and what it tells. Owns the words alone. */
import type { Failpoint } from '../base/failpoint.ts'
import type { Random } from '../base/random.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { Compress, LogPosition, Manifest, SegmentEntry } from '../format/index.ts'
import type { Retention } from '../manifest/index.ts'
import type { Budget } from '../pace/index.ts'
import type { Storage } from '../storage/index.ts'
import type { MergeLimits } from './policy.ts'
import type { TailLimits, TailSize } from './tail.ts'

export interface FoldingParts {
  /** Calls of it do not hold the thread, where there is another way. */
  readonly storage: Storage
  readonly scheduler: Scheduler
  readonly monotonic: () => number
  /** Shared with the log: what upkeep may write, and when. */
  readonly budget: Budget
  readonly random: Random
  readonly failpoint: Failpoint
  readonly retention: Retention
  /** Longest time in ms without giving way. */
  readonly sliceMs: number
  readonly manifest: () => Manifest
  /** Behind the last acknowledged epoch. */
  readonly end: () => LogPosition
  /** Resolves when what the last run left of the log is on the device; rejects where nobody can tell. */
  readonly inherited: () => Promise<void>
  readonly compress: () => Promise<Compress>
  /**
   * Publishes what `plan` makes of the newest manifest, unless that is undefined; rejects when the newest is not ours any more, and where `written`,
   * the segments that it names first, are not what is under their names.
   */
  readonly publish: (
    storage: Storage,
    plan: (manifest: Manifest) => Manifest | undefined,
    written: readonly SegmentEntry[],
  ) => Promise<void>
  /** Rejects when the newest manifest is not ours any more. */
  readonly check: () => Promise<void>
  /** A log file that is being written. */
  readonly inUse: (file: string) => boolean
  readonly report: (news: FoldNews) => void
  readonly thresholds?: Partial<Thresholds>
}

/** `bytes` (raw), `records`, `logBytes`: behind the fold point, at which they are folded. */
export interface Thresholds extends MergeLimits, TailLimits {
  /** Bytes of a manifest beyond which no fold or merge makes it longer. */
  readonly manifestBytes: number
  /** Time for which a dead file is let be. */
  readonly graceMs: number
  /** False: as fast as it goes, for tests whose time is short. */
  readonly paced: boolean
}

export type FoldNews =
  | { readonly type: 'folded' | 'merged'; readonly manifest: Manifest; readonly bytesWritten: number; readonly ms: number }
  | { readonly type: 'collected'; readonly files: number }
  | { readonly type: 'failed'; readonly of: 'fold' | 'merge' | 'collect'; readonly error: unknown }
  /** Folding does not keep up with the log, for so long now; or does again. */
  | ({ readonly type: 'behind'; readonly ms: number } & TailSize)
  | { readonly type: 'caughtUp' }
