/**
 * Durations counted in log-linear buckets of fixed memory: every power of two is cut into 32 equal parts, so a percentile is
 * within 1/64 (1.6 %) of the true one. The idea is Gil Tene's HdrHistogram (hdrhistogram.org); here the bucket is
 * read straight from the bits of the double: its exponent and the top five bits of its fraction.
 * Owns its counters, nothing else. Invariants: memory never grows; `count` is the sum of all buckets; no percentile exceeds `max`.
 */

/** log2 of the parts per power of two. */
const PART_BITS = 5
/** Exponent of the smallest duration told apart: 2^-20 ms, about a nanosecond. All that is smaller shares bucket 0. */
const EXPONENT_MIN = -20
/** Exponent of the first value beyond the range; bytes are counted, too, and an epoch may have many GiB. All that is larger shares the last bucket. */
const EXPONENT_MAX = 48
/** Bucket 0 for the too small, the last one for the too large. */
const BUCKETS = ((EXPONENT_MAX - EXPONENT_MIN) << PART_BITS) + 2
const DOUBLE_EXPONENT_BIAS = 1023
/** Bits of the fraction in the upper half of a double. */
const FRACTION_HIGH_BITS = 20

export interface HistogramBucket {
  readonly belowMs: number
  readonly count: number
}

export interface HistogramSnapshot {
  readonly count: number
  /** How many were shorter than each bound, and not than the one before; the last bound is `Infinity`. Their sum is `count`. */
  readonly buckets: readonly HistogramBucket[]
  readonly meanMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

/** Of a snapshot's buckets: powers of two, so that none of ours lies on both sides of one. */
export const BOUNDS_MS: readonly number[] = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 64, 256, 1024, Number.POSITIVE_INFINITY]

export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS)
  readonly #bits = new DataView(new ArrayBuffer(8))
  #count = 0
  #sumMs = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  /** The longest duration, exactly; 0 when nothing was recorded. */
  get max(): number {
    return this.#maxMs
  }

  /** Counts one duration; what is not a number above zero counts as zero. */
  record(ms: number): void {
    const value = ms > 0 ? ms : 0
    const bucket = this.#bucketOf(value)
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1
    this.#count++
    this.#sumMs += value
    this.#maxMs = Math.max(this.#maxMs, value)
  }

  /** The duration that `p` percent (0 to 100) of all recorded ones do not exceed; 0 when nothing was recorded. */
  percentile(p: number): number {
    if (this.#count === 0) return 0
    const rank = Math.min(this.#count, Math.max(1, Math.ceil((p / 100) * this.#count)))
    if (rank === this.#count) return this.#maxMs
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS - 1; bucket++) {
      seen += this.#buckets[bucket] as number
      if (seen >= rank) return Math.min(this.#maxMs, middleOf(bucket))
    }
    return this.#maxMs
  }

  /** Plain data, for stats and events. */
  snapshot(): HistogramSnapshot {
    return {
      count: this.#count,
      buckets: this.#coarse(),
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50Ms: this.percentile(50),
      p99Ms: this.percentile(99),
      p999Ms: this.percentile(99.9),
      maxMs: this.#maxMs,
    }
  }

  #coarse(): HistogramBucket[] {
    let bucket = 0
    return BOUNDS_MS.map(belowMs => {
      const end = belowMs === Number.POSITIVE_INFINITY ? BUCKETS : this.#bucketOf(belowMs)
      let count = 0
      for (; bucket < end; bucket++) count += this.#buckets[bucket] as number
      return { belowMs, count }
    })
  }

  #bucketOf(value: number): number {
    this.#bits.setFloat64(0, value)
    const step = this.#bits.getUint32(0) >>> (FRACTION_HIGH_BITS - PART_BITS)
    const first = (DOUBLE_EXPONENT_BIAS + EXPONENT_MIN) << PART_BITS
    return Math.min(BUCKETS - 1, Math.max(0, step - first + 1))
  }
}

/** The middle of a bucket's bounds, so that the error is half a bucket at most. */
function middleOf(bucket: number): number {
  if (bucket === 0) return 0
  const step = bucket - 1
  const parts = 1 << PART_BITS
  const exponent = EXPONENT_MIN + Math.floor(step / parts)
  return 2 ** exponent * (1 + ((step % parts) + 0.5) / parts)
}
