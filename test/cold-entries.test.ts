/** Entries that are stored and not in the heap: each rule by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ColdSide, type ColdStart } from '../src/capture/cold-side.ts'
import { type Collection, Eviction, keysOf, TidemarkMap, TidemarkValue, Transaction, Untracked } from '../src/capture/index.ts'
import { decodeKey, type Key } from '../src/codec/index.ts'
import { type Entries, numbered, Rig } from './support/capture-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

interface Begun {
  readonly rig: Rig
  readonly cold: FakeCold
  readonly collection: Collection
  readonly map: TidemarkMap<Key, unknown>
}

/** Stored: k0, k1 … with objects. `lies`: as a filter that knows nothing when 8. */
function begin(count: number, { lies = 0, evicts = false, home = [] as Key[] } = {}): Begun {
  const rig = new Rig()
  const stored: Entries = new Map(numbered(count, n => ({ n })))
  const cold = new FakeCold(stored, lies)
  const collection = rig.cold(cold, stored, evicts, home)
  return { rig, cold, collection, map: new TidemarkMap(collection) }
}

/** Everything captured and committed so far is in the stored state now. */
function exchange({ rig, cold, collection }: Begun): void {
  cold.exchange(rig.disk.get(collection.id) as Entries)
  collection.cold?.exchanged(rig.committed)
}

function transaction(rig: Rig, inside: () => void, end: 'commit' | 'rollback'): void {
  const { space } = rig
  space.transaction = new Transaction()
  space.refresh()
  inside()
  if (end === 'rollback') space.transaction.rollback()
  space.transaction = undefined
  space.refresh()
}

test('get brings an entry home once, clean: the same object, no look again, no record', () => {
  const { rig, cold, collection, map } = begin(5)
  const value = map.get('k3')
  assert.deepEqual(value, { n: 3 })
  assert.equal(map.get('k3'), value)
  assert.equal(cold.looks, 1)
  assert.equal(collection.dirty, false)
  assert.deepEqual([map.size, collection.live.size], [5, 1])
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
})

test('has and keys decode nothing and bring nothing home', () => {
  const { collection, map } = begin(5)
  assert.deepEqual([map.has('k3'), map.has('no')], [true, false])
  assert.deepEqual([...map.keys()], ['k0', 'k1', 'k2', 'k3', 'k4'])
  assert.equal(collection.live.size, 0)
})

test('set asks no disk; size does, and a commit has the writer count', () => {
  const { rig, cold, collection, map } = begin(5, { lies: 8 })
  map.set('k1', 'changed')
  map.set('new', 1)
  assert.equal(cold.looks, 0)
  assert.equal(collection.sizeMax, 7)
  assert.equal(collection.cold?.stats().unresolved, 2)
  rig.cut()
  rig.commit()
  assert.equal(rig.entries.get(collection.id), 6)
  assert.equal(cold.looks, 0)
  assert.equal(collection.sizeMax, 6)
  map.set('k2', 'changed')
  assert.equal(map.size, 6)
  assert.equal(cold.looks, 1)
  map.set('newer', 1)
  assert.equal(map.size, 7)
})

test('a size that was asked for during the epoch makes the answer of the writer void for the count, not for the commit', () => {
  const { rig, collection, map } = begin(5, { lies: 8 })
  map.set('k1', 'changed')
  rig.cut()
  map.set('k2', 'behind the barrier')
  assert.equal(map.size, 5)
  rig.commit()
  assert.equal(rig.entries.get(collection.id), 5)
  assert.equal(collection.sizeMax, 5)
  rig.checkpoint()
  assert.equal(rig.entries.get(collection.id), 5)
})

test('the census names the keys of an epoch: unresolved ones, and refused ones that may have a record', () => {
  const { rig, collection, map } = begin(3, { lies: 8 })
  map.set('k1', () => {})
  const capture = rig.cut()
  capture.run(() => false)
  const [census] = capture.census
  const keys = (list: Parameters<typeof keysOf>[0] | undefined): Key[] =>
    list === undefined ? [] : [...keysOf(list)].map(bytes => decodeKey(bytes, 0, bytes.length))
  assert.equal(census?.id, collection.id)
  assert.deepEqual([keys(census?.unresolved), keys(census?.refused)], [['k1'], ['k1']])
  rig.commit()
  assert.equal(rig.entries.get(collection.id), 3)
})

