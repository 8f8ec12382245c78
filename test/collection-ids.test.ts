/** Ids of collections: 32 bits on the disk, so there is an end to them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeManifest, encodeManifest, type Manifest, manifestName } from '../src/format/index.ts'
import type { Storage } from '../src/storage/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { transaction } from './support/cold-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

const LAST = 0xffff_ffff

test('however often a collection is emptied between two barriers, it takes one id', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  const emptied = (times: number): number => {
    const before = rig.space.nextId
    for (let at = 0; at < times; at++) {
      map.set(`n${at}`, at)
      map.clear()
    }
    return rig.space.nextId - before
  }
  assert.equal(emptied(10), 1)
  assert.equal(emptied(10), 0)
  for (const back of ['set', 'stays empty'] as const) {
    if (back === 'set') map.set('k', 1)
    rig.cut()
    assert.equal(emptied(10), 1)
    rig.commit()
    assert.equal(emptied(10), 0)
  }
  map.set('drained', 1)
  rig.pass(1000)
  assert.equal(map.drained.length, 1)
  assert.equal(emptied(10), 1)
  map.set('lost', 1)
  rig.pass(1000)
  rig.cut()
  rig.fail()
  assert.equal(emptied(10), 1)
  map.set('k', 2)
  transaction(rig, () => assert.equal(emptied(10), 0), 'rollback')
  assert.deepEqual([...map.live], [['k', 2]])
  rig.checkpoint()
  rig.check(map)
  transaction(rig, () => assert.equal(emptied(10), 1), 'rollback')
  // What came back has its records.
  assert.equal(emptied(1), 1)
  rig.checkpoint()
  assert.equal(rig.disk.get(map.id), undefined)
})

test('a clear that is rolled back leaves known whether the incarnation has records: the next one takes an id of its own', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.clear()
  map.set('gone', 1)
  rig.pass(1000)
  transaction(rig, () => map.clear(), 'rollback')
  map.clear()
  map.set('new', 1)
  rig.checkpoint()
  rig.check(map)
})

/** The next open finds that the ids before this one are taken. */
async function take(storage: Storage, nextId: number): Promise<void> {
  const file = await storage.open(`manifest/${(await storage.list('manifest')).at(-1)}`, 'read')
  const manifest = decodeManifest(await file.read(0, await file.size()), file.path)
  await file.close()
  const { fold, number } = manifest
  assert.ok(fold)
  const later: Manifest = { ...manifest, number: number + 1, fold: { ...fold, nextId } }
  await storage.createIfAbsent(manifestName(later.number), encodeManifest(later))
  await storage.syncFolder('manifest')
}

test('once every id is taken, who needs one more is refused before anything is changed, and all else goes on', async () => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 1, records: 1, paced: false }
  ;(await world.open()).map('map').set('k', 1)
  await world.checkpoint()
  await world.pass(60_000)
  await world.close()
  await world.run(take(world.storage, LAST))
  ;(await world.open()).map('last').set('k', 1)
  for (const round of ['the first run', 'a later one']) {
    const { store } = world
    const map = store.map<number, string>('map')
    await failsWith('TIDEMARK_IDS_SPENT', () => map.clear(), { collection: 'map' })
    await failsWith('TIDEMARK_IDS_SPENT', () => store.map('more'), { collection: 'more' })
    const inside = (): void =>
      store.transaction(() => {
        map.set('inside', 1)
        map.clear()
      })
    await failsWith('TIDEMARK_IDS_SPENT', inside)
    assert.deepEqual([...map], [['k', 1]])
    map.set(round, 2)
    await world.checkpoint()
    await world.pass(60_000)
    assert.ok(store.stats().upkeep.folds > 0)
    assert.equal(store.status, 'ok')
    map.delete(round)
    await world.checkpoint()
    await world.crash()
    assert.deepEqual([...world.store.map('map')], [['k', 1]])
    assert.deepEqual([...world.store.map('last')], [['k', 1]])
  }
  await world.close()
})
