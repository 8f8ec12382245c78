/**
 * What is counted of one collection, or of several that are counted together.
 *
 * Owns: its counters and its sample of keys. Does not own: whose records come here.
 * Invariant: memory is fixed, but for the sample of keys.
 */
import { Histogram } from '../base/histogram.ts'
import { type Estimate, type Estimates, hottest, KeySample, type Weight } from './key-sample.ts'
import { FACTORS } from './key-table.ts'
import { perSecond } from './timeline.ts'
import type { CollectionProfile, Distribution, Merged } from './types.ts'

/** Records of so many bytes have a block of the log to themselves, or nearly. */
export const LARGE_BYTES = 64 * 1024

export class CollectionCounts {
  readonly name: string
  readonly kind: CollectionProfile['kind']
  readonly keys = new KeySample()
  entries = 0
  epochs = 0
  records = 0
  bytes = 0
  #deleted = 0
  #largeRecords = 0
  #largeBytes = 0
  #recordBytesMax = 0
  readonly #recordBytes = new Histogram()
  readonly #perEpochRecords = new Histogram()
  readonly #perEpochBytes = new Histogram()
  #epochRecords = 0
  #epochBytes = 0

  constructor(name: string, kind: CollectionProfile['kind']) {
    this.name = name
    this.kind = kind
  }

  add(bytes: number, deleted: boolean): void {
    this.#epochRecords++
    this.#epochBytes += bytes
    this.#recordBytes.record(bytes)
    if (deleted) this.#deleted++
    if (bytes > this.#recordBytesMax) this.#recordBytesMax = bytes
    if (bytes < LARGE_BYTES) return
    this.#largeRecords++
    this.#largeBytes += bytes
  }

  endEpoch(): void {
    if (this.#epochRecords === 0) return
    this.epochs++
    this.records += this.#epochRecords
    this.bytes += this.#epochBytes
    this.#perEpochRecords.record(this.#epochRecords)
    this.#perEpochBytes.record(this.#epochBytes)
    this.#epochRecords = 0
    this.#epochBytes = 0
  }

  /** What came since the last epoch ended does not count. */
  dropEpoch(): void {
    this.#epochRecords = 0
    this.#epochBytes = 0
  }

  /** `keys`: what is known of its keys. */
  profile(coveredMs: number, keys: Keys): CollectionProfile {
    const { name, kind, entries, epochs, records, bytes } = this
    const { estimates, weights, share: sampledShare } = keys
    const { distinct, redundant, redundantBytes, merged } = estimates
    const kept = merged[0]?.bytes.value ?? bytes
    const { bytes: distinctBytes, ...hotSet } = hottest(weights)
    return {
      name,
      kind,
      entries,
      epochs,
      records,
      bytes,
      recordsPerSecond: perSecond(records, coveredMs),
      bytesPerSecond: perSecond(bytes, coveredMs),
      recordsPerEpoch: distribution(this.#perEpochRecords),
      bytesPerEpoch: distribution(this.#perEpochBytes),
      recordBytes: distribution(this.#recordBytes),
      deletedShare: share(this.#deleted, records),
      redundantShare: share(redundant.value, records),
      redundantBytesShare: share(redundantBytes.value, bytes),
      wastedBytesShare: Math.max(0, share(bytes - kept, bytes)),
      large: { records: this.#largeRecords, bytesShare: share(this.#largeBytes, bytes), maxBytes: this.#recordBytesMax },
      sampledShare,
      distinctKeys: Math.round(distinct.value),
      distinctErrorShare: share(2 * distinct.error, distinct.value),
      rewriteRatio: share(records, distinct.value),
      distinctBytes,
      hotSet,
      merged: merged.flatMap((part, index) => mergedOf(FACTORS[index] as number, part, records, bytes)),
    }
  }
}

export interface Keys {
  readonly estimates: Estimates
  readonly weights: Weight[]
  /** Of the keys, that were followed. */
  readonly share: number
}

export function keysOf(sample: KeySample): Keys {
  return { estimates: sample.estimates(), weights: sample.weights(), share: sample.share }
}

/** Of all collections together. */
export function keysOfAll(counts: readonly CollectionCounts[], each: readonly Keys[]): Keys {
  const estimates = addUp(each.map(keys => keys.estimates))
  const sampled = counts.reduce((sum, { keys }) => sum + keys.sampledKeys, 0)
  return {
    estimates,
    weights: each.flatMap(({ weights }) => weights),
    share: each.every(keys => keys.share === 1) ? 1 : share(sampled, estimates.distinct.value),
  }
}

function mergedOf(factor: number, part: Estimates['merged'][number], records: number, bytes: number): Merged[] {
  if (factor === 1) return []
  return [
    {
      factor,
      recordsShare: share(part.records.value, records),
      bytesShare: share(part.bytes.value, bytes),
      errorShare: share(2 * part.bytes.error, part.bytes.value),
    },
  ]
}

/** Sums of independent estimates. */
function addUp(parts: readonly Estimates[]): Estimates {
  const sum = (of: (part: Estimates) => Estimate): Estimate => ({
    value: parts.reduce((total, part) => total + of(part).value, 0),
    error: Math.sqrt(parts.reduce((total, part) => total + of(part).error ** 2, 0)),
  })
  return {
    distinct: sum(part => part.distinct),
    redundant: sum(part => part.redundant),
    redundantBytes: sum(part => part.redundantBytes),
    merged: FACTORS.map((_, index) => ({
      records: sum(part => (part.merged[index] as Estimates['merged'][number]).records),
      bytes: sum(part => (part.merged[index] as Estimates['merged'][number]).bytes),
    })),
  }
}

function distribution(histogram: Histogram): Distribution {
  const { count, meanMs } = histogram.snapshot()
  const at = (percent: number): number => Math.round(histogram.percentile(percent))
  return { count, mean: meanMs, p50: at(50), p90: at(90), p99: at(99), max: histogram.max }
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0
}
