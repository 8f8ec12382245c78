/**
 * What a failed epoch left in tables as they were, because there were too many keys to look at in one turn: put in order in slices.
 *
 * What: keys that came before an epoch or during it, and went during it, need no tombstone: no record of them counts. Keys that came and are
 * still there are fresh again. Tables of deleted keys become one.
 * Owns: what is still to be looked at. Does not own: the tables (collection.ts), what is given back at once (capture.ts), when slices run.
 * Invariants: until a key is looked at it counts as one that has a record, which is a tombstone too many, never one too few; once a barrier has
 * taken the tables over, or a record was made, they are left as they are.
 */
import type { Key } from '../codec/index.ts'
import type { CapturePart } from './capture-part.ts'
import type { Collection } from './collection.ts'
import type { KeySet } from './key-set.ts'
import { STRIDE_STEPS } from './record.ts'

export class Leftovers {
  #left: Leftover[] = []

  get size(): number {
    return this.#left.length
  }

  /** Another barrier took the tables over. */
  clear(): void {
    this.#left = []
  }

  add(leftover: Leftover): void {
    this.#left.push(leftover)
  }

  /** Goes on until the time is up; true when all is in order. */
  run(expired: () => boolean): boolean {
    for (let leftover = this.#left.at(-1); leftover !== undefined; leftover = this.#left.at(-1)) {
      for (let steps = 1; leftover.step(); steps++) if (steps % STRIDE_STEPS === 0 && expired()) return false
      this.#left.pop()
      if (this.#left.length > 0 && expired()) return false
    }
    return true
  }
}

/** Of one collection. */
export class Leftover {
  readonly #collection: Collection
  readonly #part: CapturePart
  readonly #deleted: KeySet
  readonly #fresh: KeySet
  /** As they were at the failure; the larger may be `#fresh`. */
  readonly #came: readonly KeySet[]
  readonly #walk: Iterator<void>

  /** `part` was given back. `came`: keys without a record, of its barrier and behind it; `unsettled`: keys deleted behind it; `unjoined`: not in `fresh`. */
  constructor(part: CapturePart, came: readonly KeySet[], unsettled: KeySet | undefined, unjoined: KeySet | undefined) {
    this.#collection = part.collection
    this.#part = part
    this.#came = came
    this.#deleted = part.collection.deleted
    this.#fresh = part.collection.fresh
    this.#walk = this.#steps(unsettled, unjoined)
  }

  /** False when there is none, or none any more. */
  step(): boolean {
    const { deleted, fresh, drained } = this.#collection
    return deleted === this.#deleted && fresh === this.#fresh && drained.length === 0 && this.#walk.next().done !== true
  }

  *#steps(unsettled: KeySet | undefined, unjoined: KeySet | undefined): Generator<void, void> {
    const { id, live, cold, space } = this.#part
    for (const key of unsettled === undefined ? [] : keysOf(unsettled)) {
      yield
      if (this.#part.leaves(key) || !this.#came.some(keys => keys.has(key))) continue
      this.#deleted.delete(key)
      if (live.has(key)) continue
      this.#fresh.delete(key)
      cold?.vanished(key)
      space.leftNothing(id, key)
    }
    for (const key of unjoined === undefined ? [] : keysOf(unjoined)) {
      yield
      if (live.has(key) && !this.#deleted.has(key) && !this.#part.leaves(key)) this.#fresh.add(key)
    }
    const collection = this.#collection
    const [first] = collection.gone
    for (let last = collection.gone.at(-1); first !== undefined && last !== undefined && last !== first; last = collection.gone.at(-1)) {
      for (const key of keysOf(last)) {
        yield
        first.add(key)
      }
      collection.gone = collection.gone.slice(0, -1)
    }
  }
}

export function* keysOf(set: KeySet): Generator<Key> {
  for (const piece of set.pieces()) yield* piece.keys()
}
