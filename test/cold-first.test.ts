/** Walks meet nothing again and again: neither who looks at the first entry all the time, as timers and queues do, nor one long walk. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Eviction } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { MergeCursor } from '../src/image/merge.ts'
import { begin } from './support/cold-rig.ts'
import { fill, value, World } from './support/cold-world.ts'

const ENTRIES = 2000
const LEFT = 10

for (const hydrate of ['background', 'on-demand'] as const) {
  test(`stored tombstones before the first entry are met once (${hydrate})`, async t => {
    const world = new World()
    // Nothing is merged, which would leave tombstones out.
    const components = { thresholds: { bytes: 1e9, slackBytes: 1e9, slackRecords: 1e9 } }
    const first = await world.open({}, components)
    await fill(world, first, ENTRIES)
    await world.run(first.close())
    const second = await world.open({}, components)
    for (let at = 0; at < ENTRIES - LEFT; at++) second.map<unknown, number>('map').delete(at)
    await world.run(second.close())
    const store = await world.open({ restore: { hydrate } }, components)
    if (hydrate === 'background') await world.run(store.hydrated())
    const map = store.map<unknown, number>('map')
    const steps = t.mock.method(MergeCursor.prototype, 'next')
    const look = (): number => {
      const before = steps.mock.callCount()
      assert.equal(map.keys().next().value, ENTRIES - LEFT)
      return steps.mock.callCount() - before
    }
    assert.ok(look() > ENTRIES - LEFT, 'tombstones are stored')
    assert.equal(look(), 1)
    // Of a queue.
    const before = steps.mock.callCount()
    for (let at = ENTRIES - LEFT; at < ENTRIES; at++) {
      assert.deepEqual(map.entries().next().value, [at, value(at, 1)])
      map.delete(at)
    }
    assert.ok(steps.mock.callCount() - before <= 2 * LEFT, `${steps.mock.callCount() - before} steps`)
    await world.run(store.close())
  })
}

test('stored tombstones before the first entry are met once, however often the stored state is exchanged', async t => {
  const world = new World()
  const components = { thresholds: { bytes: 1e9, slackBytes: 1e9, slackRecords: 1e9 } }
  const first = await world.open({}, components)
  await fill(world, first, ENTRIES)
  await world.run(first.close())
  const settings = { restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1e9 } } as const
  const store = await world.open(settings, { thresholds: { ...components.thresholds, bytes: 100, graceMs: 100 } })
  const map = store.map<unknown, number>('map')
  for (let at = 0; at < ENTRIES - LEFT; at++) map.delete(at)
  const steps = t.mock.method(MergeCursor.prototype, 'next')
  const look = (): number => {
    const before = steps.mock.callCount()
    assert.equal(map.keys().next().value, ENTRIES - LEFT)
    return steps.mock.callCount() - before
  }
  look()
  for (let round = 1; round <= 3; round++) {
    map.set(ENTRIES, value(ENTRIES, round))
    const { folds } = store.stats().upkeep
    await world.run(store.checkpoint())
    await world.rest()
    assert.ok(store.stats().upkeep.folds > folds, 'what is stored was exchanged')
    assert.equal(look(), 1)
  }
  await world.run(store.close())
})

test('a walk begins at the first stored key that shows, whatever leaves the heap before and behind it', () => {
  const { cold, collection, map } = begin(9, { evicts: true, home: ['k0', 'k1', 'k2', 'k4'] })
  const eviction = new Eviction(collection)
  const steps = (): number => {
    const { steps } = cold
    map.keys().next()
    return cold.steps - steps
  }
  const open = map.keys()
  assert.equal(open.next().value, 'k3')
  assert.equal(steps(), 1)
  assert.equal(eviction.run(1), 1)
  assert.equal(map.keys().next().value, 'k0')
  map.delete('k0')
  assert.equal(map.keys().next().value, 'k3')
  assert.equal(steps(), 1)
  while (eviction.run(10) > 0);
  assert.equal(map.keys().next().value, 'k1')
  assert.equal(steps(), 1)
  // One that is under way moves nothing on.
  assert.equal(open.next().value, 'k4')
  map.get('k1')
  assert.deepEqual([...open], ['k5', 'k6', 'k7', 'k8', 'k2', 'k1'])
  assert.equal(map.keys().next().value, 'k2')
})

test('a loop begins behind what those before it brought home, which were left half way', () => {
  for (const evicts of [false, true]) {
    const { cold, map } = begin(500, { evicts, home: ['k1', 'k10'] })
    const given = new Set<unknown>()
    for (const last of [100, 200, 300]) {
      const { steps } = cold
      const walk = map.entries()
      given.add(walk.next().value?.[0])
      assert.ok(cold.steps - steps < 10, `${cold.steps - steps} steps`)
      while (given.size < last) given.add(walk.next().value?.[0])
    }
    const { steps } = cold
    for (let at = 0; at < 100; at++) map.delete(map.keys().next().value as Key)
    assert.ok(cold.steps - steps < 300, `${cold.steps - steps} steps`)
    assert.equal([...map.keys()].length, 400)
  }
})

test('what leaves the heap behind a loop that goes on is before all others for the next one', () => {
  const { cold, collection, map } = begin(9, { evicts: true })
  const open = map.entries()
  for (let at = 0; at < 4; at++) open.next()
  assert.equal(new Eviction(collection).run(2), 2)
  assert.equal(open.next().value?.[0], 'k4')
  assert.equal(open.next().value?.[0], 'k5')
  const { steps } = cold
  assert.equal(map.keys().next().value, 'k0')
  assert.equal(cold.steps - steps, 1)
  assert.deepEqual([...map.keys()], ['k0', 'k1', 'k6', 'k7', 'k8', 'k2', 'k3', 'k4', 'k5'])
})

test('a walk that broke off at its first step begins anew, and leaves nothing out', () => {
  const { cold, collection, map } = begin(4, { evicts: true, home: ['k0', 'k1'] })
  assert.equal(map.keys().next().value, 'k2')
  const open = map.keys()
  cold.unwalkable = true
  assert.throws(() => open.next(), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
  cold.unwalkable = false
  assert.equal(new Eviction(collection).run(1), 1)
  assert.deepEqual([...open], ['k0', 'k2', 'k3', 'k1'])
  assert.deepEqual([...map.keys()], ['k0', 'k2', 'k3', 'k1'])
})

test('what left the heap behind a walk is given by one run over it', t => {
  const home = Array.from({ length: 1000 }, (_, n) => `k${n}`)
  const { collection, map } = begin(1001, { evicts: true, home })
  const open = map.keys()
  assert.deepEqual([open.next().value, open.next().value], ['k1000', 'k0'])
  const eviction = new Eviction(collection)
  while (eviction.run(1000) > 0);
  assert.equal(collection.live.size, 0)
  const given = [open.next().value]
  map.get('k998')
  map.delete('k999')
  eviction.renew()
  while (eviction.run(1000) > 0);
  const lists = t.mock.method(Map.prototype, 'keys')
  for (const key of open) given.push(key)
  assert.ok(lists.mock.callCount() < 5, `${lists.mock.callCount()} lists made`)
  lists.mock.restore()
  assert.deepEqual([given[0], given.length, new Set(given).size], ['k1', 998, 998])
})
