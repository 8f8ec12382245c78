export interface UpkeepAssignment {
  readonly folder: string
  /** 'long': many updates, what they cost, what is left of them on disk. 'steady': a minute at ordinary speed, sampled. */
  readonly role: 'long' | 'steady'
  readonly keys: number
  readonly updates: number
  readonly perSecond: number
  readonly theta: number
  readonly intervalMs: number
  /** Waits until dead files are removed too. */
  readonly collect: boolean
}

/** Bytes of the files of a store. */
export interface Footprint {
  readonly segments: number
  readonly log: number
  /** With manifests and whatever else there is. */
  readonly all: number
}

export interface LongResult {
  readonly seconds: number
  readonly checkpoints: number
  /** Left out because the last one was still under way. */
  readonly skipped: number
  /** Committed: appended to the log, framing included. */
  readonly deltaBytes: number
  /** Written to all files until upkeep was at rest, as the system counts it; NaN where it does not. */
  readonly bytesWritten: number
  readonly foldBytes: number
  readonly mergeBytes: number
  readonly folds: number
  readonly merges: number
  /** From the last update until upkeep was at rest. */
  readonly restMs: number
  readonly loaded: Footprint
  readonly peakBytes: number
  readonly after: Footprint
  /** Segments of a store that was filled with the same state once. */
  readonly liveBytes: number
  /** With a twentieth of the keys left. */
  readonly emptied: Footprint
  readonly emptiedKeys: number
}

export interface SteadyResult {
  readonly windowMs: number
  /** Bytes written to all files in each window; undefined where the system does not say. */
  readonly all: readonly number[] | undefined
  /** Bytes by which segment files grew in each window. */
  readonly segments: readonly number[]
  readonly folds: number
  readonly merges: number
  readonly checkpoints: number
}
