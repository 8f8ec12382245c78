/**
 * How old the fold points that are kept are, for a wall clock may jump, and what is dropped is gone.
 *
 * Owns: when, by the monotonic clock, the points of this run were made. Does not own: which are kept (retention.ts).
 * Invariants: a point made in this run ages with the time that passed in it, whatever the wall clock says. The points of earlier runs have the
 * ages that the last of them left them with and age on from there: how long the store was closed only a clock that may be wrong could say, so
 * that counts from the next run on.
 */
import type { FoldPoint, RetainedPoint } from '../format/index.ts'
import { type AgesOf, agesAt } from './retention.ts'

export class PointAges {
  readonly #monotonic: () => number
  readonly #begunAt: number
  /** Made in this run: when, by epoch. */
  readonly #made = new Map<number, number>()
  /** Where the last run ended, by the wall clock. */
  #leftMs: number

  /** `found`: the newest fold point when the run began. */
  constructor(monotonic: () => number, found: FoldPoint | null) {
    this.#monotonic = monotonic
    this.#begunAt = monotonic()
    this.#leftMs = found?.timeMs ?? Number.POSITIVE_INFINITY
  }

  /** The ages of those before `point`, which is just being made. */
  upTo(point: FoldPoint): AgesOf {
    const now = this.#monotonic()
    // The clock was wrong when the last run ended, or is now; until it is known which, what is too young is kept too long.
    if (this.#made.size === 0) this.#leftMs = Math.min(this.#leftMs, point.timeMs)
    this.#made.set(point.epoch, now)
    return points => {
      const kept = new Set(points.map(({ epoch }) => epoch))
      for (const epoch of this.#made.keys()) if (!kept.has(epoch) && epoch !== point.epoch) this.#made.delete(epoch)
      return this.#agesAt(now, points, agesAt(this.#leftMs))
    }
  }

  /**
   * The ages as of now, where no point is made. Until this run has made one, nobody knows whether the clock was right when the last one ended: they
   * are as old as this run is.
   */
  get now(): AgesOf {
    const earlier: AgesOf = this.#made.size === 0 ? points => points.map(() => 0) : agesAt(this.#leftMs)
    return points => this.#agesAt(this.#monotonic(), points, earlier)
  }

  #agesAt(now: number, points: readonly RetainedPoint[], earlier: AgesOf): number[] {
    const first = points.findIndex(({ epoch }) => this.#made.has(epoch))
    const own = first < 0 ? points.length : first
    return [
      ...earlier(points.slice(0, own)).map(ageMs => ageMs + now - this.#begunAt),
      ...points.slice(own).map(({ epoch }) => now - (this.#made.get(epoch) ?? now)),
    ]
  }
}
