import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifest as aManifest, segment as aSegment } from '../../test/support/manifest.ts'
import { type BaseRange, EMPTY_BASE, FIRST_PLACE, type Manifest, type SegmentEntry, segmentName } from '../format/index.ts'
import { Level } from './level.ts'
import { MERGE_LIMITS, planMerge } from './policy.ts'
import { Tail } from './tail.ts'

const segment = (through: number, bytes: number): SegmentEntry => {
  const ends = { first: FIRST_PLACE, last: { collection: 1, key: 'ff' } }
  const file = segmentName(1, through)
  return aSegment({ ...ends, file, bytes, describedAt: bytes - 100, from: through - 1, through, records: 1000, rawBytes: bytes * 3 })
}

function manifest(young: readonly SegmentEntry[], base: readonly BaseRange[] = EMPTY_BASE): Manifest {
  return aManifest({ log: [], fold: { epoch: young[0]?.through ?? 0, timeMs: 0 }, young, base })
}

test('a hold lasts as long as it was said, and moves the fold by a bounded number of tables; a lull gives what waited a pace', () => {
  const level = new Level()
  assert.equal(level.at(0), 'slow')
  level.set('held', 0, 1000)
  assert.equal(level.at(999), 'held')
  assert.deepEqual([level.tables(999), level.rate(999, 5000)], [2, 0])
  assert.equal(level.at(1000), 'slow')
  assert.deepEqual([level.tables(1000), level.rate(1000, 5000)], [0, 0])
  level.set('free', 1000, 2000)
  assert.deepEqual([level.tables(1500), level.rate(1500, 5000)], [-0.5, 2500])
})

test('what lies behind the fold point by leave is not too long until it is folded, and too long beyond it', () => {
  const limits = { bytes: 1000, records: 100, logBytes: 2000 }
  const tail = new Tail(limits, { rawBytes: 0, records: 0, logBytes: 0 }, 0)
  tail.allow(2)
  let now = 0
  const commits = (count: number): void => {
    for (let n = 0; n < count; n++) tail.committed((now += 1000), { rawBytes: 100, records: 5, logBytes: 100 })
  }
  commits(28)
  assert.deepEqual([tail.isDue, tail.isLong], [false, false])
  commits(3)
  assert.deepEqual([tail.isDue, tail.isLong], [true, false])
  tail.allow(0)
  assert.deepEqual([tail.isDue, tail.isLong], [true, false], 'the lull has come')
  commits(10)
  assert.equal(tail.isLong, true)
  tail.folded(now, { rawBytes: 3100, records: 155, logBytes: 3100 })
  assert.deepEqual([tail.isDue, tail.isLong], [true, false])
  tail.folded(now, { rawBytes: 500, records: 25, logBytes: 500 })
  assert.equal(tail.isDue, false)
  tail.allow(-0.5)
  assert.equal(tail.isDue, true)
})

test('a fold in a hold takes what is beyond it and leaves the rest; where somebody waits, and in a lull, it takes all', () => {
  const limits = { bytes: 1000, records: 100, logBytes: 2000 }
  const tail = new Tail(limits, { rawBytes: 3200, records: 160, logBytes: 3200 }, 0)
  assert.deepEqual(tail.take(), { rawBytes: 3200, records: 160, logBytes: 3200, all: true })
  tail.allow(2)
  assert.equal(tail.isDue, true)
  const part = tail.take()
  assert.equal(part.all, false)
  assert.ok(Math.abs(part.rawBytes - 1200) < 1e-6 && Math.abs(part.records - 60) < 1e-6, `${part.rawBytes} ${part.records}`)
  tail.folded(1000, { rawBytes: 1200, records: 60, logBytes: 1200 })
  assert.deepEqual([tail.isDue, tail.isLong, tail.tables], [false, false, 2])
  tail.ask()
  assert.deepEqual(tail.take(), { rawBytes: 2000, records: 100, logBytes: 2000, all: true })
  tail.folded(2000, { rawBytes: 100, records: 5, logBytes: 100 })
  tail.allow(-0.5)
  assert.deepEqual(tail.take(), { rawBytes: 1900, records: 95, logBytes: 1900, all: true })
})

test('in a lull a round through the base begins at half of what begins one otherwise', () => {
  const level = new Level()
  const MIB = 1024 * 1024
  const half = manifest([segment(3, 3 * MIB), segment(2, 2 * MIB)])
  assert.equal(planMerge(half, level.limits(0, MERGE_LIMITS)), undefined)
  level.set('free', 0, 1000)
  assert.equal(planMerge(half, level.limits(999, MERGE_LIMITS))?.type, 'base')
  assert.equal(planMerge(half, level.limits(1000, MERGE_LIMITS)), undefined)
  assert.equal(planMerge(manifest([segment(3, 3 * MIB)]), level.limits(999, MERGE_LIMITS)), undefined)
})

test('merging that is due waits in a hold, until the young segments hold twice what begins a round, or are too many', () => {
  const level = new Level()
  const MIB = 1024 * 1024
  const due = manifest([segment(3, 6 * MIB), segment(2, 3 * MIB)])
  assert.equal(planMerge(due)?.type, 'base')
  assert.equal(level.holdsMerge(0, due, MERGE_LIMITS), false)
  level.set('held', 0, 1000)
  assert.equal(level.holdsMerge(0, due, MERGE_LIMITS), true)
  assert.equal(level.holdsMerge(1000, due, MERGE_LIMITS), false)
  assert.equal(level.holdsMerge(0, manifest([segment(3, 12 * MIB), segment(2, 5 * MIB)]), MERGE_LIMITS), false)
  const many = Array.from({ length: 49 }, (_, n) => segment(100 - n, 1000))
  assert.equal(level.holdsMerge(0, manifest(many), MERGE_LIMITS), false)
  assert.equal(level.holdsMerge(0, manifest(many.slice(1)), MERGE_LIMITS), true)
  // Of a base so large the round is far, and no merge would make those fewer that wait for it.
  const large = Array.from({ length: 60 }, (_, n) => segment(100 - n, 40 * MIB))
  const base = [{ start: FIRST_PLACE, through: 1, segment: segment(1, 10_240 * MIB) }]
  assert.equal(level.holdsMerge(0, manifest(large, base), MERGE_LIMITS), true)
  const few = large.flatMap((entry, n) => [entry, { ...segment(100 - n, 1000), file: `${entry.file}.small` }])
  assert.equal(level.holdsMerge(0, manifest(few, base), MERGE_LIMITS), true, 'nor those that stand between them')
  assert.equal(level.holdsMerge(0, manifest([...many, ...large], base), MERGE_LIMITS), false)
  level.set('free', 0, 1000)
  assert.equal(level.holdsMerge(0, due, MERGE_LIMITS), false)
})
