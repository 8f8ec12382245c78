/** Entries that leave the heap again, and the exchange of the stored state: each rule by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ColdSide, type ColdStart } from '../src/capture/cold-side.ts'
import { Held } from '../src/capture/held.ts'
import { Eviction, treat, Untracked } from '../src/capture/index.ts'
import { Journal } from '../src/capture/journal.ts'
import { KeySet } from '../src/capture/key-set.ts'
import type { Key } from '../src/codec/index.ts'
import { type Begun, begin, exchange, transaction } from './support/cold-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

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
  assert.equal(eviction.run(100), 0, 'nothing but what is captured is left')
  rig.commit()
  assert.equal(eviction.run(100), 0, 'not before the stored state has it')
  exchange(begun)
  rig.cut()
  rig.commit()
  map.set('k4', 'the generation moves on at a barrier')
  rig.checkpoint()
  exchange(begun)
  eviction.renew()
  assert.ok(eviction.run(100) >= 2)
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
    eviction.renew()
    assert.ok(eviction.run(10) > 0)
    assert.equal(collection.live.has('k1'), false)
    assert.equal(map.get('k1'), 'primitive', way)
    assert.ok(held !== undefined)
  }
})

test('eviction waits for a transaction and for what was written, however often, and looks at so many entries at a time', () => {
  const { map, collection, rig } = begin(5000, { evicts: true })
  const eviction = new Eviction(collection)
  for (const _ of map.values());
  assert.equal(eviction.run(10), 10)
  assert.ok(eviction.run(1e9) <= 1024)
  transaction(rig, () => assert.equal(eviction.run(10), 0), 'commit')
  for (let n = 0; n < 5000; n++) map.set('k4999', n)
  let went = 0
  for (let n = 0; n < 8; n++) went += eviction.run(1024)
  assert.equal(went, 5000 - 10 - 1024 - 1)
  assert.deepEqual([...collection.live.keys()], ['k4999'])
  assert.equal(eviction.idle, true)
})

test('an entry that was written stays, whichever way it was written, and goes when the stored state has it', () => {
  const ways: Readonly<Record<string, (begun: Begun) => void>> = {
    set: ({ map }) => map.set('k1', 'new'),
    update: ({ map }) => map.update('k1', () => 'new'),
    'set while saturated': ({ map, collection }) => {
      collection.saturated = true
      map.set('k1', 'new')
    },
    'delete and set': ({ map }) => {
      map.delete('k1')
      map.set('k1', 'new')
    },
    'set and rolled back': ({ map, rig }) => {
      map.set('k1', 'new')
      transaction(rig, () => map.set('k1', 'newer'), 'rollback')
    },
    refused: ({ map, rig }) => {
      map.set('k1', () => {})
      rig.checkpoint()
      map.set('k1', 'new')
    },
    'lost cut': ({ map, rig }) => {
      map.set('k1', 'new')
      rig.cut()
      rig.void()
      rig.cut()
      rig.commit()
    },
    'failed epoch': ({ map, rig }) => {
      map.set('k1', 'new')
      rig.cut()
      rig.fail()
    },
  }
  for (const [name, way] of Object.entries(ways)) {
    for (const slices of [0, 1, 3]) {
      const begun = begin(3, { evicts: true })
      const { map, collection, rig } = begun
      map.get('k1')
      way(begun)
      const eviction = new Eviction(collection)
      for (let n = 0; n < 3; n++) {
        assert.equal(eviction.run(10), 0, `${name}: written`)
        eviction.renew()
      }
      rig.cut()
      for (let n = 0; n < slices; n++) rig.slice()
      assert.equal(eviction.run(10), 0, `${name}: while it is captured`)
      rig.commit()
      eviction.renew()
      assert.equal(eviction.run(10), 0, `${name}: in the log alone`)
      exchange(begun)
      eviction.renew()
      assert.equal(eviction.run(10), 1, `${name}: stored`)
      assert.equal(map.get('k1'), 'new', name)
    }
  }
})

test('an insignificant change that is not stored stays, while it waits and once it is taken in', () => {
  const begun = begin(3, { evicts: true })
  const { map, collection, rig } = begun
  treat(collection, { significant: () => false })
  const run = (): number => new Eviction(collection).run(10)
  map.get('k1')
  map.set('k1', { n: -1 })
  map.set('new', 1)
  for (let epoch = 0; epoch < 3; epoch++) {
    rig.checkpoint()
    exchange(begun)
    run()
    assert.deepEqual([...collection.live.keys()], ['k1'], 'waits')
    map.set('new', epoch)
  }
  collection.takeIn()
  assert.equal(run(), 0, 'taken in')
  rig.cut()
  rig.commit()
  assert.equal(run(), 0, 'in the log alone')
  exchange(begun)
  assert.ok(run() > 0)
  assert.deepEqual([collection.live.size, map.get('k1'), map.size], [0, { n: -1 }, 4])
})

test('very many insignificant changes are taken in without a step for each, and stay until they are stored', t => {
  const begun = begin(10_001, { evicts: true })
  const { map, collection, rig } = begun
  treat(collection, { significant: () => false })
  for (let n = 0; n < 10_000; n++) {
    map.get(`k${n}`)
    map.set(`k${n}`, { n: -n })
  }
  map.delete('k10000')
  rig.checkpoint()
  exchange(begun)
  assert.equal(collection.cold?.keysKept, 0)
  const adds = t.mock.method(KeySet.prototype, 'add')
  collection.takeIn()
  assert.equal(adds.mock.callCount(), 0)
  adds.mock.restore()
  assert.equal(collection.cold?.keysKept, 10_000)
  const eviction = new Eviction(collection)
  const all = (): void => {
    eviction.renew()
    for (let run = 0; run < 12; run++) eviction.run(1000)
  }
  all()
  assert.equal(collection.live.size, 10_000)
  rig.checkpoint()
  all()
  assert.equal(collection.live.size, 10_000)
  exchange(begun)
  all()
  assert.deepEqual([collection.live.size, collection.cold?.keysKept], [0, 0])
  assert.deepEqual(map.get('k7'), { n: -7 })
})

test('during a capture what is clean goes, also out of a saturated collection, and nothing of it is lost', () => {
  for (const saturated of [false, true]) {
    const begun = begin(300, { evicts: true })
    const { map, collection, rig } = begun
    for (const _ of map.values());
    for (let n = 0; n < 300; n += 3) map.set(`k${n}`, { n: n + 1000 })
    collection.saturated = saturated
    const eviction = new Eviction(collection)
    rig.cut()
    rig.slice()
    assert.equal(eviction.run(200) + eviction.run(200), 200)
    // Some of them come back meanwhile, as they were and changed.
    assert.deepEqual(map.get('k1'), { n: 1 })
    map.set('k2', { n: 2002 })
    rig.commit()
    assert.deepEqual(rig.disk.get(collection.id)?.get('k0'), { n: 1000 })
    exchange(begun)
    rig.checkpoint()
    exchange(begun)
    for (let n = 0; n < 300; n++) assert.deepEqual(map.get(`k${n}`), { n: n % 3 === 0 ? n + 1000 : n === 2 ? 2002 : n })
    assert.equal(map.size, 300)
  }
})

test('a clean large entry that leaves the heap between two slices of a saturated collection is not taken for deleted', () => {
  const { rig, collection, map } = begin(3, { evicts: true, home: ['k0', 'k1', 'k2'] })
  rig.space.giants.recorded(collection.id, collection.name, 'k1', 1e6)
  collection.saturated = true
  collection.journal = new Journal()
  rig.cut()
  // It begins a slice, so that this one ends in front of it.
  rig.slice()
  assert.equal(new Eviction(collection).run(10), 3)
  rig.commit()
  assert.deepEqual(rig.disk.get(collection.id)?.get('k1'), { n: 1 })
  assert.equal(map.size, 3)
})

test('once the hand was round, only what comes home is looked at, until the stored state is exchanged', () => {
  const begun = begin(3000, { evicts: true })
  const { map, collection, rig } = begun
  const eviction = new Eviction(collection)
  for (let n = 0; n < 2000; n++) map.set(`k${n}`, n)
  for (let n = 0; n < 4; n++) eviction.run(1000)
  assert.equal(eviction.idle, true)
  for (let n = 2000; n < 3000; n++) {
    map.get(`k${n}`)
    eviction.cameHome(`k${n}`)
  }
  map.set('k2000', 'written after it came')
  map.delete('k2001')
  assert.equal(eviction.run(1000), 998)
  assert.deepEqual([eviction.idle, collection.live.has('k2000'), collection.live.size], [true, true, 2001])
  rig.checkpoint()
  exchange(begun)
  eviction.renew()
  for (let n = 0; n < 3; n++) eviction.run(1000)
  assert.equal(collection.live.size, 0)
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

test('a loop that was left costs a set nothing once it is garbage, however busy the service is', async () => {
  const { map, cold } = begin(200, { evicts: true })
  for (const key of map.keys()) if (key === 'k10') break
  for (let n = 100; n < 200; n++) {
    const { looks } = cold
    map.set(`k${n}`, n)
    if (cold.looks === looks) return
    // In the turn of the set, as it happens to who sets something in each.
    collect()
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.fail('each set reads the disk')
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

for (const end of ['commit', 'size'] as const) {
  test(`a set while somebody iterates needs nothing that is damaged, and is counted by ${end}`, () => {
    const begun = begin(3, { evicts: true, lies: 8 })
    const { map, rig, cold, collection } = begun
    const iterator = map.keys()
    assert.equal(iterator.next().value, 'k0')
    cold.damaged = true
    map.set('k2', 'stored, and not looked up')
    map.set('k00', 'new, and behind')
    assert.deepEqual([map.get('k2'), collection.live.size], ['stored, and not looked up', 2])
    assert.equal(collection.cold?.stats().unresolved, 2)
    cold.damaged = false
    if (end === 'size') assert.equal(map.size, 4)
    rig.checkpoint()
    assert.equal(rig.entries.get(collection.id), 4)
    exchange(begun)
    assert.deepEqual([...iterator], ['k1', 'k2', 'k00'])
    // No key of it was new for certain, so one that is deleted leaves a tombstone.
    assert.equal(map.delete('k2'), true)
    rig.checkpoint()
    assert.deepEqual([...(rig.disk.get(collection.id)?.keys() ?? [])].sort(), ['k0', 'k00', 'k1'])
  })
}

test('what is kept for objects that were evicted takes no room before there are any', () => {
  const many: Held[] = []
  collect()
  const before = process.memoryUsage().heapUsed
  for (let at = 0; at < 4000; at++) many.push(new Held())
  collect()
  const each = (process.memoryUsage().heapUsed - before) / many.length
  assert.ok(each < 300, `${each} bytes`)
  const held = many[0] as Held
  held.forget('k')
  held.sweep(1000)
  assert.deepEqual([held.peek('k'), held.size], [undefined, 0])
  const object = {}
  held.keep('k', object)
  held.sweep(1000)
  assert.deepEqual([held.peek('k') === object, held.size], [true, 1])
})

test('a hidden key shows again once it is evicted, whichever generation hid it', () => {
  for (const barriers of [0, 1]) {
    const start: ColdStart = { cold: new FakeCold([['k', 1]]), coldCount: 0, evicts: true }
    const side = new ColdSide(start)
    side.hide('k')
    for (let n = 1; n <= barriers; n++) side.barrier(n)
    assert.equal(side.shows('k'), false)
    side.evict('k')
    assert.equal(side.shows('k'), true)
  }
})

test('what was captured or hidden up to a barrier stays so until the stored state holds its epoch', () => {
  const side = new ColdSide({ cold: new FakeCold([['k', 1]]), coldCount: 1, evicts: true })
  side.written('k')
  side.hide('k')
  side.barrier(5)
  assert.equal(side.exchanged(4), false)
  assert.deepEqual([side.covers('k'), side.hides('k')], [false, true])
  assert.equal(side.exchanged(5), true)
  assert.deepEqual([side.covers('k'), side.hides('k')], [true, false])
})

test('debug mode keeps nothing of entries that left and that nobody holds, and names a change made to one that somebody does', async () => {
  const { rig, collection, map } = begin(1000, { evicts: true })
  const eviction = new Eviction(collection)
  const named: Key[] = []
  const untracked = new Untracked(20, ({ key }) => named.push(key))
  rig.space.untracked = untracked
  const held = map.get('k7') as { n: number }
  for (let n = 0; n < 1000; n++) {
    map.get(`k${n}`)
    if (n % 100 === 99) {
      eviction.renew()
      while (eviction.run(1000) > 0);
      await new Promise(resolve => setImmediate(resolve))
      collect()
      for (let barrier = 0; barrier < 3; barrier++) untracked.inspect(rig.collections)
    }
  }
  assert.ok(untracked.kept < 200, `${untracked.kept} digests`)
  held.n = -1
  map.get('k7')
  for (let n = 10; n < 30; n++) map.get(`k${n}`)
  for (let barrier = 0; barrier < 50; barrier++) untracked.inspect(rig.collections)
  assert.deepEqual(named, ['k7'])
})
