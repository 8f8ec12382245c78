/**
 * Keys drawn from the live entries of one collection, with what each of them takes: what these take stands for what all do.
 *
 * What: every entry that enters has the same chance to be drawn, whenever it comes and whatever is around it. Whoever has more than there is room
 * for leaves half of them out, by chance, and draws half as many from then on. A look takes time: of all that enter one in LOOKED at most is
 * looked at then and there, and the last of these, or that a walk met, stands for the others that were drawn, which like those that are written wait for a
 * look between turns.
 * Owns: the keys drawn, the chance, the sum. Does not own: the entries, when one enters, changes or leaves (resident.ts).
 * Invariants: `bytes` is the sum over what is in it, in whole bytes, so nothing adds up over months; a call of it that the end of the stack cuts
 * short leaves sum and keys in step; what is drawn depends on nothing but the seed, and no pattern in the order of keys goes with it.
 */
import type { Key } from '../codec/index.ts'
import { entryHeapBytes, MAP_SLOT } from './heap-size.ts'

/** Those looked at as they enter: the first ones all, then one of so many. A power of two. */
const FIRST = 64
const LOOKED = 16

/** A place in a Map that is made anew when twice as much comes, and a number. */
export const SAMPLED_BYTES = 2 * MAP_SLOT

export class Sample {
  readonly #drawn = new Map<Key, number>()
  /** Of those drawn, the ones that may take something else by now, in the order in which they do. */
  readonly #due = new Set<Key>()
  /** What the last one took that was looked at as it entered, or was met. */
  #latest = 0
  /** One of `#mask + 1` is drawn. */
  #mask: number
  #state: number
  #bytes = 0

  /** One of 2^halvings is drawn. */
  constructor(seed: number, halvings: number) {
    this.#mask = 2 ** halvings - 1
    this.#state = (Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995) | 1
  }

  get size(): number {
    return this.#drawn.size
  }

  /** Of those drawn. */
  get bytes(): number {
    return this.#bytes
  }

  /** It takes all that enters. */
  get isWhole(): boolean {
    return this.#mask === 0
  }

  has(key: Key): boolean {
    return this.#drawn.has(key)
  }

  keys(): Iterator<Key> {
    return this.#drawn.keys()
  }

  /** Those to be looked at. */
  due(): Iterable<Key> {
    return this.#due.keys()
  }

  /** An entry entered. True when it was drawn. */
  enters(key: Key, value: unknown): boolean {
    if (!this.#chance()) return false
    if (this.#drawn.size < FIRST || (this.#next() & (LOOKED - 1)) <= this.#mask) {
      this.#putFirst(key, value)
    } else {
      this.#put(key, this.#latest)
      this.#due.add(key)
    }
    return true
  }

  /** One that was drawn may take something else. */
  changed(key: Key): void {
    this.#due.add(key)
  }

  /** Of a walk, which has the time: it is looked at if it is drawn. True when it was. */
  meets(key: Key, live: ReadonlyMap<Key, unknown>): boolean {
    if (!this.#chance()) return false
    this.#putFirst(key, live.get(key))
    return true
  }

  /** What one that was drawn takes now. */
  put(key: Key, value: unknown): void {
    this.#due.delete(key)
    this.#put(key, Math.round(entryHeapBytes(key, value)))
  }

  #putFirst(key: Key, value: unknown): void {
    this.put(key, value)
    this.#latest = this.#drawn.get(key) ?? 0
  }

  #put(key: Key, bytes: number): void {
    const before = this.#drawn.get(key) ?? 0
    this.#drawn.set(key, bytes)
    this.#bytes += bytes - before
  }

  drop(key: Key): void {
    this.#due.delete(key)
    const bytes = this.#drawn.get(key)
    if (bytes !== undefined && this.#drawn.delete(key)) this.#bytes -= bytes
  }

  /** Half of it, by chance. */
  halve(): void {
    this.#mask = 2 * this.#mask + 1
    for (const key of this.#drawn.keys()) if ((this.#next() & 1) === 0) this.drop(key)
  }

  #chance(): boolean {
    return this.#mask === 0 || (this.#next() & this.#mask) === 0
  }

  /** Marsaglia's xorshift of 32 bits: each bit of it will do. */
  #next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x
  }
}
