/**
 * What could be lost: how old the oldest change is that is not durable yet.
 *
 * Owns: since when something may be uncut, since when something cut is under way, how long a commit takes, whether the RPO is broken.
 * Does not own: when the barrier falls, how old that is which epochs leave out (checkpoint/lag.ts).
 * Invariants: ages are upper bounds, because a `set` tells nobody the time: a change is no older than the last look at which there was none,
 * and than the last barrier; nothing is reported as durable before its commit.
 */
import { LOOP_LATE_MS } from '../base/limits.ts'
import type { Decision, DecisionReason, OwnRpo } from './types.ts'

/** The time kept for capture and commit, against the longest of late. */
const RESERVE_FACTOR = 1.5
/** Of the first commit nothing is known, but that it begins a file and writes a manifest. */
const RESERVE_MS_FIRST = 100
/** How fast a long commit is forgotten, a commit. */
const FORGET = 0.1

/** In which it is looked at: so long after its time, and whether a barrier was decided on before and did not fall. */
export interface Circumstances {
  readonly lateMs: number
  readonly intervalMs: number
  readonly waits: boolean
}

/** The epoch under way. */
interface Flight {
  /** Its oldest change. */
  readonly since: number
  /** Its barrier, later by as long as nobody worked at it. */
  readonly fell: number
  /** A hold stands in the way of its next cut. */
  readonly held: boolean
  /** The writer has all of it. */
  readonly handedOver: boolean
  /** Standstills until then are counted; the longest of those in which the service held the loop. */
  readonly stoodTo: number
  readonly busyMs: number
}

export class Exposure {
  /** Nothing older is uncut. */
  uncutSince: number
  flight: Flight | undefined
  /** The longest commit of late. */
  commitMs = 0
  worstMs = 0
  broken = false
  /** Of what epochs leave out: since when the oldest change of it is not durable, as was said last. */
  laggingSince: number | undefined
  #reserveMs = RESERVE_MS_FIRST
  readonly #limitMs: number
  readonly #lagMsMax: number

  /** `lagMsMax`: how long what is left out may lag. */
  constructor(now: number, limitMs: number, lagMsMax: number) {
    this.uncutSince = now
    this.#limitMs = limitMs
    this.#lagMsMax = lagMsMax
  }

  /** Time from the barrier to the acknowledgement that has to be kept free. */
  get reserveMs(): number {
    return Math.min(this.#reserveMs, this.#limitMs / 2)
  }

  laggingMs(now: number): number {
    return this.laggingSince === undefined ? 0 : now - this.laggingSince
  }

  /** How long the storage takes for the epoch under way; 0: it was asked for none. */
  flightMs(now: number): number {
    return this.flight === undefined || this.flight.held ? 0 : now - this.flight.fell
  }

  /** But for what lags; 0: nothing could be lost. */
  ageMs(now: number, dirty: boolean): number {
    if (this.flight !== undefined) return now - this.flight.since
    return dirty ? now - this.uncutSince : 0
  }

  /** As `ageMs`, to be said: the worst is none that is better than what was said. */
  note(now: number, dirty: boolean): number {
    const ageMs = this.ageMs(now, dirty)
    this.worstMs = Math.max(this.worstMs, ageMs)
    return ageMs
  }

  /** What is said of it when the RPO is broken or met; `late`: so long after its time. */
  numbers(now: number, dirty: boolean, late: number): Decision['numbers'] {
    const numbers = { rpoMs: this.ageMs(now, dirty), rpoMsMax: this.#limitMs, lateMs: Math.max(0, late) }
    if (this.laggingSince === undefined) return numbers
    return { ...numbers, laggingMs: this.laggingMs(now), laggingMsMax: this.#lagMsMax }
  }

  clean(now: number): void {
    this.uncutSince = now
  }

  cut(now: number): void {
    // A cut that moved is the same epoch: its oldest change is what it was.
    const since = this.flight?.since ?? this.uncutSince
    this.flight = { since, fell: now, held: false, handedOver: false, stoodTo: now, busyMs: 0 }
    this.uncutSince = now
  }

  /** The cut is void, and a hold stands in the way of the next. */
  held(): void {
    if (this.flight !== undefined) this.flight = { ...this.flight, held: true }
  }

  /** The process was stopped, the writer with it. */
  stopped(from: number, to: number): void {
    const { flight } = this
    if (flight === undefined) return
    const ms = to - Math.max(from, flight.stoodTo)
    if (ms > 0) this.flight = { ...flight, fell: flight.fell + ms, stoodTo: to }
  }

  /**
   * The service held the loop, and nobody was there to capture, or to hear of the commit. Only the longest such time does not count: where all turns
   * are long a commit takes as long as many of them.
   */
  blocked(from: number, to: number): void {
    const { flight } = this
    if (flight === undefined) return
    const ms = to - Math.max(from, flight.stoodTo)
    if (ms <= 0) return
    const busyMs = Math.max(ms, flight.busyMs)
    this.flight = { ...flight, fell: flight.fell + busyMs - flight.busyMs, stoodTo: to, busyMs }
  }

  /** All is captured and with the writer, whom no busy loop keeps from its work. */
  handedOver(): void {
    if (this.flight !== undefined) this.flight = { ...this.flight, handedOver: true }
  }

  committed(now: number): void {
    const { flight } = this
    if (flight === undefined) return
    const ms = Math.max(0, now - flight.fell)
    this.commitMs = Math.max(ms, this.commitMs + (ms - this.commitMs) * FORGET)
    this.#reserveMs = this.commitMs * RESERVE_FACTOR
    this.worstMs = Math.max(this.worstMs, now - flight.since)
    this.flight = undefined
  }

  failed(): void {
    if (this.flight !== undefined) this.uncutSince = this.flight.since
    this.flight = undefined
  }

  /** Says when the RPO is broken, and when it is met again. */
  look(now: number, dirty: boolean): 'broken' | 'met' | undefined {
    this.note(now, dirty)
    if (this.broken === this.#isBroken(now, dirty)) return undefined
    this.broken = !this.broken
    return this.broken ? 'broken' : 'met'
  }

  /** Why it is broken, where commits do not fail. */
  because(now: number, dirty: boolean, { lateMs, intervalMs, waits }: Circumstances): DecisionReason<'rpo-broken'> {
    const { flight } = this
    const flies = flight?.held === false
    if (lateMs > LOOP_LATE_MS) {
      if (lateMs >= intervalMs / 2) return 'loop'
      // Without the standstill it would be met; but where an epoch took longer than that, or a barrier was in time, something else was in the way.
      const alone = flies ? lateMs >= this.flightMs(now) / 2 : flight === undefined && !waits
      if (alone && !this.#isBroken(now - lateMs, dirty)) return 'loop'
    }
    return flies ? 'storage' : 'held'
  }

  /** Why that of a critical collection is, whose barrier is kept back. */
  becauseCritical({ rpoMs, rpoMsMax, lateMs }: OwnRpo): DecisionReason<'rpo-broken'> {
    if (lateMs > LOOP_LATE_MS && rpoMs - lateMs <= rpoMsMax) return 'loop'
    return this.flight?.held === false ? 'storage' : 'held'
  }

  #isBroken(now: number, dirty: boolean): boolean {
    return this.ageMs(now, dirty) > this.#limitMs || this.laggingMs(now) > this.#lagMsMax
  }
}
