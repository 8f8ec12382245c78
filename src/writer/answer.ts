/**
 * An answer that somebody waits for, until it is posted: for want of memory that may not go at once.
 *
 * Owns: the one that waits. Does not own: what is answered. Invariants: the last one that was given is posted once, as soon as it goes, and none before it
 * that waits; where it does not go for anything else, that is thrown.
 */
import { isAllocationFailure } from '../base/out-of-memory.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

/** What could not be posted for want of memory is posted again after so long. */
export const AGAIN_MS = 1000

export class Answer<T> {
  readonly #send: (answer: T) => void
  readonly #scheduler: Pick<Scheduler, 'after'> | undefined
  #cancel: Cancel | undefined

  /** `scheduler`: without one nothing waits. */
  constructor(send: (answer: T) => void, scheduler: Pick<Scheduler, 'after'> | undefined) {
    this.#send = send
    this.#scheduler = scheduler
  }

  get waits(): boolean {
    return this.#cancel !== undefined
  }

  /** In place of one that waits. */
  post(answer: T): void {
    this.drop()
    try {
      this.#send(answer)
    } catch (error) {
      if (this.#scheduler === undefined || !isAllocationFailure(error)) throw error
      this.#cancel = this.#scheduler.after(AGAIN_MS, () => this.post(answer))
    }
  }

  drop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
