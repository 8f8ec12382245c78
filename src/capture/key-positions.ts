/** A place in a journal for each key, in pieces (pieces.ts). Owns: key and place. Does not own: what the place means (journal.ts). */
import type { Key } from '../codec/index.ts'
import { KeyPiece } from './key-piece.ts'
import { hashKey, newSalt, Pieces } from './pieces.ts'

export class KeyPositions extends Pieces<KeyPiece> {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    const salt = newSalt()
    super(coming => new KeyPiece(coming, true, salt), expected)
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined
  }

  get(key: Key): number | undefined {
    if (this.size === 0) return undefined
    const hash = hashKey(key)
    return this.pieceOf(hash).get(key, hash)
  }

  set(key: Key, position: number): void {
    const hash = hashKey(key)
    if (this.pieceOf(hash).add(key, hash, position)) this.added()
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
