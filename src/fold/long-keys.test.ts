/** Folds and merges of keys that a manifest names in part: what is planned by that, and what becomes of the entries. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifest, segment } from '../../test/support/manifest.ts'
import { ByteWriter } from '../base/bytes.ts'
import { MANIFEST_KEY_BYTES_MAX } from '../base/limits.ts'
import {
  appendRecord,
  type BaseRange,
  decodeManifest,
  EMPTY_BASE,
  encodeManifest,
  FIRST_PLACE,
  hashPlace,
  type Manifest,
  openCompress,
  type Place,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { Image, openSegments, RecordTable } from '../image/index.ts'
import { foldTo, raiseBase, untouched, wordsOn } from '../manifest/index.ts'
import type { Rhythm } from '../pace/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { SeededRandom } from '../testing/index.ts'
import { mergeSegments, writeSegments } from './merge.ts'
import { jobOf } from './merge-job.ts'
import { MERGE_LIMITS, type MergeLimits, nameOfRange, planMerge, rewrittenFor, type Stuck } from './policy.ts'

const RHYTHM = { due: false, spent: false, done: () => {}, wrote: () => {}, stepped: () => {}, rest: async () => {} } as unknown as Rhythm
/** A few entries are a segment of the base, and each fold begins a round. */
const SMALL: MergeLimits = { ...MERGE_LIMITS, fanIn: 2, fewTimes: 1, slackBytes: 1, slackRecords: 1, rounds: 0.5 }

function manifestOf(epoch: number, young: readonly SegmentEntry[], base: readonly BaseRange[]): Manifest {
  const catalogue = [1, 2].map(id => ({ id, kind: 'map' as const, name: `${id}`, codec: 'tide', entries: 1, bytes: 1 }))
  return manifest({ ...(epoch === 0 ? {} : { fold: { epoch, nextId: 3, catalogue } }), young, base })
}

let files = 0
const entry = (first: Place, last: Place, from: number, through: number): SegmentEntry => {
  const sizes = { bytes: 16_000_000, describedAt: 15_900_000, records: 200, rawBytes: 16_000_000 }
  return segment({ file: segmentName(1, ++files), ...sizes, from, through, first, last })
}
const place = (text: string): Place => ({ collection: 1, key: Buffer.from(text).toString('hex') })

test('a manifest that names 700 segments of keys of 64,000 bytes is small, and comes back as it was', () => {
  const keyOf = (at: number): Place => place(`${'tenant/'.repeat(10)}${String(at).padStart(6, '0')}`.padEnd(64_000, '.'))
  const young = entry(keyOf(0), keyOf(1400), 0, 1)
  const old = manifestOf(1, [young], EMPTY_BASE)
  const plan = { type: 'base', ranges: EMPTY_BASE, end: undefined, young: [young], through: 1 } as const
  const outputs = Array.from({ length: 700 }, (_, at) => ({ ...entry(keyOf(2 * at), keyOf(2 * at + 1), 0, 1), records: 1 }))
  const next = jobOf(plan, old, MERGE_LIMITS).next(old, outputs) as Manifest
  assert.equal(next.base.length, 700)
  const bytes = encodeManifest(next)
  assert.ok(bytes.length < 1_000_000, `${bytes.length} bytes`)
  assert.deepEqual(decodeManifest(bytes, 'manifest'), next)
  const folded = foldTo(
    next,
    { ...(next.fold as NonNullable<Manifest['fold']>), epoch: 2 },
    [entry(keyOf(0), keyOf(1400), 1, 2)],
    { keepLast: 1, keepMs: 0 },
    points => points.map(() => 0),
  )
  assert.ok(encodeManifest(folded).length < bytes.length + 2000, `${encodeManifest(folded).length} bytes`)
})

test('young segments count for each range that their ends, as far as they are named, may lie in, and for no other', () => {
  const alike = 'x'.repeat(MANIFEST_KEY_BYTES_MAX)
  const starts = ['a', `${alike}b`, `${alike}m`, `${alike.slice(1)}y`, 'z']
  const base = starts.map((start, at): BaseRange => {
    const from = at === 0 ? FIRST_PLACE : place(start)
    return { start: from, through: 1, segment: entry(at === 0 ? place('a') : from, place(`${start}0`), 0, 1) }
  })
  const cut = { ...place(alike), cut: true } as const
  const young = { ...entry(cut, cut, 1, 2), file: segmentName(1, ++files) }
  const manifest = manifestOf(2, [young], base)
  const reached = base.map((range, at) => wordsOn([young], range, base[at + 1]?.start, 2).length > 0)
  // Keys behind the beginning come before what begins with one letter less and another behind it.
  assert.deepEqual(reached, [true, true, true, false, false])
  assert.deepEqual(
    rewrittenFor([young], base),
    base.slice(0, 3).map(range => range.segment),
  )
  assert.deepEqual(base.map(untouched(manifest, 2)), [false, false, false, true, true])
  const [before, behind] = [
    { ...young, first: place('b'), last: place(alike) },
    { ...young, first: place('z'), last: place('z') },
  ]
  assert.deepEqual(rewrittenFor([behind, before], base), [base[0]?.segment, base[4]?.segment])
  assert.deepEqual(rewrittenFor([before, young], base).length, 3, 'a whole key that a cut one begins with reaches less far')
  assert.deepEqual(rewrittenFor([young, before], base).length, 3)
})

class World {
  readonly storage = new MemoryStorage()
  readonly model = new Map<string, { place: Place; value: string | undefined }>()
  manifest = manifestOf(0, [], EMPTY_BASE)
  merges = 0
  cuts = 0
  readonly #random: SeededRandom
  readonly #shared: readonly number[]
  readonly #limits: MergeLimits
  #epoch = 0
  #names = 0

