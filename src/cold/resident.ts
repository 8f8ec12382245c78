/**
 * What the live entries of one collection take in the heap, by the mean of those that were looked at.
 *
 * Owns: the mean, its place among the entries. Does not own: the entries, what one of them takes (heap-size.ts).
 * Invariant: the first entries looked at count alike; later ones move the mean by WEIGHT each, so that it follows what changes.
 */
import { type Collection, Eviction } from '../capture/index.ts'
import { type Key, tideCodec } from '../codec/index.ts'
import { entryHeapBytes, KEY_KEPT_BYTES, mapHeapBytes, mapRoom } from './heap-size.ts'

const WEIGHT = 1 / 512

export class Resident {
  readonly collection: Collection
  readonly eviction: Eviction
  /** What the sum of all holds of it. */
  counted = 0
  #meanBytes = 0
  #samples = 0
  /** Entries the live Map has room for. */
  #room = 0
  #live: ReadonlyMap<Key, unknown> | undefined
  #hand: Iterator<[Key, unknown]> | undefined

  constructor(collection: Collection) {
    this.collection = collection
    this.eviction = new Eviction(collection)
  }

  /** Estimated bytes, with what the engine keeps for keys that were written, older values included. Weak references to what left go with the garbage, as it does. */
  get bytes(): number {
    const { live, cold, dropped, significance } = this.collection
    if (dropped || cold === undefined) return 0
    const waiting = significance?.size ?? 0
    // A Map of its own each has, whatever leaves; a store of thousands that this run never uses would have no room for entries.
    if (live.size === 0 && waiting === 0 && cold.keysKept === 0) {
      this.#room = 0
      return 0
    }
    this.#room = mapRoom(live.size, this.#room)
    const values = live.size + waiting + cold.valuesKept
    return values * this.#mean() + mapHeapBytes(this.#room) + (waiting + cold.keysKept) * KEY_KEPT_BYTES
  }

  /** An entry was looked at. */
  take(key: Key, value: unknown): void {
    this.#samples++
    this.#meanBytes += (entryHeapBytes(key, value) - this.#meanBytes) * Math.max(1 / this.#samples, WEIGHT)
  }

  /** A codec of the service's own may make objects whose state shows to nobody: they take what its values have as bytes, once some were read. */
  #mean(): number {
    const { codec, cold } = this.collection
    return codec === tideCodec ? this.#meanBytes : Math.max(this.#meanBytes, cold?.cold.meanBytes ?? 0)
  }

  /** Looks at the next entries in turn: one, and more until `expired`. */
  sample(count: number, expired: () => boolean): void {
    const { live } = this.collection
    if (this.#live !== live) this.#hand = undefined
    this.#live = live
    for (let left = Math.min(count, live.size); left > 0; left--) {
      this.#hand ??= live.entries()
      const next = this.#hand.next()
      if (next.done === true) this.#hand = undefined
      else this.take(next.value[0], next.value[1])
      if (expired()) return
    }
  }
}
