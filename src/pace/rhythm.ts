/**
 * Bars and beats: spreads the work of a job evenly over the time there is, in slices that let messages through.
 *
 * What: at each beat the quota is what the job's rate, asked anew, makes of the time since the last one; a beat is as long as a block takes,
 * and then the budget is asked whether the storage is free. What was done beyond a quota is paid for in the beats that follow. A rate of Infinity
 * lifts the quota, not the slices.
 * Owns: when the job may go on. Does not own: the work, the rate (plan.ts), the budget. Invariant: `rest` throws STOPPED once `stop` was
 * called, and only then.
 */
import { STOPPED } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { Budget } from './budget.ts'

const BEAT_MS = 25
/** A beat in which less than this would be written is longer: a block of a segment, stored. At most so long. */
const QUOTA_BYTES_MIN = 4096
const BEAT_MS_MAX = 1000
/** Time that was lost, to a late timer or a gate, is made up for by the rate, not by the quota: no beat counts for more than so many. */
const LATE_BEATS = 3
/** Looking at the clock costs as much as this many bytes of merging. */
const STRIDE_BYTES = 4096

export interface RhythmParts {
  readonly monotonic: () => number
  readonly scheduler: Scheduler
  readonly budget: Budget
  /** Longest time in ms without giving way. */
  readonly sliceMs: number
}

export interface Work {
  /** What there is to do, in bytes of work. */
  readonly bytes: number
  /** How many bytes will be written for all of it, about. */
  readonly stored: number
  /** Bytes of work a second, from now on; Infinity: as fast as it goes. `total`: what there is to do in all, as far as is known by now. */
  readonly rate: (left: number, now: number, total: number) => number
}

export class Rhythm {
  readonly #parts: RhythmParts
  readonly #work: Work
  /** Bytes written for a byte of work. */
  readonly #density: number
  #left: number
  #total: number
  #quota = 0
  #rate = 0
  #beatBegin: number
  #beatEnd = 0
  #unseen = 0
  #sliceBegin: number
  #due = false
  #stopped = false
  #wake: (() => void) | undefined

  constructor(parts: RhythmParts, work: Work) {
    this.#parts = parts
    this.#work = work
    this.#density = work.bytes > 0 ? Math.min(1, work.stored / work.bytes) : 1
    this.#left = this.#total = work.bytes
    this.#sliceBegin = this.#beatBegin = parts.monotonic()
    this.#beat(this.#sliceBegin, BEAT_MS)
  }

  /** So much is done. */
  done(bytes: number): void {
    this.#unseen += bytes
    if (this.#unseen < STRIDE_BYTES) return
    this.#left = Math.max(0, this.#left - this.#unseen)
    this.#quota -= this.#unseen
    this.#unseen = 0
    this.#look()
  }

  /** A step was made that counts for nothing in bytes: only the slice has an end. */
  stepped(): void {
    this.#look()
  }

  /** So many bytes are written that were not counted as work when it was done. */
  wrote(bytes: number): void {
    this.done(this.#density > 0 ? bytes / this.#density : bytes)
  }

  /** There is no more to do than this. */
  remains(bytes: number): void {
    if (bytes >= this.#left) return
    this.#total -= this.#left - bytes
    this.#left = bytes
  }

  /** `rest` is to be awaited before the next step. */
  get due(): boolean {
    return this.#due
  }

  /** What this beat was to do is done: what is complete should be written now. */
  get spent(): boolean {
    return this.#quota <= 0
  }

  /** Gives way; waits for the next beat when this one's quota is used up, for as many as what was done is worth, and then until the storage is free. */
  async rest(): Promise<void> {
    // Without a rate nothing is ever paid for.
    do await this.#giveWay()
    while (this.#quota <= 0 && this.#rate > 0 && !this.#stopped)
    if (this.#stopped) throw STOPPED
    this.#sliceBegin = this.#parts.monotonic()
    this.#due = false
  }

  async #giveWay(): Promise<void> {
    const { monotonic, scheduler, budget } = this.#parts
    const hurried = this.#rate === Number.POSITIVE_INFINITY
    const now = monotonic()
    const wait = this.#quota <= 0 && !hurried ? this.#beatEnd - now : 0
    await this.#pause(wake => (wait > 0 ? scheduler.after(wait, wake) : scheduler.immediate(wake)))
    if (this.#quota <= 0 || monotonic() >= this.#beatEnd) {
      this.#ask()
      for (;;) {
        const ms = this.#stopped ? 0 : budget.upkeepWaitMs(this.#rate === Number.POSITIVE_INFINITY)
        if (ms <= 0) break
        await this.#pause(wake => scheduler.after(Math.max(1, Math.ceil(Math.min(ms, BEAT_MS))), wake))
        this.#ask()
      }
      const next = monotonic()
      this.#beat(next, next - this.#beatBegin)
    }
  }

  /** The job has ended. */
  end(): void {
    this.#parts.budget.need(this, 0)
  }

  /** The rate is another now: what waits looks at it. */
  nudge(): void {
    this.#wake?.()
  }

  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }

  #look(): void {
    this.#due = this.#quota <= 0 || this.#parts.monotonic() - this.#sliceBegin >= this.#parts.sliceMs
  }

  #ask(): void {
    this.#rate = this.#work.rate(this.#left, this.#parts.monotonic(), this.#total)
    // What goes as fast as it can asks for no part of the stream: it does not wait for it.
    this.#parts.budget.need(this, this.#rate === Number.POSITIVE_INFINITY ? 0 : this.#rate * this.#density)
  }

  #beat(now: number, sinceMs: number): void {
    this.#ask()
    // Without bound times nothing is no number.
    const stored = this.#rate === Number.POSITIVE_INFINITY ? this.#rate : this.#rate * this.#density
    const ms = Math.min(BEAT_MS_MAX, Math.max(BEAT_MS, (QUOTA_BYTES_MIN * 1000) / stored))
    const debt = Math.min(0, this.#quota)
    this.#quota =
      debt +
      (this.#rate === Number.POSITIVE_INFINITY ? this.#rate : (this.#rate * Math.min(Math.max(sinceMs, BEAT_MS), LATE_BEATS * ms)) / 1000)
    this.#beatBegin = now
    this.#beatEnd = now + ms
  }

  #pause(schedule: (wake: () => void) => Cancel): Promise<void> {
    return new Promise(resolve => {
      if (this.#stopped) return resolve()
      const cancel = schedule(resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}
