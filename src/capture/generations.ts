/**
 * Keys that matter until the stored state holds an epoch: those written or deleted since.
 *
 * What: two generations. The younger takes every key, and a table of very many as it is; a barrier closes it, unless one is closed already; it is
 * dropped whole when the stored state holds the epoch of that barrier.
 * Owns: the keys. Does not own: what membership means, when the stored state is exchanged.
 * Invariants: a key that was added before the barrier of epoch E, and not taken out, is there until the stored state holds E; where the cut of
 * E was lost, until it holds the epoch of the barrier that falls next: E itself may be repeated without these keys. A key stays longer
 * than it has to by one closed generation at most: what was added up to the newest barrier goes with its epoch even when no barrier follows.
 */
import { INSIGNIFICANT_KEYS_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import { KeySet } from './key-set.ts'

/** Of a generation whose barrier is void. Beyond every epoch. */
const UNKNOWN = Number.POSITIVE_INFINITY

/** Fewer keys are added one by one; of so many their table is kept, which each look asks then. */
const ADOPTED_MIN = 4096
/** Beyond so many keys in tables their keys are moved out, the oldest table's first: the same keys may come again and again, each time in another. */
const ADOPTED_MAX = INSIGNIFICANT_KEYS_MAX + ADOPTED_MIN
/** With every key that is added. More than one, because each key of a table was added before its table came: so the tables grow no further. */
const MOVED = 2

/** A table of keys that does not change any more. */
export interface KeyTaken {
  readonly size: number
  has(key: Key): boolean
  keys(): Iterable<Key>
}

class Generation {
  readonly #keys = new KeySet()
  /** Each is asked until all of its keys are moved. */
  #adopted: KeyTaken[] = []
  #adoptedKeys = 0
  /** Keys that these tables have, moved or not. */
  tableKeys = 0
  /** Keys of the oldest table that are still to be moved. */
  #moving: Iterator<Key> | undefined
  /** Keys of that table which were moved. */
  #moved = 0
  readonly #adoptedMax: number

  constructor(adoptedMax: number) {
    this.#adoptedMax = adoptedMax
  }

  add(key: Key): void {
    for (let left = MOVED; left > 0 && this.#adoptedKeys > this.#adoptedMax; left--) this.#move()
    this.#keys.add(key)
  }

  adopt(keys: KeyTaken): void {
    this.#adopted.push(keys)
    this.#adoptedKeys += keys.size
    this.tableKeys += keys.size
  }

  #move(): void {
    try {
      this.#moving ??= (this.#adopted[0] as KeyTaken).keys()[Symbol.iterator]()
      const next = this.#moving.next()
      if (next.done === true) {
        this.tableKeys -= this.#adopted.shift()?.size ?? 0
        this.#moving = undefined
        this.#moved = 0
        return
      }
      this.#keys.add(next.value)
    } catch (error) {
      // Where the stack ends the walk is over, or has given a key that was not added: it begins anew.
      this.#moving = undefined
      this.#adoptedKeys += this.#moved
      this.#moved = 0
      throw error
    }
    this.#adoptedKeys--
    this.#moved++
  }

  /** One of a table that was adopted stays with it. */
  delete(key: Key): void {
    this.#keys.delete(key)
  }

  has(key: Key): boolean {
    if (this.#keys.has(key)) return true
    return this.#adopted.length > 0 && this.#adopted.some(keys => keys.has(key))
  }

  get size(): number {
    return this.#keys.size + this.#adoptedKeys
  }
}

export class Generations {
  #open: Generation
  #closed: { epoch: number; readonly keys: Generation } | undefined
  #newest = 0
  /** The newest barrier, when nothing was added since. */
  #quietSince: number | undefined
  readonly #adoptedMin: number
  readonly #adoptedMax: number

  constructor(adoptedMin = ADOPTED_MIN, adoptedMax = ADOPTED_MAX) {
    this.#adoptedMin = adoptedMin
    this.#adoptedMax = adoptedMax
    this.#open = new Generation(adoptedMax)
  }

  add(key: Key): void {
    this.#quietSince = undefined
    this.#open.add(key)
  }

  /**
   * Adds all of these, each of which was added before, whatever became of it since. A large table is taken over as it is, with what it has beside
   * the keys: it must not change afterwards.
   */
  adopt(keys: KeyTaken): void {
    if (keys.size < this.#adoptedMin) for (const key of keys.keys()) this.add(key)
    else {
      this.#open.adopt(keys)
      this.#quietSince = undefined
    }
  }

  /** Unless it came with a table that was taken over: then it stays longer than it has to. */
  delete(key: Key): void {
    this.#open.delete(key)
    this.#closed?.keys.delete(key)
  }

  has(key: Key): boolean {
    return this.#open.has(key) || this.#closed?.keys.has(key) === true
  }

  /** Keys of both generations; one that is there twice counts twice. */
  get size(): number {
    return this.#open.size + (this.#closed?.keys.size ?? 0)
  }

  /** Keys of the tables that were taken over, which are there with what they have beside the keys. */
  get tableKeys(): number {
    return this.#open.tableKeys + (this.#closed?.keys.tableKeys ?? 0)
  }

  /** A barrier falls that ends this epoch. */
  barrier(epoch: number): void {
    this.#newest = this.#quietSince = epoch
    if (this.#closed?.epoch === UNKNOWN) this.#closed.epoch = epoch
    if (this.#closed !== undefined || this.#open.size === 0) return
    this.#closed = { epoch, keys: this.#open }
    this.#open = new Generation(this.#adoptedMax)
  }

  /** The cut of the newest barrier is lost: what it was to bring into the stored state comes with a later barrier, of whatever epoch. */
  lost(): void {
    if (this.#closed?.epoch === this.#newest) this.#closed.epoch = UNKNOWN
    this.#quietSince = undefined
  }

  /** The stored state holds every epoch up to `through`, all of them acknowledged. True when keys were dropped. */
  held(through: number): boolean {
    const { size } = this
    if (this.#closed !== undefined && this.#closed.epoch <= through) this.#closed = undefined
    if (this.#quietSince !== undefined && this.#quietSince <= through && this.#open.size > 0) this.#open = new Generation(this.#adoptedMax)
    return this.size < size
  }
}
