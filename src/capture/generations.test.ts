import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { Generations } from './generations.ts'
import { KeySet } from './key-set.ts'

const { add } = KeySet.prototype

test('a key is there until the stored state holds the barrier after it, whatever barriers fall, fail and are repeated', () => {
  const step = fc.record({ op: fc.constantFrom('add', 'adopt', 'barrier', 'again', 'without', 'held', 'delete'), n: fc.nat({ max: 6 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), steps => {
      const keys = new Generations(4, 5)
      /** By key: the epoch that will hold it. */
      const needed = new Map<string, number>()
      let epoch = 1
      let heldTo = 0
      for (const { op, n } of steps) {
        const key = `k${n}`
        if (op === 'add') {
          keys.add(key)
          needed.set(key, epoch)
        } else if (op === 'adopt') {
          const some = Array.from({ length: n }, (_, at) => `k${(at + steps.length) % 9}`)
          keys.adopt(new Set(some))
          for (const one of some) needed.set(one, epoch)
        } else if (op === 'delete') {
          keys.delete(key)
          needed.delete(key)
        } else if (op === 'barrier') keys.barrier(epoch++)
        // A cut that was lost: the same epoch ends later, with these keys, or without them, which the next one then has.
        else if ((op === 'again' || op === 'without') && epoch - 1 > heldTo) {
          keys.lost()
          for (const [one, at] of needed) if (at >= epoch - 1) needed.set(one, op === 'again' ? epoch - 1 : epoch)
          if (op === 'again') keys.barrier(epoch - 1)
        } else if (op === 'held') {
          const through = Math.max(0, epoch - 1 - n)
          const { size } = keys
          assert.equal(keys.held(through), keys.size < size)
          heldTo = Math.max(heldTo, through)
          for (const [one, at] of needed) if (at <= through) needed.delete(one)
        }
        for (const one of needed.keys()) assert.ok(keys.has(one), `${one} is missed`)
      }
      keys.barrier(epoch)
      keys.held(epoch)
      keys.barrier(epoch + 1)
      keys.held(epoch + 1)
      assert.equal(keys.size, 0, 'nothing stays for ever')
    }),
    { numRuns: 2000 },
  )
})

test('what was written last goes when its epoch is held, though no barrier follows', () => {
  const keys = new Generations()
  keys.add('a')
  keys.barrier(1)
  keys.add('b')
  keys.barrier(2)
  assert.equal(keys.held(2), true)
  assert.equal(keys.size, 0)
})

test('no call takes a step for each key of the tables that are taken over, however many come before the stored state follows', t => {
  const keys = new Generations()
  const tables = Array.from({ length: 4 }, (_, n) => new Set(Array.from({ length: 150_000 }, (_, at) => at + n)))
  const adds = t.mock.method(KeySet.prototype, 'add')
  for (const table of tables) keys.adopt(table)
  assert.equal(adds.mock.callCount(), 0)
  assert.ok(keys.has(0) && keys.has(150_002) && !keys.has(150_003))
  for (let n = 0; n < 1000; n++) keys.add(n)
  assert.ok(adds.mock.callCount() < 4000)
})

test('the same keys, taken in again and again, do not add up', () => {
  const keys = new Generations()
  const table = new Map(Array.from({ length: 5000 }, (_, at) => [`key ${at}`, 'old']))
  for (let times = 0; times < 200; times++) {
    // As a set of each does.
    for (const key of table.keys()) keys.add(key)
    keys.adopt(table)
  }
  assert.ok(keys.size < 300_000, `${keys.size}`)
  assert.ok(keys.has('key 4999'))
  keys.barrier(1)
  keys.held(1)
  assert.equal(keys.size, 0)
})

test('a move that finds no stack leaves out no key of a table that was taken over', () => {
  for (const place of ['walk', 'add']) {
    const keys = new Generations(4, 5)
    const all = Array.from({ length: 20 }, (_, at) => `k${at}`)
    let left = 7
    const end = (): void => {
      if (left-- === 0) throw new RangeError('Maximum call stack size exceeded')
    }
    const table = new Set(all)
    Object.assign(table, {
      *keys() {
        for (const key of all) {
          if (place === 'walk') end()
          yield key
        }
      },
    })
    keys.adopt(table)
    keys.adopt(new Set(['a', 'b', 'c', 'd', 'e', 'f']))
    const added = mock.method(KeySet.prototype, 'add', function (this: KeySet, key: string) {
      if (place === 'add') end()
      return add.call(this, key)
    })
    let failed = 0
    for (let at = 0; at < 40; at++) {
      try {
        keys.add(`n${at}`)
      } catch {
        failed++
      }
    }
    added.mock.restore()
    assert.equal(failed, 1)
    assert.equal(keys.tableKeys, 6, 'all of the first were moved')
    assert.equal(keys.size, 65)
    for (const key of all) assert.ok(keys.has(key), key)
  }
})
