/**
 * Feeds the flights into the state at a steady pace, a batch a turn, and lets requests in between any two batches: turns of the event loop until
 * nobody comes any more, for one takes in no more than one new connection, and after a start all of them are new.
 * Owns the pace. Does not own the position: that is part of the state.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { RowReader } from '../input/rows.ts'
import type { Flights } from './state.ts'

/** So many turns of the event loop in a row in which nobody came end the time between two batches that are due. */
const TURNS_QUIET = 4
const TURNS_MAX = 256

export interface FeedSettings {
  readonly flightsPerSecond: number
  readonly batchFlights: number
  /** How many connections and requests have come. */
  readonly seen: () => number
  /** Called in the turn of the batch, after it. */
  readonly onBatch: (position: number) => void
}

export class Feed {
  readonly #flights: Flights
  readonly #rows: RowReader
  readonly #settings: FeedSettings
  #running: Promise<void> | undefined
  #stopping = false

  constructor(flights: Flights, rows: RowReader, settings: FeedSettings) {
    this.#flights = flights
    this.#rows = rows
    this.#settings = settings
  }

  start(): void {
    this.#stopping = false
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  async #letIn(): Promise<void> {
    const { seen } = this.#settings
    for (let turn = 0, quiet = 0; quiet < TURNS_QUIET && turn < TURNS_MAX; turn++) {
      const before = seen()
      await setImmediate()
      quiet = seen() === before ? quiet + 1 : 0
    }
  }

  async #run(): Promise<void> {
    const { flightsPerSecond, batchFlights, onBatch } = this.#settings
    const startPosition = this.#flights.position
    const startMs = performance.now()
    for (;;) {
      const position = this.#flights.position
      if (this.#stopping || position >= this.#rows.count) return
      const batch = await this.#rows.read(position, position + batchFlights)
      const dueMs = startMs + ((position - startPosition) / flightsPerSecond) * 1000
      const waitMs = dueMs - performance.now()
      if (waitMs > 0.5) await setTimeout(waitMs)
      else await this.#letIn()
      if (this.#stopping) return
      this.#flights.add(batch)
      onBatch(position + batch.length)
    }
  }
}
