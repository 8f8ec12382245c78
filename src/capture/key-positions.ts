/** A place in a journal for each key, in pieces (pieces.ts). Owns: key and place. Does not own: what the place means (backlog.ts). */
import type { Key } from '../codec/index.ts'
import { Pieces } from './pieces.ts'

export class KeyPositions extends Pieces<Map<Key, number>> {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    super(() => new Map(), expected)
  }

  get(key: Key): number | undefined {
    return this.size === 0 ? undefined : this.pieceOf(key).get(key)
  }

  set(key: Key, position: number): void {
    const piece = this.pieceOf(key)
    const before = piece.size
    piece.set(key, position)
    if (piece.size !== before) this.added()
  }

  protected override divide(old: Map<Key, number>, low: Map<Key, number>, high: Map<Key, number>, isHigh: (key: Key) => boolean): void {
    for (const [key, position] of old) (isHigh(key) ? high : low).set(key, position)
  }
}
