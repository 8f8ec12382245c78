/** Entries that leave the heap again, and the exchange of the stored state: each rule by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ColdSide, type ColdStart } from '../src/capture/cold-side.ts'
import { Eviction } from '../src/capture/index.ts'
import { begin, exchange, transaction } from './support/cold-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

test('an evicted entry comes back the same while somebody holds it, and is cold until then', () => {
  const begun = begin(6, { evicts: true })
  const { rig, map, collection, cold } = begun
  const eviction = new Eviction(collection)
  const held = map.get('k1')
  map.get('k2')
  map.set('k3', 'dirty')
  map.set('new', { n: -1 })
  const fresh = map.get('new')
  assert.equal(eviction.run(100), 2, 'what is clean')
  rig.cut()
  assert.equal(eviction.run(100), 0, 'not during a capture')
  rig.commit()
  assert.equal(eviction.run(100), 0, 'not before the stored state has it')
  exchange(begun)
  rig.cut()
  rig.commit()
  map.set('k4', 'the generation moves on at a barrier')
  rig.checkpoint()
  exchange(begun)
  assert.ok(eviction.run(100) + eviction.run(100) >= 2)
  assert.equal(map.size, 7)
  assert.equal(map.get('new'), fresh)
  assert.equal(map.get('k1'), held)
  assert.equal(map.get('k3'), 'dirty')
  assert.ok(cold.looks > 0)
})

test('a primitive set in place of an evicted object that is held is what comes back', () => {
  for (const way of ['set', 'get', 'delete'] as const) {
    const begun = begin(3, { evicts: true, lies: 8 })
    const { rig, map, collection } = begun
    const eviction = new Eviction(collection)
    const held = map.get('k1')
    assert.equal(eviction.run(10), 1)
    if (way !== 'set') map[way]('k1')
    map.set('k1', 'primitive')
    for (let epoch = 0; epoch < 2; epoch++) {
      map.set('k0', epoch)
      rig.checkpoint()
      exchange(begun)
    }
    assert.ok(eviction.run(10) > 0)
    assert.equal(collection.live.has('k1'), false)
    assert.equal(map.get('k1'), 'primitive', way)
    assert.ok(held !== undefined)
  }
})

test('eviction reads a long journal first, waits for a transaction and a saturated collection, and looks at so many entries at a time', () => {
  const { map, collection, rig } = begin(5000, { evicts: true })
  const eviction = new Eviction(collection)
  for (const _ of map.values());
  assert.equal(eviction.run(10), 10)
  assert.ok(eviction.run(1e9) <= 1024)
  transaction(rig, () => assert.equal(eviction.run(10), 0), 'commit')
  collection.saturated = true
  assert.equal(eviction.run(10), 0)
  collection.saturated = false
  for (let n = 0; n < 5000; n++) map.set('k4999', n)
  assert.equal(eviction.run(10), 0, 'not before the journal was read')
  let went = 0
  for (let n = 0; n < 2000; n++) went += eviction.run(1024)
  assert.ok(went > 0)
  assert.ok(collection.live.has('k4999'))
})

test('a walk meets what is evicted behind it, and what a rollback took from under it', () => {
  const { map, collection, rig } = begin(3, { evicts: true, home: ['k0'] })
  const iterator = map.keys()
  assert.equal(iterator.next().value, 'k1')
  assert.equal(new Eviction(collection).run(10), 1)
  assert.deepEqual([...iterator], ['k2', 'k0'])
  const other = map.keys()
  for (let n = 0; n < 3; n++) other.next()
  transaction(
    rig,
    () => {
      map.set('new', 1)
      assert.equal(other.next().value, 'new')
    },
    'rollback',
  )
  map.set('new', 2)
  assert.deepEqual([...other], ['new'])
})

test('where the stored state is exchanged, who iterates has a set key looked up at once', () => {
  const begun = begin(3, { evicts: true, lies: 8 })
  const { map, rig } = begun
  const iterator = map.keys()
  assert.deepEqual([iterator.next().value, iterator.next().value], ['k0', 'k1'])
  map.set('k00', 'new, and behind')
  rig.checkpoint()
  exchange(begun)
  assert.deepEqual([...iterator], ['k2', 'k00'])
})

test('a hidden key shows again once it is evicted, whichever generation hid it', () => {
  for (const barriers of [0, 1]) {
    const start: ColdStart = { cold: new FakeCold([['k', 1]]), coldCount: 0, evicts: true }
    const side = new ColdSide(start)
    side.hide('k')
    for (let n = 1; n <= barriers; n++) side.barrier(n)
    assert.equal(side.shows('k'), false)
    side.evict('k', 1)
    assert.equal(side.shows('k'), true)
  }
})

test('what was captured or hidden up to a barrier stays so until the stored state holds its epoch', () => {
  const side = new ColdSide({ cold: new FakeCold([['k', 1]]), coldCount: 1, evicts: true })
  side.recorded('k')
  side.hide('k')
  side.barrier(5)
  side.exchanged(4)
  assert.deepEqual([side.covers('k'), side.hides('k')], [false, true])
  side.exchanged(5)
  assert.deepEqual([side.covers('k'), side.hides('k')], [true, false])
})
