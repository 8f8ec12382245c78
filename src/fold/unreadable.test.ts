import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segment as aSegment } from '../../test/support/manifest.ts'
import { TidemarkError } from '../base/errors.ts'
import { FIRST_PLACE, type SegmentEntry, segmentName } from '../format/index.ts'
import { type ErrnoName, storageError, systemError } from '../storage/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import type { MergePlan } from './policy.ts'
import { type Failure, Unreadable } from './unreadable.ts'

const segment = (through: number): SegmentEntry =>
  aSegment({ file: segmentName(1, through), bytes: 1000, describedAt: 900, from: through - 1, through, rawBytes: 3000 })

const YOUNG = segment(3)
const BASE = segment(1)
const PLAN: MergePlan = {
  type: 'base',
  ranges: [{ start: FIRST_PLACE, through: 1, segment: BASE }],
  ...{ end: undefined, young: [YOUNG], through: 3 },
}

const failure = (error: unknown, plan = PLAN): Failure => ({ plan, manifest: { base: [] }, described: true, error })

const made = (monotonic = () => 0): Unreadable => new Unreadable({ monotonic, scheduler: new SimulatedScheduler(), again: () => {} })

const read = (file: string, errno: ErrnoName): TidemarkError => storageError('read', file, systemError(errno, 'read'))

test('damage counts at once, a file that is not given back at the third merge in a row that fails for it', () => {
  const unreadable = made()
  const fails = (file: string, errno: ErrnoName): number => {
    unreadable.failed(failure(read(file, errno)))
    return unreadable.stuck.size
  }
  assert.deepEqual([fails(BASE.file, 'EIO'), fails(BASE.file, 'EIO')], [0, 0])
  unreadable.merged(PLAN)
  assert.deepEqual([fails(BASE.file, 'EIO'), fails(YOUNG.file, 'EIO'), fails(BASE.file, 'EIO')], [0, 0, 0])
  assert.equal(fails(BASE.file, 'EIO'), 1)
  assert.deepEqual([...unreadable.stuck], [BASE.file])
  const stale = made()
  for (let times = 0; times < 3; times++) stale.failed(failure(read(BASE.file, 'ESTALE')))
  assert.deepEqual([...stale.stuck], [BASE.file], 'for whatever reason, if it does not pass')
  const damaged = made()
  damaged.failed(failure(new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'damaged', { file: YOUNG.file })))
  assert.deepEqual([...damaged.stuck], [YOUNG.file, BASE.file], 'nor the range that needs it')
})

test('what waits for a file that cannot be read is tried again some minutes after the last failure, what is damaged is not', () => {
  let now = 0
  const unreadable = made(() => now)
  const other = { ...PLAN, ranges: [{ start: FIRST_PLACE, through: 1, segment: segment(2) }] }
  for (let times = 0; times < 3; times++) unreadable.failed(failure(read(YOUNG.file, 'ESTALE')))
  now = 300_000
  unreadable.failed(failure(read(YOUNG.file, 'ESTALE'), other))
  unreadable.failed(failure(new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'damaged', { file: segment(9).file })))
  assert.deepEqual([...unreadable.stuck].sort(), [BASE.file, segment(2).file, YOUNG.file, segment(9).file].sort())
  now = 899_999
  assert.ok(unreadable.stuck.has(segment(2).file) && unreadable.stuck.has(YOUNG.file))
  now = 900_000
  assert.deepEqual([...unreadable.stuck], [segment(9).file, BASE.file])
  unreadable.failed(failure(read(YOUNG.file, 'ESTALE'), other))
  unreadable.failed(failure(read(YOUNG.file, 'ESTALE'), other))
  assert.equal(unreadable.stuck.has(segment(2).file), false, 'it has all its tries again')
  unreadable.failed(failure(read(YOUNG.file, 'ESTALE'), other))
  assert.ok(unreadable.stuck.has(segment(2).file))
})

test('when what waited is to be tried again is told once for each, and not after the end', async () => {
  const scheduler = new SimulatedScheduler()
  const told: number[] = []
  const monotonic = (): number => scheduler.clock.monotonic()
  const begin = monotonic()
  const again = (): void => {
    told.push(monotonic() - begin)
    unreadable.stuck
  }
  const unreadable: Unreadable = new Unreadable({ monotonic, scheduler, again })
  const fails = (file: string, times: number): void => {
    for (let time = 0; time < times; time++) unreadable.failed(failure(read(file, 'ESTALE')))
  }
  const pass = async (ms: number): Promise<void> => await scheduler.run(scheduler.sleep(ms))
  fails(BASE.file, 2)
  await pass(700_000)
  assert.deepEqual(told, [], 'nothing waits yet')
  fails(BASE.file, 1)
  await pass(100_000)
  fails(YOUNG.file, 3)
  await pass(100_000)
  // Of the first one: it waits for longer than the other now.
  fails(BASE.file, 1)
  await pass(1_000_000)
  assert.deepEqual(told, [1_400_000, 1_500_000])
  fails(BASE.file, 3)
  unreadable.stop()
  await pass(1_000_000)
  assert.equal(told.length, 2)
})

