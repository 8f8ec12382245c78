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

test('a burst is twice the rate of the last while, and nothing is one where none is expected', () => {
  const bursts = new Bursts()
  assert.equal(bursts.ended(1000, 1), undefined)
  for (let n = 0; n < 2; n++) {
    bursts.cut()
    bursts.met()
  }
  assert.deepEqual([bursts.ended(201, 100), bursts.ended(200, 100), bursts.ended(0, 0)], [true, false, false])
})
