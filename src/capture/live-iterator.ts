/**
 * The iterator of a collection: cold entries first, then the live ones in the order of their Map.
 *
 * Owns: where the iteration is. Does not own: the entries, what is known of those that a rollback puts back (returns.ts).
 * Invariants: what it gives is what `get` gives: values come home, keys do not, nor what a scan gives; it begins with the first `next`. As with a Map, a loop that
 * was left can be taken up again, so nothing says that an iterator was given up: nothing may depend on its being at an end.
 */
import type { Key } from '../codec/index.ts'
import { isUnread } from './cold.ts'
import { peekCold } from './cold-read.ts'
import { ColdWalk } from './cold-walk.ts'
import type { Collection } from './collection.ts'
import { beforeHandOut } from './guard.ts'
import { isChain, restOf } from './map-chain.ts'
import { Given, Returns } from './returns.ts'

/** Methods of native iterators (and their helpers, where the runtime has them). */
const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object

export type Pick = 'keys' | 'values' | 'entries' | 'scan'

export class LiveIterator {
  readonly #collection: Collection
  readonly #pick: Pick
  #ended = false
  /** What walks `live` knows that it is a chain. */
  #chained = false
  #live: Map<Key, unknown> | undefined
  /** From the first live entry on: V8 keeps every table that a Map had since its iterator last moved, with all that left the heap meanwhile. */
  #inner: Iterator<[Key, unknown]> | undefined
  /** How many entries had gone when it last moved. */
  #movedAt = 0
  #cold: ColdWalk | undefined
  #given: Given | undefined

  constructor(collection: Collection, pick: Pick) {
    this.#collection = collection
    this.#pick = pick
  }

  next(): IteratorResult<unknown, undefined> {
    if (this.#ended) return { done: true, value: undefined }
    const collection = this.#collection
    // Emptied meanwhile: as with a Map, what is added later is still visited.
    if (collection.live !== this.#live) this.#begin()
    const given = this.#given as Given
    if (given.isBehind) this.#catchUp(given)
    for (;;) {
      const cold = this.#cold
      if (cold !== undefined) {
        const key = cold.next()
        if (key !== undefined) {
          // What the live half gave is known: it can begin anew.
          if (this.#inner !== undefined && cold.gone - this.#movedAt > collection.live.size) this.#inner = undefined
          const value = this.#pick === 'keys' ? undefined : this.#read(cold, key)
          given.add(key, collection.space.transaction)
          if (this.#pick === 'keys') return { done: false, value: key }
          return { done: false, value: this.#pick === 'values' ? value : [key, value] }
        }
      }
      if (cold?.gaveAll === true) return this.#end()
      this.#inner ??= this.#walkLive()
      this.#movedAt = cold?.gone ?? 0
      const result = this.#inner.next()
      if (result.done === true) {
        if (this.#continue()) continue
        return this.#end()
      }
      const [key, value] = result.value
      if ((given.has(key) && !this.#isAnew(key)) || (cold !== undefined && !cold.gives(key))) continue
      given.add(key, collection.space.transaction)
      if (this.#pick === 'keys') return { done: false, value: key }
      if (collection.space.guarded && typeof value === 'object' && value !== null) beforeHandOut(collection, key, value)
      return { done: false, value: this.#pick === 'values' ? value : result.value }
    }
  }

  [Symbol.iterator](): this {
    return this
  }

  #end(): IteratorResult<unknown, undefined> {
    this.#ended = true
    this.#cold?.end()
    this.#given?.end()
    this.#cold = this.#live = this.#inner = this.#given = undefined
    return { done: true, value: undefined }
  }

  #read(cold: ColdWalk, key: Key): unknown {
    try {
      return this.#pick === 'scan' ? peekCold(this.#collection, key, cold.cursor) : this.#collection.getCold(key, cold.cursor)
    } catch (error) {
      // A loop that is taken up again leaves nothing out.
      if (isUnread(error)) cold.owe(key)
      throw error
    }
  }

  /** What a rollback put back is met again, in either half. */
  #catchUp(given: Given): void {
    const cold = this.#cold
    cold?.meetRollback()
    given.catchUp(cold === undefined ? undefined : key => void (this.#isAnew(key) || cold.gave(key)))
  }

  /** The transaction that runs deleted what was there: that it is gone for good is said at its end. */
  #isAnew(key: Key): boolean {
    return this.#collection.space.transaction?.hasDeleted(this.#collection, key) === true
  }

  /** The Map became a chain while it was walked: what lies behind it is still to come. */
  #continue(): boolean {
    if (this.#chained || this.#live === undefined) return false
    const rest = restOf(this.#live)
    if (rest === undefined) return false
    this.#chained = true
    this.#inner = rest
    return true
  }

  #walkLive(): Iterator<[Key, unknown]> {
    const { live } = this.#collection
    this.#chained = isChain(live)
    return live.entries()
  }

  #begin(): void {
    const { live, cold } = this.#collection
    this.#given?.end()
    this.#collection.returns ??= new Returns()
    this.#given = new Given(this.#collection.returns)
    this.#inner = undefined
    this.#live = live
    this.#cold?.end()
    this.#cold = cold === undefined || (cold.countMax === 0 && !cold.evicts) ? undefined : new ColdWalk(cold, live)
  }
}
Object.setPrototypeOf(LiveIterator.prototype, IteratorPrototype)
