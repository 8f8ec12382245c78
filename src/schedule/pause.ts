/**
 * Whether barriers wait because the process or its storage has no room for a capture now.
 *
 * Owns: whether it is so, and since when. Does not own: the RPO, which goes before it.
 * Invariants: it begins and ends by thresholds that lie apart; each state lasts an interval at least; what was seen of calm in a pause comes to an
 * interval, be it in one piece or not, when it ends: so it ends wherever calm comes again and again.
 */
import { IN_FLIGHT_BYTES_MAX } from '../base/limits.ts'
import type { Waits } from './pressure.ts'
import type { DecisionReason } from './types.ts'

export interface PauseFacts extends Waits {
  readonly now: number
  readonly load: number
  /** Since the barrier of the epoch under way; 0: none is. */
  readonly flightMs: number
  readonly intervalMs: number
}

const LOAD_ENTER = 0.95
const LOAD_LEAVE = 0.8

export class Pause {
  paused = false
  #since = Number.NEGATIVE_INFINITY
  #looked = 0
  /** Of this pause. */
  #calmMs = 0

  /** Gives why it began, or 'calm' when it ended. */
  look({ now, load, inFlightBytes, flightMs, behind, intervalMs }: PauseFacts): DecisionReason<'pause' | 'resume'> | undefined {
    const share = inFlightBytes / IN_FLIGHT_BYTES_MAX
    const ms = now - this.#looked
    this.#looked = now
    if (this.paused) {
      const calm = load <= LOAD_LEAVE && share <= 0.25 && flightMs <= intervalMs / 2
      if (!calm) return undefined
      // Within an epoch no other barrier falls: a pause that ended with it would put none off.
      this.#calmMs += ms
      return this.#calmMs >= intervalMs ? this.#turn(now, 'calm') : undefined
    }
    if (now - this.#since < intervalMs) return undefined
    if (flightMs >= intervalMs) return this.#turn(now, 'storage')
    if (share >= 0.75) return this.#turn(now, behind)
    return load >= LOAD_ENTER ? this.#turn(now, 'loop') : undefined
  }

  #turn<Why>(now: number, why: Why): Why {
    this.paused = !this.paused
    this.#since = now
    this.#calmMs = 0
    return why
  }
}
