/** A store that has not folded yet, and whose directory or empty folder is away for a while: it folds once that is back, and has put nothing in its place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

/** Names lead into `other` while it is in the place of the store; what is open stays open. */
function replaced(storage: SimulatedStorage, other: SimulatedStorage, place: { other: boolean }): SimulatedStorage {
  return new Proxy(storage, {
    get: (own, name) => {
      const target = place.other ? other : own
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function change(world: SimulatedStore, value: number): Promise<void> {
  const map = world.store.map<number>('map')
  for (let at = 0; at < 60; at++) map.set(`${at}`, value)
}

test('while an empty directory is in its place nothing is made there; afterwards it folds', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 1000 } })
  world.thresholds = { records: 50 }
  const other = new SimulatedStorage({ seed: 2, scheduler: world.scheduler })
  const place = { other: false }
  world.storage = replaced(world.storage, other, place)
  await world.open()
  await change(world, 1)
  const degraded: string[] = []
  world.store.on('degraded', error => degraded.push(error.hint ?? ''))
  world.store.once('checkpoint', () => (place.other = true))
  await world.pass(2000)
  assert.ok(place.other)
  await change(world, 2)
  await world.pass(300_000)
  assert.deepEqual([...other.disk.folders], [''])
  assert.deepEqual(
    degraded.filter(hint => /do not restart/.test(hint)),
    [],
  )
  place.other = false
  await world.pass(300_000)
  assert.equal(world.store.stats().status, 'ok')
  const { foldedEpoch } = world.store.stats().upkeep
  assert.ok(foldedEpoch >= 2, `${foldedEpoch}`)
  await world.close()
})

test('a folder for segments that was empty, and has gone, is made again', async () => {
  const world = new SimulatedStore()
  world.thresholds = { records: 50 }
  await world.open()
  const heal = world.storage.inject({ operation: 'open', path: 'segment/', errno: 'ENOSPC' })
  await change(world, 1)
  await world.checkpoint()
  await world.pass(5000)
  assert.ok(world.store.stats().upkeep.failures > 0)
  assert.ok(world.storage.disk.folders.delete('segment'))
  heal()
  await world.pass(300_000)
  assert.equal(world.store.stats().upkeep.foldedEpoch, 1)
  await world.close()
})
