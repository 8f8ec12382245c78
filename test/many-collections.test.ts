/** A store of very many collections of which few change: what a barrier does to the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treat } from '../src/capture/importance.ts'
import { Collection } from '../src/capture/index.ts'
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
