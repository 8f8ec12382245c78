/** What listeners of a barrier write to a rebuildable collection: it is in the epoch, whatever may be left out of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClassWorld, openClasses } from './support/class-world.ts'

for (const call of ['durable', 'close'] as const) {
  test(`${call}() that finds nothing but a changed catalogue leaves out nothing that its barrier's listener writes`, async () => {
    const { world, store, cache } = await openClasses()
    world.pressed = true
    store.delete('index')
    store.on('barrier', () => void cache.set('k', 5))
    await world.run(store[call]())
    assert.deepEqual(world.points.at(-1)?.lagging, [])
    assert.equal((await world.crash()).map('cache').get('k'), 5)
    await world.close()
  })
}

const WRITES: readonly (readonly [string, (all: ClassWorld) => void, readonly string[]])[] = [
  ['nothing', () => {}, ['cache', 'index']],
  ['a key', ({ cache }) => void cache.set('k', 2), ['index']],
  ['what is there already', ({ cache }) => void cache.set('k', 1), ['index']],
  ['a key, in a transaction', ({ store, cache }) => store.transaction(() => void cache.set('k', 2)), ['index']],
  ['what is there already, in a transaction', ({ store, cache }) => store.transaction(() => void cache.set('k', 1)), ['index']],
  ['what is gone already', ({ cache }) => void cache.delete('gone'), ['index']],
  [
    'two in a transaction',
    ({ store, cache, index }) =>
      store.transaction(() => {
        cache.set('k', 2)
        index.set('k', 2)
      }),
    [],
  ],
]

for (const [what, write, left] of WRITES) {
  test(`what a listener of a barrier writes is in the epoch under pressure, too: ${what}`, async () => {
    const all = await openClasses()
    const { world, store, orders, cache, index } = all
    cache.set('gone', 1)
    await world.checkpoint()
    world.pressed = true
    for (const map of [orders, cache, index]) map.set('k', 1)
    cache.delete('gone')
    store.once('barrier', () => write(all))
    const names = async (): Promise<string[]> => (await world.checkpoint()).lagging.map(({ collection }) => collection)
    assert.deepEqual(await names(), left)
    for (const map of [orders, cache, index]) map.set('k', 3)
    assert.deepEqual(await names(), ['cache', 'index'], 'of the next barrier it says nothing')
    await world.close()
  })
}

for (const inTransaction of [false, true]) {
  test(`what a listener of a barrier empties is in the epoch under pressure, be it empty already; in a transaction: ${inTransaction}`, async () => {
    const { world, store, orders, cache, index } = await openClasses()
    world.pressed = true
    cache.delete('k')
    for (const map of [orders, index]) map.set('k', 1)
    const clear = (): void => cache.clear()
    store.once('barrier', () => (inTransaction ? store.transaction(clear) : clear()))
    const { lagging } = await world.checkpoint()
    assert.deepEqual(
      lagging.map(({ collection }) => collection),
      ['index'],
    )
    await world.close()
  })
}

test('close() whose first epochs fail leaves out nothing that the listener of its last barrier writes', async () => {
  const { world, store, cache } = await openClasses()
  const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
  const asked = store.checkpoint()
  await world.pass(50)
  world.pressed = true
  let n = 0
  store.on('barrier', () => void cache.set('k', ++n))
  const closed = store.close()
  await world.pass(300)
  heal()
  await world.run(Promise.all([asked, closed]))
  assert.ok(n > 1)
  assert.equal((await world.open()).map('cache').get('k'), n)
  await world.close()
})

for (const call of ['close', 'durable'] as const) {
  test(`${call}() during an epoch whose cut moves leaves out nothing that the listener of its barrier writes`, async () => {
    const { world, store, orders, cache } = await openClasses()
    world.pressed = true
    const value = { n: 1 }
    const objects = orders as unknown as Map<string, unknown>
    objects.set('object', value)
    store.on('barrier', ({ epoch }) => void cache.set('k', epoch))
    const asked = store.checkpoint()
    value.n = 2
    objects.set('object', value)
    assert.equal(store.stats().voids, 1)
    await world.run(Promise.all([asked, store[call]()]))
    const last = world.points.at(-1)
    assert.deepEqual(last?.lagging, [])
    assert.equal((await world.crash()).map('cache').get('k'), last?.epoch)
    await world.close()
  })
}
