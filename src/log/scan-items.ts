/** What a scan of the log gives: its items, and its report. */
import type { Commit, LogPosition } from '../format/index.ts'

export interface BlockItem {
  readonly type: 'block'
  /** Whole records; the memory stays good, and a large piece of the file may be kept alive by it. */
  readonly bytes: Buffer
  readonly file: string
  readonly offset: number
  /** As its frame names it. */
  readonly compression: number
  /** The verified commit that this block belongs to; its own item follows the last block. */
  readonly commit: Commit
}

export interface CommitItem {
  readonly type: 'commit'
  readonly commit: Commit
  /** The end of the log, were this the last epoch. */
  readonly position: LogPosition
}

export type LogItem = BlockItem | CommitItem

export interface LogDamage {
  readonly file: string
  readonly offset: number
  readonly message: string
  readonly firstLostEpoch: number
  /** The newest epoch of which a trace was found; at least `firstLostEpoch`. */
  readonly lastSeenEpoch: number
}

export interface TornTail {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  /** An epoch whose commit is there and whose blocks are not, with no sign that it was ever acknowledged. */
  readonly unsealedEpoch: number | null
}

/** An epoch of an open file. */
export interface EpochPlace {
  /** Behind the epoch before it. */
  readonly before: LogPosition
  /** Of its first block. */
  readonly start: number
  /** Of its commit, behind which its echo may stand. */
  readonly commitAt: number
}

export interface ScanReport {
  /** Behind the last epoch that was yielded. */
  end: LogPosition
  /**
   * The last epoch that was yielded, while it lies in an open file and nothing there shows that it was synced: neither its seal nor a whole epoch
   * behind it.
   */
  unproven: EpochPlace | null
  lastCommit: Commit | null
  commits: number
  /** True when `until` ended the scan and more may follow. */
  stopped: boolean
  readonly healed: { readonly file: string; readonly offset: number; readonly what: string }[]
  torn: TornTail | null
  damage: LogDamage | null
}
