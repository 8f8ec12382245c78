/** What an epoch that failed leaves to be done: all that it took, and what was captured beside it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collection } from '../src/capture/index.ts'
import { Transaction } from '../src/capture/transaction.ts'
import { tideCodec } from '../src/codec/index.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'

for (const behind of ['no barrier', 'a commit that is under way']) {
  test(`what was drained behind ${behind} is written again when the writer fails`, () => {
    const { scheduler, host, checkpointer, map } = alone(1000)
    const drained = (): number => checkpointer.drained.records
    map.set('first', 1)
    quiet(checkpointer.checkpoint(1e6))
    scheduler.pass(100)
    assert.equal(host.commits.length, 1)
    if (behind === 'no barrier') host.commit()
    const before = drained()
    for (let key = 0; key < 5; key++) map.set(`k${key}`, key)
    for (let ms = 0; ms < 900 && drained() < before + 5; ms += 10) scheduler.pass(10)
    assert.equal(drained(), before + 5)
    assert.equal(host.commits.length, 1)
    host.fail(0)
    scheduler.pass(1000)
    assert.equal(host.commits.length, 2)
    assert.equal(host.keys(1), behind === 'no barrier' ? 5 : 6)
    host.commit()
    assert.equal(checkpointer.dirty, false)
    checkpointer.stop(new Error('over') as never)
  })
}

test('an epoch that failed and held nothing but what collections there are leaves that to be made durable', async () => {
  const { scheduler, host, checkpointer, space } = alone()
  space.catalogueChanged = true
  const first = checkpointer.checkpoint(1e6)
  scheduler.pass(0)
  host.fail(0)
  assert.equal(checkpointer.dirty, true)
  let durable = false
  const waits = checkpointer.durable(1e6).then(() => {
    durable = true
  })
  await Promise.resolve()
  assert.equal(durable, false)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 2)
  assert.equal(durable, false)
  host.commit()
  await Promise.all([first, waits])
  assert.equal(checkpointer.dirty, false)
})

test('the answer to a commit of an attempt that is over acknowledges nothing', async () => {
  const { scheduler, host, checkpointer, map, seen } = alone()
  map.set('a', 1)
  let durable = false
  const point = checkpointer.checkpoint(1e6).then(() => {
    durable = true
  })
  scheduler.pass(0)
  const [first] = host.commits
  host.fail(0)
  scheduler.pass(1000)
  assert.deepEqual(
    host.commits.map(({ attempt }) => attempt),
    [0, 1],
  )
  host.commit(first)
  await Promise.resolve()
  assert.deepEqual([durable, checkpointer.epoch, seen.includes('checkpoint')], [false, 0, false])
  host.commit()
  await point
  assert.equal(checkpointer.epoch, 1)
})

test('what a transaction emptied and put back, while another collection made the cut void, is in the attempt that follows a failure', () => {
  const { scheduler, host, map, space, collections, checkpointer } = alone(0, true)
  const other = new Collection(space, 'other', 'map', tideCodec, space.nextId++)
  collections.set('other', other)
  for (let n = 0; n < 5; n++) map.set(`k${n}`, n)
  for (let n = 0; n < 60; n++) other.set(`o${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  const transaction = new Transaction()
  space.transaction = transaction
  space.refresh()
  map.clear()
  checkpointer.outbox.inFlight = 100 * 1024 * 1024
  if (space.capture !== undefined) space.capture.preImageBytes = 100 * 1024 * 1024
  other.set('o50', 'changed')
  assert.equal(checkpointer.counters.voids, 1)
  checkpointer.outbox.inFlight = 0
  transaction.rollback()
  space.transaction = undefined
  space.refresh()
  checkpointer.transactionEnded()
  scheduler.pass(1000)
  host.fail(0)
  scheduler.pass(2000)
  assert.equal(host.commits.at(-1)?.attempt, 1)
  assert.equal(host.keys(1), 65)
})
