import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashPlace } from '../format/index.ts'
import { addToFilter, emptyFilter, filterBytes, filterHas } from './filter.ts'

const hashes = (from: number, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, at) => hashPlace(1, Buffer.from(`0player:${from + at}`)))

function buildFilter(hashes: Uint32Array, count: number): Buffer {
  const filter = emptyFilter(count)
  addToFilter(filter, hashes, count)
  return filter
}

test('a filter has every place that was put in, and few others', () => {
  for (const count of [1, 50, 52, 20_000]) {
    const inside = hashes(0, count)
    const filter = buildFilter(inside, count)
    assert.equal(filter.length, filterBytes(count))
    assert.ok(inside.every(hash => filterHas(filter, hash)))
    if (count < 1000) continue
    const wrong = hashes(1_000_000, 20_000).filter(hash => filterHas(filter, hash)).length
    assert.ok(wrong < 0.02 * 20_000, `${wrong} of 20,000`)
    assert.ok(wrong > 0, 'a filter of 10 bits a record that is never wrong is not looked at')
  }
})

test('the filter of no records has nothing', () => {
  const filter = buildFilter(new Uint32Array(0), 0)
  assert.ok(hashes(0, 100).every(hash => !filterHas(filter, hash)))
})

test('only the first hashes given count', () => {
  const inside = hashes(0, 2)
  assert.deepEqual(buildFilter(inside, 1), buildFilter(inside.slice(0, 1), 1))
})
