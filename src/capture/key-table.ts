/**
 * A table of keys in pieces that probe (pieces.ts, key-piece.ts): what a set of keys and keys with a place have in common.
 *
 * Owns: the salt of its pieces. Does not own: what is kept of a key (key-set.ts, key-positions.ts).
 */
import type { Key } from '../codec/index.ts'
import { KeyPiece } from './key-piece.ts'
import { hashKey, Pieces } from './pieces.ts'

let tables = 0

export abstract class KeyTable extends Pieces<KeyPiece> {
  /** `numbered`: a number is kept for each key. `expected`: about how many keys will come; spares the splitting. */
  constructor(numbered: boolean, expected: number) {
    tables = (tables + 1) | 0
    const salt = Math.imul(tables, 0x85ebca6b)
    super(coming => new KeyPiece(coming, numbered, salt), expected)
  }

  has(key: Key): boolean {
    if (this.size === 0) return false
    const hash = hashKey(key)
    return this.pieceOf(hash).has(key, hash)
  }

  /** False when it was not there. */
  delete(key: Key): boolean {
    if (this.size === 0) return false
    const hash = hashKey(key)
    if (!this.pieceOf(hash).delete(key, hash)) return false
    this.size--
    return true
  }

  protected override divide(old: KeyPiece, low: KeyPiece, high: KeyPiece, bit: number): void {
    old.divide(low, high, bit, hashKey)
  }
}
