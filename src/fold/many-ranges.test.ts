import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segment as aSegment, manifest } from '../../test/support/manifest.ts'
import {
  BASE_SEGMENT_BYTES,
  BASE_SEGMENT_BYTES_MAX,
  BASE_SEGMENTS,
  SEGMENT_STORED_BYTES_MAX,
  SEGMENTS_MAX,
  VALUE_BYTES_MAX,
} from '../base/limits.ts'
import { type BaseRange, FIRST_PLACE, type Manifest, type Place, type SegmentEntry } from '../format/index.ts'
import { raiseBase, untouched, wordsOn } from '../manifest/index.ts'
import { SeededRandom } from '../testing/index.ts'
import { jobOf } from './merge-job.ts'
import { MERGE_LIMITS, planMerge } from './policy.ts'

const RANGES = 2000
const MIB = 1024 * 1024

const place = (at: number): Place => ({ collection: 1, key: at.toString(16).padStart(8, '0') })

function segment(through: number, from: number, to: number, bytes = 16 * MIB): SegmentEntry {
  const file = `segment/${through.toString(16).padStart(8, '0')}-${from.toString(16).padStart(8, '0')}.seg`
  const sizes = { bytes, describedAt: bytes - 100, records: 1000, rawBytes: bytes }
  return aSegment({ file, ...sizes, from: through - 1, through, first: place(from), last: place(to) })
}

/** Ranges of ten keys each. */
function baseOf(count: number, throughOf: (at: number) => number): BaseRange[] {
  return Array.from({ length: count }, (_, at) => {
    const start = at === 0 ? FIRST_PLACE : place(10 * at)
    return { start, through: throughOf(at), segment: segment(1, 10 * at, 10 * at + 9) }
  })
}

function manifestOf(epoch: number, young: readonly SegmentEntry[], base: readonly BaseRange[]): Manifest {
  return manifest({ fold: { epoch, timeMs: epoch }, young, base })
}

test('a round over thousands of ranges is planned with few looks at the young segments, however many there are', () => {
  let looks = 0
  const watched = (entry: SegmentEntry): SegmentEntry =>
    new Proxy(entry, {
      get(target, name) {
        looks++
        return Reflect.get(target, name)
      },
    })
  const newest = 1000
  // Large and narrow ones, newest first, each over one range; a tenth of the ranges was merged already.
  const young = Array.from({ length: newest - 1 }, (_, at) => watched(segment(newest - at, 20 * at + 5, 20 * at + 6, 32 * MIB)))
  const all = manifestOf(
    newest,
    young,
    baseOf(RANGES, at => (at < RANGES / 10 ? newest : 1)),
  )
  assert.deepEqual(planMerge(all), { type: 'raise', through: newest })
  const raised = raiseBase(all, newest)
  assert.equal(raised.base.filter(range => range.through === newest).length, RANGES / 10 + RANGES / 2 - RANGES / 20 + 1)
  const plan = planMerge(raised)
  assert.ok(plan?.type === 'base')
  assert.deepEqual(plan.ranges, [raised.base[RANGES / 10]])
  assert.equal(plan.young.length, 1)
  // Each sorts them, at twenty looks or so each; a look for each range would be two million.
  assert.ok(looks < 200 * newest, `${looks} looks`)
})

test('of ranges that know unlike much those are untouched of which no young segment that they do not know says a word', () => {
  const random = new SeededRandom(7)
  for (let round = 0; round < 50; round++) {
    const count = 1 + random.below(30)
    const base = baseOf(count, () => 1 + random.below(4))
    const young = Array.from({ length: random.below(12) }, (_, at): SegmentEntry => {
      const from = random.below(10 * count + 20)
      const { last, ...entry } = segment(7 - (at >> 1), from, from + random.below(60))
      return { ...entry, last: random.below(2) === 0 ? last : { ...last, key: last.key.slice(0, 7), cut: true } }
    })
    const through = 3 + random.below(5)
    assert.deepEqual(
      base.map(untouched(manifestOf(8, young, base), through)),
      base.map((range, at) => range.through < through && wordsOn(young, range, base[at + 1]?.start, through).length === 0),
    )
  }
})

test('base segments grow with the base, so that a manifest names no more of them than it may, however much is stored', () => {
  const cutOf = (base: readonly BaseRange[]): { ranges: number; cutBytes: number } => {
    const bytes = base.reduce((sum, range) => sum + (range.segment?.bytes ?? 0), 0)
    const manifest = manifestOf(2, [segment(2, 0, 10 * base.length, bytes)], base)
    const plan = planMerge(manifest)
    assert.ok(plan?.type === 'base')
    return { ranges: plan.ranges.length, cutBytes: jobOf(plan, manifest, MERGE_LIMITS).request.cutBytes }
  }
  const known = (): number => 1
  assert.deepEqual(cutOf(baseOf(1000, known)), { ranges: 1, cutBytes: BASE_SEGMENT_BYTES })
  assert.deepEqual(cutOf(baseOf(BASE_SEGMENTS, known)), { ranges: 1, cutBytes: BASE_SEGMENT_BYTES })
  // As long as the list may be: the next round leaves a quarter.
  assert.deepEqual(cutOf(baseOf(SEGMENTS_MAX, known)), { ranges: 4, cutBytes: 4 * BASE_SEGMENT_BYTES })
  const huge = baseOf(SEGMENTS_MAX, known).map(range => ({ ...range, segment: { ...range.segment, bytes: 1024 * MIB } as SegmentEntry }))
  assert.deepEqual(cutOf(huge), { ranges: 1, cutBytes: BASE_SEGMENT_BYTES_MAX })
  assert.ok(BASE_SEGMENT_BYTES_MAX + VALUE_BYTES_MAX < SEGMENT_STORED_BYTES_MAX, 'with one record more of any size it is a file')
})

test('small neighbours are joined up to what a segment of this base may hold', () => {
  // Behind what takes a terabyte lie nine of 7 MiB.
  const base = baseOf(SEGMENTS_MAX - 100, () => 2)
  const small = base.map((range, at) =>
    at < base.length - 9 ? range : { ...range, segment: { ...range.segment, bytes: 7 * MIB } as SegmentEntry },
  )
  const plan = planMerge(manifestOf(2, [], small))
  assert.ok(plan?.type === 'base')
  assert.equal(plan.ranges.length, 9)
})
