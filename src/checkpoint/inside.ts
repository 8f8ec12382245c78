/**
 * What code runs inside of a hold: its function, and whatever that waits for or begins. But not the engine: a turn that it plans there, and
 * what a writer without a thread answers to that which it was given there, call listeners, which are no part of the hold.
 * Owns: the mark. Does not own: holds (holds.ts).
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Scheduler } from '../base/scheduler.ts'

export class Inside<Mark> {
  /** Made at the first mark: it slows down promises a little. */
  #storage: AsyncLocalStorage<Mark | undefined> | undefined

  /** Of the code that asks. */
  get mark(): Mark | undefined {
    return this.#storage?.getStore()
  }

  run<T>(mark: Mark | undefined, fn: () => T): T {
    this.#storage ??= new AsyncLocalStorage()
    return this.#storage.run(mark, fn)
  }

  /** Runs it outside, wherever that is called. */
  leave<T>(fn: () => T): T {
    return this.mark === undefined ? fn() : this.run(undefined, fn)
  }

  /** Whatever it runs is outside, wherever that was planned. */
  outside(scheduler: Scheduler): Scheduler {
    return {
      immediate: fn => this.leave(() => scheduler.immediate(fn)),
      after: (ms, fn, keepAlive) => this.leave(() => scheduler.after(ms, fn, keepAlive)),
    }
  }
}
