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
  /** Written to all files until upkeep was at rest, as the system counts it; NaN, or less than was committed, where it does not. */
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
  /** Likewise of the log. */
  readonly log: readonly number[]
  readonly folds: number
  readonly merges: number
  readonly checkpoints: number
}

export interface IsolationAssignment {
  readonly folder: string
  readonly keys: number
  /** Of each phase. */
  readonly seconds: number
  /** Updates in one checkpoint between them: what upkeep then works on. */
  readonly burst: number
}

export interface IsolationPhase {
  /** From when a checkpoint is due to having it, ms each; one that had no turn any more counts with its age. */
  readonly commits: readonly number[]
  /** Of requests that come each millisecond: from then until the service has a turn for it, ms each. */
  readonly delays: readonly number[]
  /** Written to segments by jobs that ended in it. */
  readonly upkeepBytes: number
}

export interface IsolationResult {
  readonly rest: IsolationPhase
  readonly busy: IsolationPhase
}

export interface ReopenedAssignment {
  readonly folder: string
  /** 'fill': makes the store and ends without closing it. The others open it, and entries come home or do not. */
  readonly role: 'fill' | 'background' | 'on-demand'
  readonly keys: number
  /** Keys that are changed last, in one commit: what upkeep works on behind the open. */
  readonly tail: number
  readonly seconds: number
}

export interface ReopenedPhase extends IsolationPhase {
  /** From behind `open` until all is home. */
  readonly hydratedMs: number
  /** Checkpoints that were acknowledged before that. */
  readonly commitsBefore: number
  /** Bytes that upkeep wrote, in tables of folding as this store has them. */
  readonly tables: number
}

export interface ReopenedResult {
  readonly hydrating: ReopenedPhase
  readonly onDemand: ReopenedPhase
}
