/** Classes of collections beside a value that is refused with every barrier: it is no change, of whichever class its collection is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Settings } from '../src/options.ts'
import { SimulatedStore } from './support/simulated-store.ts'

async function opened(checkpoint: NonNullable<Settings['checkpoint']>) {
  const world = new SimulatedStore({ checkpoint })
  const store = await world.open()
  const orders = store.map<unknown, string>('orders')
  const cache = store.map<number, string>('cache', { class: 'rebuildable' })
  for (const map of [orders, cache]) map.set('k', 0)
  await world.run(store.durable())
  return { world, store, orders, cache }
}

test('a refused value of a critical collection brings no barrier forward, whatever others write; what comes beside it does', async () => {
  const { world, store, orders } = await opened({ intervalMs: 10_000 })
  const payments = store.map<unknown, string>('payments', { class: 'critical', rpoMs: 50 })
  payments.set('bad', () => {})
  await assert.rejects(world.run(store.durable()), { code: 'TIDEMARK_VALUE_REFUSED' })
  const before = world.points.length
  for (let n = 0; n < 50; n++) {
    orders.set('k', n)
    await world.pass(20)
  }
  assert.equal(world.points.length, before)
  payments.set('good', 1)
  await world.pass(100)
  assert.equal(world.points.length, before + 1)
  orders.set('k', 50)
  await world.pass(1000)
  assert.equal(world.points.length, before + 1)
  payments.set('bad', 'mended')
  await world.pass(100)
  assert.equal(world.points.length, before + 2)
  assert.equal((await world.crash()).map('payments').get('bad'), 'mended')
  await world.close()
})

test('a refused value makes no barrier fall where all else that is dirty would be left out', async () => {
  const { world, store, orders, cache } = await opened({ intervalMs: 1000 })
  world.pressed = true
  orders.set('bad', () => {})
  await assert.rejects(world.run(store.durable()), { code: 'TIDEMARK_VALUE_REFUSED' })
  const before = world.points.length
  for (let n = 0; n < 30; n++) {
    cache.set('k', n)
    await world.pass(100)
  }
  assert.equal(world.points.length, before)
  orders.set('good', 1)
  await world.pass(2000)
  assert.equal(world.points.length, before + 1)
  assert.deepEqual(
    world.points.at(-1)?.lagging.map(({ collection }) => collection),
    ['cache'],
  )
  orders.set('bad', 'mended')
  await world.pass(2000)
  assert.equal(world.points.length, before + 2)
  await world.close()
})
