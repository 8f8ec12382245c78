/**
 * How much was captured in vain: records of keys that have a later one in the same epoch.
 *
 * What: remembers one key in SHARE of the keys recorded in an epoch, chosen by hash, and multiplies what it meets again.
 * Owns: these keys, the sums. Does not own: what follows from them (the pace of the drain).
 */
import type { Key } from '../codec/index.ts'
import { KeySet } from './key-set.ts'
import { hashKey } from './pieces.ts'

const SHARE = 16
/** Where a hash says whether its key is remembered: not where it says which piece of a table the key is in. */
const SHARE_SHIFT = 28

export class Rewrites {
  /** Of this epoch, estimated. */
  records = 0
  bytes = 0
  /** Of all epochs before it. */
  #recordsBefore = 0
  #bytesBefore = 0
  readonly #seen = new Map<number, KeySet>()

  recorded(incarnation: number, key: Key, bytes: number): void {
    if (hashKey(key) >>> SHARE_SHIFT !== 0) return
    let keys = this.#seen.get(incarnation)
    if (keys === undefined) {
      keys = new KeySet()
      this.#seen.set(incarnation, keys)
    }
    if (keys.add(key)) return
    this.records += SHARE
    this.bytes += SHARE * bytes
  }

  get total(): { readonly records: number; readonly bytes: number } {
    return { records: this.#recordsBefore + this.records, bytes: this.#bytesBefore + this.bytes }
  }

  /** The epoch is captured, or given up. */
  endEpoch(): void {
    this.#recordsBefore += this.records
    this.#bytesBefore += this.bytes
    this.records = this.bytes = 0
    this.#seen.clear()
  }
}
