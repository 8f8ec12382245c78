/**
 * Holds: no barrier while work that spans turns is under way, within a bound.
 * Owns: the running holds. Does not own: the barrier. Invariant: a hold stands in the way for at most its `msMax`.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../base/clock.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

interface Hold {
  broken: boolean
  done: boolean
  cancel: Cancel
}

export class Holds {
  readonly #scheduler: Scheduler
  readonly #clock: Clock
  readonly #on: { broken(ms: number): void; free(): void }
  #running = 0
  /** Made at the first hold: it slows down promises a little. */
  #inside: AsyncLocalStorage<Hold> | undefined
  readonly #cancels = new Set<Cancel>()

  constructor(scheduler: Scheduler, clock: Clock, on: { broken(ms: number): void; free(): void }) {
    this.#scheduler = scheduler
    this.#clock = clock
    this.#on = on
  }

  /** True while a hold stands in the way of a barrier. */
  get active(): boolean {
    return this.#running > 0
  }

  /** True when the caller runs inside an unfinished hold. */
  get inside(): boolean {
    return this.#inside?.getStore()?.done === false
  }

  async run<T>(fn: () => T | PromiseLike<T>, msMax: number): Promise<T> {
    this.#inside ??= new AsyncLocalStorage()
    const begin = this.#clock.monotonic()
    const hold: Hold = { broken: false, done: false, cancel: () => {} }
    this.#running++
    hold.cancel = this.#scheduler.after(msMax, () => {
      if (hold.done) return
      hold.broken = true
      this.#release()
      this.#on.broken(this.#clock.monotonic() - begin)
    })
    this.#cancels.add(hold.cancel)
    try {
      return await this.#inside.run(hold, fn)
    } finally {
      hold.done = true
      hold.cancel()
      this.#cancels.delete(hold.cancel)
      if (!hold.broken) this.#release()
    }
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel()
  }

  #release(): void {
    this.#running--
    if (this.#running === 0) this.#on.free()
  }
}
