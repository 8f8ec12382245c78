/**
 * The end of a store: the steps of `close` that come after its last checkpoint, all within the time that is left of one deadline.
 *
 * Owns: the timer. Does not own: the steps, what the store says to calls from now on.
 * Invariants: what hangs is waited for until the deadline and no longer, and goes on behind it; the writer always gets ENDING_MS_MIN to end by
 * itself; the lock is given back before files are closed, which harms nobody.
 */
import type { Clock } from '../base/clock.ts'
import type { Scheduler } from '../base/scheduler.ts'

export interface EndingParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Ends what goes on beside the service; never rejects. */
  leave(): Promise<void>
  /** Undefined: nothing is written. */
  readonly writer?: { close(): Promise<void>; terminate(): void }
  /** Keeps what was learned, where that may be. */
  keep?(): Promise<void> | undefined
  unlock?(): void
  /** Never rejects. */
  closeFiles(): Promise<void>
}

/** What a writer gets that has nothing left to do. */
const ENDING_MS_MIN = 1000

export class Ending {
  readonly #parts: EndingParts
  readonly #endMs: number
  #late: Promise<void> | undefined
  #cancel = (): void => {}

  /** The time of all of `close` begins. */
  constructor(parts: EndingParts, timeoutMs: number) {
    this.#parts = parts
    this.#endMs = parts.clock.monotonic() + timeoutMs
  }

  /** Of the time of all of `close`. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - this.#parts.clock.monotonic())
  }

  /** Stops the writer, at once when it does not end in time, and gives back the lock; never rejects. */
  async release(): Promise<void> {
    const { clock, scheduler, leave, writer, keep, unlock } = this.#parts
    let soon = (): void => {}
    const left = new Promise<void>(resolve => {
      soon = resolve
    })
    this.#late = new Promise<void>(resolve => {
      const giveUp = (): void => {
        writer?.terminate()
        resolve()
      }
      // One timer after the other: where the process stood still past both moments, the writer has its time all the same.
      const beginLast = (): void => {
        soon()
        this.#cancel = scheduler.after(ENDING_MS_MIN, giveUp, true)
      }
      this.#cancel = scheduler.after(Math.max(this.#endMs - clock.monotonic() - ENDING_MS_MIN, 0), beginLast, true)
    })
    const leaving = leave()
    await Promise.race([leaving, left])
    const kept = keep?.()
    await writer?.close()
    await Promise.race([Promise.all([leaving, kept]), this.#late])
    unlock?.()
  }

  /** What entries that are not in the heap are read from: the last step, after which nobody can ask. A read that hangs keeps its file open. */
  async closeFiles(): Promise<void> {
    await Promise.race([this.#parts.closeFiles(), this.#late])
    this.#cancel()
  }
}

/** A promise that is there before what it follows has begun. */
export function ahead(): { readonly promise: Promise<void>; readonly follow: (end: Promise<void>) => void } {
  let follow: (end: Promise<void>) => void = () => {}
  const promise = new Promise<void>(resolve => {
    follow = resolve
  })
  return { promise, follow }
}
