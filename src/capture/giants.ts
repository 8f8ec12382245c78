/**
 * Values so large that capturing one takes the time of a slice: their encoding cannot be cut in pieces.
 *
 * What: remembers entries whose record was large when it was written last, so that the next time each has a slice of its own and costs what
 * its own encoding costs; and which record of a turn was the largest, to be named when the turn took too long.
 * Owns: both. Does not own: the slices, what is said about them. Invariant: GIANTS_MAX entries at most, the oldest are forgotten; none is of a
 * collection that was dropped, or emptied since.
 */
import { GIANTS_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'

/** An entry and the bytes of its record. */
export interface Giant {
  readonly collection: string
  readonly key: Key
  readonly bytes: number
}

export class Giants {
  readonly #known = new Map<number, Map<Key, Giant>>()
  #count = 0
  #largest: Giant | undefined

  /** This record was written; only large ones are told. */
  recorded(incarnation: number, collection: string, key: Key, bytes: number): void {
    const giant = { collection, key, bytes }
    if (bytes > (this.#largest?.bytes ?? 0)) this.#largest = giant
    let keys = this.#known.get(incarnation)
    if (keys === undefined) {
      keys = new Map()
      this.#known.set(incarnation, keys)
    }
    if (!keys.has(key)) this.#count++
    keys.set(key, giant)
    if (this.#count > GIANTS_MAX) this.#forgetOldest()
  }

  /** Its record was large when it was written last. */
  has(incarnation: number, key: Key): boolean {
    return this.#count > 0 && this.#known.get(incarnation)?.has(key) === true
  }

  /** Its record is small, or a tombstone, this time. */
  forget(incarnation: number, key: Key): void {
    const keys = this.#known.get(incarnation)
    if (keys?.delete(key) !== true) return
    this.#count--
    if (keys.size === 0) this.#known.delete(incarnation)
  }

  /** The incarnation is gone; gives what was known of it. */
  drop(incarnation: number): Map<Key, Giant> | undefined {
    const keys = this.#known.get(incarnation)
    if (keys === undefined) return undefined
    this.#known.delete(incarnation)
    this.#count -= keys.size
    return keys
  }

  /** It is back, as it was when it was dropped. */
  putBack(incarnation: number, keys: Map<Key, Giant>): void {
    this.#known.set(incarnation, keys)
    this.#count += keys.size
    while (this.#count > GIANTS_MAX) this.#forgetOldest()
  }

  /** The largest large record since the last call. */
  takeLargest(): Giant | undefined {
    const largest = this.#largest
    this.#largest = undefined
    return largest
  }

  /** Largest first. */
  list(): readonly Giant[] {
    return [...this.#known.values()].flatMap(keys => [...keys.values()]).sort((one, other) => other.bytes - one.bytes)
  }

  #forgetOldest(): void {
    for (const [incarnation, keys] of this.#known) {
      for (const key of keys.keys()) {
        this.forget(incarnation, key)
        return
      }
    }
  }
}
