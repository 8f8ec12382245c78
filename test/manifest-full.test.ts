/** A manifest that has no room for what a fold made: commits go on, new files of the log are begun, and the fold is not written over and over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const HOUR_MS = 3_600_000
const FOLDS = { records: 50, paced: false, graceMs: 100 }

test('a fold without room leaves nothing and is written anew a few times an hour; rolls find room, and so does the fold once there is more', async () => {
  const world = new SimulatedStore()
  world.thresholds = { ...FOLDS, manifestBytes: 1000 }
  world.fileBytesMax = 2000
  await world.open()
  const map = (): TidemarkMap<string, number> => world.store.map<number, string>('map')
  for (let at = 0; at < 60; at++) map().set(`${at}`, at)
  await world.checkpoint()
  let created = 0
  world.storage.onCall = call => {
    if (call.operation === 'open' && call.path.startsWith('segment/')) created++
  }
  await world.pass(HOUR_MS)
  const { upkeep, status } = world.store.stats()
  assert.match(upkeep.lastError ?? '', /one manifest cannot name all/)
  assert.ok(upkeep.failures > 10, `${upkeep.failures} failures`)
  assert.ok(created >= 1 && created < 10, `${created} segments were begun`)
  assert.deepEqual(await world.run(world.storage.list('segment')), [])
  assert.equal(status, 'ok')
  const newest = async (): Promise<FoundManifest['manifest']> => ((await world.run(readNewest(world.storage))) as FoundManifest).manifest
  const files = (await newest()).log.length
  for (let at = 0; at < 10; at++) {
    for (let key = 0; key < 200; key++) map().set(`${at} ${key}`, key)
    await world.checkpoint()
  }
  assert.ok((await newest()).log.length >= files + 9)
  world.thresholds = FOLDS
  await world.crash()
  assert.equal(map().size, 2060)
  await world.pass(10_000)
  assert.ok(world.store.stats().upkeep.folds > 0)
  assert.equal(map().get('9 199'), 199)
  await world.close()
})

test('a fold without room is made once recovery points have grown too old', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: HOUR_MS } })
  world.thresholds = { ...FOLDS, fanIn: 3, manifestBytes: 4000 }
  await world.open()
  const map = world.store.map<number>('map')
  for (let round = 0; round < 25; round++) {
    for (let at = 0; at < 60; at++) map.set(`${at}`, round)
    await world.checkpoint()
    await world.pass(HOUR_MS / 60)
  }
  const newest = world.points.at(-1)?.epoch
  const { upkeep } = world.store.stats()
  assert.match(upkeep.lastError ?? '', /one manifest cannot name all/)
  assert.ok(upkeep.foldedEpoch > 0 && upkeep.foldedEpoch < (newest ?? 0), `${upkeep.foldedEpoch} of ${newest}`)
  await world.pass(2 * HOUR_MS)
  assert.equal(world.store.stats().upkeep.foldedEpoch, newest)
  await world.close()
})
