/**
 * Which recovery points are listed one by one: a store that commits each 50 ms has millions, and each as an object would fill the heap.
 *
 * Owns: the points given so far. Does not own: which there are.
 * Invariants: the newest `most` are listed, and each that `isKept` says or that tells of loss; what is left out is counted at the next one that is
 * listed; never more than twice `most` are held beside those that are kept.
 */
import type { RecoveryPoint, UnlistedEpochs } from './recovery-point.ts'

export class ListedPoints {
  readonly #most: number
  readonly #isKept: (epoch: number) => boolean
  /** Behind all that may be left out. */
  readonly #older: RecoveryPoint[] = []
  #newest: RecoveryPoint[] = []
  /** Left out behind the last of `#older`. */
  #unlisted: UnlistedEpochs | undefined

  constructor(most: number, isKept: (epoch: number) => boolean) {
    this.#most = most
    this.#isKept = isKept
  }

  /** Oldest first. */
  add(point: RecoveryPoint): void {
    this.#newest.push(point)
    if (this.#newest.length >= 2 * this.#most) this.#thin()
  }

  newestFirst(): RecoveryPoint[] {
    this.#thin()
    const [oldest, ...others] = this.#newest
    return this.#older.concat(oldest === undefined ? [] : this.#withUnlisted(oldest), others).reverse()
  }

  #thin(): void {
    const leaving = this.#newest.slice(0, Math.max(0, this.#newest.length - this.#most))
    this.#newest = this.#newest.slice(leaving.length)
    for (const point of leaving) {
      if (this.#isKept(point.epoch) || point.lost !== undefined) {
        this.#older.push(this.#withUnlisted(point))
        this.#unlisted = undefined
      } else this.#unlisted = withOne(this.#unlisted, point)
    }
  }

  #withUnlisted(point: RecoveryPoint): RecoveryPoint {
    return this.#unlisted === undefined ? point : { ...point, unlisted: this.#unlisted }
  }
}

function withOne(unlisted: UnlistedEpochs | undefined, { epoch, bytes, entries }: RecoveryPoint): UnlistedEpochs {
  return {
    firstEpoch: unlisted?.firstEpoch ?? epoch,
    lastEpoch: epoch,
    epochs: (unlisted?.epochs ?? 0) + 1,
    bytes: (unlisted?.bytes ?? 0) + bytes,
    entriesMost: Math.max(unlisted?.entriesMost ?? 0, entries),
  }
}
