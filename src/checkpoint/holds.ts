/**
 * Holds: no barrier while work that spans turns is under way, within a bound.
 * Owns: the running holds, and those that wait to begin. Does not own: the barrier.
 * Invariants: a hold stands in the way for at most its `msMax`, less where the store closes; while a barrier waits no hold begins, so that holds
 * which follow one another without a gap cannot keep it from falling; the process does not end while one waits to begin.
 */
import type { Clock } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { TIMER_MS_MAX } from '../base/limits.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { isStray } from '../base/stray.ts'
import { Inside } from './inside.ts'

export interface Hold {
  broken: boolean
  done: boolean
  cancel: Cancel
}

export interface HoldsParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Shared with the scheduler, which runs nothing inside of a hold. */
  readonly inside?: Inside<Hold>
}

export class Holds {
  readonly #scheduler: Scheduler
  readonly #clock: Clock
  readonly #on: { broken(ms: number): void; free(): void }
  #running = 0
  #barrierWaits = false
  #waiting: (() => void)[] = []
  /** Of the timer that keeps the process alive while there are any: all that they wait for are timers which do not. */
  #letGo: Cancel | undefined
  readonly #inside: Inside<Hold>
  readonly #cancels = new Set<Cancel>()
  /** Of the running ones. */
  readonly #breaks = new Set<() => void>()
  /** Tells who closes. */
  #ended = (): void => {}

  constructor({ scheduler, clock, inside = new Inside() }: HoldsParts, on: { broken(ms: number): void; free(): void }) {
    this.#scheduler = scheduler
    this.#clock = clock
    this.#inside = inside
    this.#on = on
  }

  /** A barrier would fall now. True while a hold stands in its way: then it waits, and so do holds that would begin. */
  inTheWay(): boolean {
    this.#barrierWaits = this.#running > 0
    return this.#barrierWaits
  }

  /**
   * The barrier falls; `last` is what comes before the cut and calls the service: listeners, codecs. A hold that is asked for there would be
   * cut in the middle: it begins behind the cut.
   */
  barrierFalls(last: () => void): void {
    this.#barrierWaits = true
    last()
    // They begin when promises settle, and the cut is taken before that.
    this.barrierFell()
  }

  /** No barrier waits any more. */
  barrierFell(): void {
    this.#barrierWaits = false
    this.#letGo?.()
    this.#letGo = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const begin of waiting) begin()
  }

  /** True when the caller runs inside a hold that stands in the way of barriers: one that is broken does no longer. */
  get inside(): boolean {
    const { mark } = this.#inside
    return mark !== undefined && !mark.done && !mark.broken
  }

  /** Runs it outside of all holds, wherever that is called. */
  outside(fn: () => void): void {
    this.#inside.leave(fn)
  }

  /** `assertOpen`: a store that began to close while a barrier was waited for takes no hold any more. */
  async run<T>(fn: () => T | PromiseLike<T>, msMax: number, assertOpen: () => void = () => {}): Promise<T> {
    while (this.#barrierWaits) {
      this.#letGo ??= this.#scheduler.after(TIMER_MS_MAX, () => {}, true)
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve)
      })
      assertOpen()
    }
    const begin = this.#clock.monotonic()
    const hold: Hold = { broken: false, done: false, cancel: () => {} }
    this.#running++
    const breaks = (): void => {
      if (hold.done || hold.broken) return
      hold.broken = true
      // It may never end.
      forget()
      this.#release()
      this.#on.broken(this.#clock.monotonic() - begin)
    }
    const forget = (): void => {
      hold.cancel()
      this.#cancels.delete(hold.cancel)
      this.#breaks.delete(breaks)
    }
    hold.cancel = this.#scheduler.after(msMax, breaks)
    this.#cancels.add(hold.cancel)
    this.#breaks.add(breaks)
    try {
      const result = await this.#inside.run(hold, fn)
      if (isStray(result)) throw unwalked()
      return result
    } finally {
      hold.done = true
      forget()
      if (!hold.broken) this.#release()
    }
  }

  /** The store closes: one that runs longer than this would keep the last barrier away. Resolves when none stands in its way; undefined: none does. */
  endWithin(ms: number): Promise<void> | undefined {
    if (this.#running === 0) return undefined
    const end = (): void => {
      for (const breaks of this.#breaks) breaks()
    }
    this.#cancels.add(this.#scheduler.after(ms, end, true))
    return new Promise(resolve => {
      this.#ended = resolve
    })
  }

  stop(): void {
    this.barrierFell()
    for (const cancel of this.#cancels) cancel()
    this.#ended()
  }

  #release(): void {
    this.#running--
    if (this.#running > 0) return
    this.#on.free()
    this.#ended()
  }
}

/** Whoever walks it would do so when the hold is over. */
function unwalked(): TidemarkError {
  return new TidemarkError('TIDEMARK_ARGUMENT', 'the function given to hold returned a generator', {
    hint: 'do the work in an async function, or walk the generator inside of it: a hold ends when its function does',
  })
}
