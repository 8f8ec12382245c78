/**
 * The jobs of upkeep as loops: each runs once at a time, when it is woken, again after the pause it asks for, and after a failure later and later.
 *
 * Owns: when each runs next, and how often in a row it failed. Does not own: what a job does.
 * Invariants: nothing thrown gets out; a pause, or a retry that waits, is not brought forward by a wake; a wake is not lost for coming while the job
 * runs, which may have looked before what it is woken for; after `halt` none begins.
 */
import { backOffMs } from '../base/back-off.ts'
import { STOPPED } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

export type Loop = 'fold' | 'merge' | 'collect'

export interface LoopsParts {
  readonly scheduler: Scheduler
  /** Gives the pause before the next one, when one is due. */
  readonly job: (loop: Loop) => Promise<number | undefined>
  readonly failed: (loop: Loop, error: unknown) => void
}

export class Loops {
  readonly #parts: LoopsParts
  readonly #timers = new Map<Loop, Cancel>()
  readonly #running = new Map<Loop, Promise<void>>()
  /** After how long those that run were asked to, while they ran: the least of it. */
  readonly #woken = new Map<Loop, number>()
  readonly #failures = { fold: 0, merge: 0, collect: 0 }
  #halted = false

  constructor(parts: LoopsParts) {
    this.#parts = parts
  }

  /** Resolves when what runs now has ended; undefined when nothing does. */
  running(loop: Loop): Promise<void> | undefined {
    return this.#running.get(loop)
  }

  /** Lets it run after `ms`, unless it waits; once more where it runs, and asks for no pause itself. */
  wake(loop: Loop, ms: number): void {
    if (this.#halted || this.#timers.has(loop)) return
    if (this.#running.has(loop)) return void this.#woken.set(loop, Math.min(ms, this.#woken.get(loop) ?? ms))
    const run = (): void => {
      this.#timers.delete(loop)
      this.#running.set(loop, this.#run(loop))
    }
    const { scheduler } = this.#parts
    this.#timers.set(loop, ms > 0 ? scheduler.after(ms, run) : scheduler.immediate(run))
  }

  /** Runs it now, whatever it waits for; it must not run. */
  async runNow(loop: Loop): Promise<void> {
    this.#timers.get(loop)?.()
    this.#timers.delete(loop)
    const running = this.#run(loop)
    this.#running.set(loop, running)
    await running
  }

  halt(): void {
    this.#halted = true
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  /** Resolves when nothing runs any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #run(loop: Loop): Promise<void> {
    const { job, failed } = this.#parts
    let again: number | undefined
    try {
      await Promise.resolve()
      again = await job(loop)
      this.#failures[loop] = 0
    } catch (error) {
      if (error !== STOPPED && !this.#halted) {
        again = backOffMs(this.#failures[loop]++)
        try {
          failed(loop, error)
        } catch {
          // Nobody can be told: it is tried again all the same.
        }
      }
    }
    again ??= this.#woken.get(loop)
    this.#woken.delete(loop)
    this.#running.delete(loop)
    if (again !== undefined) this.wake(loop, again)
  }
}
