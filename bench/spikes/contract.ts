/** What one measured process is asked to do, and what it tells. */
import type { ControlRate, TurnsTaken } from '../harness/control.ts'
import type { GcSummary } from '../harness/gc.ts'
import type { Bucket } from '../harness/histogram.ts'

/** What the entries are and what happens to them; the same numbers always give the same operations. */
export type LoadSpec =
  | {
      readonly kind: 'sessions'
      readonly keys: number
      readonly reads: number
      /** Skew of the keys; 0: uniform. */
      readonly theta: number
      /** Keeps the number of operations done in an entry of its own, set in the turn of the operations. */
      readonly position?: boolean
      /** Among them one large value, set anew each so many operations. */
      readonly giant?: { readonly parts: number; readonly every: number }
    }
  | { readonly kind: 'ticks'; readonly keys: number; readonly perTick: number; readonly theta: number }
  | { readonly kind: 'documents'; readonly keys: number; readonly theta: number }
  | { readonly kind: 'queue'; readonly keys: number }
  | { readonly kind: 'churn'; readonly keys: number }
  | {
      readonly kind: 'flights'
      readonly file: string
      /** Of one day. */
      readonly seconds: number
      /** The same day so many times. */
      readonly days: number
    }

/** When operations come. */
export type Arrivals =
  /** At a fixed rate, whether the process keeps up or not; one operation is one sample. */
  | { readonly kind: 'open'; readonly perSecond: number; readonly idle: 'nap' | 'timer' }
  /** One turn after the other, so many operations in each; a turn is a sample. */
  | { readonly kind: 'closed'; readonly perTurn: number }
  /** As the load's own times say. */
  | { readonly kind: 'timetable'; readonly idle: 'timer' }

/** What the storage does while it is measured. Reaches the writer's thread only, and only in a process that was started for it. */
export interface Faults {
  /** Each sync takes so much longer. */
  readonly syncMs?: number
  /** In each period of `everyMs` all writes and syncs wait for `forMs`. */
  readonly stall?: { readonly everyMs: number; readonly forMs: number }
  /** One write in so many fails with EIO. */
  readonly errorEvery?: number
  /** Nothing returns for so long, once, after a third of the time. */
  readonly stuckMs?: number
}

export interface SpikesAssignment {
  readonly engine: string
  readonly control?: ControlRate
  readonly folder: string
  readonly load: LoadSpec
  readonly arrivals: Arrivals
  readonly intervalMs: number
  /** The engine sets its barriers itself, with these settings. Otherwise `checkpoint()` is called each interval. */
  readonly barriers?: Readonly<Record<string, number>>
  /** Served before: with frequent checkpoints, then as in what is measured. */
  readonly warmSeconds: number
  readonly settleSeconds: number
  readonly seconds: number
  readonly faults?: Faults
  /** Collects garbage before and at the end of `stuckMs`, to know what is alive. Spoils all latencies. */
  readonly weigh?: boolean
  /** Ends by SIGKILL when the time is over, in the middle of everything. */
  readonly killed?: boolean
  /** The folder holds what a killed process left; the load goes on there right behind `open`. */
  readonly restarted?: boolean
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface SpikesResult extends TurnsTaken {
  readonly engine: string
  /** Operations done since the beginning, before what is measured too: what the state afterwards follows from. */
  readonly operations: number
  /** The same when the last acknowledged checkpoint was asked for. */
  readonly acknowledged: number
  /** Where a restarted process went on; 0 otherwise. */
  readonly from: number
  readonly samples: number
  readonly unserved: number
  readonly perSecond: number
  readonly latencyMs: Percentiles
  readonly stallMs: Percentiles
  /** The same, counted. */
  readonly stallBuckets: readonly Bucket[]
  readonly stallWithoutGcMs: { readonly p999: number; readonly max: number }
  /** Immediates and timers of the engine that the watch saw. */
  readonly scheduledTurns: number
  readonly shortTotalMs: number
  readonly gc: GcSummary
  /** ms since 1970, of what was measured. */
  readonly beginMs: number
  readonly endMs: number
  readonly checkpoints: number
  readonly failedCheckpoints: number
  /** Left out because the last one was still under way. */
  readonly skipped: number
  readonly checkpointMs: Percentiles
  /** Age of what was lost if the process died at the worst moment: from a barrier to the next one's acknowledgement, or to the end; undefined: not told. */
  readonly rpoMs: number | undefined
  /** After a stuck storage goes on: until an acknowledged barrier is no older than an interval again. */
  readonly recoveredMs: number | undefined
  /** Heap and external memory of the main thread alive when the storage is stuck, and at the end of that; with `weigh` only. */
  readonly alive: { readonly before: number; readonly after: number; readonly dirtyKeys: number } | undefined
  /** Stalls that the engine reported itself, and for which key it said the longest was. */
  readonly told: { readonly count: number; readonly longestMs: number; readonly longestKey: string | undefined }
  /** The large value: its encoding alone, and whether the longest stall was reported as its, and `stats()` lists it. */
  readonly giant: { readonly encodeMs: number; readonly bytes: number; readonly named: boolean } | undefined
  /** Heap and external memory of the main thread alive at the end of what is measured, before the last checkpoint, beyond those before `open`; closed loop only. */
  readonly heapBytes: number
  /** For how long the main thread wanted a processor and had none: what it suffers from others, its own other threads among them. */
  readonly waitedMs: number
  readonly statsBefore: unknown
  readonly stats: unknown
}

export interface CheckAssignment {
  readonly folder: string
  readonly load: LoadSpec
  readonly operations: number
}

export interface CheckResult {
  readonly entries: number
  /** Entries that differ, are missing, or are too many. */
  readonly differences: number
  readonly first: string | undefined
  /** The same comparison against a state that was changed in one entry: how many differences it found. */
  readonly planted: number
  readonly openMs: number
}
