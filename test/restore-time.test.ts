/** Restoring to a time by a wall clock that was set back in between. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const TIMES = [1000, 5000, 2000, 4000, 9000, 3000, 8000] as const
const BEGIN_MS = 1_700_000_000_000

for (const folded of [false, true]) {
  test(`a time means the newest epoch that was not later${folded ? ', behind whichever fold point it lies' : ''}`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 20 } })
    world.thresholds = folded ? { records: 2, graceMs: 100 } : {}
    let wallMs = BEGIN_MS
    world.clock.now = () => wallMs
    const store = await world.open()
    const map = store.map<number>('map')
    for (const [at, timeMs] of TIMES.entries()) {
      wallMs = BEGIN_MS + timeMs
      map.set('n', at + 1)
      map.set(`${at}`, at)
      await world.checkpoint()
      // Where it is folded, two epochs lie between two fold points once.
      if (at !== 1) await world.pass(3000)
    }
    assert.equal(store.stats().upkeep.foldedEpoch > 0, folded)
    await world.close()
    for (let timeMs = 1000; timeMs <= 10_000; timeMs += 500) {
      const expected = TIMES.findLastIndex(one => one <= timeMs) + 1
      const reader = await world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + timeMs) } })
      assert.equal(reader.restored.epoch, expected, `${timeMs}`)
      assert.equal(reader.map('map').get('n'), expected)
      await world.close()
    }
    await assert.rejects(world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + 999) } }), { code: 'TIDEMARK_NO_SUCH_POINT' })
  })
}

test('a time is found behind fold points that were all made while the clock was ahead', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 8, graceMs: 100 }
  let wallMs = BEGIN_MS
  world.clock.now = () => wallMs
  const map = (await world.open()).map<number>('map')
  const write = async (atMs: number, keys: number): Promise<void> => {
    wallMs = atMs
    const epoch = world.points.length + 1
    for (let key = 0; key < keys; key++) map.set(`${key}`, epoch)
    await world.checkpoint()
    await world.pass(3000)
  }
  const AHEAD_MS = BEGIN_MS + 365 * 86_400_000
  // Small ones are folded with the next.
  for (const [atMs, keys] of [
    [AHEAD_MS, 8],
    [AHEAD_MS, 8],
    [AHEAD_MS, 8],
    [BEGIN_MS, 1],
    [AHEAD_MS, 1],
    [AHEAD_MS, 8],
    [BEGIN_MS + 5000, 1],
  ] as const)
    await write(atMs, keys)
  await world.close()
  const restored = async (timeMs: number): Promise<number> => {
    const reader = await world.open({ readOnly: true, restore: { at: new Date(timeMs) } })
    assert.equal(reader.map('map').get('0'), reader.restored.epoch)
    await world.close()
    return reader.restored.epoch
  }
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  assert.deepEqual(
    [...manifest.retained, manifest.fold].map(point => point?.epoch),
    [2, 3, 6],
  )
  assert.equal(await restored(BEGIN_MS + 5000), 7)
  assert.equal(await restored(BEGIN_MS + 4999), 4)
  assert.equal(await restored(AHEAD_MS), 7)
  await assert.rejects(restored(BEGIN_MS - 1), { code: 'TIDEMARK_NO_SUCH_POINT' })
  // Where the manifest of the point before is damaged, one behind it does not count.
  world.storage.disk.lookup(manifestName(manifest.retained[1]?.number as number))?.flip(100, 1)
  assert.equal(await restored(BEGIN_MS + 4999), 4)
  world.storage.disk.lookup(manifestName(manifest.retained[0]?.number as number))?.flip(100, 1)
  assert.equal(await restored(BEGIN_MS + 5000), 7)
  await assert.rejects(restored(BEGIN_MS + 4999), { code: 'TIDEMARK_NO_SUCH_POINT' })
})
