/**
 * The public collections: the whole Map interface, and a single cell.
 * Own nothing but the way in: every call goes to the Collection.
 */
import { TidemarkError } from '../base/errors.ts'
import { describe } from '../base/given.ts'
import { isStray } from '../base/stray.ts'
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import { checkKey } from './keys.ts'
import { LiveIterator } from './live-iterator.ts'

/**
 * A durable Map. `get` gives the same object as long as it is in memory; a change made in place counts once the object is `set` again,
 * in the same turn of the event loop, or is made through `update`.
 * Order: insertion order while the process lives; after a restart keys not touched yet come first, in the order of their bytes. With
 * `budget.memoryBytesMax` entries that left the heap count as not touched.
 */
export class TidemarkMap<K extends Key, V> implements Map<K, V> {
  readonly #collection: Collection

  constructor(collection: Collection) {
    this.#collection = collection
  }

  get name(): string {
    return this.#collection.name
  }

  get size(): number {
    return this.#collection.size
  }

  /**
   * @throws TIDEMARK_CLOSED. Where the entry is not in memory and does not read: TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_VALUE_DAMAGED, TIDEMARK_STORAGE,
   * TIDEMARK_CODEC, TIDEMARK_COMPRESSION_UNAVAILABLE
   */
  get(key: K): V | undefined {
    return this.#collection.get(key) as V | undefined
  }

  /** @throws as `get`, but for what a value alone has wrong */
  has(key: K): boolean {
    return this.#collection.has(key)
  }

  /**
   * A value that cannot be stored is found out when it is captured, and told by the `refused` event; in a transaction, at its end.
   * @throws TIDEMARK_KEY for a key that is no string, number or bigint, or is too long, TIDEMARK_READ_ONLY, TIDEMARK_CLOSED; in a transaction
   * TIDEMARK_TRANSACTION_STALE, and what `get` throws of the entry that was there
   */
  set(key: K, value: V): this {
    this.#collection.set(key, value)
    return this
  }

  /** @throws TIDEMARK_READ_ONLY, TIDEMARK_CLOSED, and as `has`; in a transaction as `get` */
  delete(key: K): boolean {
    return this.#collection.delete(key)
  }

  /** @throws TIDEMARK_READ_ONLY, TIDEMARK_CLOSED, TIDEMARK_IDS_SPENT */
  clear(): void {
    this.#collection.clear()
  }

