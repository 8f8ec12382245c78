/** Classes of collections: what comes first, what may lag, and what a recovery point says about it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LAG_INTERVALS_MAX } from '../src/base/limits.ts'
import type { Store } from '../src/store.ts'
import { openClasses } from './support/class-world.ts'

test('under pressure a rebuildable collection lags, the point says so, and a restart has it as of its own epoch', async () => {
  const { world, store, orders, cache, index } = await openClasses()
  world.pressed = true
  for (const map of [orders, cache]) {
    map.set('k', 1)
    map.set('more', 1)
  }
  const point = await world.checkpoint()
  assert.deepEqual(point.lagging, [{ collection: 'cache', epoch: 1 }])
  assert.deepEqual([point.records, point.entries], [2, 4])
  orders.set('k', 2)
  cache.delete('k')
  const later = await world.checkpoint()
  assert.deepEqual(later.lagging, [{ collection: 'cache', epoch: 1 }])
  const points = await world.run(store.recoveryPoints())
  assert.deepEqual(
    points.map(({ epoch, lagging, entries }) => [epoch, lagging.map(one => one.epoch), entries]),
    [
      [3, [1], 4],
      [2, [1], 4],
      [1, [], 3],
    ],
  )
  assert.equal(index.size, 1)
  const back = await world.crash()
  assert.deepEqual(back.restored.lagging, [{ collection: 'cache', epoch: 1 }])
  assert.equal(back.restored.entries, 4)
  assert.deepEqual(
    [...back.map('orders')],
    [
      ['k', 2],
      ['more', 1],
    ],
  )
  assert.equal(back.map('cache').size, 1)
  assert.deepEqual([...back.map('cache')], [['k', 0]])
  back.map('cache').set('k', 5)
  assert.deepEqual((await world.checkpoint()).lagging, [], 'a standard one until map says otherwise')
  await world.close()
})

test('an epoch that leaves something out is a decision, and so is the first that leaves nothing out again', async () => {
  const { world, store, orders, cache, index } = await openClasses()
  const decided: unknown[] = []
  store.on('decision', ({ type, reason, numbers }) => {
    if (type === 'left-out' || type === 'taken-in') decided.push([type, reason, numbers['collections']])
  })
  await world.checkpoint()
  world.pressed = true
  for (const map of [orders, cache, index]) map.set('k', 1)
  await world.checkpoint()
  orders.set('k', 2)
  await world.checkpoint()
  world.pressed = false
  orders.set('k', 3)
  await world.checkpoint()
  orders.set('k', 4)
  await world.checkpoint()
  assert.deepEqual(decided, [
    ['left-out', 'pressure', 2],
    ['taken-in', 'durable', 2],
  ])
  await world.close()
})

test('without pressure nothing lags; durable() and close() never leave anything out', async () => {
  const { world, store, cache } = await openClasses()
  cache.set('k', 1)
  assert.deepEqual((await world.checkpoint()).lagging, [])
  world.pressed = true
  cache.set('k', 2)
  await world.run(store.durable())
  assert.deepEqual(world.points.at(-1)?.lagging, [])
  cache.set('k', 3)
  assert.equal((await world.checkpoint()).lagging.length, 1)
  await world.close()
  assert.equal((await world.open()).map('cache').get('k'), 3)
  await world.close()
})

test('durable() that meets an epoch which leaves something out waits for the next one', async () => {
  const { world, store, cache, orders } = await openClasses()
  world.pressed = true
  cache.set('k', 1)
  orders.set('k', 1)
  const first = store.checkpoint()
  const durable = store.durable()
  assert.equal((await world.run(first)).lagging.length, 1)
  await world.run(durable)
  assert.equal((await world.crash()).map('cache').get('k'), 1)
  await world.close()
})

test('durable() whose epoch fails leaves nothing out of the next', async () => {
  const { world, store, cache } = await openClasses()
  world.pressed = true
  cache.set('k', 1)
  const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
  const durable = store.durable()
  await world.pass(300)
  heal()
  await world.run(durable)
  assert.deepEqual(world.points.at(-1)?.lagging, [])
  assert.equal((await world.crash()).map('cache').get('k'), 1)
  await world.close()
})

const ENDINGS: readonly (readonly [string, (store: Store) => Promise<void>])[] = [
  ['durable()', store => store.durable()],
  ['close()', store => store.close()],
  [
    'durable() that waits for the next epoch',
    store => {
      store.map('new')
      return store.durable()
    },
  ],
]

for (const [call, end] of ENDINGS) {
  test(`${call} during an epoch that fails leaves nothing out of the next`, async () => {
    const { world, store, cache } = await openClasses()
    cache.set('k', 1)
    const first = store.checkpoint()
    const durable = end(store)
    world.pressed = true
    const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
    await world.pass(300)
    heal()
    await world.run(Promise.all([first, durable]))
    assert.deepEqual(world.points.at(-1)?.lagging, [])
    assert.equal((await world.crash()).map('cache').get('k'), 1)
    await world.close()
  })
}

test('it lags ten intervals at most', async () => {
  const { world, orders, cache } = await openClasses({ checkpoint: { intervalMs: 100 } })
  world.pressed = true
  const began = world.points.length
  for (let n = 1; n <= 300; n++) {
    orders.set('k', n)
    cache.set('k', n)
    await world.pass(10)
  }
  const points = world.points.slice(began)
  const lagging = points.map(point => point.lagging.length)
  assert.ok(lagging.filter(count => count === 1).length > points.length / 2, `${lagging}`)
  let since = 0
  for (const { lagging: late, time } of points) {
    if (late.length === 0) since = time
    else if (since > 0) assert.ok(time - since <= LAG_INTERVALS_MAX * 100 + 20, `${time - since} ms`)
  }
  assert.ok(since > 0, 'it was never taken')
  await world.close()
})

test('when only what may lag is dirty no timer makes a checkpoint, until it may lag no longer', async () => {
  const { world, cache } = await openClasses({ checkpoint: { intervalMs: 100 } })
  world.pressed = true
  await world.pass(300)
  const { length } = world.points
  cache.set('k', 1)
  await world.pass(500)
  assert.equal(world.points.length, length)
  await world.pass(700)
  assert.equal(world.points.length, length + 1)
  assert.deepEqual(world.points.at(-1)?.lagging, [])
  await world.close()
})

test('what a transaction changed together is in one epoch: the stricter class counts', async () => {
  const { world, store, orders, cache, index } = await openClasses()
  world.pressed = true
  store.transaction(() => {
    cache.set('k', 1)
    index.set('k', 1)
  })
  orders.set('k', 1)
  assert.deepEqual(
    (await world.checkpoint()).lagging.map(({ collection }) => collection),
    ['cache', 'index'],
  )
  store.transaction(() => {
    orders.set('k', 2)
    index.set('k', 2)
  })
  assert.deepEqual((await world.checkpoint()).lagging, [], 'and what was changed with it before')
  assert.throws(() =>
    store.transaction(() => {
      orders.set('k', 3)
      cache.set('k', 3)
      throw new Error('back')
    }),
  )
  cache.set('other', 1)
  assert.equal((await world.checkpoint()).lagging.length, 1, 'what was taken back binds nothing')
  store.transaction(() => {
    cache.clear()
    index.set('k', 4)
  })
  assert.deepEqual((await world.checkpoint()).lagging, [], 'an emptied collection is never left out')
  await world.close()
})

test('a failed epoch: what was bound stays bound', async () => {
  const { world, store, orders, cache } = await openClasses()
  world.pressed = true
  store.transaction(() => {
    orders.set('k', 1)
    cache.set('k', 1)
  })
  const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
  const point = store.checkpoint()
  await world.pass(300)
  heal()
  assert.deepEqual((await world.run(point)).lagging, [])
  const back = await world.crash()
  assert.deepEqual([back.map('orders').get('k'), back.map('cache').get('k')], [1, 1])
  await world.close()
})

test('a critical collection brings the barrier forward, for all', async () => {
  const { world, store, orders } = await openClasses({ checkpoint: { intervalMs: 10_000 } })
  const payments = store.map<number>('payments', { class: 'critical', rpoMs: 50 })
  await world.run(store.durable())
  const before = world.points.length
  orders.set('k', 7)
  await world.pass(1000)
  assert.equal(world.points.length, before, 'no critical one is dirty')
  payments.set('k', 1)
  await world.pass(100)
  assert.equal(world.points.length, before + 1)
  const fell = store
    .decisions()
    .filter(({ type }) => type === 'barrier')
    .at(-1)
  assert.equal(fell?.reason, 'rpo')
  const back = await world.crash()
  assert.deepEqual([back.map('payments').get('k'), back.map('orders').get('k')], [1, 7])
  await world.close()
})

test('critical collections are captured first', async () => {
  const { world, store, orders } = await openClasses()
  const payments = store.map<number>('payments', { class: 'critical' })
  const read: string[] = []
  const spy = (name: string): unknown =>
    new Proxy(
      {},
      {
        ownKeys: target => {
          read.push(name)
          return Reflect.ownKeys(target)
        },
      },
    )
  store.map<unknown, string>('orders').set('spy', spy('orders'))
  ;(payments as unknown as Map<string, unknown>).set('spy', spy('payments'))
  await world.checkpoint().catch(() => {})
  assert.equal(orders.size, 2)
  assert.deepEqual(
    read.filter((name, at) => read.indexOf(name) === at),
    ['payments', 'orders'],
  )
  store.delete('payments')
  orders.delete('spy')
  await world.close()
})

test('options are checked, and shown', async () => {
  const { world, store } = await openClasses()
  for (const options of [{ class: 'important' }, { rpoMs: 50 }, { class: 'standard', rpoMs: 50 }, { class: 'critical', rpoMs: 0 }]) {
    assert.throws(() => store.map('orders', options as never), { code: 'TIDEMARK_ARGUMENT', collection: 'orders' }, JSON.stringify(options))
  }
  for (const options of [new Map([['class', 'critical']]), Object.create({ priority: 1 }), new Date()]) {
    assert.throws(() => store.map('orders', options as never), { code: 'TIDEMARK_ARGUMENT', collection: 'orders' })
  }
  store.map('payments', Object.create({ class: 'critical', rpoMs: 50 }))
  const { collections } = store.stats()
  const classes = ['orders', 'cache', 'payments'].map(name => collections[name]?.class)
  assert.deepEqual(classes, ['standard', 'rebuildable', 'critical'])
  await world.close()
})

test('an `rpoMs` that is given with every request keeps its barriers coming', async () => {
  const { world, store } = await openClasses({ checkpoint: { intervalMs: 60_000 } })
  const began = world.points.length
  for (let n = 0; n < 100; n++) {
    store.map<number, string>('payments', { class: 'critical', rpoMs: 50 }).set('k', n)
    await world.pass(20)
  }
  assert.ok(world.points.length - began >= 20, `${world.points.length - began} recovery points`)
  await world.close()
})
