/**
 * The one door to the time of day and to elapsed time; a simulation brings its own.
 * Invariant: nothing is ordered by `now`, and no decision is made by it but five. Which part of the day this is, of whose pattern the scheduler
 * knows something: a clock that jumps makes it expect the load of another time. How old the fold points of earlier runs were when the last one
 * ended (manifest/point-ages.ts), and which of those that were made close together go first: those of this run age by `monotonic`, and stay where they
 * are apart by that. Which epoch a restore to a time means. Whether what the scheduler kept is of use still (schedule/keeper.ts). Whether temporary
 * files are so old that whoever made them is gone (`sweep` in open.ts): while the clock is behind they stay. Otherwise it is only reported.
 */
// Not the global: what fakes timers in a test of the service replaces that, and its time may go backwards or stand still.
import { performance } from 'node:perf_hooks'
import { TIME_MS_MAX } from './limits.ts'

export interface Clock {
  /** Milliseconds since 1970 by the wall clock, 0 where it gives no time; it may jump either way, so no difference of two of them is a time that passed. */
  now(): number
  /** Milliseconds since an arbitrary moment, with fractions; never goes backwards. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => timeOr0(Date.now()),
  monotonic: () => performance.now(),
}

/** A test of the service may have stubbed the global, with a value that is no time or with none: that is 0, which stands for an unknown time. */
function timeOr0(ms: unknown): number {
  return typeof ms === 'number' && ms > 0 && ms <= TIME_MS_MAX ? ms : 0
}

/** The share of time, from 0 to 1, in which the event loop did something since the call before, or since the reading was made. */
export type LoopLoad = () => number

/** A reading of one's own: two that share one would each see half. */
export function systemLoopLoad(): LoopLoad {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
