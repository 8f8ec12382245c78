/**
 * The one door to the time of day and to elapsed time; a simulation brings its own.
 * Invariant: nothing is ordered by `now`, and no decision is made by it but one: which part of the day this is, of whose pattern the scheduler
 * knows something (a clock that jumps makes it expect the load of another time). Otherwise it is only reported.
 */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock, for reporting and the time of day only: it may jump either way. */
  now(): number
  /** Milliseconds since an arbitrary moment, with fractions; never goes backwards. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
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
