/**
 * How long the writer takes messages without a turn of the event loop: where calls of the storage hold the thread nothing else has one while messages
 * come, neither upkeep nor a timer.
 *
 * Owns: when the last turn was. Invariant: without a scheduler there is none to give.
 */
import type { Scheduler } from '../base/scheduler.ts'

/** Upkeep gets a turn so often, and where a commit waits as seldom as it can without standing still. */
const UNBROKEN_MS = 10
const UNBROKEN_MS_MAX = 500

export class Unbroken {
  readonly #monotonic: () => number
  readonly #scheduler: Scheduler | undefined
  #turnAt = 0

  constructor(monotonic: () => number, scheduler: Scheduler | undefined) {
    this.#monotonic = monotonic
    this.#scheduler = scheduler
  }

  /** The event loop turns at this moment. */
  begin(): void {
    this.#turnAt = this.#monotonic()
  }

  isLong(commitWaits: boolean): boolean {
    const most = commitWaits ? UNBROKEN_MS_MAX : UNBROKEN_MS
    return this.#scheduler !== undefined && this.#monotonic() - this.#turnAt >= most
  }

  /** One turn. What comes meanwhile waits behind what is there. */
  async giveTurn(): Promise<void> {
    await new Promise<void>(resolve => void this.#scheduler?.immediate(resolve))
    this.begin()
  }
}