test('a refused key that was never stored is not counted, in this epoch nor in the next, and nobody is asked', () => {
  const { rig, collection, map } = begin(3)
  map.set('new', () => {})
  for (let epoch = 0; epoch < 3; epoch++) {
    const capture = rig.cut()
    rig.commit()
    assert.deepEqual(capture.census, [])
    assert.equal(rig.entries.get(collection.id), 3)
    assert.equal(map.size, 4)
  }
  map.delete('new')
  assert.equal(collection.dirty, false, 'no record, no tombstone')
  map.set('new', () => {})
  rig.checkpoint()
  map.set('new', 'mended')
  rig.checkpoint()
  assert.equal(rig.entries.get(collection.id), 4)
})

test('at home nothing is unresolved', () => {
  const { cold, collection, map } = begin(5, { lies: 8 })
  cold.atHome = true
  map.set('k1', 'changed')
  map.set('new', 1)
  assert.equal(collection.sizeMax, 6)
  assert.equal(collection.cold?.stats().unresolved, 0)
})

test('what was set unresolved is no fresh key: deleted before the barrier it leaves a tombstone', () => {
  const { rig, map } = begin(5, { lies: 8 })
  map.set('k1', 'changed')
  assert.equal(map.delete('k1'), true)
  assert.equal(map.get('k1'), undefined)
  assert.equal(map.size, 4)
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k1'])
  assert.equal(rig.disk.get(1)?.size, 4)
})

test('a cold key that is deleted is hidden: absent, out of every iteration, a tombstone; set again it is live', () => {
  const { rig, map, collection } = begin(3)
  assert.equal(map.delete('k1'), true)
  assert.equal(map.delete('k1'), false)
  assert.equal(map.delete('no'), false)
  assert.deepEqual([map.has('k1'), map.get('k1'), map.size], [false, undefined, 2])
  assert.deepEqual([...map.keys()], ['k0', 'k2'])
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k1'])
  map.set('k1', 'back')
  assert.deepEqual(
    [...map],
    [
      ['k0', { n: 0 }],
      ['k2', { n: 2 }],
      ['k1', 'back'],
    ],
  )
  assert.equal(collection.cold?.stats().hidden, 1)
  map.delete('k1')
  assert.equal(map.get('k1'), undefined)
})

test('clear empties what is cold, and a rollback brings it back', () => {
  for (const end of ['commit', 'rollback'] as const) {
    const { rig, map, collection } = begin(3)
    const { id } = collection
    transaction(
      rig,
      () => {
        map.clear()
        assert.deepEqual([map.size, map.get('k1'), [...map]], [0, undefined, []])
        map.set('k1', 'new')
      },
      end,
    )
    assert.equal(collection.id === id, end === 'rollback')
    assert.deepEqual([map.size, map.get('k1')], end === 'rollback' ? [3, { n: 1 }] : [1, 'new'])
  }
})

test('a transaction that is rolled back restores cold entries it changed, replaced and deleted', () => {
  const { rig, map } = begin(4, { lies: 8 })
  transaction(
    rig,
    () => {
      const value = map.get('k0') as { n: number }
      value.n = -1
      map.set('k0', value)
      map.set('k1', 'replaced')
      map.delete('k2')
      map.set('new', 1)
    },
    'rollback',
  )
  assert.deepEqual(new Map(map), new Map(numbered(4, n => ({ n }))))
  rig.checkpoint()
  assert.equal(rig.disk.get(1)?.size, 4)
  assert.equal(map.size, 4)
})

test('what comes home during a capture is no part of it, in any of its modes', () => {
  for (const saturated of [false, true]) {
    const { rig, map, collection } = begin(40)
    map.set('k0', 'dirty')
    collection.saturated = saturated
    rig.cut()
    const value = map.get('k7') as { n: number }
    value.n = -7
    map.set('k7', value)
    map.set('k8', 'behind the barrier')
    map.delete('k9')
    assert.equal(map.get('k10') !== undefined, true)
    rig.commit()
    assert.deepEqual(rig.written, ['k0'])
    assert.deepEqual(rig.disk.get(1)?.get('k9'), { n: 9 })
    rig.checkpoint()
    assert.deepEqual([...rig.written].sort(), ['k7', 'k8', 'k9'])
  }
})

test('a lost cut and a gone key beside it: no tombstone for a cold key that is there at the barrier', () => {
  const { rig, map } = begin(40)
  map.delete('k0')
  rig.cut()
  rig.void()
  map.delete('k1')
  rig.cut()
  map.delete('k2')
  map.set('k3', 'behind')
  rig.commit()
  assert.deepEqual([...rig.written].sort(), ['k0', 'k1'])
})

