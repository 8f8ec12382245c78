/**
 * Who waits for which epoch.
 * Owns: the promises of callers, those for the next barrier and those aboard the epoch under way.
 * Invariant: whoever departs with an epoch arrives with its commit, goes back to waiting when it fails, or times out; never silently.
 */
import { TidemarkError } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { refusalError } from './refusals.ts'
import type { CheckpointPoint } from './types.ts'

export interface Waiter {
  resolve(point: CheckpointPoint): void
  reject(error: unknown): void
  cancel: Cancel
}

export class Waiters {
  #next: Waiter[] = []
  #aboard: Waiter[] = []

  /** Somebody waits for the epoch under way. */
  get aboard(): boolean {
    return this.#aboard.length > 0
  }

  /** Somebody waits for the next barrier's epoch. */
  get waiting(): boolean {
    return this.#next.length > 0
  }

  /** Waits for the next barrier's epoch. */
  add(timeoutMs: number, scheduler: Scheduler, why: () => TidemarkError | undefined): Promise<CheckpointPoint> {
    return this.#enter(this.#next, timeoutMs, scheduler, why)
  }

  /** Waits for the epoch under way. */
  join(timeoutMs: number, scheduler: Scheduler, why: () => TidemarkError | undefined): Promise<CheckpointPoint> {
    return this.#enter(this.#aboard, timeoutMs, scheduler, why)
  }

  /** The barrier fell, or nothing has changed since it did. */
  depart(): void {
    this.#aboard = this.#aboard.concat(this.#next)
    this.#next = []
  }

  /** The epoch failed: they wait for the next barrier. */
  back(): void {
    this.#next = this.#aboard.concat(this.#next)
    this.#aboard = []
  }

  arrive(point: CheckpointPoint): void {
    const aboard = this.#aboard
    this.#aboard = []
    for (const waiter of aboard) {
      waiter.cancel()
      if (point.refused.length > 0) waiter.reject(refusalError(point.refused, point))
      else waiter.resolve(point)
    }
  }

  fail(error: unknown): void {
    const all = [...this.#aboard, ...this.#next]
    this.#aboard = []
    this.#next = []
    for (const waiter of all) {
      waiter.cancel()
      waiter.reject(error)
    }
  }

  #enter(list: Waiter[], timeoutMs: number, scheduler: Scheduler, why: () => TidemarkError | undefined): Promise<CheckpointPoint> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, cancel: () => {} }
      list.push(waiter)
      waiter.cancel = scheduler.after(
        timeoutMs,
        () => {
          this.#next = this.#next.filter(other => other !== waiter)
          this.#aboard = this.#aboard.filter(other => other !== waiter)
          const cause = why()
          reject(
            new TidemarkError('TIDEMARK_TIMEOUT', `not durable after ${timeoutMs} ms${cause === undefined ? '' : `: ${cause.message}`}`, {
              cause,
              hint: cause?.hint ?? 'the engine goes on trying; look at stats() and give more time',
              info: { timeoutMs },
            }),
          )
        },
        true,
      )
    })
  }
}
