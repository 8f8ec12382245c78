/** A close while holds run: it waits for them as long as there is time for the last epoch, by the simulated clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

const TIMEOUT_MS = 10_000

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

test('a close waits for a hold that ends while there is time, though it writes no more', async () => {
  const { broken, took, keys, hold } = await held(1000)
  assert.deepEqual(keys, ['half'])
  assert.deepEqual(broken, [])
  assert.ok(took >= 1000 && took < TIMEOUT_MS / 2, `${took} ms`)
  assert.equal(hold, 'TIDEMARK_CLOSED')
})
