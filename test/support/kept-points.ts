/** A store with fold points that are kept, in one file of the log. */
import assert from 'node:assert/strict'
import type { Manifest } from '../../src/format/index.ts'
import { type FoundManifest, readNewest } from '../../src/manifest/index.ts'
import { SimulatedStore } from './simulated-store.ts'

/** Fold points at epochs 3, 6 and 9 are kept, and epoch 5 is damaged if asked for. `last`: of the epochs. */
export async function threeKept(isDamaged = false, last = 10): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 8, graceMs: 100, paced: false }
  const map = (await world.open()).map<string>('map')
  for (let epoch = 1; epoch <= last; epoch++) {
    for (let key = 0; key < (epoch < 10 && epoch % 3 === 0 ? 8 : 1); key++) map.set(`${key}`, `of epoch ${epoch}.`)
    await world.checkpoint()
    await world.pass(3000)
  }
  await world.close()
  const { retained, fold } = await newestOf(world)
  assert.deepEqual(
    [...retained, fold].map(point => point?.epoch),
    [3, 6, 9],
  )
  const content = world.storage.disk.lookup(fold?.file as string)
  if (isDamaged) content?.flip(content.cache.view().indexOf('of epoch 5.'), 1)
  return world
}

export async function newestOf(world: SimulatedStore): Promise<Manifest> {
  return ((await world.run(readNewest(world.storage))) as FoundManifest).manifest
}
