/** A bad sector, or a wrong bit, in what describes a segment: what else is stored comes, goes and answers as ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ColdState, Hydration } from '../src/cold/index.ts'
import { FIRST_PLACE, FRAME_HEADER_BYTES, hashPlace, type SegmentEntry, type TouchedPlace } from '../src/format/index.ts'
import { Image } from '../src/image/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { Segment } from '../src/segment/index.ts'
import type { Store } from '../src/store.ts'
import { badSector, type Read, watchReads } from './support/bad-sector.ts'
import { fill, value, World } from './support/cold-world.ts'

const BOUND = 100_000
const MORE = 1000
/** Merged, what cannot be read would be gone. */
const NEVER = { fanIn: 1000, slackBytes: 2 ** 40, slackRecords: 2 ** 40 }
const UNMERGED = { bytes: 20_000, smallestBytes: 3000, youngBytesMax: 20_000, baseBytes: 4000, graceMs: 100, ...NEVER }

const FAILURES = { damage: 'TIDEMARK_SEGMENT_DAMAGED', EIO: 'TIDEMARK_STORAGE' } as const

const memory = (store: Store) => store.stats().memory ?? assert.fail('no bound')

async function lastSegment(world: World): Promise<SegmentEntry> {
  const { young, base } = (await world.run(readNewest(world.storage)))?.manifest ?? assert.fail('no manifest')
  return [...young, ...base.flatMap(range => range.segment ?? [])].at(-1) ?? assert.fail('no segment')
}

/** Where the filter of a segment is, its frame with it. */
function filterOf(world: World, { file, describedAt }: SegmentEntry): number {
  const content = world.storage.disk.lookup(file) ?? assert.fail('no file')
  return describedAt + FRAME_HEADER_BYTES + content.cache.view().readUInt32LE(describedAt + 12)
}

for (const where of ['all that describes', 'the filter of'] as const) {
  test(`where ${where} a segment is not given back by the device, what was written since goes on leaving, and that is told`, async () => {
    const world = new World()
    const store = await world.open()
    await fill(world, store, 500)
    await world.run(store.close())
    const segment = await lastSegment(world)
    const filterAt = filterOf(world, segment)
    const heal =
      where === 'the filter of'
        ? badSector(world.storage, segment.file, filterAt + FRAME_HEADER_BYTES, filterAt + FRAME_HEADER_BYTES + 1)
        : badSector(world.storage, segment.file, segment.describedAt + 64)
    const again = await world.open({ restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: BOUND } }, { thresholds: UNMERGED })
    const map = again.map<unknown, number>('map')
    let next = 500
    for (let round = 0; round < 5; round++) {
      for (let at = 0; at < MORE; at++, next++) map.set(next, value(next))
      await world.run(again.checkpoint())
      await world.rest(20_000)
      const { liveBytes, evicted, lastError } = memory(again)
      assert.ok(liveBytes <= BOUND, `round ${round}: ${liveBytes}`)
      assert.ok(evicted >= (MORE * (round + 1)) / 2, `round ${round}: ${evicted} evicted`)
      assert.match(lastError ?? '', /EIO/)
    }
    heal()
    await world.rest(120_000)
    assert.equal(memory(again).lastError, undefined)
    for (let at = 0; at < next; at++) assert.deepEqual(map.get(at), value(at, at < 500 ? 1 : 0))
    await world.run(again.close())
  })
}

/** The first byte of the filter. The function given back mends it. */
function spoilFilter(world: World, segment: SegmentEntry, how: keyof typeof FAILURES): () => void {
  const at = filterOf(world, segment) + FRAME_HEADER_BYTES
  if (how === 'EIO') return badSector(world.storage, segment.file, at, at + 1)
  const flip = (): void => void world.storage.disk.lookup(segment.file)?.flip(at, 3)
  flip()
  return flip
}

/** A state in segments, and the last of these. */
async function filled(world: World): Promise<SegmentEntry> {
  const store = await world.open()
  await fill(world, store, 500)
  await world.run(store.close())
  return await lastSegment(world)
}

for (const how of ['damage', 'EIO'] as const) {
  test(`blocks come home beside a filter that cannot be read (${how}), and no get reads the disk then`, async () => {
    const world = new World()
    spoilFilter(world, await filled(world), how)
    const reads: Read[] = []
    watchReads(world.storage, read => void reads.push(read))
    const store = await world.open({ restore: { hydrate: 'background' } })
    await assert.rejects(world.run(store.hydrated()), { code: FAILURES[how] })
    reads.length = 0
    const map = store.map<unknown, number>('map')
    for (let at = 0; at < 500; at++) assert.deepEqual(map.get(at), value(at, 1))
    for (let at = 500; at < 1000; at++) assert.equal(map.get(at), undefined)
    for (let at = 0; at < 500; at++) map.set(at + 500, 'new')
    assert.equal(map.size, 1000)
    assert.deepEqual(
      reads.filter(({ operation }) => operation === 'readNow'),
      [],
    )
    await world.run(store.close())
  })
}

for (const how of ['damage', 'EIO', 'EIO for a while'] as const) {
  test(`a segment is at home once its blocks are, beside a filter that cannot be read (${how})`, async () => {
    const world = new World()
    const { scheduler, storage } = world
    const entry = await filled(world)
    const mend = spoilFilter(world, entry, how === 'damage' ? how : 'EIO')
    const segment = await world.run(Segment.open(storage, entry))
    const base = [{ start: FIRST_PLACE, through: 0, layer: null }]
    const state = new ColdState({ image: new Image({ tables: [], young: [segment], base }), segments: [segment] }, () => 0)
    const { collection, key } = entry.first
    const place = { collection, key: Buffer.from(key, 'hex') }
    const touched = async (): Promise<TouchedPlace[]> => [{ ...place, cut: false }]
    const parts = { clock: scheduler.clock, scheduler, loopLoad: () => 0, stallMsMax: 1, stalled: () => {}, touched }
    const hydration = new Hydration(state, parts)
    if (how === 'EIO for a while') {
      scheduler.after(500, mend)
      await world.run(hydration.done)
      assert.equal(storage.openFiles, 0)
    } else await assert.rejects(world.run(hydration.done), { code: FAILURES[how] })
    assert.deepEqual([segment.atHome, state.atHome], [true, true])
    assert.equal(hydration.progress.bytesHome, hydration.progress.bytesTotal)
    await world.run(segment.close())
    assert.equal(segment.find(place.collection, place.key, hashPlace(place.collection, place.key))?.put, true)
    assert.equal(segment.mayHave(place.collection, place.key, hashPlace(place.collection, place.key)), true)
  })
}
