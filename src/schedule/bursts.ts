/**
 * Writes that come in bursts, such as the ticks of a game: whether they are to be expected, and whether one has just ended.
 *
 * What: what a barrier froze is captured between two bursts by slices, and in the midst of one by the calls that meet it. Behind the barrier there is the
 * more time for slices the sooner it falls behind a burst, and those that follow each other at once take the most of it.
 * Owns: how long bursts are expected, whether one is under way. Does not own: who meets them (checkpoint/round.ts), when the barrier falls (window.ts).
 * Invariants: two cuts in a row have to meet one before any is expected; eight in a row that met none behind barriers that found none end it; few keys
 * are no burst, however fast they came.
 */

/** After two cuts with one they are expected in so many. */
const CUTS_EXPECTED = 8
/** So many keys since the look before, and so many times the rate of the last while. */
const KEYS_MIN = 1000
const RATE_FACTOR = 2
/** A look that comes so late comes behind a long turn, and that was the burst. */
const LATE_MS = 2

/** What a look sees of what was written since the one before. */
export interface LookedAt {
  readonly keys: number
  readonly ms: number
  /** Of the look. */
  readonly lateMs: number
  /** Keys a second, of the last while. */
  readonly meanRate: number
}

export class Bursts {
  #expected = 0
  #met = false
  #metBefore = false
  #underWay = false

  get expected(): boolean {
    return this.#expected > 0
  }

  /** The cut fell. */
  cut(): void {
    this.#metBefore = this.#met
    this.#met = false
    if (this.#expected > 0) this.#expected--
  }

  /** Calls had to capture much of what the last cut froze. */
  met(): void {
    this.#met = true
    if (this.#metBefore) this.#expected = CUTS_EXPECTED
  }

  /** Whether one has just ended; undefined: none is expected. */
  ended({ keys, ms, lateMs, meanRate }: LookedAt): boolean | undefined {
    const before = this.#underWay
    const burst = keys >= KEYS_MIN && keys * 1000 > RATE_FACTOR * meanRate * ms
    this.#underWay = burst && lateMs < LATE_MS
    if (!this.expected) return undefined
    return burst ? !this.#underWay : before
  }

  /** The barrier falls right behind one: they are still to be expected, though the cut may meet none any more. */
  fallsBehind(): void {
    this.#expected = CUTS_EXPECTED
  }
}
