/**
 * The turns of the event loop that the engine takes for itself, and what becomes of an error there.
 *
 * Owns: the histogram of their lengths (the stalls). Does not own: what is done in them.
 * Invariants: every turn is counted, without the time that listeners of the host took in it; nothing thrown in one gets out to the host process.
 */
import type { Clock } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { Histogram } from '../base/histogram.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

export interface TurnsParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** What listeners of events took so far; default: nothing. */
  readonly listenersMs?: () => number
}

export interface TurnWatch {
  turnBegins(): void
  /** It took so long. */
  turnEnded(ms: number): void
}

export class Turns {
  readonly stalls = new Histogram()
  readonly #parts: TurnsParts
  readonly #broken: (error: TidemarkError) => void
  readonly #watch: TurnWatch | undefined

  /** `broken` is told of what a turn threw. */
  constructor(parts: TurnsParts, broken: (error: TidemarkError) => void, watch?: TurnWatch) {
    this.#parts = parts
    this.#broken = broken
    this.#watch = watch
  }

  /** This turn is ours. */
  run(fn: () => void): void {
    const { clock, listenersMs } = this.#parts
    const begin = clock.monotonic()
    const listenedMs = listenersMs?.() ?? 0
    this.#watch?.turnBegins()
    this.guard(fn)
    const ms = Math.max(0, clock.monotonic() - begin - ((listenersMs?.() ?? 0) - listenedMs))
    this.stalls.record(ms)
    this.#watch?.turnEnded(ms)
  }

  /** Work of ours inside a call of the service: what it throws is told as from a turn, and does not get out past whoever waits. */
  guard(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      const known = error instanceof TidemarkError
      this.#broken(known ? error : new TidemarkError('TIDEMARK_BUG', 'the engine stopped on an unexpected error', { cause: error }))
    }
  }

  later(fn: () => void): Cancel {
    return this.#parts.scheduler.immediate(() => this.run(fn))
  }

  after(ms: number, fn: () => void): Cancel {
    return this.#parts.scheduler.after(ms, () => this.run(fn))
  }
}
