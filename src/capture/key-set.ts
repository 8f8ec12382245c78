/** A set of keys that grows in pieces. Owns: the keys (key-table.ts). Does not own: what membership means. */
import type { Key } from '../codec/index.ts'
import { KeyTable } from './key-table.ts'
import { hashKey } from './pieces.ts'

export class KeySet extends KeyTable {
  /** `expected`: about how many keys will come; spares the splitting. */
  constructor(expected = 0) {
    super(false, expected)
  }

  /** False when it was there. */
  add(key: Key): boolean {
    this.makeRoom()
    const hash = hashKey(key)
    if (!this.pieceOf(hash).add(key, hash)) return false
    this.size++
    return true
  }
}
