import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Collection, Space } from '../capture/index.ts'
import { REFUSALS_LISTED, Refusals } from './refusals.ts'

const COUNT = 20_000

function refusing() {
  const space = {} as Space
  const refusals = new Refusals(space)
  const [one, other] = [{ id: 1, name: 'one' } as Collection, { id: 2, name: 'other' } as Collection]
  const refuse = (collection: Collection, key: number): boolean =>
    refusals.add(collection, key, Object.assign(new Error(`no ${key}`), { cause: key })).first
  return { space, refusals, one, other, refuse }
}

test('very many refused values are kept in pieces, with a word on the first of them alone: no table of them grows in one turn', () => {
  const { space, refusals, one, other, refuse } = refusing()
  let largest = 0
  let causes = 0
  const { set } = Map.prototype
  mock.method(Map.prototype, 'set', function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
    largest = Math.max(largest, this.size)
    return set.call(this, key, value)
  })
  const { set: setWeakly } = WeakMap.prototype
  mock.method(WeakMap.prototype, 'set', function (this: WeakMap<object, unknown>, key: object, value: unknown) {
    causes++
    return setWeakly.call(this, key, value)
  })
  try {
    for (let key = 0; key < COUNT; key++) assert.equal(refuse(key % 2 === 0 ? one : other, key), true)
    for (let key = 0; key < COUNT; key++) assert.equal(refuse(key % 2 === 0 ? one : other, key), false)
  } finally {
    mock.restoreAll()
  }
  assert.ok(largest <= REFUSALS_LISTED, `a Map of ${largest}`)
  assert.ok(causes <= 4 * REFUSALS_LISTED, `${causes} causes`)
  assert.deepEqual([space.refusedKeys(1), space.refusedKeys(2), space.refusedKeys(3)], [COUNT / 2, COUNT / 2, 0])
  assert.throws(() => refusals.assertNone(), /'one', key 0: no 0 \(and 19999 more\)/)
})

test('where the first refused values are gone others are named, and why they are refused once that is known again', () => {
  const { space, refusals, one, other, refuse } = refusing()
  const all = Array.from({ length: REFUSALS_LISTED + 3 }, (_, key) => key)
  for (const key of all) refuse(key < 10 ? one : other, key)
  const named = (): number[] => refusals.list().map(({ key }) => Number(key))
  assert.deepEqual(named(), all.slice(0, REFUSALS_LISTED))
  for (const key of all.slice(0, -3)) space.cameAndWent?.(key < 10 ? 1 : 2, key)
  assert.deepEqual([refusals.has(1), refusals.has(2), space.refusedKeys(2)], [false, true, 3])
  assert.deepEqual(named().toSorted(), all.slice(-3))
  assert.deepEqual(
    refusals.list().map(({ collection }) => collection),
    ['other', 'other', 'other'],
  )
  assert.throws(() => refusals.assertNone(), {
    code: 'TIDEMARK_VALUE_REFUSED',
    message: /'other', key 100\d: .*next checkpoint.*\(and 2 more\)/,
  })
  refusals.retry()
  for (const key of all.slice(-2)) assert.equal(refuse(other, key), false)
  refusals.settle()
  assert.throws(() => refusals.assertNone(), { message: /'other', key 1001: no 1001 \(and 1 more\)/ })
  for (const key of all.slice(-2)) space.cameAndWent?.(2, key)
  assert.equal(refusals.none, true)
  assert.deepEqual(refusals.list(), [])
})

test('a value may be refused by what is no error', () => {
  const { refusals, one } = refusing()
  for (const [key, thrown] of [null, undefined, 'text'].entries()) refusals.add(one, key, thrown)
  assert.deepEqual(
    refusals.list().map(({ reason }) => reason),
    ['null', 'undefined', 'text'],
  )
})
