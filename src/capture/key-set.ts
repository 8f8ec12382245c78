/** A set of keys that grows in pieces (pieces.ts). Owns: the keys. Does not own: what membership means. */
import type { Key } from '../codec/index.ts'
import { Pieces } from './pieces.ts'

export class KeySet extends Pieces<Set<Key>> {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    super(() => new Set(), expected)
  }

  /** False when it was there. */
  add(key: Key): boolean {
    const piece = this.pieceOf(key)
    const before = piece.size
    piece.add(key)
    if (piece.size === before) return false
    this.added()
    return true
  }

  protected override divide(old: Set<Key>, low: Set<Key>, high: Set<Key>, isHigh: (key: Key) => boolean): void {
    for (const key of old) (isHigh(key) ? high : low).add(key)
  }
}
