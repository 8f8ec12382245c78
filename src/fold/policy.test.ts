import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifest as manifestOf, segment as segmentOf } from '../../test/support/manifest.ts'
import {
  type BaseRange,
  comparePlaces,
  decodeManifest,
  encodeManifest,
  FIRST_PLACE,
  held,
  type Manifest,
  type Place,
  type SegmentEntry,
  segmentName,
  segmentsOf,
} from '../format/index.ts'
import { raiseBase } from '../manifest/index.ts'
import { Flow, mergeRate } from '../pace/index.ts'
import { isLeft, isOverdue, Level } from './level.ts'
import { RECORD_BYTES } from './merge.ts'
import { jobOf, rateOf } from './merge-job.ts'
import { MERGE_LIMITS, type MergePlan, planGone, planMerge } from './policy.ts'

/** Every fold is followed by a round through the base. */
const LIMITS = { ...MERGE_LIMITS, rounds: 0 }

/** Keys of a queue, in pieces that fill a base segment each. */
const piece = (at: number): Place => ({ collection: 1, key: at.toString(16).padStart(8, '0') })

/** One entry of a piece, as a base segment of its own. */
const LEFT = { bytes: 500, describedAt: 400, records: 1, rawBytes: 20 }

/** A store that is a queue: in each epoch a piece of keys comes, above all that were there, and the oldest piece is deleted. */
class Queue {
  manifest: Manifest
  /** Of each piece that was deleted one entry stays. */
  readonly #leaves: boolean
  #files = 0
  #oldest = 0
  #newest = 0

  constructor(leaves = false) {
    this.#leaves = leaves
    this.manifest = manifestOf()
  }

