/**
 * The stall budget: whatever holds the event loop longer than that is counted and named.
 * Owns: the count. Does not own: what keeps a turn short (round.ts, drainer.ts, cold/).
 */
import type { Giant, Space } from '../capture/index.ts'
import type { TurnWatch } from './turns.ts'
import type { StallInfo } from './types.ts'

export class StallBudget implements TurnWatch {
  /** Turns beyond the budget. */
  broken = 0
  readonly #space: Space
  readonly #budgetMs: number
  readonly #told: (info: StallInfo) => void

  constructor(space: Space, budgetMs: number, told: (info: StallInfo) => void) {
    this.#space = space
    this.#budgetMs = budgetMs
    this.#told = told
  }

  /** What calls of the service captured before is no reason for what this turn takes. */
  turnBegins(): void {
    this.#space.giants.takeLargest()
  }

  /** A turn of the engine's own took so long. */
  turnEnded(ms: number): void {
    this.#count(ms, this.#space.giants.takeLargest())
  }

  /** One in which nothing is captured: entries come home, or leave. */
  sliceEnded(ms: number): void {
    this.#count(ms, undefined)
  }

  #count(ms: number, largest: Giant | undefined): void {
    if (ms <= this.#budgetMs) return
    this.broken++
    this.#told({ ms, budgetMs: this.#budgetMs, ...largest })
  }
}
