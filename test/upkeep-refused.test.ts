/** Upkeep whose manifest cannot be published: nothing is left of what it wrote, and it does not go on where the store is another's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filesOf, readNewest } from '../src/manifest/index.ts'
import { openForWriting } from '../src/restore/index.ts'
import { pseudoRandom } from './support/log-store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const HOUR_MS = 3_600_000

async function written(keys: number): Promise<SimulatedStore> {
  const world = new SimulatedStore()
  world.thresholds = { records: 50 }
  await world.open()
  for (let at = 0; at < keys; at++) world.store.map<number>('map').set(`${at}`, at)
  await world.checkpoint()
  return world
}

const segments = (world: SimulatedStore): Promise<string[]> => world.run(world.storage.list('segment'))

/** Segments that the newest manifest does not name. */
async function unnamed(world: SimulatedStore): Promise<string[]> {
  const found = await world.run(readNewest(world.storage))
  const named = found === undefined ? new Set() : filesOf(found.manifest)
  return (await segments(world)).filter(name => !named.has(`segment/${name}`))
}

for (const when of ['by upkeep', 'by a commit'] as const) {
  test(`another writer that is found ${when} ends upkeep: no segment is written into its store`, async () => {
    const world = await written(60)
    await world.run(openForWriting(world.storage, { createdBy: 'tidemark test', random: pseudoRandom('young') }))
    let created = 0
    world.storage.onCall = call => {
      if (call.operation === 'open' && call.path.startsWith('segment/')) created++
    }
    if (when === 'by a commit') {
      world.store.map<number>('map').set('later', 1)
      await assert.rejects(world.checkpoint())
    }
    await world.pass(600_000)
    assert.ok(created <= 1, `${created} segments were opened`)
    assert.deepEqual(await segments(world), [], 'what was refused is not left')
    assert.ok(world.store.stats().upkeep.failures <= 1)
    const begin = world.clock.monotonic()
    await assert.rejects(world.close())
    assert.ok(world.clock.monotonic() - begin < 100)
  })
}

test('segments of folds whose manifests cannot be put down go while they cannot', async () => {
  const world = await written(60)
  const heal = world.storage.inject({ operation: 'createIfAbsent', errno: 'EACCES', path: 'manifest' })
  await world.pass(HOUR_MS)
  assert.ok(world.store.stats().upkeep.failures > 10)
  assert.ok((await unnamed(world)).length <= 2, `${await unnamed(world)}`)
  heal()
  await world.pass(HOUR_MS)
  assert.deepEqual(await unnamed(world), [])
  assert.equal(world.store.stats().upkeep.foldedEpoch, 1)
  await world.close()
})

test('those of a manifest that is there, though it was not known to be, stay', async () => {
  const world = await written(60)
  const heal = world.storage.inject({ operation: 'syncFolder', errno: 'EIO', path: 'manifest' })
  await world.pass(HOUR_MS)
  assert.ok(world.store.stats().upkeep.failures >= 1)
  heal()
  await world.pass(HOUR_MS)
  assert.deepEqual(await unnamed(world), [])
  assert.equal((await segments(world)).length, 1)
  await world.crash()
  assert.equal(world.store.map('map').get('59'), 59)
  await world.close()
})

test('where the manifest of a fold that failed turns out to count, what was wrong before is over, and it is said', async () => {
  const world = await written(60)
  const said: string[] = []
  for (const name of ['degraded', 'recovered', 'behind', 'caughtUp'] as const) world.store.on(name, () => void said.push(name))
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'log/' })
  await world.pass(120_000)
  assert.deepEqual([said, world.store.status], [['degraded'], 'degraded'])
  heal()
  world.storage.inject({ operation: 'createIfAbsent', errno: 'EIO', path: 'manifest/', applied: true, times: 1 })
  await world.pass(HOUR_MS)
  const { foldedEpoch, folds, foldBytes } = world.store.stats().upkeep
  assert.deepEqual([foldedEpoch, folds, foldBytes], [1, 1, 0])
  assert.deepEqual([said, world.store.status], [['degraded', 'recovered'], 'ok'])
  await world.close()
})
