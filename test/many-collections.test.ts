/** A store of very many collections of which few change: what a barrier does to the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treat } from '../src/capture/importance.ts'
import { Collection } from '../src/capture/index.ts'
import { Significance } from '../src/capture/significance.ts'
import { tideCodec } from '../src/codec/index.ts'
import { Rig } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'

test('a barrier and durable() touch the collections that changed, and those that may hold something back', async ({ mock }) => {
  const { scheduler, host, space, collections, checkpointer, map } = alone()
  for (let n = 0; n < 1000; n++) collections.set(`c${n}`, new Collection(space, `c${n}`, 'map', tideCodec, space.nextId++))
  const some = collections.get('c1') as Collection
  treat(some, { significant: () => false })
  map.set('k', 0)
  some.set('k', 0)
  const commit = async (): Promise<void> => {
    const done = checkpointer.durable(1e9)
    scheduler.pass(1000)
    host.commit()
    await done
  }
  await commit()
  const begun = mock.method(Collection.prototype, 'beginEpoch')
  const taken = mock.method(Collection.prototype, 'takeIn')
  map.set('k', 1)
  some.set('k', 1)
  assert.ok(!some.dirty)
  await commit()
  assert.equal(host.keys(), 4)
  assert.ok(begun.mock.callCount() <= 2, `${begun.mock.callCount()} begun`)
  assert.equal(taken.mock.callCount(), 1)
  some.drop()
  collections.delete('c1')
  map.set('k', 2)
  await commit()
  assert.equal(taken.mock.callCount(), 1)
  quiet(checkpointer.checkpoint(1e9))
})

test('durable() makes nothing for collections in which nothing waits, and asks the one first that was found dirty last', async ({
  mock,
}) => {
  const { scheduler, host, space, collections, checkpointer } = alone()
  const all = Array.from({ length: 100 }, (_, n) => new Collection(space, `c${n}`, 'map', tideCodec, space.nextId++))
  for (const collection of all) {
    collections.set(collection.name, collection)
    treat(collection, { significant: () => false })
    collection.set('k', 0)
  }
  const commit = async (): Promise<void> => {
    const done = checkpointer.durable(1e9)
    scheduler.pass(1000)
    host.commit()
    await done
  }
  await commit()
  const taken = mock.method(Significance.prototype, 'take')
  for (let n = 0; n < 10; n++) await checkpointer.durable(1e9)
  assert.equal(taken.mock.callCount(), 0)
  const last = all.at(-1) as Collection
  last.set('k', 1)
  assert.ok(!last.dirty)
  await commit()
  assert.equal(taken.mock.callCount(), 1)
  // An epoch is under way, and the next has something to take.
  last.set('new', 1)
  const waits = [checkpointer.durable(1e9)]
  last.set('other', 1)
  const asked = mock.getter(Collection.prototype, 'dirty')
  for (let n = 0; n < 100; n++) waits.push(checkpointer.durable(1e9))
  assert.ok(asked.mock.callCount() < 1000, `asked ${asked.mock.callCount()} times`)
  asked.mock.restore()
  // What is there no more is not asked.
  last.drop()
  collections.delete(last.name)
  assert.ok(!checkpointer.classes.dirty)
  for (let n = 0; n < 2; n++) {
    scheduler.pass(1000)
    host.commit()
  }
  await Promise.all(waits)
})

test('what a collection that is clean remembers of the epoch before is forgotten at the barrier', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 1]])
  const other = rig.collection()
  rig.checkpoint()
  const { journal } = map
  other.set('k', 1)
  rig.checkpoint()
  assert.equal(map.journal, journal, 'nothing was listed in it')
  // Keys that came and went.
  for (let n = 0; n < 100; n++) {
    map.set('new', n)
    map.delete('new')
  }
  assert.ok(!map.dirty && map.arrivals.end === 100)
  rig.checkpoint()
  assert.equal(map.arrivals.end, 0)
})
