/** Walks over cold entries on a disk that now and then does not give back what is stored: each entry is given once, as it is. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Eviction } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { numbered } from './support/capture-rig.ts'
import { begin } from './support/cold-rig.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const entriesOf = (iterator: Iterator<[unknown, unknown]>): [unknown, unknown][] => {
  const given: [unknown, unknown][] = []
  for (let step = iterator.next(); step.done !== true; step = iterator.next()) given.push(step.value)
  return given
}

for (const pick of ['entries', 'scan'] as const) {
  test(`what left the heap behind a walk and is set while it cannot be read is given once, as set (${pick})`, () => {
    const { map, collection, cold } = begin(3, { evicts: true, lies: 8, home: ['k0'] })
    const walk = map[pick]()
    assert.equal(walk.next().value?.[0], 'k1')
    assert.equal(new Eviction(collection).run(1), 1)
    cold.damaged = true
    map.set('k0', 'new')
    cold.damaged = false
    assert.deepEqual(entriesOf(walk), [
      ['k2', { n: 2 }],
      ['k0', 'new'],
    ])
  })

  test(`a walk that broke off is taken up again where it was (${pick})`, () => {
    const { map, cold } = begin(3)
    const walk = map[pick]()
    assert.equal(walk.next().value?.[0], 'k0')
    cold.unwalkable = true
    for (let tries = 0; tries < 2; tries++) assert.throws(() => walk.next(), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
    cold.unwalkable = false
    assert.deepEqual(entriesOf(walk), [
      ['k1', { n: 1 }],
      ['k2', { n: 2 }],
    ])
  })

  test(`what left the heap behind a walk is given once it can be read, and as it is by then (${pick})`, () => {
    const { map, collection, cold } = begin(5, { evicts: true, home: ['k0', 'k1', 'k2', 'k3'] })
    const walk = map[pick]()
    assert.equal(walk.next().value?.[0], 'k4')
    assert.equal(new Eviction(collection).run(4), 4)
    for (const key of ['k0', 'k1', 'k2', 'k3']) collection.cold?.held.forget(key)
    cold.damaged = true
    for (let tries = 0; tries < 5; tries++) assert.throws(() => walk.next(), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
    cold.damaged = false
    map.delete('k1')
    map.set('k2', 'new')
    assert.deepEqual(
      entriesOf(walk).toSorted(([one], [other]) => (String(one) < String(other) ? -1 : 1)),
      [
        ['k0', { n: 0 }],
        ['k2', 'new'],
        ['k3', { n: 3 }],
      ],
    )
  })
}

for (const evicts of [false, true]) {
  test(`a walk pays for none of the sets since its last step (${evicts ? 'with' : 'without'} eviction)`, () => {
    const count = 2000
    const { map, cold } = begin(count, { evicts })
    const walk = map.keys()
    for (let at = 0; at < count; at++) walk.next()
    for (let at = 0; at < count; at++) map.set(`k${at}`, 'new')
    assert.equal(cold.looks, count)
    assert.equal(walk.next().done, true)
    assert.equal(cold.looks, count)
  })

  test(`a set that the disk could not tell from an insert stops no walk (${evicts ? 'with' : 'without'} eviction)`, () => {
    const { map, cold } = begin(3, { evicts })
    const walk = map.keys()
    assert.equal(walk.next().value, 'k0')
    cold.damaged = true
    map.set('k0', 'new')
    // Once more, as whether it was there is not known.
    assert.deepEqual([...walk], ['k1', 'k2', 'k0'])
    cold.damaged = false
    assert.equal(map.size, 3)
  })
}

/** The keys that a loop gives in steps of which each passes few live entries. */
function evenly(t: TestContext, keys: Iterator<Key>, body: (key: Key) => void = () => {}): Key[] {
  const passed = t.mock.method(Object.getPrototypeOf(new Map().entries()) as Iterator<unknown>, 'next')
  const given: Key[] = []
  for (let done = false; !done; ) {
    const before = passed.mock.callCount()
    const step = keys.next()
    const count = passed.mock.callCount() - before
    assert.ok(count < 10, `${count} live entries in the step behind ${given.length}`)
    done = step.done === true
    if (step.done === true) continue
    given.push(step.value)
    body(step.value)
  }
  passed.mock.restore()
  return given
}

const keysOf = function* (entries: Iterable<[Key, unknown]>): Generator<Key> {
  for (const [key] of entries) yield key
}

for (const evicts of [false, true]) {
  const name = evicts ? 'with' : 'without'
  test(`the last step of a loop passes nothing that it brought home (${name} eviction)`, t => {
    const home = ['k1', 'k3'] as const
    const { map } = begin(500, { evicts, home: [...home] })
    const walk = keysOf(map)
    const first = walk.next().value as Key
    // By others, before the walk and behind it; and by a set.
    map.get('k499')
    map.get('k0')
    map.set('k498', 'new')
    const given = [first, ...evenly(t, walk)]
    assert.deepEqual([given.length, new Set(given).size, map.size], [500, 500, 500])
    assert.deepEqual(given.slice(-4), [...home, 'k499', 'k498'])
  })

  test(`nor where entries are deleted while it brings them home (${name} eviction)`, t => {
    const { map } = begin(500, { evicts })
    const given = evenly(t, keysOf(map), key => {
      if (Number(String(key).slice(1)) % 2 === 0) map.delete(key)
    })
    assert.deepEqual([given.length, new Set(given).size, map.size], [500, 500, 250])
  })
}

/** How many of these a loop keeps from being collected. */
async function kept(objects: readonly WeakRef<object>[]): Promise<number> {
  await new Promise(resolve => void setImmediate(resolve))
  collect()
  return objects.filter(object => object.deref() !== undefined).length
}

test('a loop keeps nothing of what left the heap again while it met stored keys', async () => {
  const { map, collection } = begin(2000, { evicts: true })
  const walk = map.values()
  const objects: WeakRef<object>[] = []
  for (let at = 0; at < 1000; at++) {
    objects.push(new WeakRef(walk.next().value as object))
    if (at > 100) new Eviction(collection).run(1)
  }
  assert.ok((await kept(objects)) < 200)
  assert.equal([...walk].length, 1000)
})

test('nor while it gives what left the heap before it came to that', async () => {
  const keys = numbered(300, () => 0).map(([key]) => key)
  const { map, collection } = begin(300, { evicts: true, home: keys })
  const walk = map.keys()
  const given: Key[] = [walk.next().value as Key]
  assert.equal(new Eviction(collection).run(300), 300)
  const objects: WeakRef<object>[] = []
  while (given.length < 280) {
    given.push(walk.next().value as Key)
    for (const key of given.slice(-8)) objects.push(new WeakRef(map.get(key) as object))
    new Eviction(collection).run(64)
  }
  assert.ok((await kept(objects)) < 100)
  given.push(...walk)
  assert.deepEqual([given.length, new Set(given).size], [300, 300])
})
