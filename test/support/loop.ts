/** An event loop in which time passes only as turns take it, for what has slices between them. */
import type { Cancel, Scheduler } from '../../src/base/scheduler.ts'

/** A loop of timers and immediates. As libuv's its own time stands still in a turn. */
export class Loop implements Scheduler {
  nowMs = 0
  readonly #whole: boolean
  #turnMs = 0
  #timers: { at: number; fn: () => void }[] = []
  #immediates: (() => void)[] = []

  /** `whole`: timers are due by whole milliseconds of the loop's time, one at least, as they are in Node.js. */
  constructor(whole = false) {
    this.#whole = whole
  }

  immediate(fn: () => void): Cancel {
    this.#immediates.push(fn)
    return () => {
      this.#immediates = this.#immediates.filter(other => other !== fn)
    }
  }

  after(ms: number, fn: () => void): Cancel {
    const at = this.#whole ? Math.floor(this.#turnMs) + Math.max(1, Math.trunc(ms)) : this.#turnMs + ms
    const timer = { at, fn }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  /** In which the service takes so long; it may rest instead. */
  turn(serviceMs: number): void {
    this.#turnMs = this.nowMs
    const nowMs = this.#whole ? Math.floor(this.nowMs) : this.nowMs
    const due = this.#timers.filter(timer => timer.at <= nowMs)
    this.#timers = this.#timers.filter(timer => !due.includes(timer))
    for (const timer of due) timer.fn()
    this.nowMs += serviceMs
    for (const fn of this.#immediates.splice(0)) fn()
  }
}
