/** Keys of many kilobytes: what manifests say of them stays small, and of places that they cannot tell apart nothing is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeManifest } from '../src/format/index.ts'
import { type FoundManifest, readNewest } from '../src/manifest/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { SeededRandom, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const KIB = 1024
const SOON = { paced: false, graceMs: 100, fanIn: 3, fewTimes: 1, slackRecords: 1e9 }

/** Counts what goes into manifests. */
class Counting extends SimulatedStorage {
  manifestBytes = 0

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (path.startsWith('manifest/')) this.manifestBytes += bytes.length
    return await super.createIfAbsent(path, bytes)
  }
}

test('keys of 64,000 bytes are folded and merged, and manifests stay a small part of what the log takes', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  const storage = new Counting({ seed: 1, scheduler: world.scheduler })
  world.storage = storage
  world.thresholds = { ...SOON, bytes: 1000 * KIB, slackBytes: 2000 * KIB, baseBytes: 500 * KIB }
  const map = (await world.open()).map<number, string>('map')
  const keyOf = (at: number): string => `${(at * 7919) % 1000} `.padEnd(64_000, `${at % 10}.`)
  const keys = 200
  for (let at = 0; at < keys; at++) {
    map.set(keyOf(at), at)
    if (at % 10 < 9) continue
    await world.checkpoint()
    await world.pass(200)
  }
  await world.pass(20_000)
  const { upkeep } = world.store.stats()
  assert.ok(upkeep.folds > 8 && upkeep.merges > 8, `${upkeep.folds} folds, ${upkeep.merges} merges`)
  const { manifest } = (await world.run(readNewest(storage))) as FoundManifest
  assert.ok(manifest.base.length > 15, `${manifest.base.length} ranges`)
  const longest = encodeManifest(manifest).length
  assert.ok(longest < 60 * KIB, `${longest} bytes`)
  const share = storage.manifestBytes / (keys * 64_000)
  assert.ok(share < 0.1, `${share} of the log`)
  await world.close()
})

/**
 * Keys of which many have more in common than a manifest names, and some end just there: `shared` bytes alike, a few that differ, and now and then
 * as much again.
 */
function keyOf(random: SeededRandom, shared: readonly number[]): string {
  const common = 'x'.repeat(random.pick(shared))
  const end = Array.from({ length: random.below(4) }, () => random.pick(['a', 'x', 'z'])).join('')
  const long = random.chance(0.3) ? 'y'.repeat(200) : ''
  return `${common}${end}${long}${random.chance(0.3) ? 'a' : ''}`
}

for (const [name, shared] of [
  ['that a manifest names in part', [0, 120, 126, 127, 128, 129, 300]],
  ['that are alike in most of their bytes', [1000]],
] as const) {
  test(`keys ${name} are found, walked and counted as in a map, through folds, merges and restarts`, async () => {
    const random = new SeededRandom(11)
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
    const size = 300 + Math.max(...shared)
    world.thresholds = { ...SOON, bytes: 12 * size, slackBytes: 20 * size, baseBytes: 10 * size }
    const names = ['one', 'two', 'three'] as const
    const models = new Map(names.map(one => [one, new Map<string, number>()]))
    await world.open()
    let merges = 0
    for (let round = 0; round < 30; round++) {
      for (const collection of names) {
        const map = world.store.map<number, string>(collection)
        const model = models.get(collection) as Map<string, number>
        for (let at = 0; at < 8; at++) {
          const key = keyOf(random, shared)
          if (random.chance(0.3)) assert.equal(map.delete(key), model.delete(key))
          else {
            map.set(key, round)
            model.set(key, round)
          }
        }
      }
      await world.checkpoint()
      await world.pass(2000)
      if (round % 10 < 9) continue
      const { upkeep } = world.store.stats()
      assert.equal(upkeep.failures, 0)
      merges += upkeep.merges
      await world.crash()
      for (const collection of names) {
        const map = world.store.map<number, string>(collection)
        const model = models.get(collection) as Map<string, number>
        assert.equal(map.size, model.size)
        for (let at = 0; at < 50; at++) {
          const key = keyOf(random, shared)
          assert.equal(map.get(key), model.get(key))
        }
        assert.deepEqual([...map].sort(), [...model].sort())
      }
    }
    assert.ok(merges > 5, `${merges} merges`)
    const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
    assert.ok(manifest.base.length > 2, `${manifest.base.length} ranges`)
    await world.close()
    const { files } = await world.run(verifyStore(world.storage, () => undefined))
    assert.deepEqual(
      files.filter(({ problem }) => problem !== undefined),
      [],
    )
  })
}
