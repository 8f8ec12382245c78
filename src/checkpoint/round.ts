/**
 * The last round of an epoch: what the barrier froze is captured in slices between turns, spread over the time there is.
 *
 * Owns: when the next slice comes and how much it does. Does not own: the cut, the commit, who waits.
 * Invariants: a slice ends within its share of the stall budget, one step later at most; slices that are not hurried leave most of the time
 * to the service, however busy it is, until the RPO would break: then they take what is needed; while the writer is behind there are none.
 */
import type { Clock } from '../base/clock.ts'
import { hasCode, type TidemarkError } from '../base/errors.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Outbox, Space } from '../capture/index.ts'
import type { Bursts } from '../schedule/index.ts'
import { mayStayUnread } from '../storage/index.ts'
import { Count } from './count.ts'
import { Doubts } from './doubts.ts'
import type { Flight } from './flight.ts'
import type { Pace } from './pace.ts'
import type { Turns } from './turns.ts'

/** A slice takes this share of the budget, which leaves room for the step that overruns. */
export const SLICE_SHARE = 0.35
/** Where the loop's turns are long there are few slices: each takes up to this share, when less would be too little. */
const SLICE_SHARE_MAX = 0.8
/** Timers of a loop at rest come so late. */
const LATE_MS = 2
/** Slices that nobody waits for take this share of the time, and this one of what the loop has to spare. */
const LOAD_SHARE = 0.15
const IDLE_SHARE = 0.5
/**
 * So many budgets of engine time in the calls between two slices, and this share of the time by which the second came late, are a burst of writes: not a
 * loop that was held up and makes up for it.
 */
const BURST_BUDGETS = 3
const BURST_SHARE = 0.3
/** So many steps are worth a slice. */
const STEPS_MIN = 64
/** After so many epochs in a row that failed because the device did not give back a block, nothing waits for that block any more. */
const UNREAD_MAX = 3

/** The share of the time that slices take of a loop so busy, while nothing presses. */
export function shareOf(load: number): number {
  return LOAD_SHARE + IDLE_SHARE * Math.max(0, 1 - load)
}

export interface RoundParts {
  readonly clock: Clock
  readonly turns: Turns
  readonly outbox: Outbox
  readonly space: Space
  readonly pace: Pace
  readonly stallMsMax: number
  /** How busy the loop is, 0 to 1. */
  readonly load: () => number
  readonly bursts: Bursts
  /** When all has to be captured, or the RPO of the store breaks; by the monotonic clock. */
  readonly captureBy: () => number
  /** All is captured and counted. */
  readonly captured: (flight: Flight) => void
  /** The stored state cannot be read now. */
  readonly failed: (error: TidemarkError) => void
}

export class Round {
  readonly #parts: RoundParts
  /** Follow the round until the next. */
  readonly #doubts: Doubts
  #flight: Flight | undefined
  #cancel: Cancel | undefined
  /** Of this flight: its begin, when the next slice should come, and the share of the time that slices take. */
  #begunAt = 0
  #plannedAt: number | undefined
  #share = LOAD_SHARE
  #pressed = false
  /** Engine time in calls up to the last slice, and when that was. */
  #accessMs = 0
  #slicedAt = 0
  /** Counts in a row that met a block which the device does not give back. */
  #unread = 0

  constructor(parts: RoundParts) {
    this.#parts = parts
    const { clock, turns, stallMsMax, load } = parts
    this.#doubts = new Doubts({ clock, turns, sliceMs: stallMsMax * SLICE_SHARE, share: () => shareOf(load()) })
  }

  /** The cut fell. */
  begin(flight: Flight): void {
    this.stop()
    this.#flight = flight
    this.#begunAt = this.#parts.clock.monotonic()
    this.#plannedAt = undefined
    this.#accessMs = this.#parts.space.accessMs
    this.#slicedAt = this.#begunAt
    const { bursts } = this.#parts
    flight.hurried ||= bursts.expected
    bursts.cut()
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
    this.#doubts.stop()
  }

