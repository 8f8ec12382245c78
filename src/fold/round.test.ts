/** When a round through the base goes on, and how many small young segments are let be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segment as aSegment, manifest } from '../../test/support/manifest.ts'
import { type BaseRange, FIRST_PLACE, type Manifest, type Place, type SegmentEntry, segmentName } from '../format/index.ts'
import { MERGE_LIMITS, planMerge } from './policy.ts'

const place = (key: string): Place => ({ collection: 1, key: Buffer.from(key).toString('hex') })

function segment(sequence: number, from: number, through: number, [first, last]: readonly [string, string]): SegmentEntry {
  return aSegment({ file: segmentName(1, sequence), from, through, first: place(first), last: place(last) })
}

function manifestOf(young: readonly SegmentEntry[], base: readonly BaseRange[]): Manifest {
  return manifest({ number: 5, fold: { bytes: 900, epoch: 100, timeMs: 3 }, young, base })
}

const ranges = (...through: readonly [number, number]): BaseRange[] => [
  { start: FIRST_PLACE, through: through[0], segment: segment(1, 0, through[0], ['a', 'c']) },
  { start: place('m'), through: through[1], segment: segment(2, 0, through[1], ['m', 'z']) },
]

test('a round that has begun goes on to where it came, however little the young segments hold, and takes in nothing newer', () => {
  const [newer, word, known] = [segment(5, 3, 4, ['a', 'z']), segment(4, 1, 3, ['a', 'z']), segment(3, 0, 1, ['a', 'z'])]
  const young = [newer, word]
  assert.equal(planMerge(manifestOf(young, ranges(1, 1))), undefined, 'too little to begin one')
  const base = ranges(3, 1)
  assert.deepEqual(planMerge(manifestOf([...young, known], base)), {
    ...{ type: 'base', ranges: base.slice(1), end: undefined, young: [word], through: 3 },
  })
  const other = ranges(1, 3)
  assert.deepEqual(planMerge(manifestOf(young, other)), {
    ...{ type: 'base', ranges: other.slice(0, 1), end: place('m'), young: [word], through: 3 },
  })
  assert.equal(planMerge(manifestOf([newer], ranges(3, 3))), undefined)
})

test('so many small young segments are let be, and of one more the newest are merged', () => {
  const { fanIn, fewTimes } = MERGE_LIMITS
  const few = Array.from({ length: fewTimes * fanIn }, (_, at) => segment(100 - at, 99 - at, 100 - at, ['a', 'z']))
  assert.equal(planMerge(manifestOf(few, ranges(1, 1))), undefined)
  const more = [segment(101, 100, 101, ['a', 'z']), ...few]
  assert.deepEqual(planMerge(manifestOf(more, ranges(1, 1))), { type: 'young', run: more.slice(0, fanIn) })
})

test('a range that is stuck is in no plan of a round, neither first nor beside another', () => {
  const base: BaseRange[] = [
    { start: FIRST_PLACE, through: 1, segment: segment(1, 0, 1, ['a', 'c']) },
    { start: place('g'), through: 1, segment: segment(2, 0, 1, ['g', 'h']) },
    { start: place('m'), through: 3, segment: segment(3, 0, 3, ['m', 'z']) },
  ]
  const word = segment(4, 1, 3, ['a', 'z'])
  for (const [stuck, at] of [
    [[], [0, 2]],
    [[0], [1, 2]],
    [[1], [0, 1]],
  ] as const) {
    const files = new Set(stuck.map(index => base[index]?.segment?.file as string))
    const plan = planMerge(manifestOf([word], base), MERGE_LIMITS, files)
    assert.deepEqual(plan?.type === 'base' && plan.ranges, base.slice(...at), `${stuck}`)
  }
})
