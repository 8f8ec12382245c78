/**
 * Spans: epochs joined as longer intervals would have joined them.
 *
 * A barrier of an interval k times as long falls k intervals after the one before it, and what it covers begins one interval before the
 * first epoch in it. So a span takes epochs while they come within k - 1/2 intervals of its first one; the half leaves room for jitter.
 * Owns: the number of the span of each factor, and what is in it and would be left of it. Does not own: which keys tell of that.
 * Invariant: numbers rise; a break (a restart, epochs that were missed) begins a new span of every factor.
 */
import { Histogram } from '../base/histogram.ts'
import { FACTORS } from './key-table.ts'

/** Gaps between barriers around the usual one that count as regular. */
const REGULAR_LOW = 0.8
const REGULAR_HIGH = 1.3

export class Spans {
  /** Of each factor, the number of the span that the epoch under way is in. */
  readonly numbers: number[] = FACTORS.map(() => 0)
  /** Bytes of records in them, and of the last ones of their keys, as far as keys are followed: KeySample adds to them. */
  readonly bytes: number[] = FACTORS.map(() => 0)
  readonly left: number[] = FACTORS.map(() => 0)
  readonly #overTime = FACTORS.map(() => new RatioOverTime())
  #at = 0
  /** Of each factor, when the first epoch of its span was. */
  readonly #since = FACTORS.map(() => 0)
  readonly #gaps = new Histogram()
  #regular = 0

  /** The usual time between two barriers; 0 before there are two. */
  get intervalMs(): number {
    return this.#gaps.percentile(50)
  }

  /** An epoch begins `gapMs` after the one before; undefined: nothing is known to be before it. */
  next(gapMs: number | undefined): void {
    if (gapMs !== undefined) this.#gaps.record(gapMs)
    const at = (this.#at += gapMs ?? 0)
    const { intervalMs } = this
    if (gapMs !== undefined && gapMs >= REGULAR_LOW * intervalMs && gapMs <= REGULAR_HIGH * intervalMs) this.#regular++
    for (const [index, factor] of FACTORS.entries()) {
      const inside = gapMs !== undefined && factor > 1 && at - (this.#since[index] as number) < (factor - 0.5) * intervalMs
      if (inside) continue
      this.#overTime[index]?.add(this.bytes[index] as number, this.left[index] as number)
      this.bytes[index] = 0
      this.left[index] = 0
      this.numbers[index] = (this.numbers[index] as number) + 1
      this.#since[index] = at
    }
  }

  /** One standard error of left / bytes over the spans that ended, relative. */
  errorShare(factor: number): number {
    return (this.#overTime[factor] as RatioOverTime).errorShare
  }

  /** Share of gaps that were about the usual one of their time. */
  get regularShare(): number {
    return this.#gaps.count === 0 ? 0 : this.#regular / this.#gaps.count
  }
}

/** How a ratio of sums varies from one span to the next: sums of x and y over spans, and of their squares. */
export class RatioOverTime {
  spans = 0
  #x = 0
  #y = 0
  #xx = 0
  #yy = 0
  #xy = 0

  add(x: number, y: number): void {
    if (x === 0) return
    this.spans++
    this.#x += x
    this.#y += y
    this.#xx += x * x
    this.#yy += y * y
    this.#xy += x * y
  }

  get ratio(): number {
    return this.#x === 0 ? 0 : this.#y / this.#x
  }

  /** One standard error of sum y / sum x, relative; Infinity with fewer than two spans. */
  get errorShare(): number {
    if (this.spans < 2 || this.#y === 0) return Number.POSITIVE_INFINITY
    const { ratio } = this
    const squares = Math.max(0, this.#yy - 2 * ratio * this.#xy + ratio * ratio * this.#xx)
    return Math.sqrt((squares * this.spans) / (this.spans - 1)) / this.#y
  }
}