  constructor(random: SeededRandom, shared: readonly number[]) {
    this.#random = random
    this.#shared = shared
    this.#limits = { ...SMALL, baseBytes: 3 * (300 + Math.max(...shared)) }
  }

  async #parts() {
    const { storage } = this
    return { storage, random: this.#random, compress: await openCompress('none'), newFile: () => segmentName(1, 100_000 + this.#names++) }
  }

  place(): Place {
    const random = this.#random
    const tail = (most: number): string => Array.from({ length: random.below(most) }, () => random.pick(['a', 'x', 'z'])).join('')
    const text = 'x'.repeat(random.pick(this.#shared)) + tail(4) + (random.chance(0.3) ? 'y'.repeat(200) : '') + tail(2)
    return { ...place(text), collection: random.pick([1, 1, 2]) }
  }

  async fold(): Promise<void> {
    const table = new RecordTable()
    const writer = new ByteWriter(64)
    const value = `of ${++this.#epoch}`
    for (let left = 1 + this.#random.below(6); left > 0; left--) {
      const one = this.place()
      const put = this.#random.chance(0.7)
      appendRecord(writer, one.collection, Buffer.from(one.key, 'hex'), put ? Buffer.from(value) : undefined)
      this.model.set(`${one.collection} ${one.key}`, { place: one, value: put ? value : undefined })
    }
    table.add(writer.view())
    const request = { from: this.#epoch - 1, through: this.#epoch, alive: [1, 2], tombstones: true, cutBytes: Number.POSITIVE_INFINITY }
    const parts = await writeSegments(await this.#parts(), request, table.cursor(), RHYTHM, async () => {})
    const fold = manifestOf(this.#epoch, [], EMPTY_BASE).fold as NonNullable<Manifest['fold']>
    this.manifest = foldTo(this.manifest, fold, parts, { keepLast: 1, keepMs: 0 }, points => points.map(() => 0))
  }

  /** Until all is well as it is. */
  async merge(stuck: Stuck): Promise<void> {
    for (let plans = 0; ; plans++) {
      assert.ok(plans < 200, 'plans end')
      const plan = planMerge(this.manifest, this.#limits, stuck)
      if (plan === undefined) return
      if (plan.type === 'raise') this.manifest = raiseBase(this.manifest, plan.through)
      else {
        assert.ok(plan.type !== 'drop')
        if (plan.type === 'young' && plan.within !== undefined) this.cuts++
        const job = jobOf(plan, this.manifest, this.#limits)
        this.manifest = job.next(this.manifest, await mergeSegments(await this.#parts(), job.request, RHYTHM)) as Manifest
        this.merges++
      }
      const bytes = encodeManifest(this.manifest)
      assert.deepEqual(decodeManifest(bytes, 'manifest'), this.manifest)
    }
  }

  async check(): Promise<void> {
    const opened = await openSegments(this.storage, this.manifest)
    const image = new Image({ tables: [], young: opened.young, base: opened.base })
    for (const { place, value } of this.model.values()) {
      const key = Buffer.from(place.key, 'hex')
      const found = image.find(place.collection, key, hashPlace(place.collection, key))
      assert.equal(found?.put === true ? found.bytes.toString('utf8', found.start, found.end) : undefined, value)
    }
    const order = (one: Place, other: Place): number =>
      one.collection - other.collection || Buffer.compare(Buffer.from(one.key, 'hex'), Buffer.from(other.key, 'hex'))
    for (let walks = 0; walks < 4; walks++) {
      const [from, to] = [this.place(), this.place()]
      const expected = [...this.model.values()]
        .filter(one => one.value !== undefined && (walks === 0 || (order(one.place, from) >= 0 && order(one.place, to) < 0)))
        .sort((one, other) => order(one.place, other.place))
      const bound = ({ collection, key }: Place) => ({ collection, key: Buffer.from(key, 'hex') })
      const cursor = image.cursor(walks === 0 ? {} : { from: bound(from), to: bound(to) })
      const walked: unknown[] = []
      while (cursor.next()) {
        const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
        const key = bytes.toString('hex', keyStart, keyEnd)
        if (put) walked.push({ place: { collection, key }, value: bytes.toString('utf8', start, end) })
      }
      assert.deepEqual(
        walked,
        expected.map(({ place: { collection, key }, value }) => ({ place: { collection, key }, value })),
      )
    }
    for (const segment of opened.segments) await segment.close()
  }
}

for (const [name, shared, lives] of [
  ['are named in part, and some of which end there', [0, 1, 126, 127, 128, 129, 300], 8],
  ['have all that is named in common', [400], 3],
  ['have many kilobytes in common', [20_000], 1],
] as const) {
  test(`entries whose keys ${name} are found and walked as in a map, whatever was folded and merged and whichever range is stuck`, async () => {
    let [merges, cuts, ranges] = [0, 0, 0]
    for (let life = 0; life < lives; life++) {
      const random = new SeededRandom(life + 1)
      const world = new World(random, shared)
      await world.storage.makeFolder(SEGMENT_FOLDER)
      let stuck: Stuck = new Set()
      for (let round = 0; round < 25; round++) {
        await world.fold()
        // One range that cannot be merged, for as long as it lasts.
        if (round % 8 === 4) stuck = new Set([nameOfRange(random.pick(world.manifest.base))])
        if (round % 8 === 7) stuck = new Set()
        await world.merge(stuck)
        await world.check()
        ranges = Math.max(ranges, world.manifest.base.length)
      }
      merges += world.merges
      cuts += world.cuts
    }
    assert.ok(merges > 10 * lives && ranges > 3, `${merges} merges, ${ranges} ranges, ${cuts} cuts`)
    if (lives > 3) assert.ok(cuts > 0, 'some were cut down to a range that is stuck')
  })
}
