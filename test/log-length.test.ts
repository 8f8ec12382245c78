/** The log of a store whose commits hold next to nothing: what they take in the log is folded away all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNewest } from '../src/manifest/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { SimulatedStore } from './support/simulated-store.ts'

function makeWorld(): SimulatedStore {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = { logBytes: 60_000, graceMs: 100 }
  return world
}

async function logFiles(world: SimulatedStore): Promise<number> {
  return (await world.run(world.storage.list('log'))).length
}

async function assertWhole(world: SimulatedStore): Promise<void> {
  const { files } = await world.run(verifyStore(world.storage, () => undefined))
  assert.deepEqual(
    files.filter(({ problem }) => problem !== undefined),
    [],
  )
}

test('epochs without a record are folded once they are many, though there is nothing to write a segment of', async () => {
  const world = makeWorld()
  const map = (await world.open()).map<number>('map')
  map.set('key', 1)
  for (let at = 0; at < 100; at++) await world.checkpoint()
  await world.pass(40_000)
  const { folds, foldedEpoch, segments, failures } = world.store.stats().upkeep
  assert.ok(folds > 0 && foldedEpoch > 40, `${folds} folds, up to epoch ${foldedEpoch}`)
  assert.deepEqual([segments, failures], [1, 0])
  for (let at = 0; at < 60; at++) await world.checkpoint()
  await world.pass(40_000)
  const later = world.store.stats().upkeep
  assert.ok(later.foldedEpoch > 120, `up to epoch ${later.foldedEpoch}`)
  assert.equal(later.segments, 1, 'there was no record')
  await world.pass(600_000)
  assert.equal(world.store.stats().upkeep.folds, later.folds, 'a store at rest folds nothing')
  await world.crash()
  assert.equal(world.store.map<number>('map').get('key'), 1)
  await world.close()
  await assertWhole(world)
})

test('commits that hold little but the list of many collections are folded', async () => {
  const world = makeWorld()
  const store = await world.open()
  for (let at = 0; at < 100; at++) store.map<number>(`map ${at}`).set('key', 0)
  for (let at = 1; at <= 20; at++) {
    store.map<number>('map 1').set('key', at)
    await world.checkpoint()
  }
  await world.pass(40_000)
  assert.ok(world.store.stats().upkeep.foldedEpoch > 10)
  const again = await world.crash()
  assert.equal(again.map<number>('map 1').get('key'), 20)
  assert.equal(again.restored.epoch, 20)
  await world.close()
})

test('runs that are short leave a file of the log each, and no more than a few of them stay', async () => {
  const world = makeWorld()
  for (let at = 0; at < 12; at++) {
    const store = await world.open()
    store.map<number>('map').set(`key ${at}`, at)
    await world.checkpoint()
    await world.close()
  }
  const manifest = (await world.run(readNewest(world.storage)))?.manifest
  assert.ok((manifest?.log.length ?? 0) <= 3, `${manifest?.log.length} files of the log`)
  const store = await world.open()
  assert.equal(store.map('map').size, 12)
  await world.pass(120_000)
  assert.ok((await logFiles(world)) <= 4)
  await world.close()
  await assertWhole(world)
})
