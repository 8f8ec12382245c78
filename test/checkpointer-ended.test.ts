/** The checkpointer behind its end, failed or closed: it writes nothing, remembers nothing, and does not come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkError } from '../src/base/errors.ts'
import { Collection, treat } from '../src/capture/index.ts'
import { tideCodec } from '../src/codec/index.ts'
import { numbered } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

test('an engine that has stopped remembers nothing of what comes and goes', () => {
  const { scheduler, host, map, checkpointer, seen } = alone()
  for (let n = 0; n < 10; n++) map.set(`k${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.fail(0, true)
  assert.equal(checkpointer.status, 'failed')
  assert.deepEqual(seen.slice(-1), ['failed'])
  for (let n = 0; n < 5000; n++) {
    map.set(`new${n}`, n)
    map.delete(`new${n}`)
  }
  assert.ok(map.dirtyKeysMax < 100)
})

test('an engine that has failed in the midst of a capture remembers nothing of what comes home', () => {
  const { host, space, collections, checkpointer } = alone()
  const stored = numbered(1000, n => ({ n }))
  const start = { cold: new FakeCold(stored), coldCount: stored.length }
  const map = new Collection(space, 'cold', 'map', tideCodec, space.nextId++, new Map(), start)
  collections.set('cold', map)
  map.set('new', 1)
  quiet(checkpointer.checkpoint(1e9))
  const { part } = map
  assert.ok(part !== undefined)
  host.fail(0, true)
  for (const [key] of stored) map.get(key)
  assert.equal(part.done.size, 0)
  assert.equal(map.part, undefined)
})

test('nothing is posted after stop', () => {
  const { scheduler, host, map, checkpointer } = alone(10)
  const held = { n: 0 }
  map.set('held', held)
  quiet(checkpointer.checkpoint(1e9))
  map.set('held', held)
  checkpointer.stop(new Error('closed') as never)
  const count = host.posted.length
  host.say({ type: 'credit', attempt: 0, bytes: 1 })
  scheduler.pass(1000)
  assert.equal(host.posted.length, count)
})

test('an engine that has ended looks at no collection that is given an rpoMs then', () => {
  for (const how of ['failed', 'closed'] as const) {
    const { scheduler, host, map, checkpointer } = alone()
    if (how === 'failed') host.fail(0, true)
    else checkpointer.stop(new Error('closed') as never)
    treat(map, { class: 'critical', rpoMs: 5 })
    map.set('a', 1)
    checkpointer.classes.rpoGiven(map.rpoMs)
    const turns = checkpointer.stalls.count
    scheduler.pass(1000)
    assert.equal(checkpointer.stalls.count, turns, how)
  }
})

for (const how of ['failed', 'closed'] as const) {
  test(`an engine that has ${how} does not begin again when its writer says that the epoch failed`, () => {
    const { scheduler, host, map, checkpointer, seen } = alone()
    map.set('a', 1)
    quiet(checkpointer.checkpoint(1e9))
    scheduler.pass(0)
    if (how === 'failed') host.fail(0, true)
    else checkpointer.stop(new Error('closed') as never)
    const told = seen.length
    host.fail(0)
    assert.equal(checkpointer.status, how)
    scheduler.pass(20_000)
    assert.equal(host.commits.length, 1)
    assert.equal(checkpointer.status, how)
    assert.deepEqual(seen.slice(told), [])
  })
}

test('an engine that has stopped for good with an epoch under way goes on saying how old that is, and that it fails', () => {
  const told: string[] = []
  const { scheduler, host, map, checkpointer, cadence } = alone(1000, false, {}, ({ type, reason }) => told.push(`${type} ${reason}`))
  const rpoMs = (): number => cadence.stats(checkpointer.exposed, 0, []).rpoMs
  map.set('a', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  host.fail(0, true)
  assert.ok(rpoMs() >= 1000, `${rpoMs()}`)
  const posted = host.posted.length
  scheduler.pass(10_000)
  assert.ok(rpoMs() >= 11_000, `${rpoMs()}`)
  assert.deepEqual(told, ['barrier interval', 'pressure-high failing'])
  assert.equal(host.posted.length, posted)
  checkpointer.stop(new Error('closed') as never)
  assert.ok(rpoMs() >= 11_000, 'closing makes nothing durable')
})

test('an engine that has stopped for good with nothing to write could lose what is set since, and nothing before', () => {
  const { scheduler, host, map, checkpointer, cadence } = alone(1000)
  const rpoMs = (): number => cadence.stats(checkpointer.exposed, 0, []).rpoMs
  map.set('a', 1)
  scheduler.pass(1000)
  host.commit()
  scheduler.pass(3000)
  host.fail(0, true)
  scheduler.pass(5000)
  assert.equal(rpoMs(), 0)
  map.set('a', 2)
  scheduler.pass(1000)
  assert.ok(rpoMs() >= 1000 && rpoMs() <= 7000, `${rpoMs()}`)
})

test('an engine that has stopped for good with an epoch under way that took nothing could lose what is set since, and nothing before', () => {
  const { scheduler, host, map, checkpointer, cadence } = alone(1000)
  const rpoMs = (): number => cadence.stats(checkpointer.exposed, 0, []).rpoMs
  map.set('a', 1)
  scheduler.pass(1000)
  host.commit()
  scheduler.pass(3000)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.equal(host.commits.length, 2)
  host.fail(0, true)
  scheduler.pass(10_000)
  assert.equal(rpoMs(), 0)
  map.set('a', 2)
  scheduler.pass(1000)
  assert.ok(rpoMs() >= 1000, `${rpoMs()}`)
})

test('an engine that looks at nothing by itself decides nothing when it has stopped for good, and says what could be lost', () => {
  const told: string[] = []
  const { scheduler, host, map, checkpointer, cadence } = alone(0, false, {}, ({ type }) => told.push(type))
  map.set('a', 1)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.fail(0, true)
  scheduler.pass(1000)
  assert.ok(cadence.stats(checkpointer.exposed, 0, []).rpoMs >= 1000)
  assert.deepEqual(told, ['barrier'])
})

test('a close whose loop stood still before its last epoch was captured has the time for it once more', async () => {
  const { scheduler, host, map, space, checkpointer } = alone(0)
  for (let n = 0; n < 1000; n++) map.set(`k${n}`, n)
  space.forbidden = 'closed'
  const closing = checkpointer.durable(200)
  quiet(closing)
  scheduler.nowMs += 500
  scheduler.pass(100)
  host.commit()
  await closing
})

test('what a barrier throws inside checkpoint() stops the engine as in a turn of its own: the caller is told, and so is who waits', async () => {
  for (const ask of ['checkpoint', 'durable'] as const) {
    const { scheduler, clock, map, checkpointer, seen } = alone()
    map.set('a', 1)
    const { now } = clock
    clock.now = () => {
      clock.now = now
      throw new RangeError('no time')
    }
    const asked = checkpointer[ask](1e9)
    await assert.rejects(asked, (error: TidemarkError) => error.code === 'TIDEMARK_BUG' && (error.cause as Error).message === 'no time')
    assert.deepEqual([checkpointer.status, seen], ['failed', ['failed']])
    assert.equal(checkpointer.degradedBy?.code, 'TIDEMARK_BUG')
    assert.equal(scheduler.step(Number.POSITIVE_INFINITY), false, 'nobody waits for anything any more')
  }
})
