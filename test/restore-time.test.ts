/** Restoring to a time by a wall clock that was set back in between. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { newestOf, threeKept } from './support/kept-points.ts'
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

/**
 * Fold points at epochs 1 and 7, and the last three epochs at these times: of those in between the first two are early, and the fourth is damaged.
 */
async function damagedBetween(lastMs: readonly number[]): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 8, graceMs: 100 }
  let wallMs = BEGIN_MS
  world.clock.now = () => wallMs
  const map = (await world.open()).map<string>('map')
  for (const [at, timeMs] of [1000, 1001, 1002, 1011, 1012, 1013, 1050, ...lastMs].entries()) {
    wallMs = BEGIN_MS + timeMs
    for (let key = 0; key < (at % 6 === 0 ? 8 : 1); key++) map.set(`${key}`, `of epoch ${at + 1}.`)
    await world.checkpoint()
    await world.pass(3000)
  }
  await world.close()
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  assert.deepEqual(
    [...manifest.retained, manifest.fold].map(point => point?.epoch),
    [0, 1, 7],
  )
  const content = world.storage.disk.lookup(manifest.fold?.file as string)
  content?.flip(content.cache.view().indexOf('of epoch 5.'), 1)
  return world
}

for (const onDamage of ['refuse', 'fall-back'] as const) {
  test(`behind damage, and a clock that was set back, a time means the newest epoch that was not later: ${onDamage}`, async () => {
    const world = await damagedBetween([900, 1010, 1010])
    for (const [timeMs, epoch] of [
      [899, undefined],
      [1005, 8],
      [1010, 10],
      // Which of the epochs that are lost were not later does not matter.
      [1012, 10],
      [1050, 10],
    ] as const) {
      const opening = world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + timeMs), onDamage } })
      if (epoch === undefined) await assert.rejects(opening, { code: 'TIDEMARK_NO_SUCH_POINT' })
      else {
        const { restored, map } = await opening.then(store => ({ restored: store.restored, map: store.map('map') }))
        assert.deepEqual([restored.epoch, restored.lost, map.get('0')], [epoch, undefined, `of epoch ${epoch}.`], `${timeMs}`)
        await world.close()
      }
    }
    const writer = await world.open({ restore: { at: new Date(BEGIN_MS + 1012), onDamage } })
    assert.deepEqual([writer.restored.epoch, writer.restored.lost], [10, undefined])
    assert.deepEqual(
      (await world.run(writer.recoveryPoints())).map(({ epoch }) => epoch),
      [10, 9, 8, 7, 4, 3, 2, 1],
    )
    await world.close()
  })
}

test('where no fold point behind damage leads to an epoch that was not later, what lies before it counts', async () => {
  const world = await damagedBetween([1060, 1061, 1062])
  const at = async (timeMs: number, onDamage: 'refuse' | 'fall-back'): Promise<number> => {
    const store = await world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + timeMs), onDamage } })
    assert.equal(store.map('map').get('0'), `of epoch ${store.restored.epoch}.`)
    await world.close()
    return store.restored.epoch
  }
  for (const onDamage of ['refuse', 'fall-back'] as const) assert.equal(await at(1005, onDamage), 3)
  assert.equal(await at(1012, 'fall-back'), 4)
  await assert.rejects(at(1012, 'refuse'), { code: 'TIDEMARK_LOG_DAMAGED' })
})

test('damage in the epoch of a fold point takes none: a time before that leads to the epoch before', async () => {
  for (const epoch of [6, 9]) {
    const world = await threeKept()
    const { fold, retained } = await newestOf(world)
    const content = world.storage.disk.lookup(fold?.file as string)
    content?.flip(content.cache.view().indexOf(`of epoch ${epoch}.`), 1)
    const at = new Date(world.points[epoch - 2]?.time as number)
    const { restored } = await world.open({ readOnly: true, restore: { at } })
    assert.deepEqual([restored.epoch, restored.lost], [epoch - 1, undefined])
    await world.close()
    // Where nothing can stand on it, nobody knows whether the epoch was early enough.
    const number = retained.find(point => point.epoch === epoch)?.number
    if (number === undefined) continue
    world.storage.disk.lookup(manifestName(number))?.flip(50, 1)
    await assert.rejects(world.open({ readOnly: true, restore: { at } }), { code: 'TIDEMARK_LOG_DAMAGED' })
  }
})
