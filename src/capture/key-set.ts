/** A set of keys that grows in pieces (pieces.ts). Owns: the keys. Does not own: what membership means. */
import type { Key } from '../codec/index.ts'
import { KeyPiece } from './key-piece.ts'
import { hashKey, newSalt, Pieces } from './pieces.ts'

export class KeySet extends Pieces<KeyPiece> {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    const salt = newSalt()
    super(coming => new KeyPiece(coming, false, salt), expected)
  }

  has(key: Key): boolean {
    if (this.size === 0) return false
    const hash = hashKey(key)
    return this.pieceOf(hash).has(key, hash)
  }

  /** False when it was there. */
  add(key: Key): boolean {
    const hash = hashKey(key)
    if (!this.pieceOf(hash).add(key, hash)) return false
    this.added()
    return true
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
