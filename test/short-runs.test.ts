/** Processes that live for seconds, one after the other: what is dead goes, though none of them lives through a grace. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, filesOf, readNewest } from '../src/manifest/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const RUNS = 20
/** Of the last two runs, a merge of eight segments among them; those before them leave nothing. */
const DEAD_MAX = 12

/** How many files of log and segments the runs leave that the newest manifest does not name. */
async function deadAfter(
  settings: ConstructorParameters<typeof SimulatedStore>[0],
  run: (world: SimulatedStore, at: number) => Promise<void>,
) {
  const world = new SimulatedStore(settings)
  world.thresholds = { records: 50 }
  for (let at = 0; at < RUNS; at++) {
    await world.open()
    assert.equal(world.store.map('map').get('0'), at === 0 ? undefined : `0 of ${at - 1}`)
    for (let key = 0; key < 60; key++) world.store.map<string>('map').set(`${key}`, `${key} of ${at}`)
    await world.checkpoint()
    await run(world, at)
  }
  await world.open()
  assert.equal(world.store.map('map').get('59'), `59 of ${RUNS - 1}`)
  await world.close()
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  const named = filesOf(manifest)
  let dead = 0
  for (const folder of ['log', 'segment'])
    for (const name of await world.run(world.storage.list(folder))) if (!named.has(`${folder}/${name}`)) dead++
  return { dead, retained: manifest.retained.length }
}

const NEWEST = { retention: { keepLast: 1, keepMs: 0 } }

for (const ms of [0, 300, 5000]) {
  test(`a store that is opened for ${ms} ms at a time and closed does not grow`, async () => {
    const { dead } = await deadAfter(NEWEST, async world => {
      await world.pass(ms)
      await world.close()
    })
    assert.ok(dead <= DEAD_MAX, `${dead} files`)
  })
}

test('nor one that keeps some fold points', async () => {
  const { dead, retained } = await deadAfter({ retention: { keepLast: 3, keepMs: 0 } }, async world => {
    await world.pass(5000)
    await world.close()
  })
  assert.equal(retained, 2)
  assert.ok(dead <= DEAD_MAX, `${dead} files`)
})

test('nor one whose processes end after some seconds without closing it', async () => {
  const { dead } = await deadAfter(NEWEST, async world => {
    await world.pass(5000)
    const { disk } = world.storage.crash({ mode: 'kept' })
    world.storage.powerOff()
    world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  })
  assert.ok(dead <= DEAD_MAX, `${dead} files`)
})

test('a manifest of an earlier run that cannot be read keeps nothing from being removed', async () => {
  const world = new SimulatedStore(NEWEST)
  world.thresholds = { records: 50 }
  const write = async (at: number): Promise<void> => {
    await world.open()
    for (let key = 0; key < 60; key++) world.store.map<string>('map').set(`${key}`, `${key} of ${at}`)
    await world.checkpoint()
    await world.pass(5000)
  }
  for (let at = 0; at < 4; at++) {
    await write(at)
    await world.close()
  }
  const manifests = await world.run(world.storage.list('manifest'))
  world.storage.inject({ operation: 'read', errno: 'EIO', path: `manifest/${manifests.at(-2)}` })
  await write(4)
  await world.pass(60_000)
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  const named = filesOf(manifest)
  const dead: string[] = []
  for (const folder of ['log', 'segment'])
    for (const name of await world.run(world.storage.list(folder))) if (!named.has(`${folder}/${name}`)) dead.push(`${folder}/${name}`)
  assert.ok(dead.length <= 2, `${dead}`)
  assert.equal(world.store.stats().upkeep.failures, 0)
  await world.close()
})
