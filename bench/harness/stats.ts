/**
 * Medians, spreads and percentiles of a few numbers. For a table, what is not finite is left out; a bound takes all there is, because a run in
 * which something broke is one that has no figure.
 */

function sorted(values: readonly number[]): number[] {
  return values.filter(Number.isFinite).sort((a, b) => a - b)
}

/** NaN when there is nothing to take it from. */
export function median(values: readonly number[]): number {
  return middleOf(sorted(values))
}

function middleOf(list: readonly number[]): number {
  const middle = list.length >> 1
  if (list.length === 0) return Number.NaN
  return list.length % 2 === 1 ? (list[middle] as number) : ((list[middle - 1] as number) + (list[middle] as number)) / 2
}

/** For a bound: NaN, which meets none, as soon as one value is NaN; Infinity counts. */
export function medianOfAll(values: readonly number[]): number {
  return values.some(Number.isNaN) ? Number.NaN : middleOf([...values].sort((a, b) => a - b))
}

/** For a bound that every value has to meet; NaN when one is, or when there is none. */
export function largest(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.max(...values)
}

/** Smallest and largest. */
export function spread(values: readonly number[]): readonly [number, number] {
  const list = sorted(values)
  return [list[0] ?? Number.NaN, list.at(-1) ?? Number.NaN]
}

/** The value that `percent` of all do not exceed, exactly. */
export function percentile(values: readonly number[] | Float64Array, percent: number): number {
  if (values.length === 0) return Number.NaN
  const list = Float64Array.from(values).sort()
  return list[Math.min(list.length - 1, Math.max(0, Math.ceil((percent / 100) * list.length) - 1))] as number
}

/** Median with its spread, as text. */
export function withSpread(values: readonly number[], digits = 2): string {
  const [low, high] = spread(values)
  const middle = median(values)
  if (!Number.isFinite(middle)) return '-'
  return sorted(values).length === 1
    ? middle.toFixed(digits)
    : `${middle.toFixed(digits)} (${low.toFixed(digits)}..${high.toFixed(digits)})`
}

/** Share of the checkpoints asked for; NaN where there was none. */
export function leftOut({ checkpoints, skipped }: { readonly checkpoints: number; readonly skipped: number }): number {
  return checkpoints === 0 ? Number.NaN : skipped / (checkpoints + skipped)
}
