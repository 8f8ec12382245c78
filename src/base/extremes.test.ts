import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leastOf, mostOf } from './extremes.ts'

test('the most and the least of a list are found however long it is, and of an empty one as Math finds them', () => {
  const long = Array.from({ length: 300_000 }, (_, at) => (at * 7) % 300_000)
  assert.deepEqual([mostOf(long, one => one), leastOf(long, one => one)], [299_999, 0])
  assert.equal(
    mostOf([1, 2], one => one, 5),
    5,
  )
  assert.deepEqual([mostOf([], Number), leastOf([], Number), mostOf([], Number, 0)], [Math.max(), Math.min(), 0])
})
