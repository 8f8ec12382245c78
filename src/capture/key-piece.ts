/**
 * One piece of a table of keys: the keys themselves, their hashes, and a number for each where that is wanted.
 *
 * What: open addressing with linear probing (Knuth, The Art of Computer Programming, vol. 3, 6.4). The hashes lie beside the keys, so that a
 * look-up touches one line of numbers and, where it finds something, the key; growing and splitting touch no key at all. A platform Set looks at
 * each key's own memory at every step, which is a cache miss each where there are a million keys.
 * Owns: its entries. Does not own: which keys belong here (pieces.ts).
 * Invariants: at most FULL of the slots are taken, those of deleted keys included, so a search ends; where keys have hashes that were made to
 * collide the piece is a platform Map, which knows how to defend itself; equality is the platform's, `0` is `-0` and NaN is NaN; a walk meets every
 * key that is there all the time, as long as no key is added that was not there when it began.
 */
import type { Key } from '../codec/index.ts'

/** What a slot's hash says where there is no key. Hashes of keys are others. */
const EMPTY = 0
const DELETED = 1
const FIRST_SLOTS = 16
/** Fewer grow by more. */
const SLOTS_FEW = 1024
const FULL = 5 / 8
/** A search this long does not happen by chance. */
const PROBES_MAX = 256

const NO_KEYS: (Key | undefined)[] = []
const NO_HASHES = new Int32Array(0)
const NO_NUMBERS = new Float64Array(0)

export class KeyPiece {
  size = 0
  #keys = NO_KEYS
  #hashes = NO_HASHES
  #numbers = NO_NUMBERS
  readonly #numbered: boolean
  readonly #salt: number
  /** Slots that are not empty. */
  #taken = 0
  #shift = 0
  #firstSlots: number
  #crowd: Map<Key, number> | undefined

