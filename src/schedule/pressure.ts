/**
 * Back-pressure for the application: one number from 0 (durability keeps up) to 1 (it does not).
 *
 * Owns: the number, and whether it counts as high. Does not own: what anybody does about it.
 * Invariants: it rises at once and falls slowly, by half in an interval; it is high from 0.8 on until it is below 0.4.
 */
import { IN_FLIGHT_BYTES_MAX } from '../base/limits.ts'
import type { DecisionReason } from './types.ts'

export interface PressureFacts {
  readonly now: number
  readonly failing: boolean
  /** Since the barrier of the epoch under way; 0: none is. */
  readonly flightMs: number
  readonly intervalMsMax: number
}

/** Bytes handed over, and whom they wait for. */
export interface Waits {
  readonly inFlightBytes: number
  readonly behind: 'writer' | 'storage'
}

export const PRESSURE_HIGH = 0.8
const PRESSURE_LOW = 0.4

export class Pressure {
  high = false
  #value = 0
  #at: number
  readonly #halfMs: number

  constructor(now: number, halfMs: number) {
    this.#at = now
    this.#halfMs = halfMs
  }

  /** At the last look. */
  get last(): number {
    return this.#value
  }

  /** As of now; changes nothing. */
  value(facts: PressureFacts): number {
    const faded = this.#value * 2 ** (-Math.max(0, facts.now - this.#at) / this.#halfMs)
    return Math.max(faded, pressureOf(facts))
  }

  /** Gives why it is high now, or 'calm' when it is not any more. */
  look(facts: PressureFacts & Waits): DecisionReason<'pressure-high' | 'pressure-low'> | undefined {
    this.#value = this.value(facts)
    this.#at = facts.now
    if (this.high) {
      if (this.#value >= PRESSURE_LOW) return undefined
      this.high = false
      return 'calm'
    }
    if (this.#value < PRESSURE_HIGH) return undefined
    this.high = true
    if (facts.failing) return 'failing'
    return facts.inFlightBytes >= IN_FLIGHT_BYTES_MAX / 2 ? facts.behind : 'storage'
  }
}

/** An epoch that takes half of the RPO leaves no time for the next one. */
function pressureOf({ failing, flightMs, intervalMsMax }: PressureFacts): number {
  if (failing) return 1
  return intervalMsMax > 0 ? Math.min(1, flightMs / (intervalMsMax / 2)) : 0
}
