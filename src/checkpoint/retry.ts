/**
 * When a failed epoch is tried again.
 * Owns: the pause, which doubles with each failure up to a bound, and its timer. Invariants: one timer at most; however many ask and however
 * often, a pause is cut short to ASKED_MS_MAX and no further: an attempt captures all that is dirty, and one that fails leaves a file.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Turns } from './turns.ts'

const MS_MIN = 100
const MS_MAX = 10_000
/** From the failure, where somebody waits or asks. */
const ASKED_MS_MAX = 1000

export class Retry {
  readonly #turns: Turns
  readonly #clock: Pick<Clock, 'monotonic'>
  #ms = 0
  #failedAt = 0
  /** When the timer is due. */
  #dueAt = 0
  #fn: () => void = () => {}
  #cancel: Cancel | undefined

  constructor(turns: Turns, clock: Pick<Clock, 'monotonic'>) {
    this.#turns = turns
    this.#clock = clock
  }

  get waiting(): boolean {
    return this.#cancel !== undefined
  }

  /** Calls `fn` after the pause; `asked`: somebody waits for it. */
  after(fn: () => void, asked: boolean): void {
    this.#ms = Math.min(MS_MAX, Math.max(MS_MIN, this.#ms * 2))
    this.#failedAt = this.#clock.monotonic()
    this.#fn = fn
    this.#wait(this.#failedAt + (asked ? Math.min(this.#ms, ASKED_MS_MAX) : this.#ms))
  }

  /** Somebody asks now: where the pause was long enough for that it has ended, and nothing is called. `last`: it has in any case. */
  asked(last: boolean): void {
    if (this.#cancel === undefined) return
    const dueAt = this.#failedAt + Math.min(this.#ms, ASKED_MS_MAX)
    if (last || dueAt <= this.#clock.monotonic()) this.stop()
    else if (dueAt < this.#dueAt) this.#wait(dueAt)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** It worked: the next pause is the shortest. */
  reset(): void {
    this.#ms = 0
  }

  #wait(dueAt: number): void {
    this.stop()
    this.#dueAt = dueAt
    this.#cancel = this.#turns.after(Math.max(0, dueAt - this.#clock.monotonic()), () => {
      this.#cancel = undefined
      this.#fn()
    })
  }
}