  /** What comes is there for two rounds. */
  fold(): void {
    const { manifest } = this
    const before = manifest.fold?.epoch ?? 0
    const epoch = before + 1
    this.#newest++
    const first = piece(Math.max(0, this.#newest - 2))
    this.#oldest = Math.max(0, this.#newest - 1)
    const young = this.#segment(before, epoch, first, piece(this.#newest))
    const catalogue = [{ id: 1, kind: 'map' as const, name: 'queue', codec: 'tide', entries: 1, bytes: 1 }]
    const { fold } = manifestOf({ fold: { bytes: epoch, epoch, timeMs: epoch, catalogue } })
    this.manifest = { ...manifest, number: manifest.number + 1, fold, young: [young, ...manifest.young] }
  }

  apply(plan: MergePlan): void {
    const { manifest } = this
    if (plan.type === 'raise') this.manifest = raiseBase(manifest, plan.through)
    else {
      assert.ok(plan.type === 'base', plan.type)
      const job = jobOf(plan, manifest, LIMITS)
      const { start } = plan.ranges[0] as BaseRange
      const outputs: SegmentEntry[] = []
      let left: SegmentEntry | undefined
      for (let at = this.#leaves ? 0 : this.#oldest; at <= this.#newest; at++) {
        const place = piece(at)
        const inside = comparePlaces(place, start) >= 0 && (plan.end === undefined || comparePlaces(place, plan.end) < 0)
        if (!inside) continue
        const last = { ...place, key: `${place.key}ff` }
        if (at >= this.#oldest) outputs.push(this.#segment(0, plan.through, place, last))
        else if (left === undefined) outputs.push((left = { ...this.#segment(0, plan.through, place, last), ...LEFT }))
        else outputs[0] = left = { ...left, last, bytes: left.bytes + 100, records: left.records + 1 }
      }
      const next = job.next(manifest, outputs)
      assert.ok(next !== undefined)
      this.manifest = next
    }
    decodeManifest(encodeManifest(this.manifest), 'manifest')
  }

  #segment(from: number, through: number, first: Place, last: Place): SegmentEntry {
    const sizes = { bytes: LIMITS.baseBytes, describedAt: LIMITS.baseBytes - 100, records: 1000, rawBytes: 1000 }
    return segmentOf({ file: segmentName(1, ++this.#files), ...sizes, from, through, first, last })
  }
}

test('a queue, whose keys rise and whose oldest are deleted, has a base as long as what is in it, however much passed through', () => {
  const queue = new Queue()
  let merges = 0
  for (let round = 0; round < 100; round++) {
    queue.fold()
    for (let plan = planMerge(queue.manifest, LIMITS); plan !== undefined; plan = planMerge(queue.manifest, LIMITS)) {
      queue.apply(plan)
      assert.ok(++merges < 2000, 'merging ends')
      assert.ok(queue.manifest.base.length < 10, `${queue.manifest.base.length} ranges after ${round} rounds`)
    }
    assert.equal(queue.manifest.young.length, 0)
  }
  assert.ok(merges > 100)
  assert.equal(queue.manifest.base.filter(range => range.segment !== null).length, 2)
})

test('a queue of which a few entries stay has a base as long as what is in it', () => {
  const queue = new Queue(true)
  let merges = 0
  let bytesWritten = 0
  for (let round = 0; round < 300; round++) {
    queue.fold()
    for (let plan = planMerge(queue.manifest, LIMITS); plan !== undefined; plan = planMerge(queue.manifest, LIMITS)) {
      const before = new Set(queue.manifest.base.map(range => range.segment?.file))
      queue.apply(plan)
      for (const { segment } of queue.manifest.base) {
        if (segment !== null && segment.records < 1000 && !before.has(segment.file)) bytesWritten += segment.bytes
      }
      assert.ok(++merges < 6000, 'merging ends')
      assert.ok(queue.manifest.base.length < 20, `${queue.manifest.base.length} ranges after ${round} rounds`)
    }
    assert.equal(queue.manifest.young.length, 0)
  }
  const records = queue.manifest.base.reduce((sum, { segment }) => sum + (segment === null ? 0 : segment.records % 1000), 0)
  assert.ok(records >= 290, `${records} that stayed`)
  assert.ok(bytesWritten < 300 * 500 * 10, `${bytesWritten} bytes`)
})

test('merging into a range of the base that holds nothing is work, beside ranges that hold something', () => {
  const queue = new Queue()
  queue.fold()
  const { manifest } = queue
  const [young] = manifest.young as [SegmentEntry]
  const empty: BaseRange = { start: FIRST_PLACE, through: 0, segment: null }
  const base = [empty, { start: piece(1), through: 0, segment: { ...young, first: piece(1) } }]
  const job = jobOf({ type: 'base', ranges: [empty], end: piece(1), young: [young], through: 1 }, { ...manifest, base }, LIMITS)
  assert.ok(job.work >= young.rawBytes, `${job.work}`)
  assert.ok(job.stored > 0, `${job.stored}`)
  const full = base[1] as BaseRange
  const alone = jobOf({ type: 'base', ranges: [full], end: undefined, young: [], through: 0 }, { ...manifest, young: [], base }, LIMITS)
  assert.equal(alone.work, young.rawBytes + young.records * RECORD_BYTES, 'and so is one as it is, without young segments')
  assert.equal(mergeRate(1000, alone.cost, 1), 1000)
})

test('a merge takes in what an interval brings in an interval, of however small records', () => {
  const queue = new Queue()
  queue.fold()
  const { manifest } = queue
  for (const [records, rawBytes] of [
    [1000, 20_000],
    [20, 20_000],
  ] as const) {
    const young = { ...(manifest.young[0] as SegmentEntry), records, rawBytes }
    const empty: BaseRange = { start: FIRST_PLACE, through: 0, segment: null }
    const { work } = jobOf({ type: 'base', ranges: [empty], end: undefined, young: [young], through: 1 }, manifest, LIMITS)
    const flow = new Flow(0)
    for (let commit = 1; commit <= 20; commit++) flow.committed(commit * 5000, rawBytes, records)
    const rate = rateOf({ work, cost: { levels: 0, roundBytes: 1, youngBytes: 1 } }, flow, 1)
    assert.ok(Math.abs(work / rate / 5 - 1) < 1e-6, `${(work * 1000) / rate} ms for ${records} records`)
  }
})

const MIB = 1024 * 1024

type Size = Pick<SegmentEntry, 'bytes' | 'describedAt' | 'records' | 'rawBytes'>

let files = 0
const sized = (size: Size, from: number, through: number, at: number): SegmentEntry => ({
  file: `segment/00000001-${(++files).toString(16).padStart(8, '0')}.seg`,
  ...{ sha256: 'ab'.repeat(32), from, through, tombstones: 0, first: piece(at), last: piece(at) },
  ...size,
})

/** Young segments, one more than are let be. */
const YOUNG = MERGE_LIMITS.fewTimes * MERGE_LIMITS.fanIn + 1

function withYoung(size: Size): Manifest {
  const catalogue = [{ id: 1, kind: 'map' as const, name: 'small', codec: 'tide', entries: 1, bytes: 1 }]
  const fold = { file: 'log/00000001-00000001.log', bytes: 1, epoch: YOUNG, digest: 'ab'.repeat(32), timeMs: 1, nextId: 2, catalogue }
  return { ...new Queue().manifest, fold, young: Array.from({ length: YOUNG }, (_, n) => sized(size, YOUNG - 1 - n, YOUNG - n, 0)) }
}

for (const [what, size] of [
  ['records', { bytes: 12 * MIB, describedAt: 10 * MIB, records: 1_048_576, rawBytes: 60_000_000 }],
  ['blocks of small records', { bytes: 12 * MIB, describedAt: 10 * MIB, records: 500_000, rawBytes: 460_000_000 }],
  ['blocks, each for one record', { bytes: 12 * MIB, describedAt: 10 * MIB, records: 65_534, rawBytes: 65_534 * 3600 }],
  ['index', { bytes: 24 * MIB, describedAt: 7 * MIB, records: 100_000, rawBytes: 100_000_000 }],
] as const) {
  test(`young segments of few bytes that are full by their ${what} are not merged with each other again and again`, () => {
    let manifest = withYoung(size)
    let plan = planMerge(manifest)
    for (let merges = 0; plan?.type === 'young'; plan = planMerge(manifest)) {
      assert.ok(++merges < 100, 'merging ends')
      const { run } = plan
      const [newest, oldest] = [run[0], run.at(-1)] as [SegmentEntry, SegmentEntry]
      // As many come out, each as full.
      const outputs = run.map((_, at) => sized(size, oldest.from, newest.through, at))
      manifest = jobOf(plan, manifest, MERGE_LIMITS).next(manifest, outputs) as Manifest
    }
    assert.equal(plan?.type, 'base', 'a round begins')
  })
}

test('young segments are merged with each other while they are less than half full', () => {
  const size = { bytes: MIB, describedAt: MIB / 2, records: 500_000, rawBytes: MIB }
  assert.equal(planMerge(withYoung(size))?.type, 'young')
  assert.equal(planMerge(withYoung({ ...size, records: 600_000 }))?.type, 'base')
})

/** A base of 100 segments of 16 MiB with 16 records each, of which so many live, below one young segment of `tombstones` over all of them. */
function deleted(live: number, tombstones: number): Manifest {
  const big = { bytes: 16 * MIB, describedAt: 16 * MIB - 1000, records: 16, rawBytes: 16 * MIB }
  const base = Array.from({ length: 100 }, (_, at): BaseRange => {
    const segment = sized(big, 0, 1, at)
    return { start: at === 0 ? FIRST_PLACE : segment.first, through: 1, segment }
  })
  const small = { bytes: 40_000, describedAt: 30_000, records: tombstones, rawBytes: 30_000 }
  const young = { ...sized(small, 1, 2, 0), tombstones, last: piece(99) }
  const entry = { kind: 'map' as const, codec: 'tide', bytes: 1 }
  const catalogue = [{ ...entry, id: 1, name: 'big', entries: live }]
  const fold = { file: 'log/00000001-00000001.log', bytes: 1, epoch: 2, digest: 'ab'.repeat(32), timeMs: 1, nextId: 3, catalogue }
  return { ...new Queue().manifest, fold, young: [young], base }
}

test('a base of which most entries were deleted one by one is written anew, however little the deletes are', () => {
  assert.equal(planMerge(deleted(300, 1300))?.type, 'base')
  assert.equal(planMerge(deleted(1000, 600)), undefined, 'what is left would cost more than what goes')
  assert.equal(planMerge(deleted(300, 1300), { ...MERGE_LIMITS, slackBytes: 2000 * MIB }), undefined, 'too little for it')
  const others = (manifest: Manifest, entries: number): Manifest => {
    const { fold } = manifest as Manifest & { fold: NonNullable<Manifest['fold']> }
    const entry = { ...(fold.catalogue[0] as (typeof fold.catalogue)[0]), id: 2, name: 'others', entries }
    return { ...manifest, fold: { ...fold, catalogue: [...fold.catalogue, entry] } }
  }
  assert.equal(planMerge(others(deleted(300, 1300), 2000))?.type, 'base', 'entries that came in another collection hide nothing')
  assert.equal(planMerge(others(deleted(1600, 5000), 10)), undefined, 'deletes of what came and went are none of the base')
  // Of a range that cannot be merged nobody knows what lives.
  const manifest = deleted(300, 1300)
  const stuck = new Set(manifest.base.slice(20).map(range => range.segment?.file as string))
  assert.notEqual(
    planMerge({ ...manifest, young: manifest.young.map(entry => ({ ...entry, last: piece(10) })) }, MERGE_LIMITS, stuck)?.type,
    'base',
  )
})

/** So many young segments of small records over all of the base. */
function small(count: number, size: Size): Manifest {
  const manifest = deleted(1600, 0)
  const young = Array.from({ length: count }, (_, n) => ({ ...sized(size, count - n, count - n + 1, 0), last: piece(99) }))
  const fold = { ...(manifest.fold as NonNullable<Manifest['fold']>), epoch: count + 1 }
  return { ...manifest, fold, young }
}

test('a round through the base writes so many times what came in, and no more, however many records that was', () => {
  assert.equal(planMerge(small(9, { bytes: 400_000, describedAt: 300_000, records: 30_000, rawBytes: 900_000 })), undefined)
  // Too full to be merged with each other.
  const size = { bytes: 6 * MIB, describedAt: 5 * MIB, records: 600_000, rawBytes: 12 * MIB }
  const below = held(segmentsOf(small(0, size))).bytes
  let count = 1
  while (planMerge(small(count, size))?.type !== 'base') count++
  const above = count * size.bytes
  assert.ok((below + above) / above < 10, `${below + above} bytes for ${above}`)
  assert.ok(above < below / 2, 'records count, too')
  assert.equal(isOverdue(small(2 * (count - 1), size), MERGE_LIMITS), false)
  assert.equal(isOverdue(small(2 * count, size), MERGE_LIMITS), true)
})

test('ranges most of which is gone are written anew as they are, as many together as what is left of them fills a segment', () => {
  const manifest = deleted(1600, 0)
  const { base } = manifest
  const file = (at: number): string => base[at]?.segment?.file as string
  const gone = new Map(Array.from({ length: 60 }, (_, at) => [file(at + 10), at === 30 ? 0.7 : 0.9]))
  const plan = (stuck = new Set<string>(), limits = MERGE_LIMITS) => planGone(manifest, limits, stuck, ({ file }) => gone.get(file) ?? 0)
  const first = plan()
  assert.ok(first?.type === 'base')
  assert.deepEqual(first.ranges, base.slice(10, 20), 'a tenth is left of each')
  assert.deepEqual([first.end, first.young, first.through], [base[20]?.start, [], 1])
  const behind = plan(new Set([...gone.keys()].slice(0, 25)))
  assert.deepEqual(behind?.type === 'base' && behind.ranges, base.slice(35, 40), 'one that holds more stays as it is')
  assert.equal(plan(new Set(gone.keys())), undefined, 'they cannot be read')
  assert.equal(plan(new Set(), { ...MERGE_LIMITS, slackBytes: 1000 * MIB }), undefined, 'too little for it')
  assert.equal(
    planGone(manifest, LIMITS, new Set(), () => 0),
    undefined,
  )
})

test('young segments of a small part of the base wait for no more of it than their round writes', () => {
  const collection = 2
  const hot = { first: { collection, key: '00' }, last: { collection, key: 'ff' } }
  const cold = { bytes: 16 * MIB, describedAt: 16 * MIB - 1000, records: 160, rawBytes: 16 * MIB }
  const ranges = Array.from({ length: 1000 }, (_, at): BaseRange => {
    const segment = sized(cold, 0, 1, at)
    return { start: at === 0 ? FIRST_PLACE : segment.first, through: 1, segment }
  })
  const below = { ...sized({ bytes: 8 * MIB, describedAt: 7 * MIB, records: 1_000_000, rawBytes: 20 * MIB }, 0, 1, 0), ...hot }
  const base = [...ranges, { start: hot.first, through: 1, segment: below }]
  const catalogue = [1, 2].map(id => ({ id, kind: 'map' as const, name: `${id}`, codec: 'tide', entries: 160_000, bytes: 1 }))
  /** So many, each too full to be merged with others. */
  const under = (count: number, reach: Partial<SegmentEntry> = {}): Manifest => {
    const size = { bytes: 8 * MIB, describedAt: 7 * MIB, records: 840_000, rawBytes: 20 * MIB }
    const young = Array.from({ length: count }, (_, n) => ({ ...sized(size, count - n, count - n + 1, 0), ...hot, ...reach }))
    const fold = { file: 'log/00000001-00000001.log', bytes: 1, epoch: count + 1, digest: 'ab'.repeat(32), timeMs: 1, nextId: 3, catalogue }
    return { ...new Queue().manifest, fold, young, base }
  }
  assert.deepEqual(planMerge(under(2)), { type: 'raise', through: 3 })
  const raised = raiseBase(under(2), 3)
  const plan = planMerge(raised)
  assert.deepEqual(plan?.type === 'base' && plan.ranges, base.slice(-1), 'the rest of it stays as it is')
  assert.ok(plan?.type === 'base')
  const { work, stored, cost } = jobOf(plan, raised, MERGE_LIMITS)
  const inputs = [below, ...raised.young]
  // All of them are read in it, and its pace is that of a round of this size.
  assert.equal(
    work,
    inputs.reduce((sum, entry) => sum + entry.rawBytes + entry.records * RECORD_BYTES, 0),
  )
  assert.equal(stored, held(inputs).bytes)
  assert.ok(mergeRate(1000, cost, 1) < 3000, `${mergeRate(1000, cost, 1)}`)
  assert.equal(isOverdue(under(1), MERGE_LIMITS), false)
  assert.equal(isOverdue(under(3), MERGE_LIMITS), true)
  // What lies between the first and the last place of one may be in it.
  assert.equal(planMerge(under(200, { first: piece(0) })), undefined)
  assert.equal(planMerge(under(200, { first: piece(500) }))?.type, 'raise')
  assert.equal(isOverdue(under(200, { first: piece(0) }), MERGE_LIMITS), false)
})

/** A base of 100 segments of 16 MiB, the sixth of which cannot be merged, and so many young ones. */
function besideStuck(young: readonly SegmentEntry[]): { manifest: Manifest; stuck: ReadonlySet<string> } {
  const manifest = deleted(1600, 0)
  const base = manifest.base.map((range, at) => ({ ...range, through: at === 5 ? 0 : 9 }))
  const fold = { ...(manifest.fold as NonNullable<Manifest['fold']>), epoch: 20 }
  return { manifest: { ...manifest, fold, base, young }, stuck: new Set([base[5]?.segment?.file as string]) }
}

const YOUNG_SIZE = { bytes: 8 * MIB, describedAt: 7 * MIB, records: 1000, rawBytes: 20 * MIB }

test('young segments that are kept for a range alone that cannot be merged make nothing overdue, for no round takes them in', () => {
  const kept = [4, 3, 2, 1].map(through => sized(YOUNG_SIZE, through - 1, through, 5))
  const { manifest, stuck } = besideStuck(kept)
  assert.equal(planMerge(manifest, MERGE_LIMITS, stuck), undefined)
  assert.equal(isOverdue(manifest, MERGE_LIMITS, stuck), false)
  assert.equal(isLeft(manifest, MERGE_LIMITS, stuck), false)
  const level = new Level()
  level.set('held', 0, 1000)
  assert.equal(level.holdsMerge(0, manifest, MERGE_LIMITS, stuck), true)
  // Those that came since count.
  const come = [13, 12, 11, 10].map(through => sized(YOUNG_SIZE, through - 1, through, 7))
  const more = besideStuck([...come, ...kept])
  assert.equal(isOverdue(more.manifest, MERGE_LIMITS, more.stuck), true)
  assert.equal(level.holdsMerge(0, more.manifest, MERGE_LIMITS, more.stuck), false)
})

test('where no range can be merged that is overdue which waits above the oldest young segments', () => {
  const { manifest } = besideStuck([13, 12, 11].map(through => sized(YOUNG_SIZE, through - 1, through, 7)))
  const stuck = new Set(manifest.base.map(range => range.segment?.file as string))
  assert.equal(planMerge(manifest, MERGE_LIMITS, stuck)?.type, 'young')
  assert.equal(isOverdue(manifest, MERGE_LIMITS, stuck), true)
  assert.equal(isOverdue({ ...manifest, young: manifest.young.slice(1) }, MERGE_LIMITS, stuck), false)
  assert.equal(isOverdue({ ...manifest, young: manifest.young.slice(2) }, MERGE_LIMITS, stuck), false)
})

test('of a range that cannot be merged no deleted entries make anything overdue, and young segments beside one that is stuck are not merged', () => {
  const manifest = deleted(100, 1500)
  assert.equal(isOverdue(manifest, MERGE_LIMITS), true)
  assert.equal(isLeft(manifest, MERGE_LIMITS, new Set(manifest.base.map(range => range.segment?.file as string))), false)
  const many = Array.from({ length: 49 }, (_, n) => sized({ ...YOUNG_SIZE, bytes: 1000, describedAt: 900 }, 48 - n, 49 - n, 7))
  const few = { ...manifest, young: many }
  assert.equal(isOverdue(few, MERGE_LIMITS), true)
  assert.equal(isOverdue(few, MERGE_LIMITS, new Set(many.filter((_, at) => at % 7 === 0).map(entry => entry.file))), false)
})
