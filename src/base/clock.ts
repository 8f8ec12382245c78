/**
 * The one door to the time of day and to elapsed time; a simulation brings its own.
 * Invariant: nothing is ordered, and no decision is made, by `now`: it is only reported.
 */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock, for reporting only: it may jump either way. */
  now(): number
  /** Milliseconds since an arbitrary moment, with fractions; never goes backwards. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
