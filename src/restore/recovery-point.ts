/** What is said of a recovery point. */
import type { Lagging } from '../format/index.ts'

export interface RecoveryPoint {
  readonly epoch: number
  /** Time of the barrier, ms since 1970. */
  readonly time: number
  /** Of the history it was written in. A restore to an earlier point begins a new one, in which the epochs behind that point are counted anew. */
  readonly lineage: string
  /** Bytes the epoch takes in the log, its commit included, and a seal before it; 0 when only the segments hold it. */
  readonly bytes: number
  /** Live entries of all collections, of those in `lagging` as of the epoch named there; at most so many where values were refused. */
  readonly entries: number
  /** Collections that the epoch left out, each with the earlier epoch whose state of it this point has. */
  readonly lagging: readonly Lagging[]
  /**
   * What was checked just now of the epoch in the log: the checksum of every frame, and the digest chain from the fold point before it on. Empty
   * where only segments hold it, of which it is known that they are there: `verify` reads them.
   */
  readonly verified: readonly ('checksums' | 'chain')[]
  /** Kept epochs between the point before this one and this one that cannot be restored. Behind the newest fold point damage ends the list. */
  readonly lost: LostEpochs | undefined
  /**
   * Kept epochs between the point before this one and this one that have no entry of their own, for there are more than 65,536 behind them: of those that
   * are older only fold points have one. Each of them can be restored all the same, by its number or its time.
   */
  readonly unlisted: UnlistedEpochs | undefined
}

export interface LostEpochs {
  readonly firstLostEpoch: number
  readonly lastLostEpoch: number
  readonly file: string
  /** What is wrong with the file, and where. */
  readonly message: string
}

export interface UnlistedEpochs {
  readonly firstEpoch: number
  readonly lastEpoch: number
  /** How many. */
  readonly epochs: number
  /** That they take in the log together. */
  readonly bytes: number
  /** The most entries that one of them has. */
  readonly entriesMost: number
}
