/** What a transaction, or a listener of a barrier, sets is in one epoch, be it what is there already, or insignificant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import type { Store } from '../src/store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const moved = (old: number, next: number): boolean => Math.abs(next - old) >= 1

interface Opened {
  readonly world: SimulatedStore
  readonly store: Store
  readonly ships: TidemarkMap<string, number>
  readonly orders: TidemarkMap<string, number>
  readonly cache: TidemarkMap<string, number>
}

async function opened(): Promise<Opened> {
  const world = new SimulatedStore()
  const store = await world.open()
  const ships = store.map<number, string>('ships', { significant: moved })
  const orders = store.map<number, string>('orders')
  const cache = store.map<number, string>('cache', { class: 'rebuildable' })
  for (const map of [ships, orders, cache]) map.set('k', 0)
  await world.run(store.durable())
  return { world, store, ships, orders, cache }
}

test('a transaction sets a key to the value that waits there as insignificant: the value is written with all else', async () => {
  const { world, store, ships, orders } = await opened()
  ships.set('k', 0.5)
  store.transaction(() => {
    ships.set('k', 0.5)
    orders.set('k', 1)
  })
  assert.equal(store.stats().collections['ships']?.insignificant, 0)
  await world.checkpoint()
  const back = await world.crash()
  assert.deepEqual([back.map('orders').get('k'), back.map('ships').get('k')], [1, 0.5])
  await world.close()
})

test('a transaction that is taken back leaves the value that waited', async () => {
  const { world, store, ships } = await opened()
  ships.set('k', 0.5)
  assert.throws(() =>
    store.transaction(() => {
      ships.set('k', 0.5)
      throw new Error('back')
    }),
  )
  assert.equal(ships.get('k'), 0.5)
  await world.run(store.durable())
  assert.equal((await world.crash()).map('ships').get('k'), 0.5)
  await world.close()
})

test('outside of a transaction it is no change', async () => {
  const { world, store, ships, cache } = await opened()
  ships.set('k', 0.5)
  ships.set('k', 0.5)
  cache.set('k', 0)
  store.transaction(() => store.map<number, string>('orders').set('k', 0))
  const { collections, dirtyMax } = store.stats()
  assert.deepEqual([collections['ships']?.insignificant, dirtyMax], [1, 0])
  assert.deepEqual(
    ['ships', 'cache', 'orders'].map(name => collections[name]?.unchanged),
    [1, 1, 1],
  )
  await world.close()
})

const WAYS: readonly (readonly [string, number | undefined, (cache: TidemarkMap<string, number>) => void])[] = [
  ['set', 5, cache => void cache.set('k', 5)],
  ['delete', undefined, cache => void cache.delete('k')],
  ['clear', undefined, cache => cache.clear()],
]

for (const [call, value, change] of WAYS) {
  test(`a transaction brings a rebuildable collection to what it is already, by ${call}: it is in one epoch with the rest`, async () => {
    const { world, store, orders, cache } = await opened()
    world.pressed = true
    if (value === undefined) cache.delete('k')
    else cache.set('k', value)
    store.transaction(() => {
      orders.set('k', 5)
      change(cache)
    })
    assert.deepEqual((await world.checkpoint()).lagging, [])
    const back = await world.crash()
    assert.deepEqual([back.map('orders').get('k'), back.map('cache').get('k')], [5, value])
    await world.close()
  })
}

for (const value of [0.25, 0.5]) {
  test(`what a listener of a barrier sets is in the epoch, insignificant or not: ${value} where 0.5 waits`, async () => {
    for (const end of ['durable', 'checkpoint'] as const) {
      const { world, store, ships, orders } = await opened()
      store.on('barrier', () => {
        if (ships.get('k') === 0) ships.set('k', 0.5)
        ships.set('k', value)
      })
      orders.set('k', 1)
      await world.run<unknown>(store[end]())
      const { insignificant } = store.stats().collections['ships'] ?? {}
      assert.equal(insignificant, 0, end)
      assert.equal((await world.crash()).map('ships').get('k'), value, end)
      await world.close()
    }
  })
}

test('a listener of a barrier sets a key to the insignificant value that waited before it: that is in the epoch', async () => {
  const { world, store, ships } = await opened()
  ships.set('k', 0.5)
  store.once('barrier', () => void ships.set('k', 0.5))
  await world.checkpoint()
  assert.equal((await world.crash()).map('ships').get('k'), 0.5)
  await world.close()
})

test('a transaction that sets a key to the live value that cannot be stored is refused', async () => {
  const { world, store, orders } = await opened()
  const map = store.map<unknown>('map')
  const value = (): void => {}
  map.set('k', value)
  assert.throws(
    () =>
      store.transaction(() => {
        map.set('k', value)
        orders.set('k', 7)
      }),
    { code: 'TIDEMARK_VALUE_REFUSED' },
  )
  assert.notEqual(orders.get('k'), 7)
  map.delete('k')
  await world.close()
})