test('a cold key that is said to be dirty gets no tombstone', () => {
  const { rig, collection } = begin(3)
  collection.markDirty('k1')
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
})

test('a read that fails leaves all as it was', () => {
  const { cold, map, collection, rig } = begin(5, { lies: 8 })
  map.set('k4', 'unresolved')
  map.set('new', 'unresolved')
  cold.damaged = true
  const damaged = { code: 'TIDEMARK_SEGMENT_DAMAGED' }
  assert.throws(() => map.get('k1'), damaged)
  assert.throws(() => map.has('k1'), damaged)
  assert.throws(() => map.delete('k1'), damaged)
  assert.throws(() => map.size, damaged)
  assert.throws(() => map.update('k1', () => 1), damaged)
  assert.throws(() => [...map.values()], damaged)
  assert.throws(() => transaction(rig, () => map.set('k1', 1), 'commit'), damaged)
  rig.space.transaction = undefined
  rig.space.refresh()
  assert.equal(map.get('k4'), 'unresolved')
  map.set('k2', 'written without a look')
  cold.damaged = false
  assert.deepEqual([map.size, collection.live.size], [6, 3])
  assert.deepEqual(map.get('k1'), { n: 1 })
})

test('an entry is given once, whatever comes home, is set, deleted or inserted meanwhile', () => {
  for (const lies of [0, 8]) {
    const { map } = begin(6, { lies, home: ['k2'] })
    const keys: Key[] = []
    const iterator = map.entries()
    const take = (count: number): void => {
      for (let n = 0; n < count; n++) {
        const { done, value } = iterator.next()
        if (done !== true) keys.push((value as [Key, unknown])[0])
      }
    }
    take(3)
    assert.deepEqual(keys, ['k0', 'k1', 'k3'])
    map.get('k5')
    map.set('k1', 'given')
    map.set('k00', 'behind the place of the walk, and new')
    map.delete('k4')
    take(10)
    assert.deepEqual(keys, ['k0', 'k1', 'k3', 'k2', 'k5', 'k00'])
  }
})

test('a loop that was left can be taken up again, as with a Map', () => {
  const { map } = begin(4)
  const iterator = map.keys()
  for (const _ of iterator) break
  assert.deepEqual([...iterator], ['k1', 'k2', 'k3'])
  assert.deepEqual(iterator.next(), { done: true, value: undefined })
})

test('a cell may be cold', () => {
  const rig = new Rig()
  const stored: Entries = new Map([['value', { n: 1 }]])
  const cell = new TidemarkValue<{ n: number }>(rig.cold(new FakeCold(stored), stored), { n: 0 })
  cell.update(value => {
    value.n++
  })
  assert.deepEqual(cell.get(), { n: 2 })
})

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
  const begun = begin(3, { evicts: true, lies: 8 })
  const { rig, map, collection } = begun
  const eviction = new Eviction(collection)
  const held = map.get('k1')
  assert.equal(eviction.run(10), 1)
  map.set('k1', 'primitive')
  for (let epoch = 0; epoch < 2; epoch++) {
    map.set('k0', epoch)
    rig.checkpoint()
    exchange(begun)
  }
  assert.ok(eviction.run(10) > 0)
  assert.equal(collection.live.has('k1'), false)
  assert.equal(map.get('k1'), 'primitive')
  assert.ok(held !== undefined)
})

test('eviction waits for a long journal, a transaction and a saturated collection, and looks at so many entries at a time', () => {
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
  assert.equal(eviction.run(10), 0)
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

test('debug mode knows what comes home, and names a change made to it in place', () => {
  const { rig, map, collection } = begin(3)
  const named: Key[] = []
  const untracked = new Untracked(100, ({ key }) => named.push(key))
  rig.space.untracked = untracked
  untracked.loaded(collection)
  const value = map.get('k1') as { n: number }
  for (let barrier = 0; barrier < 2; barrier++) untracked.inspect(rig.collections)
  value.n = -1
  for (let barrier = 0; barrier < 3; barrier++) untracked.inspect(rig.collections)
  assert.deepEqual(named, ['k1'])
})

test('stats tell what is cold, came home, left, is hidden and unresolved', () => {
  const { map, collection } = begin(6, { evicts: true, lies: 8 })
  map.get('k0')
  map.get('k1')
  map.delete('k2')
  map.set('k3', 1)
  assert.equal(new Eviction(collection).run(1), 1)
  assert.deepEqual(collection.cold?.stats(), { cold: 4, broughtHome: 2, evicted: 1, hidden: 1, unresolved: 1, held: 1 })
})
