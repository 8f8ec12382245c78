/**
 * Runs the drain between barriers, in slices, at the pace at which entries go cold.
 *
 * What: each tick it takes what the mean rate asks for, and an even share of what was left behind, so that nothing is left at the next
 * barrier and a burst of writes becomes an even stream.
 * Owns: the ticks, the mean rate. Does not own: what is cold (capture/drain.ts), the barrier.
 * Invariants: a slice ends within its share of the stall budget, one step later at most; a store that nobody writes to is looked at once an
 * interval; where writes come faster than slices could follow nothing is drained, because what is written then is hot.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel } from '../base/scheduler.ts'
import { type Collection, type Drain, MARKS, type Outbox, type Space } from '../capture/index.ts'
import type { Pace } from './pace.ts'
import { SLICE_SHARE, shareOf } from './round.ts'
import type { Turns } from './turns.ts'

/** More than the mean rate, so that what was left behind comes down. */
const RATE_FACTOR = 1.5
const STEPS_MIN = 16
/** Keys written in a millisecond beyond which nothing is drained: noting each of them would take the time of the writer. */
const WRITES_PER_MS_MAX = 300
const TIMER_MS_MIN = 1
/** Slices make up for so much at most, of timers that came late. */
const OWED_MS_MAX = 2
/** A look goes through all collections: where there are more than this it comes that much less often than the slices. */
const COLLECTIONS_MANY = 1024

/** What was captured before barriers, and how much of all that was captured was captured in vain, as estimated. */
export interface Drained {
  readonly records: number
  readonly bytes: number
  readonly wasteRecords: number
  readonly wasteBytes: number
}

export interface DrainerParts {
  readonly clock: Clock
  readonly turns: Turns
  readonly outbox: Outbox
  readonly drain: Drain
  readonly space: Space
  readonly pace: Pace
  readonly stallMsMax: number
  /** How busy the loop is, 0 to 1. */
  readonly load: () => number
  readonly collections: () => Iterable<Collection>
  /** Whoever looks at the collections once an interval wakes it. */
  readonly watched: boolean
  /** No cut is being taken, and what is written goes somewhere. */
  readonly allowed: () => boolean
}

export class Drainer {
  readonly #parts: DrainerParts
  #cancel: Cancel | undefined
  #stopped = false
  #tickedAt: number | undefined
  #lookedAt: number | undefined
  #written = 0
  #hot = false
  /** The mean rate at which steps become due, per ms. */
  #rate = 0
  #idleMs = 0
  /** When the next slice may come, by the share of the time that they take. */
  #restUntil = 0

  constructor(parts: DrainerParts) {
    this.#parts = parts
  }

  get total(): Drained {
    const { drain, space } = this.#parts
    const { records, bytes } = drain
    const wasted = space.rewrites.total
    return { records, bytes, wasteRecords: wasted.records, wasteBytes: wasted.bytes }
  }

  /** There may be something to do, from now on. */
  wake(): void {
    const { ageMs } = this.#parts.pace
    if (this.#stopped || ageMs === 0) return
    this.#idleMs = ageMs
    this.#cancel ??= this.#parts.turns.after(this.#parts.pace.tickMs, () => this.#turn())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
    // Its marks hold journals.
    this.#parts.drain.barrier()
  }

  #turn(): void {
    this.#cancel = undefined
    const delay = this.#parts.allowed() ? this.#tick() : undefined
    const { turns } = this.#parts
    const turn = (): void => this.#turn()
    // Where it is not allowed, whoever forbade it wakes it.
    if (delay === undefined) this.#tickedAt = this.#lookedAt = undefined
    else if (!this.#stopped) this.#cancel ??= delay < TIMER_MS_MIN ? turns.later(turn) : turns.after(delay, turn)
  }

  /** Gives the time until the next tick. */
  #tick(): number | undefined {
    const { clock, drain, pace, outbox, stallMsMax } = this.#parts
    const { tickMs, cadenceMs } = pace
    const begin = clock.monotonic()
    const ageMs = pace.ageMsAt(begin)
    if (ageMs === 0) return undefined
    const passed = Math.max(1, begin - (this.#tickedAt ?? begin - tickMs))
    this.#tickedAt = begin
    const ticksALook = Math.ceil(drain.collections / COLLECTIONS_MANY)
    const lookMs = ticksALook <= 1 ? TIMER_MS_MIN : ticksALook * tickMs
    if (this.#lookedAt === undefined || begin - this.#lookedAt >= lookMs) this.#look(begin)
    const { left } = drain
    outbox.sendEarly(begin)
    if (this.#hot || outbox.full) return tickMs
    // Of a barrier that is late nothing is known: what became due with a mark has the time until the next.
    const leftMs = pace.nextBarrierAt > begin ? pace.nextBarrierAt - begin : ageMs / MARKS
    const ticks = Math.max(1, leftMs / tickMs)
    const quota = Math.max(STEPS_MIN, Math.ceil(RATE_FACTOR * this.#rate * passed + left / ticks))
    const end = begin + stallMsMax * SLICE_SHARE
    drain.run(begin, ageMs, quota, () => clock.monotonic() >= end || outbox.full)
    const took = clock.monotonic() - begin
    if (took >= stallMsMax * SLICE_SHARE) return this.#restMs(begin, took)
    // However long there was no barrier: those that follow may come at the cadence again.
    if (!drain.idle) return left > 0 ? tickMs : Math.max(tickMs, Math.min(cadenceMs, ageMs / MARKS))
    // Nobody writes: looks become rare, and where somebody else looks there are none.
    if (this.#idleMs >= cadenceMs && this.#parts.watched) return undefined
    this.#idleMs = Math.min(cadenceMs, this.#idleMs * 2)
    return this.#idleMs
  }

  /**
   * From the begin of a slice that took so long until the next, a tick at most. No timer comes sooner than a millisecond, and most come later than they
   * should: what that took from the share the next slices make up for, each in a turn of the loop of its own.
   */
  #restMs(begin: number, tookMs: number): number {
    const { load, pace } = this.#parts
    const until = Math.max(this.#restUntil, begin - OWED_MS_MAX) + tookMs / shareOf(load())
    this.#restUntil = Math.min(until, begin + pace.tickMs)
    return this.#restUntil - begin
  }

  #look(nowMs: number): void {
    const { drain, pace, collections } = this.#parts
    const { tickMs, cadenceMs } = pace
    const passed = Math.max(1, nowMs - (this.#lookedAt ?? nowMs - tickMs))
    this.#lookedAt = nowMs
    const before = drain.left
    const left = drain.look(collections(), nowMs, pace.ageMsAt(nowMs))
    this.#hot = this.#writes() / passed > WRITES_PER_MS_MAX
    const came = Math.max(0, left - before)
    this.#rate += (came / passed - this.#rate) * Math.min(1, passed / cadenceMs)
  }

  /** Keys written since the last look. */
  #writes(): number {
    let written = 0
    for (const { journal, arrivals } of this.#parts.collections()) written += journal.end + arrivals.end
    const before = this.#written
    this.#written = written
    return Math.max(0, written - before)
  }
}
