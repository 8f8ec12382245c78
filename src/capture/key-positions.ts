/** A place in a journal for each key, in pieces. Owns: key and place (key-table.ts). Does not own: what the place means (journal.ts). */
import type { Key } from '../codec/index.ts'
import { KeyTable } from './key-table.ts'
import { hashKey } from './pieces.ts'

export class KeyPositions extends KeyTable {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    super(true, expected)
  }

  get(key: Key): number | undefined {
    if (this.size === 0) return undefined
    const hash = hashKey(key)
    return this.pieceOf(hash).get(key, hash)
  }

  set(key: Key, position: number): void {
    this.makeRoom()
    const hash = hashKey(key)
    if (this.pieceOf(hash).add(key, hash, position)) this.size++
  }
}
