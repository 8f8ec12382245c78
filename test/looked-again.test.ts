/** A device that answers wrong once: what would be given up for it is looked at again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { newestNumber } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { flipReads } from './support/wrong-answer.ts'

async function epochs(world: SimulatedStore, from: number, through: number): Promise<void> {
  for (let epoch = from; epoch <= through; epoch++) {
    world.store.map<number>('map').set('n', epoch)
    await world.checkpoint()
  }
}

test('history that a restore to the past had left does not come back for a newest manifest that reads wrong at one look', async () => {
  for (const readOnly of [true, false]) {
    const world = new SimulatedStore()
    await world.open()
    await epochs(world, 1, 5)
    await world.close()
    await world.open({ restore: { at: 3 } })
    await world.close()
    const file = manifestName(await world.run(newestNumber(world.storage)))
    flipReads(world.storage, file, 60)
    const { restored } = await world.open({ readOnly })
    assert.deepEqual([restored.epoch, restored.notes], [3, []])
    await world.close()
  }
})
