/** What upkeep has done since `open`, for `stats()`. Owns the sums; the work is the writer's (fold/). */
import type { UpkeepMessage } from '../writer/index.ts'

export interface UpkeepStats {
  /** The epoch up to which segments cover the state; 0: nothing is folded. */
  readonly foldedEpoch: number
  readonly segments: number
  readonly segmentBytes: number
  readonly folds: number
  readonly merges: number
  /** Bytes of segments written, by folds and by merges. */
  readonly foldBytes: number
  readonly mergeBytes: number
  readonly filesRemoved: number
  /** Jobs that failed; each is begun again after a pause. */
  readonly failures: number
  readonly lastError: string | undefined
  /**
   * While folding does not keep up with the log: for how long it had not when that was found, ms, and the record bytes and records that were
   * then behind `foldedEpoch`. A restart reads all of them.
   */
  readonly behind: { readonly ms: number; readonly rawBytes: number; readonly records: number } | undefined
}

export class Upkeep {
  #stats: UpkeepStats

  constructor(start: Pick<UpkeepStats, 'foldedEpoch' | 'segments' | 'segmentBytes'>) {
    const none = { folds: 0, merges: 0, foldBytes: 0, mergeBytes: 0, filesRemoved: 0, failures: 0, lastError: undefined, behind: undefined }
    this.#stats = { ...start, ...none }
  }

  get stats(): UpkeepStats {
    return this.#stats
  }

  /** Of so many bytes of the log. */
  amplification(logBytes: number): number | undefined {
    const { foldBytes, mergeBytes } = this.#stats
    return logBytes === 0 ? undefined : (logBytes + foldBytes + mergeBytes) / logBytes
  }

  take({ did, foldedEpoch, segments, segmentBytes, bytesWritten, files, error, behind }: UpkeepMessage): void {
    const old = this.#stats
    this.#stats = {
      foldedEpoch,
      segments,
      segmentBytes,
      folds: old.folds + (did === 'folded' ? 1 : 0),
      merges: old.merges + (did === 'merged' ? 1 : 0),
      foldBytes: old.foldBytes + (did === 'folded' ? bytesWritten : 0),
      mergeBytes: old.mergeBytes + (did === 'merged' ? bytesWritten : 0),
      filesRemoved: old.filesRemoved + files,
      failures: old.failures + (did === 'failed' ? 1 : 0),
      lastError: error?.message ?? old.lastError,
      behind: did === 'caughtUp' ? undefined : (behind ?? old.behind),
    }
  }
}
