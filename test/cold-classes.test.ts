/** Collections that lag in a store that keeps its entries within `memoryBytesMax`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

const SMALL = { bytes: 20_000, fanIn: 3, smallestBytes: 30_000, youngBytesMax: 200_000, slackBytes: 50_000, slackRecords: 3000 }
const text = (at: number, round = 0): string => `some text of entry ${at} in round ${round}`

/** Everything may be evicted as soon as it is stored. */
async function opened(memoryBytesMax = 0): Promise<SimulatedStore> {
  const world = new SimulatedStore({ restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax } })
  world.thresholds = { ...SMALL, graceMs: 100 }
  await world.open()
  return world
}

test('an epoch fails and is repeated without a rebuildable collection: what it lacks does not leave the heap', async () => {
  const world = await opened()
  const { store } = world
  const orders = store.map<string, number>('orders')
  const cache = store.map<string, number>('cache', { class: 'rebuildable' })
  for (let at = 0; at < 2000; at++) {
    orders.set(at, text(at))
    cache.set(at, text(at))
  }
  await world.run(store.durable())
  await world.pass(20_000)
  cache.set(1, text(1, 1))
  cache.delete(2)
  for (let at = 0; at < 1000; at++) orders.set(at, text(at, 1))
  world.storage.inject({ operation: 'append', errno: 'EIO', path: 'log/', times: 1 })
  const repeated = store.checkpoint()
  await world.pass(1)
  world.pressed = true
  const point = await world.run(repeated)
  assert.deepEqual(point.lagging, [{ collection: 'cache', epoch: 1 }], 'repeated without it')
  assert.equal(store.stats().failures, 1)
  await world.pass(20_000)
  assert.ok(store.stats().upkeep.foldedEpoch >= point.epoch, 'folded')
  assert.ok((store.stats().memory?.evicted ?? 0) > 0)
  const right = (map: typeof cache): void => {
    assert.equal(map.get(1), text(1, 1))
    assert.equal(map.get(2), undefined)
    assert.equal(map.size, 1999)
  }
  right(cache)
  world.pressed = false
  await world.run(store.durable())
  await world.pass(20_000)
  right(cache)
  await world.close()
  right((await world.open()).map<string, number>('cache'))
  await world.close()
})

test('keys that come and go between two barriers leave nothing behind', async () => {
  const world = await opened(100_000)
  const { store } = world
  const locks = store.map<number, string>('locks')
  locks.set('first', 1)
  await world.checkpoint()
  const before = store.stats().memory?.liveBytes ?? 0
  for (let at = 0; at < 20_000; at++) {
    locks.set(`lock ${at}`, at)
    locks.delete(`lock ${at}`)
  }
  assert.ok((store.stats().memory?.liveBytes ?? 0) < before + 10_000, `${store.stats().memory?.liveBytes}, ${before} before`)
  await world.close()
})
