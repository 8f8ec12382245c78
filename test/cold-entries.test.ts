/** Entries that are stored and not in the heap: each rule by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Eviction, TidemarkValue, Untracked } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { type Entries, numbered, Rig } from './support/capture-rig.ts'
import { begin, exchange, transaction } from './support/cold-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

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

test('what was set without a look is asked about, refused or not', () => {
  const { rig, collection, map } = begin(3, { lies: 8 })
  map.set('k1', () => {})
  const capture = rig.cut()
  capture.run(() => false)
  const [asked] = [...capture.unresolved()]
  assert.equal(asked?.id, collection.id)
  assert.deepEqual(
    asked?.keys.flatMap(set => set.pieces()).flatMap(piece => [...piece.keys()]),
    ['k1'],
  )
  rig.commit()
  assert.equal(rig.entries.get(collection.id), 3)
})

test('a refused key that was never stored is not counted, in this epoch nor in the next, and nobody is asked', () => {
  const { rig, collection, map } = begin(3)
  map.set('new', () => {})
  for (let epoch = 0; epoch < 3; epoch++) {
    const capture = rig.cut()
    rig.commit()
    assert.deepEqual([...capture.unresolved()], [])
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
  assert.equal(collection.cold?.stats().hidden, 1)
  assert.deepEqual(
    [...map],
    [
      ['k0', { n: 0 }],
      ['k2', { n: 2 }],
      ['k1', 'back'],
    ],
  )
  map.delete('k1')
  assert.equal(map.get('k1'), undefined)
})

test('keys that come and go are not remembered where a filter alone spoke for them, nor is any once nothing shows', () => {
  const { rig, cold, collection, map } = begin(3, { lies: 8 })
  const hidden = (): number | undefined => collection.cold?.stats().hidden
  map.get('k0')
  map.delete('k0')
  for (let n = 0; n < 5000; n++) {
    map.set(`new ${n}`, n)
    if (n % 10 === 0) rig.checkpoint()
    map.delete(`new ${n}`)
  }
  rig.checkpoint()
  assert.equal(hidden(), 1)
  // Deleted again behind the barrier, before it is looked up, and given back: the tombstone is due all the same.
  map.set('new', 1)
  rig.checkpoint()
  map.delete('new')
  rig.cut()
  map.set('new', 2)
  map.delete('new')
  for (let left = 100; left > 0; left--) rig.slice()
  assert.equal(hidden(), 1)
  rig.fail()
  rig.cut()
  map.set('new', 3)
  rig.commit()
  assert.equal(rig.disk.get(collection.id)?.has('new'), false)
  rig.checkpoint()
  assert.equal(rig.disk.get(collection.id)?.get('new'), 3)
  // One whose look-up fails stays hidden.
  map.delete('new')
  cold.damaged = true
  rig.checkpoint()
  cold.damaged = false
  rig.checkpoint()
  assert.equal(hidden(), 2)
  map.delete('k1')
  map.set('k2', 'not looked at')
  map.delete('k2')
  assert.equal(hidden(), 4)
  rig.checkpoint()
  assert.equal(hidden(), 0)
  assert.deepEqual([map.size, map.has('k2'), [...map.keys()].length], [0, false, 0])
  map.set('k2', 'again')
  rig.checkpoint()
  assert.deepEqual([...(rig.disk.get(collection.id) ?? [])], [['k2', 'again']])
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
  rig.cut()
  map.set('new', 1)
  rig.fail()
  map.delete('new')
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

for (const evicts of [false, true]) {
  test(`looking at the first entry again and again does not meet again what is gone or live (evicts: ${evicts})`, () => {
    const { cold, map } = begin(300, { evicts })
    const first = (): Key | undefined => map.keys().next().value
    for (let n = 0; n < 10; n++) map.get(`k${n}`)
    for (let left = 290; left > 0; left--) {
      const key = first() as Key
      assert.deepEqual(map.get(key), { n: Number(String(key).slice(1)) })
      if (left % 3 > 0) map.delete(key)
    }
    // Each is met twice: when it is given, and when it is passed.
    assert.ok(cold.steps < 2 * 300 + 10, `${cold.steps} keys met`)
    const { steps } = cold
    for (let n = 0; n < 10; n++) first()
    assert.equal(cold.steps, steps, 'nothing stored shows')
    assert.equal([...map.keys()].length, 10 + 96)
  })
}

test('what was passed and leaves the heap is met by later walks, after an exchange too', () => {
  const begun = begin(9, { evicts: true, home: ['k0', 'k1', 'k2'] })
  const { rig, collection, map } = begun
  const eviction = new Eviction(collection)
  assert.equal(map.keys().next().value, 'k3')
  const open = map.keys()
  assert.equal(open.next().value, 'k3')
  assert.equal(eviction.run(2), 2)
  assert.equal(map.keys().next().value, 'k0')
  assert.deepEqual([...map.keys()], ['k0', 'k1', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k2'])
  assert.deepEqual([...open], ['k4', 'k5', 'k6', 'k7', 'k8', 'k0', 'k1', 'k2'])
  map.delete('k0')
  map.set('k', 'before all')
  assert.equal(map.keys().next().value, 'k1')
  rig.checkpoint()
  exchange(begun)
  while (eviction.run(10) > 0);
  assert.deepEqual([...map.keys()], ['k', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'])
  // All comes home in the middle of a walk, and leaves again.
  const entries = map.entries()
  assert.deepEqual(entries.next().value, ['k', 'before all'])
  for (const key of ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8']) map.get(key)
  assert.deepEqual(entries.next().value, ['k1', { n: 1 }])
  eviction.renew()
  while (eviction.run(10) > 0);
  assert.deepEqual(
    [...entries].map(([key, value]) => `${String(key)} ${(value as { n: number }).n}`),
    ['k2 2', 'k3 3', 'k4 4', 'k5 5', 'k6 6', 'k7 7', 'k8 8'],
  )
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