test('a file counts so that is gone, that this user may not read, whose compression this runtime lacks, or that a later version wrote', () => {
  const lacking = new TidemarkError('TIDEMARK_COMPRESSION_UNAVAILABLE', 'lacking', { file: BASE.file })
  const newer = new TidemarkError('TIDEMARK_FORMAT_NEWER', 'newer', { file: BASE.file })
  for (const error of [storageError('open', BASE.file, systemError('ENOENT', 'open')), read(BASE.file, 'EACCES'), lacking, newer]) {
    const unreadable = made()
    for (const stuck of [[], [], [BASE.file]]) {
      unreadable.failed(failure(error))
      assert.deepEqual([...unreadable.stuck], stuck)
    }
  }
})

test('what the system is short of, and a file of its own that a merge cannot read back, keep nothing from being merged', () => {
  const unreadable = made()
  for (let times = 0; times < 10; times++) {
    for (const errno of ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'] as const) unreadable.failed(failure(read(BASE.file, errno)))
    unreadable.failed(failure(read(segment(9).file, 'EIO')))
    unreadable.failed(failure(new Error('of nothing')))
  }
  assert.equal(unreadable.stuck.size, 0)
})

/** Three ranges, over which the young segment reaches. */
const THREE = ['10', '80', 'f0'].map((key, at) => ({ start: { collection: 1, key }, through: 1, segment: segment(4 + at) }))
const FILES = THREE.map(({ segment }) => segment.file)

test('a young segment has all ranges that need it wait: at once where what describes it is damaged, else at the sixth failure in a row', () => {
  const [range] = THREE
  const reach = { ...YOUNG, last: { collection: 1, key: 'ef' } }
  const plan: MergePlan = { ...PLAN, ranges: range === undefined ? [] : [range], end: THREE[1]?.start, young: [reach] }
  const damage = new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'damaged', { file: YOUNG.file })
  const fails = (error: unknown, described: boolean, times = 1): { goesOn: boolean; stuck: string[] } => {
    const unreadable = made()
    let goesOn = false
    for (let time = 0; time < times; time++) goesOn = unreadable.failed({ plan, manifest: { base: THREE }, described, error })
    return { goesOn, stuck: [...unreadable.stuck] }
  }
  const one = [YOUNG.file, ...FILES.slice(0, 1)]
  const two = [YOUNG.file, ...FILES.slice(0, 2)]
  assert.deepEqual(fails(damage, false), { goesOn: true, stuck: two })
  assert.deepEqual(fails(damage, true), { goesOn: true, stuck: one }, 'a block is in one range')
  const gone = storageError('open', YOUNG.file, systemError('ENOENT', 'open'))
  assert.deepEqual(fails(gone, false, 2), { goesOn: false, stuck: [] })
  assert.deepEqual(fails(gone, false, 3), { goesOn: false, stuck: one }, 'it may be back')
  assert.deepEqual(fails(gone, false, 6), { goesOn: true, stuck: two })
  assert.deepEqual(fails(read(YOUNG.file, 'EIO'), true, 2), { goesOn: false, stuck: [] })
  assert.deepEqual(fails(read(YOUNG.file, 'EIO'), true, 3), { goesOn: true, stuck: one })
  assert.deepEqual(fails(read(YOUNG.file, 'EIO'), true, 6), { goesOn: true, stuck: two }, 'one range after the other')
  const own = new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'damaged', { file: segment(9).file })
  assert.equal(fails(own, true).goesOn, false, 'the next one writes another')
})

test('of a young segment of which one block is not given back only the range waits that needs that block: the others are merged between', () => {
  const plan = (at: number): MergePlan => ({ ...PLAN, ranges: THREE.slice(at, at + 1), end: THREE[at + 1]?.start })
  const unreadable = made()
  const fails = (): boolean =>
    unreadable.failed({ plan: plan(0), manifest: { base: THREE }, described: true, error: read(YOUNG.file, 'EIO') })
  for (let round = 0; round < 5; round++) {
    fails()
    fails()
    assert.equal(fails(), true)
    unreadable.merged(plan(1))
    assert.deepEqual([...unreadable.stuck], [YOUNG.file, ...FILES.slice(0, 1)])
  }
})
