/** A close under a ceiling: what is not durable goes first, and nothing else is waited for, by the simulated clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

test('the last epoch gets all of the ceiling, not the part that early blocks get while upkeep is behind', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 250 }, budget: { ioBytesPerSecondMax: 65_536 } })
  world.thresholds = { bytes: 20_000, records: 1000, slackBytes: 80_000, baseBytes: 80_000, graceMs: 1000 }
  const store = await world.open()
  let behind = false
  store.on('behind', () => {
    behind = true
  })
  const map = store.map<string, number>('things')
  for (let step = 0; step < 1000 && !behind; step++) {
    for (let at = 0; at < 100; at++) map.set((step * 100 + at) % 3000, 'x'.repeat(200))
    await world.pass(100)
  }
  assert.ok(behind)
  // Six seconds of the ceiling, beside what waits already.
  for (let at = 0; at < 1800; at++) map.set(at, 'y'.repeat(200))
  const begin = world.clock.monotonic()
  await world.run(store.close({ timeoutMs: 60_000 }))
  const took = world.clock.monotonic() - begin
  assert.ok(took < 15_000, `${took} ms`)
  assert.equal((await world.open()).map('things').get(1799), 'y'.repeat(200))
  await world.close()
})

test('once the last epoch is durable a close ends in moments, whatever its bytes owe to the ceiling', async () => {
  const world = new SimulatedStore({ budget: { ioBytesPerSecondMax: 65_536 } })
  const store = await world.open()
  // The catalogue goes out in one append, which owes seconds of the ceiling.
  for (let at = 0; at < 5000; at++) store.map<number, string>(`m${at}`).set('key', at)
  let durableAt = 0
  store.on('checkpoint', () => {
    durableAt = world.clock.monotonic()
  })
  await world.close()
  const took = world.clock.monotonic() - durableAt
  assert.ok(durableAt > 0 && took < 1000, `${took} ms`)
  assert.equal((await world.open()).map<number, string>('m4999').get('key'), 4999)
  await world.close()
})

test('a close that ran out of time leaves nothing behind that goes on writing', async () => {
  const world = new SimulatedStore({ budget: { ioBytesPerSecondMax: 65_536 } })
  const store = await world.open()
  const map = store.map<string, number>('things')
  for (let at = 0; at < 64; at++) map.set(at, 'x'.repeat(65_000))
  await assert.rejects(world.run(store.close({ timeoutMs: 300 })), { code: 'TIDEMARK_TIMEOUT' })
  // What was under way as the writer was ended is left to itself.
  await world.pass(1000)
  const before = world.storage.calls.length
  assert.ok(before > 0)
  await world.pass(120_000)
  assert.deepEqual(world.storage.calls.slice(before), [])
  assert.equal(world.storage.openFiles, 0)
  assert.equal((await world.open()).map<string, number>('things').size, 0)
  await world.close()
})

for (const first of ['close', 'fold'] as const) {
  test(`a close that has nothing to lose does not wait for the ceiling to make durable what a killed process left (first: ${first})`, async () => {
    const world = new SimulatedStore({ budget: { ioBytesPerSecondMax: 65_536 } })
    const store = await world.open()
    for (let at = 0; at < 40; at++) store.map<string, number>('things').set(at, `${at}`.padEnd(64_000, 'x'))
    const { epoch } = await world.run(store.checkpoint({ timeoutMs: 120_000 }))
    // Before its seal.
    const { storage, scheduler } = world
    store.close().catch(() => {})
    storage.powerOff()
    world.storage = new SimulatedStorage({ seed: 3, scheduler, disk: storage.disk })
    if (first === 'fold') world.thresholds = { bytes: 500_000, slackBytes: 500_000, baseBytes: 500_000 }
    const again = await world.open()
    if (first === 'fold') await world.pass(3000)
    const isWrittenAgain = (): boolean => world.storage.calls.some(({ operation }) => operation === 'overwrite')
    assert.equal(isWrittenAgain(), first === 'fold')
    const begin = world.clock.monotonic()
    await world.run(again.close())
    const took = world.clock.monotonic() - begin
    assert.ok(took < 5000, `${took} ms`)
    assert.ok(isWrittenAgain())
    await world.crash()
    assert.ok(world.store.restored.epoch > epoch)
    assert.equal(world.store.map<string, number>('things').size, 40)
    await world.close()
  })
}
