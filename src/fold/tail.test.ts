import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tail } from './tail.ts'

const LIMITS = { bytes: 1000, records: 100, logBytes: 2000 }

test('what an opener finds behind the fold point is folded at a pace, whether it is long or somebody waits for it, and flat out beyond three tables', () => {
  const rateOf = (rawBytes: number, asked: boolean): number => {
    const tail = new Tail(LIMITS, { rawBytes, records: 0, logBytes: rawBytes }, 500)
    if (asked) tail.ask()
    assert.equal(tail.isDue, rawBytes >= 1000)
    tail.take()
    return tail.rate(1500)(3000, 1500, 3000)
  }
  assert.equal(rateOf(1200, false), 100, 'in 30 s')
  assert.equal(rateOf(1200, true), 1000, 'in 3 s')
  assert.equal(rateOf(2200, false), 1000)
  assert.equal(rateOf(3000, false), Number.POSITIVE_INFINITY)
})

test('who asks during a fold is served by one that takes what was there when he asked', () => {
  const tail = new Tail(LIMITS, { rawBytes: 0, records: 0, logBytes: 0 }, 0)
  const epoch = { rawBytes: 10, records: 1, logBytes: 20 }
  tail.committed(0, epoch)
  tail.ask()
  assert.equal(tail.take().all, true)
  tail.committed(0, epoch)
  tail.ask()
  tail.committed(0, epoch)
  tail.folded(0, epoch)
  assert.equal(tail.isDue, true)
  tail.take()
  tail.folded(0, epoch)
  assert.equal(tail.isDue, false, 'the last one came after he asked')
  tail.take()
  tail.folded(0, epoch)
  tail.ask()
  tail.committed(0, epoch)
  assert.equal(tail.isDue, false, 'nothing was there')
})

test('what a fold took that failed is taken off once, when its manifest turns out to count', () => {
  const tail = new Tail(LIMITS, { rawBytes: 1500, records: 10, logBytes: 1800 }, 0)
  const epoch = { rawBytes: 10, records: 1, logBytes: 20 }
  tail.begun(3, tail.take())
  tail.reached(0, 0)
  assert.deepEqual(tail.size, { rawBytes: 1500, records: 10, logBytes: 1800 })
  tail.committed(0, epoch)
  tail.begun(4, tail.take())
  tail.committed(0, epoch)
  tail.reached(0, 3)
  tail.reached(0, 3)
  assert.deepEqual([tail.size, tail.isDue], [{ rawBytes: 20, records: 2, logBytes: 40 }, false])
  // That one began at the fold point before, and has no manifest.
  tail.reached(0, 4)
  assert.deepEqual(tail.size, { rawBytes: 20, records: 2, logBytes: 40 })
  // It turns out while a fold looks for what lies behind it, and finds nothing.
  tail.begun(5, tail.take())
  const all = tail.take()
  tail.committed(0, epoch)
  tail.folded(0, all)
  tail.reached(0, 5)
  assert.deepEqual(tail.size, epoch)
})

test('a tail is behind from when it became too long, that which an opener finds from the start, until it is not', () => {
  const tail = new Tail(LIMITS, { rawBytes: 2500, records: 0, logBytes: 0 }, 500)
  assert.deepEqual([tail.isLong, tail.behindMs(5500), tail.behindMs(5501)], [true, 0, 5001])
  tail.folded(6000, { rawBytes: 1000, records: 0, logBytes: 0 })
  assert.deepEqual([tail.isLong, tail.behindMs(60_000)], [false, 0])
  tail.committed(7000, { rawBytes: 600, records: 0, logBytes: 0 })
  tail.committed(8000, { rawBytes: 600, records: 0, logBytes: 0 })
  assert.deepEqual([tail.isLong, tail.behindMs(60_000)], [true, 53_000])
  assert.equal(tail.behindMs(12_500), 0, 'of an interval as long as that of these commits some may pass')
  assert.equal(new Tail(LIMITS, { rawBytes: 2000, records: 0, logBytes: 0 }, 0).isLong, true)
})

test('a fold takes all there is, but what may lie behind the fold point, unless somebody waits for it', () => {
  const taken = (more: number, asked: boolean): [number, boolean] => {
    const tail = new Tail(LIMITS, { rawBytes: 3000, records: 0, logBytes: 300 }, 0)
    tail.allow(more)
    if (asked) tail.ask()
    const { rawBytes, all } = tail.take()
    return [Math.round(rawBytes), all]
  }
  assert.deepEqual(taken(0, false), [3000, true])
  assert.deepEqual(taken(-0.5, false), [3000, true])
  assert.deepEqual(taken(2, false), [1000, false])
  assert.deepEqual(taken(2, true), [3000, true])
  assert.deepEqual(taken(3, false), [3000, true])
})
