/** What an epoch that failed leaves to be done: all that it took, and what was captured beside it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
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
