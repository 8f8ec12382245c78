/**
 * How large the delta would be if the barrier fell now: keys listed as changed x record bytes a listed key came to in earlier commits, or, before there
 * was one of the collection, in what the drain made of some; no less than the bytes it made.
 *
 * Owns: that ratio of each collection, and what was listed at the barrier of the epoch under way. Does not own: the keys, what is drained.
 * Invariants: a key that was written many times counts for its listings in one ratio, and once in the other, and neither is applied to what the
 * other was learned of; memory is two numbers a collection that the last commit knew.
 */
import type { Changed } from './types.ts'

/** Of a collection that no commit has written yet: a small record. */
const BYTES_FIRST = 100
/** How much of the last commit goes into the ratio. */
const SHARE = 0.3
const NONE_DRAINED = { keys: 0, bytes: 0 } as const

export class Delta {
  readonly #perListing = new Ratio()
  /** Where keys are counted once each. */
  readonly #perKey = new Ratio()
  #atBarrier: readonly Changed[] = []

  bytes(changed: readonly Changed[]): number {
    let sum = 0
    for (const one of changed) if (one.waits !== true) sum += this.#bytesOf(one)
    return sum
  }

  #bytesOf({ id, keys, distinct, drained = NONE_DRAINED }: Changed): number {
    const [own, other] = distinct === true ? [this.#perKey, this.#perListing] : [this.#perListing, this.#perKey]
    const known = own.of(id) ?? other.of(id)
    if (known !== undefined) return Math.max(keys * known, drained.bytes)
    const mean = own.mean ?? other.mean ?? BYTES_FIRST
    // Where the drain met hardly anything but what is written again and again, its few records say nothing of that.
    const each = drained.keys === 0 ? mean : Math.max(mean, drained.bytes / drained.keys)
    return Math.max(keys * each, drained.bytes)
  }

  cut(changed: readonly Changed[]): void {
    this.#atBarrier = changed
  }

  /** `bytesOf`: record bytes of every live collection in the epoch that began with the last `cut`; undefined: it was left out. */
  committed(bytesOf: ReadonlyMap<number, number | undefined>): void {
    const isDistinct = ({ distinct }: Changed): boolean => distinct === true
    this.#perListing.learn(
      this.#atBarrier.filter(changed => !isDistinct(changed)),
      bytesOf,
    )
    this.#perKey.learn(this.#atBarrier.filter(isDistinct), bytesOf)
    this.#atBarrier = []
  }
}

class Ratio {
  readonly #of = new Map<number, number>()
  /** Over all collections, for one that is new. */
  mean: number | undefined

  of(id: number): number | undefined {
    return this.#of.get(id)
  }

  learn(listed: readonly Changed[], bytesOf: ReadonlyMap<number, number | undefined>): void {
    let keys = 0
    let bytes = 0
    for (const changed of listed) {
      const written = bytesOf.get(changed.id)
      if (written === undefined || changed.keys === 0) continue
      const old = this.#of.get(changed.id) ?? written / changed.keys
      this.#of.set(changed.id, old + (written / changed.keys - old) * SHARE)
      keys += changed.keys
      bytes += written
    }
    const { mean = BYTES_FIRST } = this
    if (keys > 0) this.mean = mean + (bytes / keys - mean) * SHARE
    for (const id of this.#of.keys()) if (!bytesOf.has(id)) this.#of.delete(id)
  }
}
