/**
 * The last round of an epoch: what the barrier froze is captured in slices between turns, spread over the time there is.
 *
 * Owns: when the next slice comes and how much it does. Does not own: the cut, the commit, who waits.
 * Invariants: a slice ends within its share of the stall budget, one step later at most; slices that are not hurried leave most of the time
 * to the service, however busy it is; while the writer is behind there are none.
 */
import type { Clock } from '../base/clock.ts'
import { hasCode, type TidemarkError } from '../base/errors.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Outbox, Space } from '../capture/index.ts'
import { Count } from './count.ts'
import type { Flight } from './flight.ts'
import type { Pace } from './pace.ts'
import type { Turns } from './turns.ts'

/** A slice takes this share of the budget, which leaves room for the step that overruns. */
export const SLICE_SHARE = 0.35
/** Slices that nobody waits for take at most this share of the time. */
const LOAD_SHARE = 0.15
/** So many steps are worth a slice. */
const STEPS_MIN = 64

export interface RoundParts {
  readonly clock: Clock
  readonly turns: Turns
  readonly outbox: Outbox
  readonly space: Space
  readonly pace: Pace
  readonly stallMsMax: number
  /** All is captured and counted. */
  readonly captured: (flight: Flight) => void
  /** The stored state cannot be read now. */
  readonly failed: (error: TidemarkError) => void
}

export class Round {
  readonly #parts: RoundParts
  #flight: Flight | undefined
  #cancel: Cancel | undefined

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  /** The cut fell. */
  begin(flight: Flight): void {
    this.stop()
    this.#flight = flight
    this.resume()
  }

  /** Goes on after the events that are ready now; the writer has room again. */
  resume(): void {
    if (this.#flight !== undefined) this.#cancel ??= this.#parts.turns.later(() => this.#turn())
  }

  /** Somebody waits, or time is up: from now on a slice follows the other. */
  hurry(): void {
    const flight = this.#flight
    if (flight === undefined || flight.hurried) return
    flight.hurried = true
    this.#cancel?.()
    this.#cancel = undefined
    this.resume()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#flight = undefined
  }

  /** One slice, now. */
  slice(): void {
    const flight = this.#flight
    if (flight === undefined) return
    const { clock, stallMsMax, space, outbox } = this.#parts
    const begin = clock.monotonic()
    const end = begin + stallMsMax * SLICE_SHARE
    const { capture } = flight
    const steps = capture.steps + this.#quota(flight, begin)
    const expired = (): boolean => capture.steps >= steps || clock.monotonic() >= end
    if (!outbox.full) capture.run(expired)
    if (capture.finished) space.endCapture()
    const counted = capture.finished && this.#counted(flight, () => clock.monotonic() >= end)
    if (this.#flight !== flight) return
    if (counted) {
      this.stop()
      this.#parts.captured(flight)
      return
    }
    outbox.sendEarly(begin)
    // A full outbox is continued by the next credit.
    if (!outbox.full) this.#next(flight, clock.monotonic() - begin)
  }

  #turn(): void {
    this.#cancel = undefined
    this.slice()
  }

  /** Steps of the next slice: an even share of what is left. */
  #quota(flight: Flight, nowMs: number): number {
    const leftMs = flight.dueAt - nowMs
    if (flight.hurried || leftMs <= 0) return Number.POSITIVE_INFINITY
    return Math.max(STEPS_MIN, Math.ceil((flight.capture.stepsMax * this.#parts.pace.tickMs) / leftMs))
  }

  #next(flight: Flight, tookMs: number): void {
    const { turns, pace } = this.#parts
    // Counting goes by slices, not by steps.
    if (flight.hurried || flight.capture.finished || pace.cadenceMs === 0) {
      this.resume()
      return
    }
    const restMs = tookMs / LOAD_SHARE
    // A slice that ended by the clock did less than its share.
    const early = tookMs >= this.#parts.stallMsMax * SLICE_SHARE || this.#parts.clock.monotonic() >= flight.dueAt
    this.#cancel = turns.after(early ? restMs : Math.max(restMs, pace.tickMs), () => this.#turn())
  }

  /** False: the time is up, or the stored state cannot be read now, which is tried again. */
  #counted(flight: Flight, expired: () => boolean): boolean {
    try {
      flight.count ??= new Count(flight.capture)
      return flight.count.run(expired)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE') && !hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED')) throw error
      this.#parts.failed(error as TidemarkError)
      return false
    }
  }
}
