/**
 * How large the delta would be if the barrier fell now: keys listed as changed x record bytes a listed key came to in earlier commits.
 *
 * Owns: that ratio of each collection, and what was listed at the barrier of the epoch under way. Does not own: the keys.
 * Invariant: memory is one number a collection that the last commit knew.
 */
import type { Changed } from './types.ts'

/** Of a collection that no commit has written yet: a small record. */
const BYTES_FIRST = 100
/** How much of the last commit goes into the ratio. */
const SHARE = 0.3

export class Delta {
  readonly #bytesPerKey = new Map<number, number>()
  #atBarrier: readonly Changed[] = []
  /** Over all collections, for one that is new. */
  #mean = BYTES_FIRST

  bytes(changed: readonly Changed[]): number {
    let sum = 0
    for (const { id, keys } of changed) sum += keys * (this.#bytesPerKey.get(id) ?? this.#mean)
    return sum
  }

  cut(changed: readonly Changed[]): void {
    this.#atBarrier = changed
  }

  /** `bytesOf`: record bytes of every live collection in the epoch that began with the last `cut`; undefined: it was left out. */
  committed(bytesOf: ReadonlyMap<number, number | undefined>): void {
    let keys = 0
    let bytes = 0
    for (const changed of this.#atBarrier) {
      const written = bytesOf.get(changed.id)
      if (written === undefined || changed.keys === 0) continue
      const old = this.#bytesPerKey.get(changed.id) ?? written / changed.keys
      this.#bytesPerKey.set(changed.id, old + (written / changed.keys - old) * SHARE)
      keys += changed.keys
      bytes += written
    }
    if (keys > 0) this.#mean += (bytes / keys - this.#mean) * SHARE
    for (const id of this.#bytesPerKey.keys()) if (!bytesOf.has(id)) this.#bytesPerKey.delete(id)
    this.#atBarrier = []
  }
}
