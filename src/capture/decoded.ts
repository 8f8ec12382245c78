/**
 * Objects that were made of stored entries before anybody asked for them.
 *
 * What: an entry a key, in pieces, each of which has the keys of one stretch, so that no growth is a pause and adding one costs what a Map costs.
 * Owns: the objects, until somebody touches them. Does not own: which keys are cold; one that is written, deleted or comes home is taken out by
 * its owner.
 * Invariant: keys are added in the order of their bytes.
 */
import { PIECE_ENTRIES_MAX } from '../base/limits.ts'
import { compareKeys, type Key } from '../codec/index.ts'
import { ABSENT } from './cold.ts'

export class Decoded {
  /** The first key that each piece was given. */
  readonly #firsts: Key[] = []
  readonly #pieces: Map<Key, unknown>[] = []
  /** Keys that the last piece was given. */
  #added = PIECE_ENTRIES_MAX

  add(key: Key, value: unknown): void {
    if (this.#added === PIECE_ENTRIES_MAX) {
      this.#added = 0
      this.#firsts.push(key)
      this.#pieces.push(new Map())
    }
    this.#added++
    this.#pieces.at(-1)?.set(key, value)
  }

  has(key: Key): boolean {
    return this.#pieceOf(key)?.has(key) === true
  }

  /** ABSENT where none was made. */
  get(key: Key): unknown {
    const piece = this.#pieceOf(key)
    const value = piece?.get(key)
    return value !== undefined || piece?.has(key) === true ? value : ABSENT
  }

  forget(key: Key): void {
    this.#pieceOf(key)?.delete(key)
  }

  #pieceOf(key: Key): Map<Key, unknown> | undefined {
    const firsts = this.#firsts
    if (firsts.length < 2) return this.#pieces[0]
    // A Map may be asked for anything; that has no place among keys.
    if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') return undefined
    let low = 0
    let high = firsts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (compareKeys(firsts[middle] as Key, key) <= 0) low = middle
      else high = middle - 1
    }
    return this.#pieces[low]
  }
}
