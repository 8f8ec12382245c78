/** The manifests from a fork on are lost, and what is left is folded beyond where history went on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Manifest, manifestName } from '../src/format/index.ts'
import { listManifests, readManifest } from '../src/manifest/index.ts'
import type { Settings } from '../src/options.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

async function manifestsOf(world: SimulatedStore): Promise<Manifest[]> {
  const numbers = await world.run(listManifests(world.storage))
  return await world.run(Promise.all(numbers.map(number => readManifest(world.storage, number))))
}

/** The process is gone, and all that it wrote is on the device. */
function killed(world: SimulatedStore): void {
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
}

/** Epochs up to 20, folded up to 15. `at`: the epoch that history went on from. */
async function forked(world: SimulatedStore, at: (before: Manifest) => number): Promise<number> {
  world.thresholds = { records: 15, paced: false }
  const map = (await world.open()).map<number>('map')
  for (let epoch = 1; epoch <= 20; epoch++) {
    map.set('n', epoch)
    await world.checkpoint()
    if (epoch === 15) await world.pass(1000)
  }
  killed(world)
  const before = (await manifestsOf(world)).at(-1) as Manifest
  assert.equal(before.fold?.epoch, 15)
  const target = at(before)
  const again = (await world.open({ restore: { at: target } })).map<number>('map')
  for (let count = 1; count <= 2; count++) {
    again.set('n', -count)
    await world.checkpoint()
  }
  killed(world)
  for (const { number, lineage } of await manifestsOf(world))
    if (lineage.length > 1) world.storage.disk.lookup(manifestName(number))?.flip(50, 1)
  return target
}

async function refusedWithout(world: SimulatedStore, target: number, all: readonly Settings[] = [{}, { readOnly: true }]): Promise<void> {
  const names = await world.run(listManifests(world.storage))
  for (let count = 1; count <= 2; count++) {
    for (const settings of all) {
      await assert.rejects(world.open(settings), {
        code: 'TIDEMARK_MANIFEST_DAMAGED',
        message: new RegExp(`goes on from epoch ${target}$`),
      })
    }
  }
  assert.deepEqual(await world.run(listManifests(world.storage)), names, 'nothing is published')
}

test('history that went on from before the fold point of the newest manifest that verifies is not put behind its segments', async () => {
  const world = new SimulatedStore()
  await refusedWithout(world, await forked(world, () => 5))
})

test('nor where it went on from the end of a file that was closed, and the fold point lies in a later one', async () => {
  const world = new SimulatedStore()
  world.fileBytesMax = 5000
  const target = await forked(world, ({ log, fold }) => {
    const at = log.findIndex(({ file }) => file === fold?.file)
    assert.ok(at === log.length - 1, 'the fold point lies in the last file')
    return log[at - 1]?.end?.epoch as number
  })
  assert.ok(target > 0 && target < 15)
  await refusedWithout(world, target)
})

test('nor is it given up for a file that has gone with the history before it', async () => {
  const world = new SimulatedStore()
  world.fileBytesMax = 5000
  let gone = ''
  const target = await forked(world, ({ log }) => {
    gone = log.at(-1)?.file as string
    return 5
  })
  assert.ok(target < 15)
  world.storage.disk.setName(gone, undefined)
  world.storage.disk.syncFolder('log')
  await refusedWithout(world, target, [{}, { readOnly: true }, { restore: { onDamage: 'fall-back' } }])
})

test('history that went on from the fold point itself, or behind it, is found', async () => {
  for (const target of [15, 18]) {
    const world = new SimulatedStore()
    await forked(world, () => target)
    const store = await world.open()
    assert.deepEqual([store.restored.epoch, store.map('map').get('n')], [target + 2, -2])
    await world.close()
    assert.equal((await world.open()).map('map').get('n'), -2)
    await world.close()
  }
})
