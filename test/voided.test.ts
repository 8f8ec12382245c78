/** Listeners of `voided`: they are called in the middle of what the service does to a collection, or behind it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

/** A map of which a cut is being taken that a `delete` or `clear` voids. */
async function cutting() {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  for (let n = 0; n < 1000; n++) map.set(n, n)
  return { world, store, map, point: store.checkpoint() }
}

test('what a listener puts in the place of a collection that is deleted is not deleted with it', async () => {
  const { world, store, point } = await cutting()
  store.once('voided', () => {
    store.delete('map')
    store.map<number>('map').set('new', 1)
  })
  assert.equal(store.delete('map'), true)
  assert.deepEqual([...store.map('map')], [['new', 1]])
  assert.equal(store.stats().collections['map']?.entries, 1)
  await world.run(point)
  await world.checkpoint()
  assert.deepEqual([...(await world.crash()).map('map')], [['new', 1]])
  await world.close()
})

test('a collection that a listener drops while it is emptied takes no writes any more', async () => {
  const { world, store, map, point } = await cutting()
  store.once('voided', () => store.delete('map'))
  assert.throws(() => map.clear(), { code: 'TIDEMARK_CLOSED' })
  assert.throws(() => map.set('new', 1), { code: 'TIDEMARK_CLOSED' })
  await world.run(point)
  assert.equal((await world.crash()).map('map').size, 0)
  await world.close()
})

test('a collection that a listener empties and fills while it is emptied is empty', async () => {
  const { world, store, map, point } = await cutting()
  store.once('voided', () => {
    map.clear()
    map.set('new', 1)
  })
  map.clear()
  assert.equal(map.size, 0)
  map.set('newer', 1)
  await world.run(point)
  await world.checkpoint()
  assert.deepEqual([...(await world.crash()).map('map')], [['newer', 1]])
  await world.close()
})

for (const where of ['transaction', 'hold'] as const) {
  test(`who is told of a cut that a ${where} made void is told behind that, and outside of it`, async () => {
    const { world, store, map, point } = await cutting()
    const log = store.map<number>('log')
    const told: string[] = []
    let durable: Promise<void> | undefined
    store.on('barrier', () => told.push('barrier'))
    store.once('voided', () => {
      told.push('voided')
      log.set('void', 1)
      durable = store.durable()
    })
    const failing = (): void =>
      store.transaction(() => {
        map.clear()
        throw new Error('no')
      })
    if (where === 'transaction') assert.throws(failing, { message: 'no' })
    else await store.hold(async () => map.clear())
    await world.run(point)
    await world.run(durable as Promise<void>)
    assert.deepEqual(told.slice(0, 2), ['voided', 'barrier'])
    const back = await world.crash()
    assert.deepEqual([back.map('map').size, back.map('log').get('void')], [where === 'transaction' ? 1000 : 0, 1])
    await world.close()
  })
}
