/**
 * Who waits for which epoch.
 * Owns: the promises of callers, those for the next barrier and those aboard the epoch under way.
 * Invariants: whoever departs with an epoch arrives with its commit, goes back to waiting when it fails, or times out; never silently. Those who
 * wait are in the order in which they came; a caller takes a few steps, however many wait; nobody times out before that is looked at which came
 * while the loop was blocked: timers run in front of the writer's messages.
 */
import type { Clock } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { LOOP_LATE_MS } from '../base/limits.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { refusalError } from './refusals.ts'
import type { CheckpointPoint } from './types.ts'

export interface Waiter {
  resolve(point: CheckpointPoint): void
  reject(error: unknown): void
  cancel: Cancel
}

export interface WaitersParts {
  readonly scheduler: Scheduler
  readonly clock: Pick<Clock, 'monotonic'>
  /** Whoever enters now loses what is not durable in time: the time in which the loop stood still is given once more. */
  readonly last: () => boolean
  /** Why nothing became durable, where that is known. */
  readonly why: () => TidemarkError | undefined
}

export class Waiters {
  readonly #parts: WaitersParts
  #next = new Set<Waiter>()
  #aboard = new Set<Waiter>()

  constructor(parts: WaitersParts) {
    this.#parts = parts
  }

  /** Somebody waits for the epoch under way. */
  get aboard(): boolean {
    return this.#aboard.size > 0
  }

  /** Somebody waits for the next barrier's epoch. */
  get waiting(): boolean {
    return this.#next.size > 0
  }

  /** Waits for the next barrier's epoch. */
  add(timeoutMs: number): Promise<CheckpointPoint> {
    return this.#enter(this.#next, timeoutMs)
  }

  /** Waits for the epoch under way. */
  join(timeoutMs: number): Promise<CheckpointPoint> {
    return this.#enter(this.#aboard, timeoutMs)
  }

  /** The barrier fell, or nothing has changed since it did in a store that closes. */
  depart(): void {
    if (this.#next.size === 0) return
    this.#aboard = moved(this.#next, this.#aboard)
    this.#next = new Set()
  }

  /** The epoch failed: they wait for the next barrier. */
  back(): void {
    this.#next = moved(this.#next, this.#aboard)
    this.#aboard = new Set()
  }

  arrive(point: CheckpointPoint): void {
    const aboard = this.#aboard
    this.#aboard = new Set()
    // One for all of them: each would have a stack of its own.
    const refused = point.refused.length > 0 && aboard.size > 0 ? refusalError(point.refused, point.refusedCount, point) : undefined
    for (const waiter of aboard) {
      waiter.cancel()
      if (refused === undefined) waiter.resolve(point)
      else waiter.reject(refused)
    }
  }

  fail(error: unknown): void {
    const all = [...this.#aboard, ...this.#next]
    this.#aboard = new Set()
    this.#next = new Set()
    for (const waiter of all) {
      waiter.cancel()
      waiter.reject(error)
    }
  }

  #enter(list: Set<Waiter>, timeoutMs: number): Promise<CheckpointPoint> {
    const { scheduler, clock } = this.#parts
    const last = this.#parts.last()
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, cancel: () => {} }
      list.add(waiter)
      const begin = clock.monotonic()
      const behind = (): void => {
        waiter.cancel = scheduler.immediate(() => this.#giveUp(waiter, timeoutMs))
      }
      const due = (): void => {
        const lateMs = clock.monotonic() - begin - timeoutMs
        if (last && lateMs > LOOP_LATE_MS) waiter.cancel = scheduler.after(Math.min(lateMs, timeoutMs), behind, true)
        else behind()
      }
      waiter.cancel = scheduler.after(timeoutMs, due, true)
    })
  }

  #giveUp(waiter: Waiter, timeoutMs: number): void {
    this.#next.delete(waiter)
    this.#aboard.delete(waiter)
    const cause = this.#parts.why()
    waiter.reject(
      new TidemarkError('TIDEMARK_TIMEOUT', `not durable after ${timeoutMs} ms${cause === undefined ? '' : `: ${cause.message}`}`, {
        cause,
        hint: cause?.hint ?? 'the engine goes on trying; look at stats() and give more time',
        info: { timeoutMs },
      }),
    )
  }
}

/** All of them, in the order in which they came: those of `first` before. */
function moved(more: ReadonlySet<Waiter>, first: Set<Waiter>): Set<Waiter> {
  for (const waiter of more) first.add(waiter)
  return first
}
