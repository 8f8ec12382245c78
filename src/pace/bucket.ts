/**
 * Bytes that may be written: a bucket that fills with time and is emptied by what was written.
 *
 * Owns: a level. Does not own: the time (each call brings it, monotonic), who waits. Pure but for its level.
 * Invariants: the level never exceeds `holdMs` of the rate (at least `holdBytesMin`), so that no silence is made up for by a burst; it may be
 * overdrawn down to `debtMs` of the rate, for what is written all the same.
 */
export interface BucketBounds {
  readonly holdMs: number
  readonly holdBytesMin?: number
  /** Default: any debt. */
  readonly debtMs?: number
}

export class Bucket {
  readonly #bounds: BucketBounds
  #rate = 0
  #level = 0
  #at: number

  constructor(now: number, bounds: BucketBounds) {
    this.#bounds = bounds
    this.#at = now
  }

  /** From now on it fills at this rate. The time until now counts at the rate before. */
  fill(now: number, bytesPerSecond: number): void {
    this.#pass(now)
    this.#rate = bytesPerSecond
    this.#level = Math.min(this.#level, this.holds)
  }

  /** Begins full. */
  top(): void {
    this.#level = this.holds
  }

  take(now: number, bytes: number): void {
    this.#pass(now)
    this.#level -= bytes
    if (this.#bounds.debtMs !== undefined) this.#level = Math.max(this.#level, (-this.#rate * this.#bounds.debtMs) / 1000)
  }

  /** The most it holds. */
  get holds(): number {
    return Math.max((this.#rate * this.#bounds.holdMs) / 1000, this.#bounds.holdBytesMin ?? 0)
  }

  /** Ms until so much is there, what it holds at the most; 0: it is there; Infinity: it does not fill. */
  waitMs(now: number, bytes: number): number {
    this.#pass(now)
    const lacks = Math.min(bytes, this.holds) - this.#level
    return lacks <= 0 ? 0 : (lacks * 1000) / this.#rate
  }

  #pass(now: number): void {
    const ms = Math.max(0, now - this.#at)
    this.#at = Math.max(this.#at, now)
    this.#level = Math.min(this.holds, this.#level + (this.#rate * ms) / 1000)
  }
}
