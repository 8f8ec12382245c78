/**
 * Keys that the drain leaves to the barrier, in no journal meanwhile, so that it does not meet them again.
 *
 * Owns: which keys these are, and why. Does not own: the records. Invariant: a key is in one of the two sets at most; one whose value was set
 * since is in the journal too, which is another attempt.
 */
import type { Key } from '../codec/index.ts'
import type { KeyPiece } from './key-piece.ts'
import { KeySet } from './key-set.ts'

export class Postponed {
  /** Their records were large: each has a slice of its own behind the barrier. */
  readonly #large = new KeySet()
  /** Their values cannot be encoded: the barrier says so. */
  readonly refused = new KeySet()

  get size(): number {
    return this.#large.size + this.refused.size
  }

  /** How many are there for their size. */
  get large(): number {
    return this.#large.size
  }

  pieces(): KeyPiece[] {
    return this.size === 0 ? [] : [...this.#large.pieces(), ...this.refused.pieces()]
  }

  addLarge(key: Key): void {
    this.refused.delete(key)
    this.#large.add(key)
  }

  addRefused(key: Key): void {
    this.#large.delete(key)
    this.refused.add(key)
  }

  /** It has a record. True when its value had been refused. */
  delete(key: Key): boolean {
    this.#large.delete(key)
    return this.refused.delete(key)
  }
}
