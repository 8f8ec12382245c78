/**
 * When a failed epoch is tried again.
 * Owns: the pause, which doubles with each failure up to a bound, and its timer; in it what the epoch left is put in order, in slices. Does not own:
 * what that is (capture/leftovers.ts). Invariants: one timer of each kind at most; however many ask and however often, a pause is cut short to
 * ASKED_MS_MAX and no further: an attempt captures all that is dirty, and one that fails leaves a file.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Space } from '../capture/index.ts'
import { SLICE_SHARE } from './round.ts'
import type { Turns } from './turns.ts'

const MS_MIN = 100
const MS_MAX = 10_000
/** From the failure, where somebody waits or asks. */
const ASKED_MS_MAX = 1000
/** Between two slices: they take a seventh of the time, with the budget of 1 ms. */
const SLICES_MS = 2

export interface RetryParts {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly space: Pick<Space, 'leftovers'>
  readonly stallMsMax: number
}

export class Retry {
  readonly #turns: Turns
  readonly #parts: RetryParts
  #ms = 0
  #failedAt = 0
  /** When the timer is due. */
  #dueAt = 0
  #fn: () => void = () => {}
  #cancel: Cancel | undefined
  #slice: Cancel | undefined

  constructor(turns: Turns, parts: RetryParts) {
    this.#turns = turns
    this.#parts = parts
  }

  get waiting(): boolean {
    return this.#cancel !== undefined
  }

  /** Calls `fn` after the pause; `asked`: somebody waits for it. */
  after(fn: () => void, asked: boolean): void {
    this.#ms = Math.min(MS_MAX, Math.max(MS_MIN, this.#ms * 2))
    this.#failedAt = this.#parts.clock.monotonic()
    this.#fn = fn
    this.#putInOrder()
    this.#wait(this.#failedAt + (asked ? Math.min(this.#ms, ASKED_MS_MAX) : this.#ms))
  }

  /** Somebody asks now: where the pause was long enough for that it has ended, and nothing is called. `last`: it has in any case. */
  asked(last: boolean): void {
    if (this.#cancel === undefined) return
    const dueAt = this.#failedAt + Math.min(this.#ms, ASKED_MS_MAX)
    if (last || dueAt <= this.#parts.clock.monotonic()) this.stop()
    else if (dueAt < this.#dueAt) this.#wait(dueAt)
  }

  stop(): void {
    this.#end()
    this.#slice?.()
    this.#slice = undefined
  }

  /** It worked: the next pause is the shortest. */
  reset(): void {
    this.#ms = 0
  }

  #end(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** What is not in order at the next barrier costs a tombstone too many. */
  #putInOrder(): void {
    const { clock, space, stallMsMax } = this.#parts
    if (space.leftovers.size === 0) return
    this.#slice ??= this.#turns.after(SLICES_MS, () => {
      this.#slice = undefined
      const end = clock.monotonic() + stallMsMax * SLICE_SHARE
      if (!space.leftovers.run(() => clock.monotonic() >= end)) this.#putInOrder()
    })
  }

  #wait(dueAt: number): void {
    this.#end()
    this.#dueAt = dueAt
    this.#cancel = this.#turns.after(Math.max(0, dueAt - this.#parts.clock.monotonic()), () => {
      this.#cancel = undefined
      this.#fn()
    })
  }
}
