/** A disk that fails while callers go on asking: what it costs, and what is left of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '../src/testing/index.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'

/** What fails first, so that a new file is begun, is not what goes on failing. */
const FIRST: Fault = { operation: 'append', errno: 'ENOSPC', path: 'log/', times: 1 }
const FAULTS: readonly Fault[] = [
  { operation: 'append', errno: 'ENOSPC' },
  { operation: 'append', errno: 'ENOSPC', path: 'log/', writtenBytes: 'random' },
  { operation: 'createIfAbsent', errno: 'ENOSPC', path: 'manifest/' },
  { operation: 'sync', errno: 'EIO', path: 'log/' },
]

for (const fault of FAULTS) {
  test(`callers who ask all the time make few attempts, and none leaves a file (${fault.operation} ${fault.path ?? ''} ${fault.writtenBytes ?? ''})`, async () => {
    const world = new SimulatedStore()
    world.thresholds = { graceMs: 100 }
    const { store, storage, clock } = { store: await world.open(), storage: world.storage, clock: world.clock }
    const map = store.map<number>('map')
    map.set('first', 0)
    await world.checkpoint()
    let degraded = 0
    store.on('degraded', () => degraded++)
    const logs = async (): Promise<number> => (await world.run(storage.list('log'))).length
    storage.inject(FIRST)
    const heal = storage.inject(fault)
    const asked: Promise<unknown>[] = []
    let most = 0
    for (const end = clock.monotonic() + 10_000; clock.monotonic() < end; ) {
      map.set('k', asked.length)
      asked.push(store.durable({ timeoutMs: 50 }).catch(() => {}))
      await world.pass(1)
      if (asked.length % 100 === 0) most = Math.max(most, await logs())
    }
    assert.ok(degraded >= 5 && degraded <= 16, `${degraded} failures`)
    assert.ok(most <= 5, `${most} files in the log`)
    heal()
    await world.run(store.durable())
    await world.pass(60_000)
    await world.run(Promise.all(asked))
    assert.ok((await logs()) <= 2, `${await logs()} files in the log`)
    await world.crash()
    assert.equal(world.store.map('map').get('k'), asked.length - 1)
    await world.close()
  })
}

test('a store that closes tries at once, however long the back-off is', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const heal = world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  store.map('map').set('k', 1)
  await assert.rejects(world.run(store.durable({ timeoutMs: 7000 })), { code: 'TIDEMARK_TIMEOUT' })
  let failed = 0
  store.on('degraded', () => failed++)
  while (failed === 0) await world.pass(1)
  heal()
  await world.run(store.close({ timeoutMs: 50 }))
  assert.equal((await world.crash()).map('map').get('k'), 1)
  await world.close()
})

test('callers cut the back-off short, to a second and no further', () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('k', 1)
  quiet(checkpointer.checkpoint(0))
  const waits: number[] = []
  for (let attempt = 0; attempt < 7; attempt++) {
    scheduler.pass(0)
    host.fail(attempt)
    const before = host.commits.length
    let waited = 0
    for (; host.commits.length === before; waited += 10) {
      quiet(checkpointer.durable(5))
      scheduler.pass(10)
    }
    waits.push(waited)
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 1000])
  scheduler.pass(0)
  host.fail(7)
  scheduler.pass(3000)
  const before = host.commits.length
  quiet(checkpointer.durable(5))
  scheduler.pass(0)
  assert.equal(host.commits.length, before + 1, 'who asks long after the failure does not wait')
})

test('who waits when an attempt fails is tried again within a second of it', () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('k', 1)
  quiet(checkpointer.checkpoint(1e9))
  const waits: number[] = []
  for (let attempt = 0; attempt < 7; attempt++) {
    scheduler.pass(0)
    host.fail(attempt)
    const before = host.commits.length
    let waited = 0
    for (; host.commits.length === before; waited += 10) scheduler.pass(10)
    waits.push(waited)
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 1000])
})

test('one epoch that fails on both sides failed once', () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('k', 1)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.fail(0)
  scheduler.pass(50)
  host.fail(0)
  assert.equal(checkpointer.counters.failures, 1)
  const before = host.commits.length
  scheduler.pass(50)
  assert.equal(host.commits.length, before + 1, 'the back-off is that of the first failure')
})

test('a store that closes while the disk still fails is closed a second after the disk is well', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const heal = world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  store.map('map').set('k', 1)
  quiet(store.durable({ timeoutMs: 60_000 }))
  await world.pass(12_800)
  const closed = store.close({ timeoutMs: 5000 })
  await world.pass(200)
  heal()
  await world.run(closed)
  assert.equal((await world.crash()).map('map').get('k'), 1)
  await world.close()
})

test('whoever was not to wait for the spreading does not after a failure either', () => {
  const { scheduler, host, map, checkpointer } = alone(8000)
  for (let n = 0; n < 10_000; n++) map.set(`k${n}`, n)
  quiet(checkpointer.durable(1e9))
  scheduler.pass(0)
  assert.equal(host.commits.length, 1)
  host.fail(0)
  scheduler.pass(100)
  assert.equal(host.commits.length, 2, 'the attempt behind the back-off is captured at once')
})

test('who waits for an epoch that is captured already waits for no spreading when it fails', () => {
  const { scheduler, host, map, checkpointer } = alone(8000)
  for (let n = 0; n < 10_000; n++) map.set(`k${n}`, n)
  while (host.commits.length === 0) scheduler.pass(10)
  quiet(checkpointer.durable(1e9))
  host.fail(0)
  scheduler.pass(100)
  assert.equal(host.commits.length, 2)
})

for (const how of ['clear', 'delete'] as const) {
  test(`a ${how} of a collection alone whose attempt failed is not durable before it was written`, async () => {
    const { scheduler, host, map, space, collections, checkpointer } = alone()
    map.set('k', 1)
    quiet(checkpointer.checkpoint(1e9))
    scheduler.pass(0)
    host.commit()
    if (how === 'clear') map.clear()
    else {
      collections.delete('map')
      map.drop()
      space.catalogueChanged = true
    }
    quiet(checkpointer.checkpoint(5))
    scheduler.pass(0)
    assert.equal(host.commits.length, 2)
    host.fail(0)
    assert.equal(checkpointer.dirty, true)
    let settled = false
    const durable = checkpointer.durable(1e9).finally(() => {
      settled = true
    })
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(settled, false)
    scheduler.pass(1000)
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(settled, false)
    assert.equal(host.commits.length, 3)
    host.commit()
    await durable
    assert.equal(checkpointer.dirty, false)
  })
}
