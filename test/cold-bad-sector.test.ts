/** A bad sector, or a wrong bit, in what describes a segment: what else is stored comes, goes and answers as ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME_HEADER_BYTES, type SegmentEntry } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import type { Store } from '../src/store.ts'
import { badSector } from './support/bad-sector.ts'
import { fill, value, World } from './support/cold-world.ts'

const BOUND = 100_000
const MORE = 1000
/** Merged, what cannot be read would be gone. */
const NEVER = { fanIn: 1000, slackBytes: 2 ** 40, slackRecords: 2 ** 40 }
const UNMERGED = { bytes: 20_000, smallestBytes: 3000, youngBytesMax: 20_000, baseBytes: 4000, graceMs: 100, ...NEVER }

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
