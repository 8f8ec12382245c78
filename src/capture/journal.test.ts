import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Key } from '../codec/index.ts'
import { CHUNK_KEYS, Journal, keysIn } from './journal.ts'

const listed = (journal: Journal): Key[] =>
  journal.groups().flatMap(group => [...keysIn(group)].filter((key): key is Key => key !== undefined))

test('lists every key in order, duplicates too, over the edge of chunks', () => {
  for (const count of [0, 1, CHUNK_KEYS - 1, CHUNK_KEYS, CHUNK_KEYS + 1, 3 * CHUNK_KEYS + 7]) {
    const journal = new Journal()
    for (let n = 0; n < count; n++) journal.push(n % 1000)
    assert.equal(journal.length, count)
    assert.deepEqual(
      listed(journal),
      Array.from({ length: count }, (_, n) => n % 1000),
    )
  }
})

test('groups taken are not changed by what is pushed later', () => {
  const journal = new Journal()
  journal.push('a')
  const groups = journal.groups()
  journal.push('b')
  assert.deepEqual(
    groups.map(group => [...keysIn(group)]),
    [['a']],
  )
})

test('adopting and joining keep every key and the count', () => {
  const part = fc.oneof(
    fc.record({ how: fc.constant('push' as const), count: fc.nat({ max: 9000 }) }),
    fc.record({ how: fc.constant('adopt' as const), count: fc.nat({ max: 50 }) }),
    fc.record({ how: fc.constant('join' as const), count: fc.nat({ max: 9000 }) }),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), parts => {
      const journal = new Journal()
      let serial = 0
      for (const { how, count } of parts) {
        const keys = Array.from({ length: count }, () => serial++)
        if (how === 'push') for (const key of keys) journal.push(key)
        else if (how === 'adopt') journal.adopt(new Set(keys))
        else {
          const other = new Journal()
          for (const key of keys) other.push(key)
          journal.join(other)
        }
        assert.equal(journal.length, serial)
      }
      assert.deepEqual(
        listed(journal).sort((a, b) => Number(a) - Number(b)),
        Array.from({ length: serial }, (_, n) => n),
      )
    }),
    { seed: 1, numRuns: 100 },
  )
})
