/** What a merge makes of a manifest in which its inputs do not stand any more, as behind one that failed and turned out to count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segment as aSegment, manifest } from '../../test/support/manifest.ts'
import { type BaseRange, FIRST_PLACE, type Manifest, type Place, type SegmentEntry, segmentName } from '../format/index.ts'
import { jobOf } from './merge-job.ts'
import { MERGE_LIMITS, type MergePlan } from './policy.ts'

const place = (key: string): Place => ({ collection: 1, key: Buffer.from(key).toString('hex') })

function segment(sequence: number, from: number, through: number, [first, last]: readonly [string, string]): SegmentEntry {
  return aSegment({ file: segmentName(1, sequence), from, through, first: place(first), last: place(last) })
}

/** Two young segments over a base of two ranges. */
function manifestOf(below: SegmentEntry | null): Manifest {
  const base: BaseRange[] = [
    { start: FIRST_PLACE, through: 1, segment: below },
    { start: place('m'), through: 1, segment: segment(2, 0, 1, ['m', 'z']) },
  ]
  const young = [segment(4, 2, 3, ['a', 'z']), segment(3, 1, 2, ['a', 'z'])]
  return manifest({ number: 5, fold: { bytes: 900, epoch: 3, timeMs: 3 }, young, base })
}

type Inputs = Extract<MergePlan, { type: 'young' | 'base' }>

/** The manifest with what `plan` makes of it, and what the same merge makes of that. */
function twice(manifest: Manifest, plan: Inputs, outputs: readonly SegmentEntry[]): [Manifest | undefined, Manifest | undefined] {
  const job = jobOf(plan, manifest, MERGE_LIMITS)
  const next = job.next(manifest, outputs)
  assert.ok(next)
  return [next, job.next(next, outputs)]
}

test('young segments that are merged already are not merged again, and one that came meanwhile stays above', () => {
  const manifest = manifestOf(null)
  const merged = segment(9, 1, 3, ['a', 'z'])
  const plan: Inputs = { type: 'young', run: manifest.young }
  const [next, again] = twice(manifest, plan, [merged])
  assert.deepEqual([next?.young, again], [[merged], undefined])
  const later = { ...segment(8, 3, 4, ['a', 'z']) }
  const fold = { ...(manifest.fold as NonNullable<Manifest['fold']>), epoch: 4 }
  const grown = jobOf(plan, manifest, MERGE_LIMITS).next({ ...manifest, fold, young: [later, ...manifest.young] }, [merged])
  assert.deepEqual(grown?.young, [later, merged])
})

test('ranges of the base that know as much already are not merged again, whether they hold something or not', () => {
  for (const below of [null, segment(1, 0, 1, ['a', 'c'])]) {
    const manifest = manifestOf(below)
    const plan: Inputs = {
      ...{ type: 'base', ranges: manifest.base.slice(0, 1), end: manifest.base[1]?.start, young: manifest.young },
      through: 3,
    }
    for (const outputs of [[], [segment(9, 0, 3, ['a', 'd'])]]) {
      const [next, again] = twice(manifest, plan, outputs)
      assert.deepEqual([next?.base[0]?.through, next?.base[0]?.segment ?? undefined, again], [3, outputs[0], undefined])
    }
  }
})

test('a merge into the base begins with the store and leaves no tombstone, one of young segments covers their epochs and keeps them', () => {
  const manifest = manifestOf(segment(1, 0, 1, ['a', 'c']))
  const young = jobOf({ type: 'young', run: manifest.young }, manifest, MERGE_LIMITS).request
  assert.deepEqual([young.from, young.through, young.tombstones, young.alive, young.ranges], [1, 3, true, [1], []])
  assert.deepEqual(young.range, { from: { collection: 0, key: Buffer.alloc(0) } })
  const within = { start: place('c'), end: place('m') }
  const cut = jobOf({ type: 'young', run: manifest.young, within }, manifest, MERGE_LIMITS).request
  const bound = (key: string) => ({ collection: 1, key: Buffer.from(key) })
  assert.deepEqual(cut.range, { from: bound('c'), to: bound('m') })
  const rest = { type: 'base', ranges: manifest.base.slice(1), end: undefined, young: manifest.young, through: 3 } as const
  const base = jobOf(rest, manifest, MERGE_LIMITS).request
  assert.deepEqual([base.from, base.through, base.tombstones, base.alive, base.young], [0, 3, false, [1], manifest.young])
  assert.deepEqual(base.range, { from: bound('m') })
})