  /**
   * `expected`: so many keys will come, without growing. `numbered`: a number is kept for each key. `salt`: another one for each table: keys
   * that come in the order in which another table of the same hashes gives them would all fall on its first slots.
   */
  constructor(expected: number, numbered: boolean, salt: number) {
    this.#numbered = numbered
    this.#salt = salt
    this.#firstSlots = FIRST_SLOTS
    while (this.#firstSlots * FULL < expected) this.#firstSlots *= 2
  }

  /** Places there are for keys. */
  get slots(): number {
    return this.#keys.length
  }

  has(key: Key, hash: number): boolean {
    return this.#crowd === undefined ? this.#find(key, hash) >= 0 : this.#crowd.has(key)
  }

  /** The key's number; `undefined` where there is no such key. */
  get(key: Key, hash: number): number | undefined {
    if (this.#crowd !== undefined) return this.#crowd.get(key)
    const slot = this.#find(key, hash)
    return slot < 0 ? undefined : this.#numbers[slot]
  }

  /** False when the key was there; its number is the new one in any case. */
  add(key: Key, hash: number, number = 0): boolean {
    if (this.#crowd !== undefined) return this.#addToCrowd(this.#crowd, key, number)
    if (this.#taken >= this.#keys.length * FULL) this.#rebuild()
    const hashes = this.#hashes
    const mask = hashes.length - 1
    let slot = Math.imul(hash ^ this.#salt, GOLDEN) >>> this.#shift
    let free = -1
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const found = hashes[slot] as number
      if (found === hash && same(this.#keys[slot], key)) {
        if (this.#numbered) this.#numbers[slot] = number
        return false
      }
      if (found === DELETED && free < 0) free = slot
      if (found === EMPTY) {
        if (free < 0) {
          free = slot
          this.#taken++
        }
        this.#keys[free] = key
        hashes[free] = hash
        if (this.#numbered) this.#numbers[free] = number
        this.size++
        return true
      }
      slot = (slot + 1) & mask
    }
    this.#crowd = new Map(this.#entries())
    this.#keys = NO_KEYS
    this.#hashes = NO_HASHES
    this.#numbers = NO_NUMBERS
    return this.#addToCrowd(this.#crowd, key, number)
  }

  /** False when there was no such key. */
  delete(key: Key, hash: number): boolean {
    if (this.#crowd !== undefined) {
      if (!this.#crowd.delete(key)) return false
    } else {
      const slot = this.#find(key, hash)
      if (slot < 0) return false
      this.#empty(slot)
      this.#keys[slot] = undefined
    }
    this.size--
    return true
  }

  /** Puts each key into one of two pieces. */
  divide(low: KeyPiece, high: KeyPiece, bit: number, hashOf: (key: Key) => number): void {
    if (this.#crowd !== undefined) {
      for (const [key, number] of this.#crowd) {
        const hash = hashOf(key)
        ;((hash & bit) === 0 ? low : high).add(key, hash, number)
      }
      return
    }
    const hashes = this.#hashes
    for (let slot = 0; slot < hashes.length; slot++) {
      const hash = hashes[slot] as number
      if (hash !== EMPTY && hash !== DELETED) {
        ;((hash & bit) === 0 ? low : high).add(this.#keys[slot] as Key, hash, this.#numbers[slot] ?? 0)
      }
    }
  }

  *keys(): IterableIterator<Key> {
    if (this.#crowd !== undefined) {
      yield* this.#crowd.keys()
      return
    }
    const keys = this.#keys
    for (let slot = 0; slot < keys.length; slot++) {
      const key = keys[slot]
      if (key !== undefined) yield key
    }
  }

  /** The key's slot, or -1. */
  #find(key: Key, hash: number): number {
    const hashes = this.#hashes
    const mask = hashes.length - 1
    if (mask < 0) return -1
    let slot = Math.imul(hash ^ this.#salt, GOLDEN) >>> this.#shift
    for (;;) {
      const found = hashes[slot] as number
      if (found === EMPTY) return -1
      if (found === hash && same(this.#keys[slot], key)) return slot
      slot = (slot + 1) & mask
    }
  }

  /** Where nothing follows the slot no search has to pass it, nor the deleted ones before it. */
  #empty(at: number): void {
    const hashes = this.#hashes
    const mask = hashes.length - 1
    if (hashes[(at + 1) & mask] !== EMPTY) {
      hashes[at] = DELETED
      return
    }
    let slot = at
    do {
      hashes[slot] = EMPTY
      this.#taken--
      slot = (slot - 1) & mask
    } while (hashes[slot] === DELETED)
  }

  /** More slots, or as many without those of deleted keys. */
  #rebuild(): void {
    const keys = this.#keys
    const hashes = this.#hashes
    const numbers = this.#numbers
    const slots =
      keys.length === 0
        ? this.#firstSlots
        : this.size > (keys.length * FULL) / 2
          ? keys.length * (keys.length < SLOTS_FEW ? 4 : 2)
          : keys.length
    this.#keys = new Array<Key | undefined>(slots).fill(undefined)
    this.#hashes = new Int32Array(slots)
    if (this.#numbered) this.#numbers = new Float64Array(slots)
    this.#shift = Math.clz32(slots) + 1
    this.#taken = this.size
    const mask = slots - 1
    for (let old = 0; old < hashes.length; old++) {
      const hash = hashes[old] as number
      if (hash === EMPTY || hash === DELETED) continue
      let slot = Math.imul(hash ^ this.#salt, GOLDEN) >>> this.#shift
      while (this.#hashes[slot] !== EMPTY) slot = (slot + 1) & mask
      this.#keys[slot] = keys[old]
      this.#hashes[slot] = hash
      if (this.#numbered) this.#numbers[slot] = numbers[old] as number
    }
  }

  *#entries(): Generator<[Key, number]> {
    for (let slot = 0; slot < this.#keys.length; slot++) {
      const key = this.#keys[slot]
      if (key !== undefined) yield [key, this.#numbers[slot] ?? 0]
    }
  }

  #addToCrowd(crowd: Map<Key, number>, key: Key, number: number): boolean {
    const before = crowd.size
    crowd.set(key, number)
    if (crowd.size === before) return false
    this.size++
    return true
  }
}

/** Spreads what differs in few bits (Knuth, multiplicative hashing). */
const GOLDEN = 0x9e3779b1

function same(found: Key | undefined, key: Key): boolean {
  // biome-ignore lint/suspicious/noSelfCompare: NaN alone is not itself.
  return found === key || (found !== found && key !== key)
}
