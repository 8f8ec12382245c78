/**
 * A table of keys that grows in pieces.
 *
 * What: keys spread over many small tables by a hash of the key, by linear hashing (Litwin 1980): when the pieces are full on average,
 * one piece is split, so no single growth touches more than one piece.
 * Owns: which piece a key is in. Does not own: what is kept of a key (key-set.ts, key-positions.ts), how a piece finds it
 * (key-piece.ts).
 * Invariants: a key is in at most one piece, the one its hash names; the hash only spreads the load, equality is always the platform's.
 */
import type { Key } from '../codec/index.ts'

/** Mean entries of a piece at which the next piece is split; a piece then stays far below PIECE_ENTRIES_MAX. */
const PIECE_ENTRIES_MEAN = 2048
/** Pieces made at once at most: making them must not be a pause. */
const FIRST_PIECES_MAX = 512
/** A piece has room for so many at first: what is expected may be ten million, or one key ten million times. */
const FIRST_ENTRIES = 256

export interface Piece {
  readonly size: number
}

export abstract class Pieces<P extends Piece> {
  size = 0
  readonly #pieces: P[] = []
  /** Pieces at the start of this round of splitting (a power of two), and the next one to split. */
  #round = 1
  #next = 0
  readonly #make: (expected: number) => P

  /** `make`: an empty piece into which about so many keys will come. `expected`: about how many will come in all; spares the splitting. */
  constructor(make: (expected: number) => P, expected: number) {
    this.#make = make
    while (this.#round < FIRST_PIECES_MAX && this.#round * PIECE_ENTRIES_MEAN < expected) this.#round *= 2
    for (let made = 0; made < this.#round; made++) this.#pieces.push(make(Math.min(expected / this.#round, FIRST_ENTRIES)))
  }

  /** The pieces that hold something; not to be changed while the table is used. */
  pieces(): P[] {
    return this.#pieces.filter(piece => piece.size > 0)
  }

  pieceAt(index: number): P | undefined {
    return this.#pieces[index]
  }

  get pieceCount(): number {
    return this.#pieces.length
  }

  /** `hash`: by `hashKey`. */
  protected pieceOf(hash: number): P {
    const place = hash & (this.#round * 2 - 1)
    return this.#pieces[place < this.#pieces.length ? place : hash & (this.#round - 1)] as P
  }

  /** A key may be about to be added. Not behind it: whoever adds a key counts it with nothing in between that the end of the stack could stop. */
  protected makeRoom(): void {
    if (this.size >= this.#pieces.length * PIECE_ENTRIES_MEAN) this.#split()
  }

  /** Puts each key of `old` into one of two new pieces: `high`, when its hash has this bit. */
  protected abstract divide(old: P, low: P, high: P, bit: number): void

  #split(): void {
    const from = this.#next
    const low = this.#make(PIECE_ENTRIES_MEAN)
    const high = this.#make(PIECE_ENTRIES_MEAN)
    this.divide(this.#pieces[from] as P, low, high, this.#round)
    this.#pieces[from] = low
    this.#pieces.push(high)
    if (++this.#next === this.#round) {
      this.#round *= 2
      this.#next = 0
    }
  }
}

/** Code units; a string that is longer is looked at in so many places: at both ends, and between them. */
const WHOLE_UNITS = 1024
const LOOKED_UNITS = 128
const END_UNITS = 32
const BETWEEN_UNITS = LOOKED_UNITS - 2 * END_UNITS

/**
 * Spreads keys; never used for equality. Never 0 or 1. All of a string up to WHOLE_UNITS is looked at, and all of a bigint up to
 * BIGINT_BITS: what differs may stand anywhere in it. Gives a signed 32-bit integer.
 */
export function hashKey(key: Key): number {
  if (typeof key === 'string') return hashString(key)
  if (typeof key === 'number') {
    return mix(Number.isSafeInteger(key) ? Math.imul(key | 0, 0x9e3779b1) ^ ((key / 4294967296) | 0) : bitsOf(key))
  }
  return mix(typeof key === 'bigint' ? digitsOf(key) : 0)
}

const float = new Float64Array(1)
const words = new Int32Array(float.buffer)
/** A bigint put there is cut to 64 bits, many times faster than by BigInt.asIntN. */
const signed = new BigInt64Array(float.buffer)
const unsigned = new BigUint64Array(float.buffer)

/** Of a number that is no safe integer: any digit of it may be the one that differs, however small or large it is. */
function bitsOf(key: number): number {
  // There are many NaN, and all are one key.
  float[0] = Number.isNaN(key) ? Number.NaN : key
  return folded()
}

/** Of a bigint so many bits are looked at: all that a key may have would take half a millisecond. */
const BIGINT_BITS = 4096
/** A prime, of which no power of 2^64 is nearly a multiple: every digit counts, and one does not make up for another. */
const DIGITS_MODULUS = 0x9e3779b97f4a7c55n

/** One that has 64 bits, with a sign or without, is taken as it is. */
function digitsOf(key: bigint): number {
  signed[0] = key
  if (signed[0] !== key && unsigned[0] !== key) signed[0] = BigInt.asIntN(BIGINT_BITS, key) % DIGITS_MODULUS
  return folded()
}

/** Of what was put there. */
function folded(): number {
  return Math.imul(words[0] as number, 0x9e3779b1) ^ (words[1] as number)
}

/** Two sums, because a step of one need not wait for the other's. */
function hashString(key: string): number {
  const length = key.length
  let one = length
  let other = 0x85ebca6b
  if (length <= WHOLE_UNITS) {
    const even = length & ~1
    for (let at = 0; at < even; at += 2) {
      one = Math.imul(one ^ key.charCodeAt(at), 0x9e3779b1)
      other = Math.imul(other ^ key.charCodeAt(at + 1), 0xc2b2ae35)
    }
    if (even < length) one = Math.imul(one ^ key.charCodeAt(even), 0x9e3779b1)
  } else {
    for (let at = 0; at < END_UNITS; at++) {
      one = Math.imul(one ^ key.charCodeAt(at), 0x9e3779b1)
      other = Math.imul(other ^ key.charCodeAt(length - 1 - at), 0xc2b2ae35)
    }
    const between = length - 2 * END_UNITS
    for (let at = 0; at < BETWEEN_UNITS; at += 2) {
      one = Math.imul(one ^ key.charCodeAt((END_UNITS + (at * between) / BETWEEN_UNITS) | 0), 0x9e3779b1)
      other = Math.imul(other ^ key.charCodeAt((END_UNITS + ((at + 1) * between) / BETWEEN_UNITS) | 0), 0xc2b2ae35)
    }
  }
  return mix(one ^ ((other << 15) | (other >>> 17)))
}

function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  return (mixed & ~1) === 0 ? mixed + 2 : mixed
}
