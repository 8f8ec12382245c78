/** What is done where nothing is set: as the settings and the calls say of themselves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOptions, milliseconds } from '../src/face/index.ts'
import { resolveSettings } from '../src/options.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const MINUTE_MS = 60_000

test('settings that are left out', () => {
  const { POSITIVE_INFINITY } = Number
  assert.deepEqual(resolveSettings({}), {
    readOnly: false,
    cadence: {
      ...{ intervalMs: 1000, intervalMsMin: 250, intervalMsMax: 4000, elastic: false },
      ...{ deltaBytesMax: 64 * 1024 * 1024, cycleMs: 86_400_000 },
    },
    stallMsMax: 1,
    ioBytesPerSecondMax: POSITIVE_INFINITY,
    memoryBytesMax: POSITIVE_INFINITY,
    at: 'latest',
    hydrate: 'background',
    onDamage: 'refuse',
    retention: { keepLast: 3, keepMs: 3_600_000 },
    keepsPast: false,
    compression: 'zstd',
    lock: 'os',
    codecs: [],
    untracked: false,
    sample: 1000,
  })
  assert.deepEqual(resolveSettings(), resolveSettings({}))
})

test('what somebody gave to every object there is counts as left out', () => {
  const taken = () => [
    resolveSettings(),
    resolveSettings({ checkpoint: {}, restore: {}, debug: {} }),
    resolveSettings({ lock: 'none', checkpoint: { intervalMs: 5 } }),
    checkOptions('map', {}),
    checkOptions('map', { class: 'critical' }),
    milliseconds('close', {}, 'timeoutMs', 5),
    milliseconds('close', { timeoutMs: 6 }, 'timeoutMs', 5),
  ]
  const before = taken()
  const checkpoint = { intervalMs: 7, intervalMsMin: 7, intervalMsMax: 7, deltaBytesMax: 1_000_000, cycleMs: 100_000 }
  const options = { codec: null, significant: 1, class: 'rebuildable', rpoMs: 9, timeoutMs: 7 }
  const given = { lock: 'none', readOnly: true, checkpoint, ...checkpoint, hydrate: 'eager', sample: 3, ...options }
  Object.assign(Object.prototype, given)
  let meanwhile: unknown
  try {
    meanwhile = taken()
  } finally {
    for (const name of Object.keys(given)) Reflect.deleteProperty(Object.prototype, name)
  }
  assert.deepEqual(meanwhile, before)
})

test('an epoch can be restored for an hour, and not for three', async () => {
  const world = new SimulatedStore()
  world.thresholds = { records: 100, graceMs: 100 }
  await world.open()
  // More than are kept whatever their age.
  for (let round = 1; round <= 8; round++) {
    for (let at = 0; at < 150; at++) world.store.map<number>('map').set(`${at}`, round)
    await world.checkpoint()
    await world.pass(MINUTE_MS)
  }
  const restored = async (): Promise<unknown> => {
    const { store } = world
    const reader = await world.open({ readOnly: true, restore: { at: 1 } })
    const found = reader.map('map').get('149')
    await world.close()
    world.store = store
    return found
  }
  await world.pass(47 * MINUTE_MS)
  assert.equal(await restored(), 1)
  await world.pass(125 * MINUTE_MS)
  await assert.rejects(restored(), { code: 'TIDEMARK_NO_SUCH_POINT' })
  await world.close()
})

for (const call of ['checkpoint', 'durable', 'close'] as const) {
  test(`${call}() gives up after 30 s where nothing can be written`, async () => {
    const world = new SimulatedStore()
    const store = await world.open()
    await world.checkpoint()
    world.storage.inject({ operation: 'append', errno: 'EIO' })
    store.map<number>('map').set('a', 1)
    const begin = world.clock.monotonic()
    await assert.rejects(world.run(Promise.resolve(store[call]())), { code: 'TIDEMARK_TIMEOUT' })
    const took = world.clock.monotonic() - begin
    assert.ok(took >= 30_000 && took < 33_000, `${took}`)
    if (call !== 'close') await world.run(store.close({ timeoutMs: 1 }).catch(() => {}))
  })
}
