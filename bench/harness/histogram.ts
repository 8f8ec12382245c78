/** How many durations lie below each bound, and not below the one before: the bounds of the store's own histograms. */
import { table } from './table.ts'

export interface Bucket {
  /** `Infinity` for the last, which is `null` in the JSON file. */
  readonly belowMs: number
  readonly count: number
}

const BOUNDS_MS: readonly number[] = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 64, 256, 1024, Number.POSITIVE_INFINITY]

export function bucketsOf(values: readonly number[]): readonly Bucket[] {
  return BOUNDS_MS.map((belowMs, at) => ({
    belowMs,
    count: values.filter(ms => ms < belowMs && ms >= (BOUNDS_MS[at - 1] ?? Number.NEGATIVE_INFINITY)).length,
  }))
}

/** One line for each name: the counts of all its repetitions together. */
export function showBuckets(title: string, rows: readonly (readonly [name: string, buckets: readonly Bucket[]])[]): string {
  const names = [...new Set(rows.map(([name]) => name))]
  return table(
    [title, ...BOUNDS_MS.map(ms => (Number.isFinite(ms) ? `< ${ms}` : 'more'))],
    names.map(name => {
      const mine = rows.filter(row => row[0] === name)
      return [name, ...BOUNDS_MS.map((_, at) => mine.reduce((sum, [, buckets]) => sum + (buckets[at]?.count ?? 0), 0))]
    }),
  )
}
