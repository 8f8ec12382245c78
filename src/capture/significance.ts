/**
 * Changes that cause no I/O by themselves: those of which the collection's `significant(old, next)` says that they do not matter.
 *
 * What: asks the caller's function about a change, and keeps, of each key that has a newer value than is on its way to the disk, the value
 * it had when it was last to be written: a hundred small steps are judged by how far they lead, not one by one.
 * Owns: these keys and values, of one incarnation. Does not own: the live values; when they are written (`Collection.takeIn`, at `durable()`).
 * Invariants: the function is asked only where it can tell: about a live key, outside of a transaction and of a listener of a barrier, and not
 * about an object that was changed in place; whatever it does, what it does not call insignificant is written. A key that waits is live, or
 * went where the stack ended, and is settled when it comes back. A key waits until it is in the journal, whatever records of it are written
 * meanwhile, because their epoch may fail.
 */
import { TidemarkError } from '../base/errors.ts'
import { isStray } from '../base/stray.ts'
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import { beforeHandOut } from './guard.ts'
import { hashKey, Pieces } from './pieces.ts'

/** What a collection was given: false when the change need not be written for its own sake. */
export type Significant = (old: unknown, next: unknown) => boolean

export interface SignificantFailure {
  readonly collection: string
  readonly key: Key
  readonly error: unknown
}

export const SIGNIFICANT: unique symbol = Symbol('significant')

export class Significance {
  significant: Significant
  #waiting = new Waiting()
  #failed = false

  constructor(significant: Significant) {
    this.significant = significant
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Another function may fail in another way, and is told of anew. */
  renew(significant: Significant): void {
    if (significant !== this.significant) this.#failed = false
    this.significant = significant
  }

  /** SIGNIFICANT, or the value that the key is to be compared with from now on. */
  judge(collection: Collection, key: Key, next: unknown): unknown {
    const { live, space } = collection
    const old = live.get(key)
    // An insert, or a value that is not in the heap; changed in place; all or nothing; all of it will be written anyway.
    if (old === undefined && !live.has(key)) return SIGNIFICANT
    if (old === next || space.transaction !== undefined || collection.saturated) return SIGNIFICANT
    if (space.letsIn || space.forbidden !== undefined) return SIGNIFICANT
    const since = this.#waiting.has(key) ? this.#waiting.get(key) : old
    if (since === next && typeof next === 'object' && next !== null) return SIGNIFICANT
    if (space.guarded && typeof old === 'object' && old !== null) beforeHandOut(collection, key, old)
    try {
      const answer: unknown = this.significant(since, next)
      if (isStray(answer)) throw promised(collection.name, key)
      this.#failed = false
      if (answer !== false) return SIGNIFICANT
    } catch (error) {
      if (!this.#failed) space.significantFailed?.({ collection: collection.name, key, error })
      this.#failed = true
      return SIGNIFICANT
    }
    // It may have changed the collection itself.
    return collection.live === live && Object.is(live.get(key), old) && !collection.saturated ? since : SIGNIFICANT
  }

  /** The key has a value that need not be written; `since`: what it had when it was last to be. */
  wait(key: Key, since: unknown): void {
    this.#waiting.set(key, since)
  }

  waits(key: Key): boolean {
    return this.#waiting.has(key)
  }

  /** The key is in the journal, or gone. */
  settle(key: Key): void {
    this.#waiting.delete(key)
  }

  /** All keys that wait, which do no longer. */
  take(): Waiting {
    const taken = this.#waiting
    this.#waiting = new Waiting()
    return taken
  }
}

function promised(collection: string, key: Key): TidemarkError {
  return new TidemarkError(
    'TIDEMARK_ARGUMENT',
    `'${collection}', key ${String(key)}: the function given as significant returned a promise or a generator`,
    {
      collection,
      key,
      hint: 'it answers at once: true or false',
    },
  )
}

class Waiting extends Pieces<Map<Key, unknown>> {
  constructor() {
    super(() => new Map(), 0)
  }

  *keys(): Iterable<Key> {
    for (const piece of this.pieces()) yield* piece.keys()
  }

  has(key: Key): boolean {
    return this.size > 0 && this.pieceOf(hashKey(key)).has(key)
  }

  get(key: Key): unknown {
    return this.pieceOf(hashKey(key)).get(key)
  }

  set(key: Key, since: unknown): void {
    this.makeRoom()
    const piece = this.pieceOf(hashKey(key))
    const before = piece.size
    piece.set(key, since)
    this.size += piece.size - before
  }

  delete(key: Key): void {
    if (this.size > 0 && this.pieceOf(hashKey(key)).delete(key)) this.size--
  }

  protected override divide(old: Map<Key, unknown>, low: Map<Key, unknown>, high: Map<Key, unknown>, bit: number): void {
    for (const [key, since] of old) ((hashKey(key) & bit) === 0 ? low : high).set(key, since)
  }
}
