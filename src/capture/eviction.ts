/**
 * Lets entries of one collection go back to where they are stored.
 *
 * What: a hand goes round the live Map, so those that came home first go first. An entry may go when nothing was written to it that the
 * stored state lacks: it is not in the journal, and no record of it was captured since.
 * Owns: the hand. Does not own: when and how much to evict, the stored state (cold-side.ts).
 * Invariants: called between turns, it does a bounded number of steps; it does nothing while that cannot be told cheaply: during a capture
 * of the collection, inside a transaction, in a saturated collection, before the journal was read to its end, which takes several calls.
 */
import { EVICTION_JOURNAL_KEYS_MAX, EVICTION_VISITS_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import { JournalReading } from './journal.ts'

export class Eviction {
  readonly #collection: Collection
  #live: ReadonlyMap<Key, unknown> | undefined
  #hand: Iterator<[Key, unknown]> | undefined
  readonly #written = new JournalReading()

  constructor(collection: Collection) {
    this.#collection = collection
  }

  /** Looks at so many live entries, at most EVICTION_VISITS_MAX, and lets those go that may. Returns how many went. */
  run(visits: number): number {
    const { cold, live, journal, fresh, part, saturated, space, dropped } = this.#collection
    if (cold?.evicts !== true || dropped || saturated || part !== undefined || space.transaction !== undefined) return 0
    const count = Math.min(visits, EVICTION_VISITS_MAX)
    cold.held.sweep(2 * count)
    if (!journal.readOn(this.#written, EVICTION_JOURNAL_KEYS_MAX)) return 0
    let went = 0
    for (const [key, value] of this.#next(live, count)) {
      // What is not there in the stored state stays, whatever says that it should be.
      if (this.#written.keys.has(key) || !cold.covers(key) || fresh.has(key) || !cold.cold.mayHave(key)) continue
      live.delete(key)
      cold.evict(key, value)
      went++
    }
    return went
  }

  #next(live: Map<Key, unknown>, count: number): [Key, unknown][] {
    if (this.#live !== live) this.#hand = undefined
    this.#live = live
    this.#hand ??= live.entries()
    const seen: [Key, unknown][] = []
    while (seen.length < count) {
      const result = this.#hand.next()
      if (result.done === true) {
        this.#hand = undefined
        break
      }
      seen.push(result.value)
    }
    return seen
  }
}
