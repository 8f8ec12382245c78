import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BOUNDS_MS, Histogram } from './histogram.ts'

/** The percentile by its definition: the value at the rank, of everything recorded. */
function exact(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil((p / 100) * sorted.length)))
  return sorted[rank - 1] as number
}

const duration = fc.oneof(
  fc.double({ min: 2 ** -20, max: 2 ** 47, noNaN: true }),
  fc.integer({ min: -20, max: 47 }).map(power => 2 ** power),
  fc.double({ min: 0.001, max: 10, noNaN: true }),
)

test('every percentile is within 2 % of the true one', () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), fc.double({ min: 0, max: 100, noNaN: true }), (values, p) => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const want = exact(values, p)
      assert.ok(Math.abs(histogram.percentile(p) - want) <= 0.02 * want, `p${p}: ${histogram.percentile(p)} for ${want}`)
    }),
    { numRuns: 300 },
  )
})

test('percentiles rise with p and end at the exact maximum', () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 50 }), values => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      let last = 0
      for (const p of [0, 1, 50, 99, 99.9, 100]) {
        assert.ok(histogram.percentile(p) >= last)
        last = histogram.percentile(p)
      }
      assert.equal(last, Math.max(...values))
      assert.equal(histogram.max, last)
    }),
    { numRuns: 200 },
  )
})

test('an empty histogram is all zeros', () => {
  const buckets = BOUNDS_MS.map(belowMs => ({ belowMs, count: 0 }))
  assert.deepEqual(new Histogram().snapshot(), { count: 0, buckets, meanMs: 0, p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 })
})

test('what is no duration counts as zero, what is too small or too long keeps its count and the exact maximum', () => {
  const histogram = new Histogram()
  for (const value of [Number.NaN, -1, 0, 1e-300]) histogram.record(value)
  assert.equal(histogram.percentile(50), 0)
  histogram.record(1e300)
  assert.equal(histogram.count, 5)
  assert.equal(histogram.percentile(80), 0)
  assert.equal(histogram.percentile(100), 1e300)
})

test('the bytes of epochs of many GiB are told apart, too', () => {
  const histogram = new Histogram()
  for (const power of [33, 34, 35, 40, 45]) histogram.record(2 ** power)
  for (const [p, power] of [
    [20, 33],
    [60, 35],
    [80, 40],
  ] as const) {
    const got = histogram.percentile(p)
    assert.ok(Math.abs(got - 2 ** power) <= 0.02 * 2 ** power, `p${p}: ${got}`)
  }
})

test('the snapshot tells the mean and the maximum exactly', () => {
  const histogram = new Histogram()
  for (const value of [1, 2, 3, 10]) histogram.record(value)
  const snapshot = histogram.snapshot()
  assert.equal(snapshot.count, 4)
  assert.equal(snapshot.meanMs, 4)
  assert.equal(snapshot.maxMs, 10)
  assert.ok(Math.abs(snapshot.p50Ms - 2) <= 0.04)
  assert.equal(snapshot.p999Ms, 10)
})

test('the snapshot counts durations between bounds, exactly', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.double({ min: 0, max: 5000, noNaN: true }), fc.constantFrom(...BOUNDS_MS.slice(0, -1)))), values => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const between = BOUNDS_MS.map((belowMs, at) => {
        const from = BOUNDS_MS[at - 1] ?? 0
        return { belowMs, count: values.filter(value => value >= from && value < belowMs).length }
      })
      assert.deepEqual(histogram.snapshot().buckets, between)
    }),
    { numRuns: 200 },
  )
})
