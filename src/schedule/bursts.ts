/**
 * Writes that come in bursts, such as the ticks of a game: whether they are to be expected, and whether one has just ended.
 *
 * What: what a barrier froze is captured between two bursts by slices, and in the midst of one by the calls that meet it. Behind the barrier there is the
 * more time for slices the sooner it falls behind a burst, and those that follow each other at once take the most of it.
 * Owns: how long bursts are expected. Does not own: who meets them (checkpoint/round.ts), when the barrier falls (window.ts).
 * Invariant: two cuts in a row have to meet one before any is expected; eight in a row that met none, or a barrier that found none to fall behind, end it.
 */

/** After two cuts with one they are expected in so many. */
const CUTS_EXPECTED = 8
/** So many times the rate of the last while, since the look before, is a burst. */
const RATE_FACTOR = 2

export class Bursts {
  #expected = 0
  #met = false
  #metBefore = false

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

  /** Whether one has just ended, at a look; undefined: none is expected. Keys a second: since the look before, and of the last while. */
  ended(rate: number, meanRate: number): boolean | undefined {
    return this.expected ? rate > RATE_FACTOR * meanRate : undefined
  }

  /** The barrier falls right behind one: they are still to be expected, though the cut may meet none any more. */
  fallsBehind(): void {
    this.#expected = CUTS_EXPECTED
  }
}
