/**
 * How fast entries are captured: a pure reckoning from the cadence of barriers.
 *
 * What: an entry is drained when it was not written for an eighth of the interval, and what is left at the barrier is spread over the next
 * eighth. So the stream never changes its rate: at a barrier it goes on as if there were none. Where barriers are only asked for, the
 * interval is learned from them. While the next one fails to appear the age grows with the time since the last, up to that of the interval where
 * there is one, so that a key has a few records in an epoch, however long that lasts.
 * Owns: the cadence, the age at which an entry counts as cold. Does not own: timers, slices.
 * Invariant: while no cadence is known nothing is drained and nothing is spread.
 */
import { DRAIN_CADENCE_MS_MAX, SPREAD_ASKED_MS_MAX } from '../base/limits.ts'

/** Share of the interval after which an entry that was not written again is cold, and over which the last round is spread. */
const COLD_SHARE = 1 / 8
/** The age follows the waste, up to half the interval. */
const STRETCH_MAX = 4
const WASTE_HIGH = 0.2
const WASTE_LOW = 0.1
const STRETCH_STEP = 1.25
const GAPS = 5
const TICK_MS_MIN = 2
const TICK_MS_MAX = 10

export class Pace {
  readonly #intervalMs: number
  /** Times between the last barriers, and the one in the middle of them. */
  #gaps: number[] = []
  #medianGap = 0
  #barrierAt: number | undefined
  /** From the barrier before the last one to that: what went cold in it has the age that grew to an eighth of this. */
  #lastGap = 0
  #stretch = 1

  /** `intervalMs`: of automatic barriers; 0: there are none. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Milliseconds from one barrier to the next; 0: not known. */
  get cadenceMs(): number {
    if (this.#intervalMs === 0) return this.#gaps.length < 2 ? 0 : Math.min(this.#medianGap, DRAIN_CADENCE_MS_MAX)
    return this.#gaps.length < 3 ? this.#intervalMs : Math.min(this.#medianGap, this.#intervalMs)
  }

  /** An entry is cold when it was not written for so long, while barriers come as they did. */
  get ageMs(): number {
    return this.cadenceMs * COLD_SHARE * this.#stretch
  }

  /** An entry is cold now when it was not written for so long. */
  ageMsAt(nowMs: number): number {
    const { cadenceMs } = this
    if (cadenceMs === 0) return 0
    const passedMs = nowMs - (this.#barrierAt ?? nowMs)
    const sinceMs = this.#intervalMs > 0 ? Math.min(this.#intervalMs, passedMs) : passedMs
    return Math.max(cadenceMs, sinceMs) * COLD_SHARE * this.#stretch
  }

  /** Between two slices, when there is time. */
  get tickMs(): number {
    return Math.min(TICK_MS_MAX, Math.max(TICK_MS_MIN, this.ageMs / 2))
  }

  /** For the last round of an epoch, whose barrier fell; `asked`: somebody waits for it. */
  spreadMs(asked: boolean): number {
    const spread = Math.max(this.cadenceMs, Math.min(this.#intervalMs, this.#lastGap)) * COLD_SHARE
    return asked ? Math.min(spread, SPREAD_ASKED_MS_MAX) : spread
  }

  /** When the next barrier is to be expected. */
  get nextBarrierAt(): number {
    return (this.#barrierAt ?? 0) + this.cadenceMs
  }

  barrier(nowMs: number): void {
    if (this.#barrierAt !== undefined) {
      this.#lastGap = nowMs - this.#barrierAt
      this.#gaps = [...this.#gaps, this.#lastGap].slice(-GAPS)
      const sorted = this.#gaps.toSorted((one, other) => one - other)
      this.#medianGap = sorted[sorted.length >> 1] as number
    }
    this.#barrierAt = nowMs
  }

  /** An epoch is captured: of so many records so many were made in vain. What is drained too early waits longer from now on. */
  steer(records: number, wasted: number): void {
    if (records === 0) return
    const waste = wasted / records
    if (waste > WASTE_HIGH) this.#stretch = Math.min(STRETCH_MAX, this.#stretch * STRETCH_STEP)
    else if (waste < WASTE_LOW) this.#stretch = Math.max(1, this.#stretch / STRETCH_STEP)
  }
}
