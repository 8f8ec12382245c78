/** How late what lags is: what is said of it is never less than what is, and what is promised holds or is said to be broken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Settings } from '../src/options.ts'
import type { Decision } from '../src/schedule/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const INTERVAL_MS = 100

async function opened(checkpoint: Settings['checkpoint'] = {}) {
  const world = new SimulatedStore({ checkpoint: { intervalMs: INTERVAL_MS, ...checkpoint } })
  const { clock } = world
  const store = await world.open()
  const decisions: Decision[] = []
  store.on('decision', decision => decisions.push(decision))
  const orders = store.map<number, string>('orders')
  const cache = store.map<number, string>('cache', { class: 'rebuildable' })
  for (const map of [orders, cache]) map.set('k', 0)
  await world.run(store.durable())
  /** When the cache was written, as far as that is not durable. */
  let writes: number[] = []
  let barrier = 0
  store.on('barrier', () => {
    barrier = clock.monotonic()
  })
  store.on('checkpoint', ({ lagging }) => {
    if (lagging.length === 0) writes = writes.filter(at => at > barrier)
  })
  return {
    ...{ world, store, orders, cache, decisions },
    writeCache: (value: number): void => {
      cache.set('k', value)
      writes.push(clock.monotonic())
    },
    /** Of the oldest change of the cache that is not durable, as it really is. */
    ageMs: (): number => clock.monotonic() - (writes[0] ?? clock.monotonic()),
    figures: () => {
      const { rpoMs = 0, laggingMs = 0 } = store.stats().schedule ?? {}
      return { rpoMs, laggingMs }
    },
    of: (type: Decision['type']): Decision[] => decisions.filter(decision => decision.type === type),
  }
}

for (const busy of [true, false]) {
  test(`what lags is said to be as old as it is, and breaks no RPO; others are written: ${busy}`, async () => {
    const { world, orders, writeCache, ageMs, figures, of } = await opened()
    world.pressed = true
    let longest = 0
    for (let n = 1; n <= 600; n++) {
      if (busy) orders.set('k', n)
      writeCache(n)
      await world.pass(5)
      const { rpoMs, laggingMs } = figures()
      const age = ageMs()
      assert.ok(Math.max(rpoMs, laggingMs) >= age - 1e-6, `${age} ms: rpoMs ${rpoMs}, laggingMs ${laggingMs}`)
      assert.ok(rpoMs <= 2 * INTERVAL_MS, `rpoMs ${rpoMs}`)
      longest = Math.max(longest, age)
    }
    assert.ok(longest > 5 * INTERVAL_MS, 'it lags')
    assert.ok(longest <= 10 * INTERVAL_MS, `${longest} ms`)
    assert.deepEqual(of('rpo-broken'), [])
    world.pressed = false
    await world.pass(3 * INTERVAL_MS)
    assert.deepEqual(figures(), { rpoMs: 0, laggingMs: 0 })
    await world.close()
  })
}

test('what lags longer than it may, because nothing becomes durable, is a broken RPO', async () => {
  const { world, orders, writeCache, figures, of } = await opened({ intervalMsMax: 100 * INTERVAL_MS })
  world.pressed = true
  writeCache(1)
  orders.set('k', 1)
  await world.pass(3 * INTERVAL_MS)
  assert.ok(figures().laggingMs > 0)
  const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
  await world.pass(95 * INTERVAL_MS)
  assert.deepEqual(of('rpo-broken'), [])
  await world.pass(10 * INTERVAL_MS)
  assert.deepEqual(
    of('rpo-broken').map(({ reason }) => reason),
    ['failing'],
  )
  heal()
  await world.pass(200 * INTERVAL_MS)
  assert.equal(of('rpo-met').length, 1)
  await world.close()
})

test('where barriers wait, one comes in time for what lags', async () => {
  for (const intervalMsMax of [800, 3000]) {
    const { world, store, orders, writeCache, ageMs, of } = await opened({ intervalMsMax })
    const limitMs = Math.max(10 * INTERVAL_MS, intervalMsMax)
    let longest = 0
    for (let n = 1; n <= 2000; n++) {
      world.pressed = n > 20
      // The loop has some time between two phases without.
      world.load = n % 400 > 150 ? 1 : 0
      orders.set('k', n)
      writeCache(n)
      await world.pass(10)
      longest = Math.max(longest, ageMs())
    }
    assert.ok(store.decisions().some(({ type }) => type === 'pause'))
    assert.ok(longest > limitMs / 2 && longest <= limitMs, `${longest} ms of ${limitMs}`)
    assert.deepEqual(
      of('rpo-broken').filter(({ numbers }) => (numbers['laggingMs'] ?? 0) > limitMs),
      [],
    )
    await world.close()
  }
})
