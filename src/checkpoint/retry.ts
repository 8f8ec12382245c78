/**
 * When a failed epoch is tried again.
 * Owns: the pause, which doubles with each failure up to a bound, and its timer. Invariant: one timer at most.
 */
import type { Cancel } from '../base/scheduler.ts'
import type { Turns } from './turns.ts'

const MS_MIN = 100
const MS_MAX = 10_000

export class Retry {
  readonly #turns: Turns
  #ms = 0
  #cancel: Cancel | undefined

  constructor(turns: Turns) {
    this.#turns = turns
  }

  get waiting(): boolean {
    return this.#cancel !== undefined
  }

  /** Calls `fn` after the pause. */
  after(fn: () => void): void {
    this.stop()
    this.#ms = Math.min(MS_MAX, Math.max(MS_MIN, this.#ms * 2))
    this.#cancel = this.#turns.after(this.#ms, () => {
      this.#cancel = undefined
      fn()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** It worked: the next pause is the shortest. */
  reset(): void {
    this.#ms = 0
  }
}
