/** A process that dies again and again before it has written anything leaves nothing behind that grows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noFailpoint } from '../src/base/failpoint.ts'
import { LOG_HEADER_BYTES } from '../src/format/index.ts'
import { publish, readNewest } from '../src/manifest/index.ts'
import { openForReading } from '../src/restore/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const RUNS = 40

/** Dies when the first file of its own is named and nothing is in it. */
async function dieAfterRoll(world: SimulatedStore): Promise<void> {
  const { storage, scheduler } = world
  await world.open()
  storage.onCall = ({ operation, path }) => {
    if (operation === 'syncFolder' && path === 'manifest') storage.powerOff()
  }
  world.store.map<number>('map').set('x', -1)
  await assert.rejects(world.run(world.store.checkpoint({ timeoutMs: 100 })))
  world.store.close().catch(() => {})
  await world.pass(0)
  world.storage = new SimulatedStorage({ seed: 3, scheduler, disk: storage.disk })
}

test('closed files without an epoch, as older runs left them, are read, and stay until they are folded', async () => {
  const world = new SimulatedStore()
  await world.open()
  world.store.map<number>('map').set('x', 1)
  await world.checkpoint()
  await world.close()
  for (let run = 0; run < 3; run++) {
    await dieAfterRoll(world)
    const { manifest } = (await world.run(readNewest(world.storage))) ?? assert.fail()
    const log = manifest.log.map(({ file, end }) => ({
      file,
      end: end ?? { bytes: LOG_HEADER_BYTES, epoch: 1, digest: manifest.log[0]?.end?.digest ?? '' },
    }))
    assert.equal(await world.run(publish(world.storage, { ...manifest, number: manifest.number + 1, log }, noFailpoint)), 'ours')
  }
  await dieAfterRoll(world)
  await world.open()
  assert.equal(world.store.map<number>('map').get('x'), 1)
  world.store.map<number>('map').set('y', 2)
  await world.checkpoint()
  await world.crash()
  assert.equal(world.store.map<number>('map').get('y'), 2)
  const { manifest } = await world.run(openForReading(world.storage))
  assert.equal(manifest.log.length, 5)
})

for (const before of [0, 1, 'folded'] as const) {
  test(`files in which nothing was accepted are dropped by the next run (${before} epochs before)`, async () => {
    const world = new SimulatedStore()
    if (before === 'folded') world.thresholds = { records: 1, bytes: 1 }
    await world.open()
    if (before !== 0) {
      world.store.map<number>('map').set('x', 1)
      await world.checkpoint()
    }
    if (before === 'folded') await world.pass(10_000)
    const { foldedEpoch } = world.store.stats().upkeep
    assert.equal(foldedEpoch, before === 'folded' ? 1 : 0)
    await world.close()
    for (let run = 0; run < RUNS; run++) await dieAfterRoll(world)
    const found = await world.run(readNewest(world.storage))
    assert.ok((found?.manifest.log.length ?? 0) <= 2, `${found?.manifest.log.length} files`)
    const epoch = before === 0 ? 0 : 1
    await world.open()
    assert.equal(world.store.restored.epoch, epoch)
    assert.equal(world.store.map<number>('map').get('x'), epoch === 0 ? undefined : 1)
    world.store.map<number>('map').set('y', 2)
    await world.checkpoint()
    await world.crash()
    assert.equal(world.store.restored.epoch, epoch + 1)
    assert.equal(world.store.map<number>('map').get('y'), 2)
    if (before === 'folded') {
      await world.pass(10_000)
      assert.equal(world.store.stats().upkeep.foldedEpoch, 2)
    }
    await world.close()
    const { manifest } = await world.run(openForReading(world.storage))
    assert.ok(manifest.log.length <= 3, `${manifest.log.length} files`)
  })
}
