/** Redundant writes: what is not written because it is there already, and that it is there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'

async function rested() {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<unknown, string>('map')
  for (let n = 0; n < 100; n++) map.set(`k${n}`, { at: 'rest', n })
  await world.checkpoint()
  return { world, store, map }
}

test('objects set anew with what they held are not written, and the point and the statistics say what that spared', async () => {
  const { world, store, map } = await rested()
  for (let n = 0; n < 100; n++) map.set(`k${n}`, { at: n === 42 ? 'sea' : 'rest', n })
  const point = await world.checkpoint()
  assert.equal(point.records, 1)
  assert.equal(point.redundant.records, 99)
  assert.ok(point.redundant.bytes > 99 * 20 && point.rawBytes < 100)
  assert.equal(point.entries, 100)
  assert.deepEqual(store.stats().collections['map']?.redundant, point.redundant)
  map.set('k1', { at: 'rest', n: 1 })
  assert.equal((await world.checkpoint()).redundant.records, 1, 'of this epoch alone')
  const back = (await world.crash()).map<{ at: string }, string>('map')
  assert.equal(back.size, 100)
  assert.deepEqual(
    [back.get('k42'), back.get('k41')],
    [
      { at: 'sea', n: 42 },
      { at: 'rest', n: 41 },
    ],
  )
  await world.close()
})

for (const operation of ['append', 'sync'] as const) {
  test(`what an epoch wrote that failed (${operation}) is not taken for stored`, async () => {
    const { world, store, map } = await rested()
    map.set('k1', 'new')
    const heal = world.storage.inject({ operation, errno: 'EIO' })
    const point = store.checkpoint()
    await world.pass(400)
    assert.equal(store.status, 'degraded')
    map.set('k1', 'old')
    map.set('k1', 'new')
    heal()
    await world.run(point)
    assert.equal((await world.crash()).map('map').get('k1'), 'new')
    await world.close()
  })
}

test('what an older process wrote is not known: it is written once more, then no longer', async () => {
  const { world } = await rested()
  const map = (await world.crash()).map<unknown, string>('map')
  map.set('k1', { at: 'rest', n: 1 })
  assert.equal((await world.checkpoint()).records, 1)
  map.set('k1', { at: 'rest', n: 1 })
  assert.equal((await world.checkpoint()).records, 0)
  await world.close()
})

test('a collection that was dropped and made again has none of the records of the one before', async () => {
  const { world, store } = await rested()
  store.delete('map')
  const map = store.map<unknown, string>('map')
  map.set('k1', { at: 'rest', n: 1 })
  assert.equal((await world.checkpoint()).records, 1)
  assert.deepEqual([...(await world.crash()).map('map')], [['k1', { at: 'rest', n: 1 }]])
  await world.close()
})

test('sets of the primitive that is there change nothing, and are counted', async () => {
  const { world, store, map } = await rested()
  for (const value of [1, 'text', true, null, undefined, Number.NaN, 7n]) map.set('k', value).set('k', value)
  map.set('k', 0).set('k', -0)
  const { redundant, unchanged } = store.stats().collections['map'] as { redundant: unknown; unchanged: number }
  assert.deepEqual([redundant, unchanged], [{ records: 0, bytes: 0 }, 7])
  assert.equal((await world.checkpoint()).records, 1)
  await world.close()
})

test('what an attempt that failed would have spared is written by the next, and no point counts it as spared', async () => {
  const { scheduler, host, map, checkpointer } = alone(0, true)
  const set = (): void => {
    for (let n = 0; n < 1000; n++) map.set(n, { n })
  }
  set()
  const first = checkpointer.checkpoint(1e9)
  scheduler.pass(1000)
  host.commit()
  await first
  set()
  const second = checkpointer.checkpoint(1e9)
  while (map.redundancy.spared.records === 0) assert.ok(scheduler.step(scheduler.nowMs + 100))
  assert.equal(host.commits.length, 1)
  host.fail(0)
  scheduler.pass(1000)
  host.commit()
  const { records, redundant } = await second
  assert.deepEqual([records, redundant, map.redundancy.spared], [1000, { records: 0, bytes: 0 }, { records: 0, bytes: 0 }])
  set()
  const third = checkpointer.checkpoint(1e9)
  scheduler.pass(1000)
  host.commit()
  const { records: written, redundant: spared } = await third
  assert.ok(spared.records > 0)
  assert.equal(written + spared.records, 1000)
})

for (const failed of ['before its barrier', 'behind it', 'once its cut is void'] as const) {
  test(`nor does the collection count what the drain spared for an epoch that fails ${failed}`, () => {
    const { scheduler, host, map, checkpointer } = alone(1000)
    const held = { n: 0 }
    map.set('held', held)
    map.set('drained', { n: 1 })
    scheduler.pass(2000)
    host.commit()
    // While an epoch is under way that has all it takes.
    map.set('other', 1)
    for (let ms = 0; ms < 4000 && host.commits.length < 2; ms += 10) scheduler.pass(10)
    assert.equal(host.commits.length, 2)
    map.set('drained', { n: 1 })
    for (let ms = 0; ms < 4000 && map.drained.length === 0; ms += 10) scheduler.pass(10)
    const bytes = map.redundancy.spared.bytes
    assert.ok(bytes > 0)
    if (failed !== 'before its barrier') {
      host.commit()
      map.set('held', held)
      quiet(checkpointer.checkpoint(1e9))
      assert.ok(map.part?.frozen('held'))
    }
    if (failed === 'once its cut is void') {
      held.n = 1
      map.set('held', held)
      assert.equal(checkpointer.counters.voids, 1)
    }
    assert.deepEqual(map.redundancy.spared, { records: 1, bytes })
    host.fail(0)
    assert.deepEqual(map.redundancy.spared, { records: 0, bytes: 0 })
    scheduler.pass(1000)
    assert.ok(host.keys(1) >= 2)
  })
}
