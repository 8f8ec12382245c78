import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Key } from '../codec/index.ts'
import { CHUNK_KEYS, Journal, keysIn } from './journal.ts'

const listed = (journal: Journal): Key[] =>
  journal.groups().flatMap(group => [...keysIn(group)].filter((key): key is Key => key !== undefined))

test('lists every key in order, duplicates too, over the edge of chunks', () => {
  for (const count of [0, 1, 15, 16, 17, 527, 528, 529, CHUNK_KEYS - 1, CHUNK_KEYS, CHUNK_KEYS + 1, 3 * CHUNK_KEYS + 7]) {
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

test('a thousand journals of one key each take little memory', () => {
  const before = process.memoryUsage().heapUsed
  const journals = Array.from({ length: 1000 }, (_, n) => {
    const journal = new Journal()
    journal.push(n)
    return journal
  })
  const took = process.memoryUsage().heapUsed - before
  assert.equal(journals.at(-1)?.length, 1)
  assert.ok(took < 8_000_000, `${took} bytes`)
})

test('the second reader releases what it has passed, over the edge of chunks', () => {
  const journal = new Journal()
  const taken: (Key | undefined)[] = []
  for (let n = 0; n < 20_000; n++) {
    journal.push(n)
    if (n % 3 === 2) taken.push(journal.take(), journal.take())
    if (n === 100 || n === 9000) journal.adopt(new Set([`x${n}`]))
  }
  while (journal.untaken(journal.end) > 0) taken.push(journal.take())
  const pushed = Array.from({ length: 20_000 }, (_, n) => (n === 100 || n === 9000 ? [n, `x${n}`] : [n])).flat()
  assert.deepEqual(taken, pushed)
  assert.ok(journal.length <= CHUNK_KEYS)
})

test('says that it outgrows a number of keys, whatever the length of its chunks', () => {
  const journal = new Journal()
  let said = 0
  for (let n = 0; n < 4096; n++) {
    journal.push(n)
    if (journal.outgrows(2000)) said++
  }
  assert.equal(said, 3)
})
