/**
 * How commits come: how often, and how much each brings. What folding and merging keep pace with.
 *
 * Owns: three running means. Pure but for them; the time is monotonic and comes with each call.
 * Invariant: a pause of any length counts as little more than a long interval, so that a night does not slow the next day down; for what is
 * done too soon costs evenness, and what is done too late costs the bound of the tail.
 */
const WEIGHT = 0.3
/** An interval counts as so many means at the most, and one shorter than the mean weighs more. */
const INTERVAL_TIMES_MAX = 2
const INTERVAL_MS_FIRST_MAX = 5000
const WEIGHT_SHORT = 0.6
/** A commit that brings less than this part of the mean weighs more, too: what was loaded once is no flow. */
const SMALL_SHARE = 0.25
const WEIGHT_SMALL = 0.6

export class Flow {
  /** Between two commits. */
  intervalMs = 0
  /** Of one commit. */
  rawBytes = 0
  records = 0
  lastAt: number
  #commits = 0

  constructor(now: number) {
    this.lastAt = now
  }

  committed(now: number, rawBytes: number, records: number): void {
    // The first ones weigh more: there is nothing else.
    const weight = Math.max(WEIGHT, 1 / ++this.#commits)
    const most = this.#commits === 1 ? INTERVAL_MS_FIRST_MAX : Math.max(1000, INTERVAL_TIMES_MAX * this.intervalMs)
    const interval = Math.min(now - this.lastAt, most)
    this.intervalMs += (interval < this.intervalMs ? Math.max(weight, WEIGHT_SHORT) : weight) * (interval - this.intervalMs)
    this.rawBytes = towards(this.rawBytes, rawBytes, weight)
    this.records = towards(this.records, records, weight)
    this.lastAt = now
  }

  /** Raw bytes a second, with so many more a record. */
  perSecond(recordBytes: number): number {
    return this.intervalMs > 0 ? ((this.rawBytes + recordBytes * this.records) * 1000) / this.intervalMs : 0
  }

  /** Of one commit, in tables of so many bytes or records, whichever is more. */
  tables(limits: { readonly bytes: number; readonly records: number }): number {
    return Math.max(this.rawBytes / limits.bytes, this.records / limits.records)
  }
}

function towards(mean: number, value: number, weight: number): number {
  return mean + (value < mean * SMALL_SHARE ? Math.max(weight, WEIGHT_SMALL) : weight) * (value - mean)
}
