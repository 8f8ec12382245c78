/**
 * What code runs inside of a hold: its function, and whatever that waits for or begins. But not the engine: a turn that it plans there calls
 * listeners, which are no part of the hold.
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

  /** Whatever it runs is outside, wherever that was planned. */
  outside(scheduler: Scheduler): Scheduler {
    const plan = <T>(fn: () => T): T => (this.mark === undefined ? fn() : this.run(undefined, fn))
    return {
      immediate: fn => plan(() => scheduler.immediate(fn)),
      after: (ms, fn, keepAlive) => plan(() => scheduler.after(ms, fn, keepAlive)),
    }
  }
}
