/** Keys that rise, of which a few stay: the base is as long as what is in it, and all of it is there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const EACH = 200
const STAYS = 100
const text = (at: number): string => `some text of entry ${at}. `.repeat(4)

test('neighbours in the base of which little is left become one, and lose nothing', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = {
    bytes: 10_000,
    paced: false,
    graceMs: 100,
    fanIn: 3,
    fewTimes: 1,
    slackBytes: 5000,
    slackRecords: 100,
    baseBytes: 8000,
  }
  let map = (await world.open()).map<string, number>('map')
  const rounds = 50
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < EACH; at++) map.set(round * EACH + at, text(round * EACH + at))
    for (let at = (round - 1) * EACH; at < round * EACH; at++) if (at % STAYS > 0) map.delete(at)
    await world.checkpoint()
    await world.pass(20_000)
  }
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  assert.ok(manifest.base.length < 25, `${manifest.base.length} ranges`)
  await world.crash()
  map = world.store.map<string, number>('map')
  assert.equal(map.size, EACH + ((rounds - 1) * EACH) / STAYS)
  for (let at = 0; at < rounds * EACH; at++) {
    assert.equal(map.get(at), at % STAYS === 0 || at >= (rounds - 1) * EACH ? text(at) : undefined, `${at}`)
  }
  await world.close()
})
