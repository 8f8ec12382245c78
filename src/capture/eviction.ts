/**
 * Lets clean entries of one collection leave the heap again: its entries in the order in which they came, the oldest first.
 *
 * What: a hand goes round the live Map, which holds entries in the order in which they came in. An entry may go when it has no change that
 * the stored state lacks (cold-side.ts). Once the hand was round, everything that is left had one; until the stored state is exchanged only
 * what comes home meanwhile can go, so that alone is looked at, from a list.
 * Owns: the hand, the list. Does not own: when and how much to evict (cold/evictor.ts), which keys have a change (cold-side.ts).
 * Invariants: nothing goes inside a transaction, whose undo log knows live entries alone; what the stored state does not hold stays, whatever
 * says that it should be there. A capture that is under way loses nothing: what it froze was written since the stored state,
 * or, of a saturated collection, needs no record.
 */
import { EVICTION_VISITS_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import type { Cold } from './cold.ts'
import type { Collection } from './collection.ts'
import { isChain } from './map-chain.ts'

/** The list grows in pieces of so many keys. */
const PIECE = 1024

export class Eviction {
  readonly #collection: Collection
  readonly #went: ((key: Key) => void) | undefined
  #live: ReadonlyMap<Key, unknown> | undefined
  #hand: Iterator<Key> | undefined
  /** The hand knows that the Map is a chain. */
  #chained = false
  /** The hand was round: the rest of the Map waits for a later stored state. */
  #round = false
  /** What came home since the hand was round, oldest first. */
  #late: Key[][] = []
  #lateAt = 0

  /** `went`: is told of each entry that left. */
  constructor(collection: Collection, went?: (key: Key) => void) {
    this.#collection = collection
    this.#went = went
  }

  /** Nothing can go for now. */
  get idle(): boolean {
    return this.#round && this.#late.length === 0 && this.#collection.live === this.#live
  }

  /** The hand was round; since then what comes home is listed. */
  get wasRound(): boolean {
    return this.#round
  }

  /** Keys that came home and were not looked at since. */
  get listed(): number {
    return this.#late.reduce((sum, keys) => sum + keys.length, -this.#lateAt)
  }

  /** The stored state holds more than before: the hand goes round again. */
  renew(): void {
    this.#live = undefined
    this.#hand = undefined
    this.#round = false
    this.#late = []
    this.#lateAt = 0
  }

  /** The hand moves on by an entry: V8 keeps every table that a Map had since its iterator last moved. Off a Map that is no more, it goes. */
  keepUp(): void {
    if (this.#collection.live !== this.#live) this.renew()
    else if (this.#hand?.next().done === true) this.#hand = undefined
  }

  /** A clean entry came into the heap. */
  cameHome(key: Key): void {
    if (!this.#round) return
    const last = this.#late.at(-1)
    if (last !== undefined && last.length < PIECE) last.push(key)
    else this.#late.push([key])
  }

  /** Looks at so many entries and evicts those that may go; tells how many went. Also drops weak references that died. */
  run(visits: number): number {
    const { live, cold, dropped, significance, space } = this.#collection
    if (cold?.evicts !== true || dropped || space.transaction !== undefined) return 0
    if (live !== this.#live) this.renew()
    this.#live = live
    const count = Math.min(visits, EVICTION_VISITS_MAX)
    cold.held.sweep(2 * count)
    let went = 0
    for (let left = count; left > 0; left--) {
      const key = this.#round ? this.#nextLate() : this.#next(live)
      if (key === undefined) break
      if (!cold.covers(key) || !live.has(key) || significance?.waits(key) || !isStored(cold.cold, key)) continue
      const value = live.get(key)
      cold.evict(key)
      live.delete(key)
      went++
      // Inside a call of the service the stack may end: what comes now may be left out.
      this.#collection.part?.forget(key)
      cold.hold(key, value)
      this.#went?.(key)
    }
    return went
  }

  #next(live: ReadonlyMap<Key, unknown>): Key | undefined {
    if (this.#hand === undefined) this.#chained = isChain(live)
    this.#hand ??= live.keys()
    const result = this.#hand.next()
    if (result.done !== true) return result.value
    this.#hand = undefined
    // A Map that became a chain meanwhile has more behind it.
    if (this.#chained !== isChain(live)) return this.#next(live)
    this.#round = true
    return undefined
  }

  #nextLate(): Key | undefined {
    const first = this.#late[0]
    if (first === undefined) return undefined
    const key = first[this.#lateAt++]
    if (this.#lateAt === first.length) {
      this.#late.shift()
      this.#lateAt = 0
    }
    return key
  }
}

/** As far as a filter says. What describes a segment may not be read yet, and may be damaged: then whatever it holds stays in the heap. */
function isStored(cold: Cold, key: Key): boolean {
  try {
    return cold.mayHave(key)
  } catch {
    return false
  }
}
