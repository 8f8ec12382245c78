/**
 * A Map beyond the end of a Map: V8 gives a Map 2^24 places, those of deleted entries included, and throws a RangeError at the next one.
 *
 * What: the full Map itself becomes a chain. Its prototype is exchanged, so that whoever holds it goes on holding all entries; what is new
 * goes into Maps behind it. Up to that moment it is a plain Map, and nothing here is called but `setIn`.
 * Owns: the pieces. Does not own: what the entries mean.
 * Invariants: a key is in one piece at most; only the last piece takes new keys, so the order of the pieces, and within each that of its Map,
 * is the order of insertion; a piece before the last that is empty is left out; whoever walks finds the way from a piece that was left out.
 * Cost: a look-up asks the pieces from the newest to the oldest. Each held more than half of ENTRIES_MAX entries once, so there are few,
 * unless entries live very unevenly long.
 */
import { MAP_ENTRIES_MAX } from '../base/limits.ts'

interface Piece<K, V> {
  readonly map: Map<K, V>
  next: Piece<K, V> | undefined
}

/** As `map.set`, with no end at `entriesMax`. */
export function setIn<K, V>(map: Map<K, V>, key: K, value: V, entriesMax: number = MAP_ENTRIES_MAX): void {
  try {
    map.set(key, value)
  } catch (error) {
    if (map instanceof MapChain || !isFull(map, entriesMax, error)) throw error
    lengthen(map, entriesMax)
    map.set(key, value)
  }
}

/** Makes a chain of a plain Map, in one step whatever it holds; of a chain nothing. */
export function lengthen<K, V>(map: Map<K, V>, entriesMax: number = MAP_ENTRIES_MAX): void {
  if (map instanceof MapChain) return
  Object.setPrototypeOf(map, MapChain.prototype)
  const chain = map as MapChain<K, V>
  chain.entriesMax = entriesMax
  chain.later = { map: new Map(), next: undefined }
  chain.last = chain.later
}

/** The same, once it holds so many entries. */
export function lengthenFull<K, V>(map: Map<K, V>, entriesMax: number): void {
  if (map.size >= entriesMax) lengthen(map, entriesMax)
}

export function isChain(map: ReadonlyMap<unknown, unknown>): boolean {
  return map instanceof MapChain
}

/** What a walk over the plain Map, begun before it became a chain and at its end now, has still to give. */
export function restOf<K, V>(map: Map<K, V>): IterableIterator<[K, V]> | undefined {
  return map instanceof MapChain ? map.walkLater() : undefined
}

/** A stack that is used up throws a RangeError as well. A Map rehashes in place where half of its places are those of deleted entries. */
function isFull(map: ReadonlyMap<unknown, unknown>, entriesMax: number, error: unknown): boolean {
  return error instanceof RangeError && map.size > entriesMax / 2 - 1
}

class MapChain<K, V> extends Map<K, V> {
  // No private names: no constructor runs.
  declare entriesMax: number
  /** Behind the Map itself; the last one takes what is new. */
  declare later: Piece<K, V>
  declare last: Piece<K, V>

  override get size(): number {
    let size = super.size
    for (let piece: Piece<K, V> | undefined = this.later; piece !== undefined; piece = piece.next) size += piece.map.size
    return size
  }

  override get(key: K): V | undefined {
    const value = this.last.map.get(key)
    if (value !== undefined) return value
    for (let piece = this.later; piece !== this.last; piece = piece.next as Piece<K, V>) {
      const found = piece.map.get(key)
      if (found !== undefined) return found
    }
    return super.get(key)
  }

  override has(key: K): boolean {
    return pieceOf(this, key) !== undefined
  }

  override set(key: K, value: V): this {
    const of = pieceOf(this, key)
    if (of === this) super.set(key, value)
    else if (of !== undefined) of.set(key, value)
    else this.insert(key, value)
    return this
  }

  override delete(key: K): boolean {
    if (this.last.map.delete(key)) return true
    let before: Piece<K, V> | undefined
    for (let piece = this.later; piece !== this.last; piece = piece.next as Piece<K, V>) {
      if (piece.map.delete(key)) {
        if (piece.map.size === 0) leaveOut(this, piece, before)
        return true
      }
      before = piece
    }
    return super.delete(key)
  }

  override clear(): void {
    super.clear()
    for (let piece: Piece<K, V> | undefined = this.later; piece !== undefined; piece = piece.next) piece.map.clear()
    this.later = this.last
  }

  override forEach(callback: (value: V, key: K, map: Map<K, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this) callback.call(thisArg, value, key, this)
  }

  override *keys(): MapIterator<K> {
    yield* super.keys()
    for (let piece: Piece<K, V> | undefined = this.later; piece !== undefined; piece = piece.next) yield* piece.map.keys()
  }

  override *values(): MapIterator<V> {
    yield* super.values()
    for (let piece: Piece<K, V> | undefined = this.later; piece !== undefined; piece = piece.next) yield* piece.map.values()
  }

  override *entries(): MapIterator<[K, V]> {
    yield* super.entries()
    yield* this.walkLater()
  }

  override [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  /** Behind the Map itself. */
  *walkLater(): MapIterator<[K, V]> {
    for (let piece: Piece<K, V> | undefined = this.later; piece !== undefined; piece = piece.next) yield* piece.map.entries()
  }

  /** Whether the Map itself has it, whatever lies behind. */
  hasFirst(key: K): boolean {
    return super.has(key)
  }

  insert(key: K, value: V): void {
    const { map } = this.last
    if (map.size < this.entriesMax) {
      try {
        map.set(key, value)
        return
      } catch (error) {
        if (!isFull(map, this.entriesMax, error)) throw error
      }
    }
    const piece: Piece<K, V> = { map: new Map([[key, value]]), next: undefined }
    this.last.next = piece
    this.last = piece
  }
}

/** The piece that has the key; the chain stands for the Map itself. */
function pieceOf<K, V>(chain: MapChain<K, V>, key: K): Map<K, V> | undefined {
  if (chain.last.map.has(key)) return chain.last.map
  for (let piece = chain.later; piece !== chain.last; piece = piece.next as Piece<K, V>) if (piece.map.has(key)) return piece.map
  return chain.hasFirst(key) ? chain : undefined
}

/** Its own `next` stays: a walk may stand in it. */
function leaveOut<K, V>(chain: MapChain<K, V>, piece: Piece<K, V>, before: Piece<K, V> | undefined): void {
  if (before === undefined) chain.later = piece.next as Piece<K, V>
  else before.next = piece.next
}
