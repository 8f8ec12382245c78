import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { segment } from '../../test/support/manifest.ts'
import { MANIFEST_KEY_BYTES_MAX } from '../base/limits.ts'
import { comparePlaces, cutEnds, highest, isEnd, type Place, type SegmentEntry, startBetween } from './index.ts'

const entry = (first: Place, last: Place): SegmentEntry => segment({ first, last })
const bytes = fc.uint8Array({ maxLength: 3 }).map(tail => tail.map(byte => (byte % 3) * 127))
/** Many begin alike, for about as many bytes as a manifest names. */
const key = fc
  .tuple(fc.constantFrom(0, 1, MANIFEST_KEY_BYTES_MAX - 1, MANIFEST_KEY_BYTES_MAX, MANIFEST_KEY_BYTES_MAX + 1, 300), bytes, bytes)
  .map(([common, middle, end]) => Buffer.concat([Buffer.alloc(common, 0x78), middle, end]).toString('hex'))
const place = fc.record({ collection: fc.integer({ min: 1, max: 2 }), key })
const sorted = (count: number): fc.Arbitrary<Place[]> =>
  fc
    .uniqueArray(place, { minLength: count, maxLength: count, comparator: (a, b) => comparePlaces(a, b) === 0 })
    .map(places => places.sort(comparePlaces))

test('a key that is not longer than what a manifest names stands whole, and a longer one is cut once', () => {
  const keyOf = (count: number): Place => ({ collection: 1, key: '61'.repeat(count) })
  const short = entry(keyOf(1), keyOf(MANIFEST_KEY_BYTES_MAX))
  assert.equal(cutEnds(short), short)
  const long = cutEnds(entry(keyOf(1), keyOf(MANIFEST_KEY_BYTES_MAX + 1)))
  assert.deepEqual([long.first, long.last], [keyOf(1), { ...keyOf(MANIFEST_KEY_BYTES_MAX), cut: true }])
  assert.equal(cutEnds(long), long)
})

test('the ends of a segment as a manifest names them leave out no place that lies between its first and its last key', () => {
  fc.assert(
    fc.property(sorted(3), ([first, middle, last]) => {
      const { first: low, last: high } = cutEnds(entry(first as Place, last as Place))
      assert.ok(isEnd(low, first as Place) && isEnd(high, last as Place))
      for (const one of [first, middle, last] as Place[]) {
        assert.ok(comparePlaces(low, one) <= 0 && comparePlaces(highest(high), one) >= 0)
      }
      assert.ok(comparePlaces(low, high) <= 0, 'a manifest names them in order')
      assert.ok(comparePlaces(highest(low), first as Place) >= 0 && comparePlaces(high, last as Place) <= 0, 'each is an interval')
    }),
  )
})

test('an end is that of its key, and of none that differs where it is named', () => {
  fc.assert(
    fc.property(place, place, (one, other) => {
      const end = cutEnds(entry(one, one)).first
      const alike = comparePlaces(one, other) === 0
      if (end.cut === undefined) assert.equal(isEnd(end, other), alike)
      else
        assert.equal(
          isEnd(end, other),
          one.collection === other.collection && other.key.length > end.key.length && other.key.startsWith(end.key),
        )
    }),
  )
})

test('a range starts behind the place before it and not behind its own first, with no more of a long key than tells them apart', () => {
  fc.assert(
    fc.property(sorted(2), ([last, first]) => {
      const start = startBetween(last as Place, first as Place)
      assert.ok(comparePlaces(last as Place, start) < 0 && comparePlaces(start, first as Place) <= 0)
      assert.ok(/^([0-9a-f]{2})*$/.test(start.key))
      const whole = (first as Place).key.length <= 2 * MANIFEST_KEY_BYTES_MAX
      if (whole) assert.equal(comparePlaces(start, first as Place), 0)
      else if (start.key !== '') assert.ok(comparePlaces(last as Place, { ...start, key: start.key.slice(0, -2) }) >= 0, 'the shortest')
    }),
  )
  const far = 'ff'.repeat(60_000)
  assert.deepEqual(startBetween({ collection: 1, key: `61${far}` }, { collection: 1, key: `62${far}` }), { collection: 1, key: '62' })
  assert.deepEqual(startBetween({ collection: 1, key: far }, { collection: 2, key: far }), { collection: 2, key: '' })
})