  /**
   * Changes a value: `change` alters it in place and returns nothing, or returns the new value. It gets `undefined` for a key that is
   * absent, and then nothing is stored unless it returns a value. What it sets or deletes itself stands when it returns nothing. Returns what
   * is stored afterwards.
   *
   * @throws what `change` throws, and what it changed in place stands; TIDEMARK_ARGUMENT for no function, and for one that returns a promise or a
   * generator; as `get` and `set`
   * @example
   * players.update('ada', player => { player.score++ })
   */
  update(key: K, change: (value: V) => V | void): V | undefined {
    return updateIn(this.#collection, key, change as (value: unknown) => unknown) as V | undefined
  }

  /** The value of the key, or `value`, which is stored then. On every Node.js. What is changed in it later is `set` again, as with `get`. */
  getOrInsert(key: K, value: V): V {
    const collection = this.#collection
    const there = collection.get(key)
    if (there !== undefined || collection.has(key)) return there as V
    collection.set(key, value)
    return value
  }

  /**
   * As `getOrInsert`, with a value that is made where the key is absent. As in a Map, what `callback` returns takes the place of what it set
   * under the key itself, and is stored where it is undefined, too.
   *
   * @throws TIDEMARK_ARGUMENT for no function, and for one that returns a promise or a generator
   */
  getOrInsertComputed(key: K, callback: (key: K) => V): V {
    const collection = this.#collection
    const call = 'getOrInsertComputed'
    // A Map refuses it at once, too, be the key there or not.
    assertFunction(collection, key, callback, call, 'give a function that returns the value of a key that is absent')
    const there = collection.get(key)
    if (there !== undefined || collection.has(key)) return there as V
    if (collection.space.guarded) collection.space.assertWritable(collection.name)
    checkKey(collection.name, key)
    // It gets the key as it will be stored, where -0 is 0.
    const value = settled(collection, key, callback(key === 0 ? (0 as K) : key), call) as V
    collection.set(key, value)
    return value
  }

  forEach(callback: (value: V, key: K, map: Map<K, V>) => void, thisArg?: unknown): void {
    // A Map refuses it at once, too, be there an entry or not.
    if (typeof callback !== 'function') throw noCallback(this.#collection, callback)
    for (const [key, value] of this) callback.call(thisArg, value, key, this)
  }

  keys(): MapIterator<K> {
    return new LiveIterator(this.#collection, 'keys') as unknown as MapIterator<K>
  }

  values(): MapIterator<V> {
    return new LiveIterator(this.#collection, 'values') as unknown as MapIterator<V>
  }

  entries(): MapIterator<[K, V]> {
    return new LiveIterator(this.#collection, 'entries') as unknown as MapIterator<[K, V]>
  }

  /**
   * As `entries`, for one reading of a store that may be larger than memory: an entry that is not in memory is read, given as a new object, and
   * not kept; such an object is not the one that `get` gives.
   */
  scan(): MapIterator<[K, V]> {
    return new LiveIterator(this.#collection, 'scan') as unknown as MapIterator<[K, V]>
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  get [Symbol.toStringTag](): string {
    return 'TidemarkMap'
  }
}

/** The key under which a cell keeps its value. */
const CELL_KEY = 'value'

/** No part of the public contract: the command line finds it by this name, for nothing but the package itself is shared with it. */
const AS_MAP = Symbol.for('tidemark.asMap')

/** One durable value. `initial`, the first that anybody gave, is given until the first `set` and is not stored by itself. */
export class TidemarkValue<V> {
  readonly #collection: Collection
  #initial: V

  constructor(collection: Collection, initial: V) {
    this.#collection = collection
    this.#initial = initial
  }

  /** Somebody else may have asked for the cell before, without an initial value. */
  static adopt<V>(cell: TidemarkValue<V>, initial: V): TidemarkValue<V> {
    if (cell.#initial === undefined) cell.#initial = initial
    return cell
  }

  get name(): string {
    return this.#collection.name
  }

  /** The map of at most one entry that a cell is: whoever reads many of them once keeps none, by its `scan`. */
  [AS_MAP](): TidemarkMap<Key, V> {
    return new TidemarkMap(this.#collection)
  }

  /** @throws as `get` of a map */
  get(): V {
    const value = this.#collection.get(CELL_KEY)
    return value === undefined && !this.#collection.live.has(CELL_KEY) ? this.#handOutInitial() : (value as V)
  }

  /** @throws TIDEMARK_READ_ONLY, TIDEMARK_CLOSED; in a transaction as `set` of a map */
  set(value: V): void {
    const { transaction } = this.#collection.space
    if (transaction !== undefined && value === this.#initial) transaction.beforeSetInitial(this.#collection, CELL_KEY, this, value)
    this.#collection.set(CELL_KEY, value)
  }

  /** As `update` of a map; starts from the initial value, which is stored only where it is an object: that may have been changed in place. @throws as that */
  update(change: (value: V) => V | void): V {
    const collection = this.#collection
    assertFunction(collection, CELL_KEY, change)
    if (!collection.has(CELL_KEY)) {
      if (collection.space.guarded) collection.space.assertWritable(collection.name)
      const initial = this.#handOutInitial()
      let next: V | undefined
      try {
        next = settled(collection, CELL_KEY, change(initial)) as V | undefined
      } catch (error) {
        // As of a map: `get` gives it as it was changed, so that is what is stored.
        storeHalfway(() => this.#storeInitial(initial))
        throw error
      }
      // What it set itself stands; an initial value that is no object was not changed, and is not stored by itself.
      if (next !== undefined) collection.set(CELL_KEY, next)
      else this.#storeInitial(initial)
      return this.get()
    }
    return updateIn(collection, CELL_KEY, change as (value: unknown) => unknown) as V
  }

  /** It may have been changed in place, unless the cell has another value by now. */
  #storeInitial(initial: V): void {
    const collection = this.#collection
    if (isObject(initial) && (!collection.has(CELL_KEY) || isKept(collection, CELL_KEY, initial))) collection.set(CELL_KEY, initial)
  }

  #handOutInitial(): V {
    const initial = this.#initial
    if (isObject(initial)) {
      this.#collection.space.transaction?.beforeInitial(this.#collection, this, initial, putBack => {
        this.#initial = putBack as V
      })
    }
    return initial
  }
}

function updateIn(collection: Collection, key: Key, change: (value: unknown) => unknown): unknown {
  assertFunction(collection, key, change)
  const value = collection.get(key)
  if (collection.space.guarded) collection.space.assertWritable(collection.name)
  // It is about to be changed, and may not leave the heap until that is stored.
  if (isObject(value)) collection.cold?.written(key)
  let next: unknown
  try {
    next = settled(collection, key, change(value))
    // What the function did to the key itself stands; only an object may have been changed in place.
    if (next === undefined && !isKept(collection, key, value)) return collection.get(key)
  } catch (error) {
    // It may have been changed halfway: what is durable must not differ from what is in memory.
    try {
      if (isKept(collection, key, value)) collection.set(key, value)
    } catch (failure) {
      // What the function threw is what the caller is told, also where nothing can be stored any more: it may have dropped the collection.
      if (failure instanceof RangeError) collection.saturated = true
    }
    throw error
  }
  try {
    collection.set(key, next === undefined ? value : next)
  } catch (error) {
    // The stack ended behind the change: it counts, with all that is there, for which nothing has to be called.
    if (error instanceof RangeError) collection.saturated = true
    throw error
  }
  return next === undefined ? value : next
}

/** What the function threw is what the caller is told, also where nothing can be stored any more: it may have dropped the collection. */
function storeHalfway(store: () => void): void {
  try {
    store()
  } catch {}
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** The value is an object, and is the key's still. */
function isKept(collection: Collection, key: Key, value: unknown): boolean {
  if (!isObject(value)) return false
  return (collection.live.get(key) ?? collection.cold?.held.peek(key)) === value
}

function assertFunction(
  { name }: Collection,
  key: Key,
  given: unknown,
  call = 'update',
  hint = 'give a function that changes the value, or returns a new one; set() takes a value',
): void {
  if (typeof given === 'function') return
  throw new TidemarkError('TIDEMARK_ARGUMENT', `'${name}', key ${textOf(key)}: ${call} takes a function, not ${describe(given)}`, {
    collection: name,
    key,
    hint,
  })
}

/** Nobody has looked at the key yet: an object may have no text, or run code for it, and that of a function is its source. */
function textOf(key: unknown): string {
  return isObject(key) || typeof key === 'function' ? describe(key) : String(key)
}

function noCallback({ name }: Collection, callback: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_ARGUMENT', `'${name}': forEach takes a function, not ${describe(callback)}`, {
    collection: name,
    hint: 'give a function (value, key) => { … }',
  })
}

function settled(collection: Collection, key: Key, next: unknown, call = 'update'): unknown {
  if (isStray(next)) {
    throw new TidemarkError(
      'TIDEMARK_ARGUMENT',
      `'${collection.name}', key ${textOf(key)}: the function given to ${call} returned a promise or a generator`,
      {
        collection: collection.name,
        key,
        hint: `wait for what you need first, then call ${call}`,
      },
    )
  }
  return next
}
