import type { ControlRate, TurnsTaken } from '../harness/control.ts'
import type { GcSummary } from '../harness/gc.ts'
import type { Bucket } from '../harness/histogram.ts'

export interface OpenLoopAssignment {
  readonly engine: string
  /** Runs the control loop instead of an engine. */
  readonly control?: ControlRate
  readonly folder: string
  /** The folder holds the state, every key in version 0, and the load begins right behind `open`. Otherwise it is loaded, and warmed up. */
  readonly restarted?: boolean
  readonly keys: number
  readonly seconds: number
  readonly perSecond: number
  readonly reads: number
  readonly theta: number
  readonly intervalMs: number
}

export interface OpenLoopResult extends TurnsTaken {
  readonly engine: string
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
  /** Operations that no longer got a turn. */
  readonly unserved: number
  /** Engine time in turns of its own, the barrier included. */
  readonly stallMs: { readonly count: number; readonly p50: number; readonly p999: number; readonly max: number }
  /** The same, counted. */
  readonly stallBuckets: readonly Bucket[]
  /** The same without V8's collections that fell into it. */
  readonly stallWithoutGcMs: { readonly p999: number; readonly max: number }
  /** Immediates and timers of the engine that the watch saw. */
  readonly scheduledTurns: number
  readonly gc: GcSummary
  readonly checkpoints: number
  /** Checkpoints left out because the last one was still under way. */
  readonly skipped: number
  readonly checkpointMs: number
  /** The part of `checkpoint()` that ran before it returned, at most. */
  readonly callMs: number
  /** Written to files meanwhile; NaN where the system does not say. */
  readonly megabytes: number
  /** From behind `open` until nothing is on its way into memory; NaN where nothing ever is. */
  readonly hydratedMs: number
  readonly stats: unknown
}
