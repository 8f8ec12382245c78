/** Processes that live for seconds, one after the other: what is dead goes, though none of them lives through a grace. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, filesOf, readNewest } from '../src/manifest/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { sweep } from './support/share.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const RUNS = 20
/** Of the last two runs, a merge of eight segments among them; those before them leave nothing. */
const DEAD_MAX = 12

/** What the runs leave: how many files of log and segments that the newest manifest does not name, and what it names. */
async function deadAfter(
  settings: ConstructorParameters<typeof SimulatedStore>[0],
  run: (world: SimulatedStore, at: number) => Promise<void>,
  runs = RUNS,
) {
  const world = new SimulatedStore(settings)
  world.thresholds = { records: 50 }
  const value = (key: number, at: number): string => `${key} of ${at}`
  for (let at = 0; at < runs; at++) {
    await world.open()
    assert.equal(world.store.map('map').get('0'), at === 0 ? undefined : value(0, at - 1))
    for (let key = 0; key < 60; key++) world.store.map<string>('map').set(`${key}`, value(key, at))
    await world.checkpoint()
    await run(world, at)
  }
  await world.open()
  for (let key = 0; key < 60; key++) assert.equal(world.store.map('map').get(`${key}`), value(key, runs - 1))
  await world.close()
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  const named = filesOf(manifest)
  let dead = 0
  for (const folder of ['log', 'segment'])
    for (const name of await world.run(world.storage.list(folder))) if (!named.has(`${folder}/${name}`)) dead++
  return { dead, retained: manifest.retained.length, young: manifest.young.length }
}

function closed(ms: number): (world: SimulatedStore) => Promise<void> {
  return async world => {
    await world.pass(ms)
    await world.close()
  }
}

function killed(ms: number): (world: SimulatedStore) => Promise<void> {
  return async world => {
    await world.pass(ms)
    const { disk } = world.storage.crash({ mode: 'kept' })
    world.storage.powerOff()
    world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  }
}

const NEWEST = { retention: { keepLast: 1, keepMs: 0 } }

for (const ms of sweep([0, 300, 5000])) {
  test(`a store that is opened for ${ms} ms at a time and closed does not grow`, async () => {
    const { dead } = await deadAfter(NEWEST, closed(ms))
    assert.ok(dead <= DEAD_MAX, `${dead} files`)
  })
}

test('nor one that keeps some fold points', async () => {
  const { dead, retained } = await deadAfter({ retention: { keepLast: 3, keepMs: 0 } }, closed(5000))
  assert.equal(retained, 2)
  assert.ok(dead <= DEAD_MAX, `${dead} files`)
})

test('nor one whose processes end after some seconds without closing it', async () => {
  const { dead } = await deadAfter(NEWEST, killed(5000))
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

for (const ms of sweep([0, 300])) {
  test(`a store that is opened for ${ms} ms at a time, sixty times, is merged`, async () => {
    const { young } = await deadAfter(NEWEST, closed(ms), 60)
    assert.ok(young <= 38, `${young} young segments`)
  })
}

/** A range of the base takes longer than a process lives, at the pace of one that lives on. */
const LARGE = { records: 50, slackBytes: 400_000, baseBytes: 2_000_000 }
const KEYS = 900
const TEXT = ' and more of it'.repeat(100)
for (const [how, end] of sweep([
  ['are closed', closed(1500)],
  ['end without it', killed(2500)],
] as const)) {
  test(`rounds through the base go on where processes ${how} after seconds`, async () => {
    const world = new SimulatedStore(NEWEST)
    world.thresholds = LARGE
    for (let at = 0; at < 45; at++) {
      await world.open()
      await world.pass(500)
      for (let key = 0; key < 60; key++) world.store.map<string>('map').set(`${(at * 60 + key) % KEYS}`, `${at}${TEXT}`)
      await world.checkpoint()
      await end(world)
    }
    await world.open()
    for (let key = 0; key < KEYS; key++) assert.equal(world.store.map('map').get(`${key}`), `${30 + Math.floor(key / 60)}${TEXT}`)
    const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
    const bytes = manifest.young.reduce((sum, entry) => sum + entry.bytes, 0)
    assert.ok(bytes <= 2_500_000, `${bytes} bytes in ${manifest.young.length} young segments`)
    await world.close()
  })
}
