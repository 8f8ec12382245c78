/**
 * The turns of the event loop that the engine takes for itself.
 *
 * Owns: the histogram of their lengths (the stalls). Does not own: what is done in them.
 * Invariants: every turn is counted; nothing thrown in one gets out to the host process.
 */
import type { Clock } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { Histogram } from '../base/histogram.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

export class Turns {
  readonly stalls = new Histogram()
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  readonly #broken: (error: TidemarkError) => void
  readonly #ended: (ms: number) => void

  /** `broken` is told of what a turn threw, `ended` how long each took. */
  constructor(clock: Clock, scheduler: Scheduler, broken: (error: TidemarkError) => void, ended: (ms: number) => void = () => {}) {
    this.#clock = clock
    this.#scheduler = scheduler
    this.#broken = broken
    this.#ended = ended
  }

  /** This turn is ours. */
  run(fn: () => void): void {
    const begin = this.#clock.monotonic()
    try {
      fn()
    } catch (error) {
      const known = error instanceof TidemarkError
      this.#broken(known ? error : new TidemarkError('TIDEMARK_BUG', 'the engine stopped on an unexpected error', { cause: error }))
    }
    const ms = this.#clock.monotonic() - begin
    this.stalls.record(ms)
    this.#ended(ms)
  }

  later(fn: () => void): Cancel {
    return this.#scheduler.immediate(() => this.run(fn))
  }

  after(ms: number, fn: () => void): Cancel {
    return this.#scheduler.after(ms, () => this.run(fn))
  }
}
