import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bursts } from './bursts.ts'

test('two cuts in a row that meet a burst make it expected in eight, and a barrier behind one in eight more', () => {
  const bursts = new Bursts()
  const cut = (met: boolean): boolean => {
    bursts.cut()
    if (met) bursts.met()
    return bursts.expected
  }
  assert.deepEqual([cut(true), cut(false), cut(true), cut(true)], [false, false, false, true])
  const calm = (): boolean[] => Array.from({ length: 8 }, () => cut(false))
  assert.deepEqual(calm(), [...Array<boolean>(7).fill(true), false])
  assert.deepEqual([cut(true), cut(true)], [false, true])
  for (let n = 0; n < 20; n++) {
    bursts.fallsBehind()
    assert.equal(cut(false), true)
  }
  assert.deepEqual(calm().slice(-2), [false, false])
})

test('a burst is many keys at twice the rate of the last while, and nothing is one where none is expected', () => {
  const bursts = new Bursts()
  const tick = { keys: 10_000, ms: 9, lateMs: 4, meanRate: 200_000 }
  assert.equal(bursts.ended(tick), undefined)
  for (let n = 0; n < 2; n++) {
    bursts.cut()
    bursts.met()
  }
  assert.equal(bursts.ended(tick), true)
  assert.equal(bursts.ended({ ...tick, keys: 0 }), false)
  assert.equal(bursts.ended({ ...tick, ms: 26 }), false, 'as fast as ever')
  assert.equal(bursts.ended({ keys: 999, ms: 5, lateMs: 4, meanRate: 100 }), false, 'few keys')
})

test('one that takes many turns has ended when a look sees no more of it', () => {
  const bursts = new Bursts()
  for (let n = 0; n < 2; n++) {
    bursts.cut()
    bursts.met()
  }
  const look = { ms: 5, lateMs: 0.3, meanRate: 200_000 }
  const seen = [0, 4000, 5000, 3000, 200, 0].map(keys => bursts.ended({ ...look, keys }))
  assert.deepEqual(seen, [false, false, false, false, true, false])
})
