/** A fold whose manifest is made though the storage says that it is not, and one whose manifest cannot be made. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { nameOf } from '../src/storage/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

test('a fold that failed, and whose manifest counts all the same, is not done twice, and what the next one wrote for it goes', async () => {
  const world = new SimulatedStore()
  // No look for what is dead comes before the next fold.
  world.thresholds = { records: 8, graceMs: 5000, paced: false }
  const store = await world.open()
  const { storage } = world
  const map = store.map<number>('map')
  const write = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) map.set(`${at}`, world.points.length)
    await world.checkpoint()
  }
  // The file of the log has its manifest.
  await write(1)
  storage.inject({ operation: 'createIfAbsent', path: 'manifest/', errno: 'EIO', nth: 1, applied: true })
  let refusals = 0
  storage.onCall = ({ operation, path, errno }) => {
    if (operation === 'remove' && path.startsWith('segment/') && errno !== undefined) refusals++
  }
  storage.inject({ operation: 'remove', path: 'segment/', errno: 'EIO', times: 1 })
  await write(10)
  await world.pass(500)
  assert.equal(store.stats().upkeep.failures, 1)
  await world.pass(60_000)
  assert.equal(refusals, 1, 'one that the next fold wrote could not be removed by it')
  const { failures, lastError } = store.stats().upkeep
  assert.equal(failures, 1, lastError)
  const { manifest } = (await world.run(readNewest(storage))) as FoundManifest
  assert.equal(manifest.fold?.epoch, 2)
  assert.deepEqual(
    await world.run(storage.list('segment')),
    manifest.young.map(({ file }) => nameOf(file)),
  )
  await write(10)
  await world.pass(60_000)
  const later = (await world.run(readNewest(storage))) as FoundManifest
  assert.deepEqual([store.status, store.stats().upkeep.failures, later.manifest.fold?.epoch], ['ok', 1, 3])
  assert.equal((await world.run(verifyStore(storage, () => undefined))).ok, true)
  await world.close()
})

test('folds whose manifests cannot be made leave no heap of segments, though none of them ends', async () => {
  const world = new SimulatedStore()
  world.thresholds = { records: 8, graceMs: 100, paced: false }
  const store = await world.open()
  const { storage } = world
  const map = store.map<number>('map')
  await world.checkpoint()
  const heal = storage.inject({ operation: 'createIfAbsent', path: 'manifest/', errno: 'EIO' })
  for (let at = 0; at < 10; at++) map.set(`${at}`, at)
  await world.checkpoint()
  await world.pass(600_000)
  const { failures } = store.stats().upkeep
  assert.ok(failures > 8, `${failures} failures`)
  const segments = await world.run(storage.list('segment'))
  assert.ok(segments.length <= 1, `${segments}`)
  heal()
  await world.pass(120_000)
  assert.equal(store.stats().upkeep.folds, 1)
  await world.close()
})
