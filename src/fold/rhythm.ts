/**
 * Bars and beats: spreads the work of a job evenly over the time there is, in slices that let messages through.
 *
 * What: at each beat the quota is remaining work / remaining beats, recomputed, and at least a floor, so that it stays meaningful however
 * short the beat, and an idle store finishes. `hurry` lifts the quota, not the slices.
 * Owns: when the job may go on. Does not own: the work. Invariant: `rest` throws STOPPED once `stop` was called, and only then.
 */
import { STOPPED } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'

const BEAT_MS = 50
/** 1 MiB a second. */
const FLOOR_BYTES = (1024 * 1024 * BEAT_MS) / 1000
/** Looking at the clock costs as much as this many bytes of merging. */
const STRIDE_BYTES = 4096

export interface RhythmParts {
  readonly monotonic: () => number
  readonly scheduler: Scheduler
  /** Longest time in ms without giving way. */
  readonly sliceMs: number
}

export class Rhythm {
  readonly #parts: RhythmParts
  readonly #barEnd: number
  #left: number
  #quota = 0
  #beatEnd = 0
  #unseen = 0
  #sliceBegin: number
  #due = false
  #hurried: boolean
  #stopped = false
  #wake: (() => void) | undefined

  /** `bytes`: the work; `barMs`: the time there is for it, 0: none to lose. */
  constructor(parts: RhythmParts, bytes: number, barMs: number) {
    this.#parts = parts
    this.#left = bytes
    this.#hurried = barMs <= 0
    this.#sliceBegin = parts.monotonic()
    this.#barEnd = this.#sliceBegin + barMs
    this.#beat(this.#sliceBegin)
  }

  /** So much is done. */
  done(bytes: number): void {
    this.#unseen += bytes
    if (this.#unseen < STRIDE_BYTES) return
    this.#left -= this.#unseen
    this.#quota -= this.#unseen
    this.#unseen = 0
    this.#due = this.#quota <= 0 || this.#parts.monotonic() - this.#sliceBegin >= this.#parts.sliceMs
  }

  /** `rest` is to be awaited before the next step. */
  get due(): boolean {
    return this.#due
  }

  /** Gives way, and waits for the next beat when this one's quota is used up. */
  async rest(): Promise<void> {
    const { monotonic, scheduler } = this.#parts
    const now = monotonic()
    const wait = this.#quota <= 0 && !this.#hurried ? this.#beatEnd - now : 0
    await this.#pause(wake => (wait > 0 ? scheduler.after(wait, wake) : scheduler.immediate(wake)))
    if (this.#stopped) throw STOPPED
    this.#sliceBegin = monotonic()
    if (this.#quota <= 0 || this.#sliceBegin >= this.#beatEnd) this.#beat(this.#sliceBegin)
    this.#due = false
  }

  hurry(): void {
    if (this.#hurried) return
    this.#hurried = true
    this.#wake?.()
  }

  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }

  #beat(now: number): void {
    this.#beatEnd = now + BEAT_MS
    const beats = Math.max(1, (this.#barEnd - now) / BEAT_MS)
    this.#quota = Math.max(this.#left / beats, FLOOR_BYTES)
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