  /** One slice, now. */
  slice(): void {
    const flight = this.#flight
    if (flight === undefined) return
    const { clock, space, outbox } = this.#parts
    const begin = clock.monotonic()
    const { capture } = flight
    // Somebody waits, and has waited for as long as the spreading was meant to last.
    if (flight.asked && begin >= flight.dueAt) flight.hurried = true
    this.#lookForBurst(flight, begin)
    // Reckoned from all groups of keys: once a slice, and not where it does not matter.
    const left = flight.hurried ? 0 : capture.stepsMax
    this.#share = flight.hurried ? 1 : this.#shareNow(flight, left, begin)
    const end = begin + this.#sliceMs(begin)
    const steps = capture.steps + this.#quota(flight, left, begin)
    const expired = (): boolean => capture.steps >= steps || clock.monotonic() >= end
    if (!outbox.full) capture.run(expired)
    if (capture.finished) space.endCapture()
    const counted = capture.finished && this.#counted(flight, () => clock.monotonic() >= end)
    if (this.#flight !== flight) return
    if (counted) {
      this.stop()
      this.#doubts.begin(capture)
      this.#parts.captured(flight)
      return
    }
    outbox.sendEarly(begin)
    if (!outbox.full) this.#next(flight, clock.monotonic() - begin)
    // Continued by the next credit.
    else this.#plannedAt = undefined
  }

  #turn(): void {
    this.#cancel = undefined
    this.slice()
  }

  /** Writes that come in bursts find much that is not captured yet, all in one turn of the service: the sooner the rest is captured the better. */
  #lookForBurst(flight: Flight, nowMs: number): void {
    const { space, stallMsMax, bursts } = this.#parts
    const ms = space.accessMs - this.#accessMs
    const lateMs = nowMs - (this.#plannedAt ?? this.#slicedAt)
    this.#accessMs = space.accessMs
    this.#slicedAt = nowMs
    if (ms < stallMsMax * BURST_BUDGETS || lateMs < LATE_MS || ms < lateMs * BURST_SHARE) return
    flight.hurried = true
    bursts.met()
  }

  /** All of the time, once the rest would not be done by then at the pace so far, however that came about. */
  #shareNow({ capture, captureBy: by }: Flight, left: number, nowMs: number): number {
    const { load, captureBy } = this.#parts
    const leftMs = capture.steps === 0 ? 0 : (left * (nowMs - this.#begunAt)) / capture.steps
    return nowMs + leftMs > Math.min(by, captureBy()) ? 1 : shareOf(load())
  }

  /** Longer where it comes late: the loop has long turns of its own, and no slice comes between them. */
  #sliceMs(nowMs: number): number {
    const { stallMsMax } = this.#parts
    const lateMs = this.#plannedAt === undefined ? 0 : Math.max(0, nowMs - this.#plannedAt - LATE_MS)
    return Math.min(stallMsMax * SLICE_SHARE_MAX, stallMsMax * SLICE_SHARE + lateMs * this.#share)
  }

  /** Steps of the next slice: an even share of what is left. */
  #quota(flight: Flight, left: number, nowMs: number): number {
    const leftMs = flight.dueAt - nowMs
    if (flight.hurried || leftMs <= 0) return Number.POSITIVE_INFINITY
    return Math.max(STEPS_MIN, Math.ceil((left * this.#parts.pace.tickMs) / leftMs))
  }

  #next(flight: Flight, tookMs: number): void {
    const { turns, pace } = this.#parts
    const nowMs = this.#parts.clock.monotonic()
    // Counting goes by slices, not by steps.
    if (flight.hurried || flight.capture.finished || pace.cadenceMs === 0) {
      this.#plannedAt = nowMs
      this.resume()
      return
    }
    if (this.#share >= 1) {
      // In a loop with long turns of its own both its phases, in turn: there is no other way to come more often.
      const late = this.#plannedAt !== undefined && nowMs - tookMs - this.#plannedAt > LATE_MS
      this.#plannedAt = nowMs
      this.#pressed = late && !this.#pressed
      if (this.#pressed) this.#cancel = turns.after(1, () => this.#turn())
      else this.resume()
      return
    }
    // Timers count from the loop's own time, which stands still in a turn: the slice itself is in it.
    const shareMs = tookMs / this.#share
    // A slice that ended by the clock did less than its share.
    const early = tookMs >= this.#parts.stallMsMax * SLICE_SHARE || nowMs >= flight.dueAt
    const restMs = early ? shareMs : Math.max(shareMs, pace.tickMs)
    this.#plannedAt = nowMs + restMs
    this.#cancel = turns.after(restMs, () => this.#turn())
  }

  /** False: the time is up, or the stored state cannot be read now, which is tried again. */
  #counted(flight: Flight, expired: () => boolean): boolean {
    try {
      flight.count ??= new Count(flight.capture, this.#unread >= UNREAD_MAX)
      const { count } = flight
      if (!count.run(expired)) return false
      if (count.asked > 0 && count.unread === 0) this.#unread = 0
      return true
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
      if (mayStayUnread(error)) this.#unread++
      this.#parts.failed(error as TidemarkError)
      return false
    }
  }
}
