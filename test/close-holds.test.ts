/** A close while holds run: it waits for them as long as there is time for the last epoch, by the simulated clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

const TIMEOUT_MS = 10_000

function codeOf(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return (error as { code: string }).code
  }
}

async function held(ms: number) {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  const broken: number[] = []
  store.on('holdBroken', info => broken.push(info.ms))
  const write = async (): Promise<void> => {
    map.set('half', 1)
    await new Promise<void>(resolve => world.scheduler.after(ms, resolve))
    map.set('other half', 1)
  }
  const hold = store.hold(write, { msMax: 60_000 }).catch(error => error.code)
  const begin = world.clock.monotonic()
  await world.run(store.close({ timeoutMs: TIMEOUT_MS }))
  const took = world.clock.monotonic() - begin
  await world.run(hold)
  const keys = [...(await world.open()).map('map').keys()]
  await world.close()
  return { broken, took, keys, hold: await hold }
}

test('a hold that runs longer than a close has time for is broken, and costs nothing of what is to be durable', async () => {
  const { broken, took, keys, hold } = await held(120_000)
  assert.deepEqual(keys, ['half'])
  assert.deepEqual(broken, [TIMEOUT_MS / 2])
  assert.ok(took < TIMEOUT_MS, `${took} ms`)
  assert.equal(hold, 'TIDEMARK_CLOSED')
})

test('a close waits for a hold that ends while there is time, and all that it writes is durable', async () => {
  const { broken, took, keys, hold } = await held(1000)
  assert.deepEqual(keys, ['half', 'other half'])
  assert.deepEqual(broken, [])
  assert.ok(took >= 1000 && took < TIMEOUT_MS / 2, `${took} ms`)
  assert.equal(hold, undefined)
})

test('a hold that had written nothing when the store began to close makes all of it durable, by every kind of call', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('gone', 1)
  await world.run(store.durable())
  const refused: unknown[] = []
  const hold = store.hold(async () => {
    await new Promise<void>(resolve => world.scheduler.after(100, resolve))
    map.set('in', 1)
    map.delete('gone')
    store.transaction(() => map.set('with', 2))
    store.value<number>('new').set(3)
    refused.push(codeOf(() => store.checkpoint()))
    // What it leaves behind is no part of it.
    void world.scheduler.after(100, () => refused.push(codeOf(() => map.set('late', 1))))
  })
  const closed = store.close({ timeoutMs: TIMEOUT_MS })
  refused.push(
    codeOf(() => map.set('beside', 1)),
    codeOf(() => store.transaction(() => 1)),
  )
  refused.push(await store.hold(() => {}).catch(error => error.code))
  await world.run(Promise.all([hold, closed]))
  await world.pass(200)
  assert.deepEqual(refused, [...Array<string>(3).fill('TIDEMARK_CLOSED'), 'TIDEMARK_CLOSED', 'TIDEMARK_CLOSED'])
  const again = await world.open()
  assert.deepEqual(
    [...again.map('map')],
    [
      ['in', 1],
      ['with', 2],
    ],
  )
  assert.equal(again.value('new').get(), 3)
  await world.close()
})

test('where the loop stood still while a close waited for a hold there is time for the last epoch all the same', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  const hold = store.hold(
    async () => {
      await new Promise<void>(resolve => world.scheduler.after(100, resolve))
      world.clock.advance(1200)
      map.set('late', 1)
    },
    { msMax: 60_000 },
  )
  await world.run(Promise.all([hold, store.close({ timeoutMs: 1000 })]))
  assert.equal((await world.open()).map('map').get('late'), 1)
  await world.close()
})

test('a hold of an engine that stopped writes no more, once the store closes', async () => {
  for (const when of ['before', 'meanwhile'] as const) {
    const world = new SimulatedStore()
    const store = await world.open()
    const map = store.map<number>('map')
    map.set('k', 1)
    await world.run(store.durable())
    // Another writer takes the store.
    await world.open()
    map.set('k', 2)
    const fenced = store.checkpoint().catch(error => error.code)
    const codes: unknown[] = []
    const hold = store.hold(
      async () => {
        await new Promise<void>(resolve => world.scheduler.after(500, resolve))
        for (const call of [() => store.map<number>('late').set('k', 1), () => store.transaction(() => 1)]) codes.push(codeOf(call))
      },
      { msMax: 60_000 },
    )
    if (when === 'before') await world.run(fenced)
    const closed = store.close().catch(error => error.code)
    assert.equal(await world.run(fenced), 'TIDEMARK_FENCED')
    await world.run(Promise.all([hold, closed]))
    assert.equal(await closed, 'TIDEMARK_FENCED')
    assert.deepEqual(codes, ['TIDEMARK_CLOSED', 'TIDEMARK_CLOSED'], when)
    await world.close()
  }
})
