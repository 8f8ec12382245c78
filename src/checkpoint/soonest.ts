/**
 * One timer for whatever comes soonest.
 *
 * Owns: the timer. Invariant: what would come behind that which is planned is not planned, and takes nothing's place.
 */
import type { Cancel } from '../base/scheduler.ts'
import type { Turns } from './turns.ts'

export class Soonest {
  readonly #turns: Turns
  readonly #now: () => number
  #cancel: Cancel | undefined
  #at = 0

  constructor(turns: Turns, now: () => number) {
    this.#turns = turns
    this.#now = now
  }

  plan(at: number, fn: () => void): void {
    if (this.#cancel !== undefined && this.#at <= at) return
    this.stop()
    this.#at = at
    this.#cancel = this.#turns.after(Math.max(0, at - this.#now()), () => {
      this.#cancel = undefined
      fn()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
