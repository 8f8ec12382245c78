/**
 * Keeps the live entries of a store within `memoryBytesMax`, by letting clean ones go back to where they are stored.
 *
 * What: measures some entries in turn and takes their mean for all; above the bound the collections' hands go round, in slices, until it is
 * kept again or nothing may go for now.
 * Owns: the measure, the pace. Does not own: which entries may go (capture/eviction.ts), the stored state (following.ts).
 * Invariants: a slice ends within its share of the stall budget, one step later at most; entries that were written and are not in segments
 * yet stay, so the bound is passed by these and by what one turn brings home; nothing is thrown into the event loop.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { type Collection, Eviction } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { entryHeapBytes } from './heap-size.ts'

export interface EvictorParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stallMsMax: number
  readonly bytesMax: number
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
}

const TICK_MS = 20
/** A slice takes this share of the stall budget. */
const SLICE_SHARE = 0.35
/** Entries looked at in a step. */
const STEP_VISITS = 128
/** Measured at each tick and collection; the mean follows with this weight. */
const SAMPLES = 4
const WEIGHT = 1 / 64
/** It goes on until so much of the bound is used. */
const ENOUGH = 0.95
/** An evicted object's weak reference, with its place in a Map. */
const HELD_BYTES = 112

class Resident {
  readonly eviction: Eviction
  /** Of an entry; 0: none was measured. */
  meanBytes = 0
  readonly #collection: Collection
  #live: ReadonlyMap<Key, unknown> | undefined
  #hand: Iterator<[Key, unknown]> | undefined

  constructor(collection: Collection) {
    this.#collection = collection
    this.eviction = new Eviction(collection)
  }

  get bytes(): number {
    const { live, cold, dropped } = this.#collection
    if (dropped) return 0
    return live.size * this.meanBytes + (cold?.held.size ?? 0) * HELD_BYTES
  }

  measure(): void {
    const { live } = this.#collection
    if (this.#live !== live) this.#hand = undefined
    this.#live = live
    for (let left = Math.min(SAMPLES, live.size); left > 0; left--) {
      this.#hand ??= live.entries()
      const next = this.#hand.next()
      if (next.done === true) {
        this.#hand = undefined
        continue
      }
      const bytes = entryHeapBytes(next.value[0], next.value[1])
      this.meanBytes += this.meanBytes === 0 ? bytes : (bytes - this.meanBytes) * WEIGHT
    }
  }
}

export class Evictor {
  readonly #parts: EvictorParts
  readonly #residents = new Map<Collection, Resident>()
  #bytes = 0
  #cancel: Cancel | undefined
  #stopped = false

  constructor(parts: EvictorParts) {
    this.#parts = parts
    this.#rest()
  }

  /** Estimated bytes of the live entries. */
  get bytes(): number {
    return this.#bytes
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  #rest(): void {
    if (!this.#stopped) this.#cancel = this.#parts.scheduler.after(TICK_MS, () => this.#tick())
  }

  #tick(): void {
    this.#slice(() => {
      const alive = new Set(this.#parts.collections())
      for (const collection of this.#residents.keys()) if (!alive.has(collection)) this.#residents.delete(collection)
      for (const collection of alive) {
        let resident = this.#residents.get(collection)
        if (resident === undefined) {
          resident = new Resident(collection)
          this.#residents.set(collection, resident)
        }
        resident.measure()
        collection.cold?.held.sweep(STEP_VISITS)
      }
      this.#add()
    })
    if (this.#bytes > this.#parts.bytesMax) this.#evict([...this.#residents.values()])
    else this.#rest()
  }

  #evict(residents: readonly Resident[]): void {
    if (this.#stopped) return
    const { clock, scheduler, stallMsMax, bytesMax } = this.#parts
    let went = 0
    this.#slice(() => {
      const end = clock.monotonic() + stallMsMax * SLICE_SHARE
      do {
        let some = 0
        for (const { eviction } of residents) some += eviction.run(STEP_VISITS)
        went += some
        if (some === 0) break
      } while (clock.monotonic() < end)
      this.#add()
    })
    // What may not go now may after the next fold.
    if (went > 0 && this.#bytes > bytesMax * ENOUGH) this.#cancel = scheduler.immediate(() => this.#evict(residents))
    else this.#rest()
  }

  #add(): void {
    this.#bytes = 0
    for (const resident of this.#residents.values()) this.#bytes += resident.bytes
  }

  #slice(work: () => void): void {
    const { clock, stalled } = this.#parts
    const begin = clock.monotonic()
    work()
    stalled(clock.monotonic() - begin)
  }
}
