/** The checkpointer alone, before a writer that says what the test wants. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collection, Transaction } from '../src/capture/index.ts'
import { type Key, tideCodec } from '../src/codec/index.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'

test('a cut that was voided does not move the barrier of the attempt that follows a failure', () => {
  const { scheduler, host, map, space, checkpointer, seen } = alone()
  const held = { n: 0 }
  map.set('held', held)
  for (let n = 0; n < 30; n++) map.set(`k${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  held.n = 1
  map.set('held', held)
  assert.deepEqual(seen, ['barrier 1', 'voided'])
  // Before the cut has moved: the writer fails, and the store closes.
  host.fail(0)
  space.forbidden = 'closed'
  quiet(checkpointer.checkpoint(1e9))
  assert.deepEqual(seen, ['barrier 1', 'voided', 'degraded', 'barrier 1'])
  scheduler.pass(0)
  assert.deepEqual(seen.slice(4), [], 'the new barrier stays where it fell')
  assert.equal(host.commits.length, 1)
  assert.equal(host.keys(), 31, 'every key is in the epoch')
})

test('what a voided cut had written counts for nothing when the writer fails then: a commit tells the record bytes of its own', () => {
  const { scheduler, host, map, checkpointer } = alone()
  const held = { n: 0 }
  map.set('held', held)
  map.set('k0', 'x'.repeat(10_000))
  for (let n = 1; n < 30; n++) map.set(`k${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  // Captured in the call, as it was at the barrier.
  map.set('k0', 'x')
  held.n = 1
  map.set('held', held)
  assert.equal(checkpointer.counters.voids, 1)
  host.fail(0)
  scheduler.pass(1000)
  const bytes = host.commits.at(-1)?.catalogue.find(({ id }) => id === map.id)?.bytes ?? 0
  assert.ok(bytes > 0 && bytes < 10_000, `${bytes} bytes of 31 small records`)
})

test('after three cuts that moved the next one is taken in one slice', async () => {
  const { scheduler, host, map, checkpointer, seen } = alone(0, true)
  const held = Array.from({ length: 100 }, (_, n) => ({ n }))
  for (const [n, value] of held.entries()) map.set(`k${n}`, value)
  const point = checkpointer.checkpoint(1e9)
  for (let voids = 1; voids <= 4; voids++) {
    const key = [...map.live.keys()].find(one => map.part?.frozen(one)) as Key
    const value = map.live.get(key) as { n: number }
    value.n = -voids
    map.set(key, value)
    assert.equal(checkpointer.counters.voids, voids)
    assert.equal(host.commits.length, 0)
    scheduler.step()
  }
  assert.equal(host.commits.length, 1, 'all of it in the turn of the cut')
  assert.equal(checkpointer.counters.forced, 1)
  map.set('k99', held[99])
  assert.equal(checkpointer.counters.voids, 4)
  host.commit()
  assert.equal((await point).epoch, 1)
  assert.deepEqual(
    seen.filter(name => name !== 'voided'),
    ['barrier 1', 'barrier 1', 'barrier 1', 'barrier 1', 'barrier 1', 'checkpoint'],
  )
})

test('a cut that is void by its pre-images waits for the writer, keeps more the next time, and is never forced', async () => {
  const { scheduler, host, map, space, checkpointer, seen } = alone(0, true)
  for (let n = 0; n < 20_000; n++) map.set(`k${n}`, { n, text: 'x'.repeat(1000) })
  const point = checkpointer.checkpoint(1e9)
  const { outbox } = checkpointer
  let asked = 0
  const ask = (): void => void map.get(`k${asked++}`)
  /** So much is in flight, and was captured in calls. */
  const keep = (bytes: number): void => {
    outbox.inFlight = bytes
    if (space.capture !== undefined) space.capture.preImageBytes = bytes
  }
  // Nobody gives credit.
  const behind = 100 * 1024 * 1024
  keep(behind)
  ask()
  assert.deepEqual(seen, ['barrier 1', 'voided'])
  for (let turn = 0; turn < 20; turn++) {
    ask()
    scheduler.pass(10)
  }
  assert.equal(checkpointer.counters.voids, 1, 'no cut while the writer has no room: nothing is frozen, and nothing is kept')
  assert.equal(outbox.inFlight, behind)
  outbox.inFlight = 0
  scheduler.pass(30)
  assert.deepEqual(seen, ['barrier 1', 'voided', 'barrier 1'])
  keep(behind)
  ask()
  assert.equal(checkpointer.counters.voids, 1, 'as much is not too much any more')
  for (let more = behind; checkpointer.counters.voids < 8; more *= 2) {
    keep(more)
    ask()
    outbox.inFlight = 0
    scheduler.step(scheduler.nowMs + 30)
  }
  assert.equal(checkpointer.counters.forced, 0)
  while (host.commits.length === 0) {
    outbox.inFlight = 0
    scheduler.pass(30)
  }
  host.commit()
  assert.equal((await point).records >= 20_000, true)
})

test('a cut that moves while a hold runs waits for it, and the capture goes on behind it', async () => {
  const { scheduler, host, map, checkpointer, seen } = alone(0, true)
  const held = Array.from({ length: 100 }, (_, n) => ({ n }))
  for (const [n, value] of held.entries()) map.set(`k${n}`, value)
  quiet(checkpointer.checkpoint(1e9))
  let end = (): void => {}
  const hold = checkpointer.holds.run(
    () =>
      new Promise<void>(resolve => {
        end = resolve
      }),
    1e6,
  )
  map.set('k99', held[99])
  scheduler.pass(100)
  assert.deepEqual(seen, ['barrier 1', 'voided'])
  const turns = checkpointer.stalls.count
  scheduler.pass(10_000)
  assert.equal(checkpointer.stalls.count, turns, 'the end of the hold is told, not looked for')
  end()
  await hold
  scheduler.pass(1000)
  assert.deepEqual(seen, ['barrier 1', 'voided', 'barrier 1'])
  assert.equal(host.commits.length, 1)
})

test('a void inside a transaction is settled when the transaction ends, whatever became of it', () => {
  for (const end of ['commit', 'rollback'] as const) {
    const { scheduler, host, map, space, checkpointer } = alone(0, true)
    for (let n = 0; n < 60; n++) map.set(`k${n}`, n)
    quiet(checkpointer.checkpoint(1e9))
    space.transaction = new Transaction()
    space.refresh()
    checkpointer.outbox.inFlight = 100 * 1024 * 1024
    if (space.capture !== undefined) space.capture.preImageBytes = 100 * 1024 * 1024
    map.set('k50', 'changed')
    assert.equal(checkpointer.counters.voids, 1)
    checkpointer.outbox.inFlight = 0
    map.clear()
    map.set('k51', 'new')
    if (end === 'rollback') space.transaction.rollback()
    space.transaction = undefined
    space.refresh()
    checkpointer.transactionEnded()
    scheduler.pass(1000)
    assert.equal(host.commits.length, 1)
    assert.ok(host.keys() >= (end === 'rollback' ? 60 : 1))
    host.commit()
    assert.equal(checkpointer.dirty, false)
  }
})

test('after a failure everything is captured again, in a new attempt', async () => {
  const { scheduler, host, map, checkpointer, seen } = alone()
  for (let n = 0; n < 10; n++) map.set(`k${n}`, n)
  const point = checkpointer.checkpoint(1e9)
  scheduler.pass(0)
  assert.equal(host.keys(), 10)
  host.fail(0)
  assert.equal(checkpointer.status, 'degraded')
  map.set('k0', -1)
  scheduler.pass(99)
  assert.equal(host.commits.length, 1)
  scheduler.pass(1)
  assert.equal(host.commits.length, 2, 'after the back-off of 100 ms')
  assert.deepEqual(
    host.posted.filter(message => message.type === 'reset'),
    [{ type: 'reset', attempt: 1 }],
  )
  assert.equal(host.keys(), 20)
  host.commit()
  assert.equal((await point).epoch, 1)
  assert.deepEqual(seen, ['barrier 1', 'degraded', 'barrier 1', 'recovered', 'checkpoint'])
  assert.equal(checkpointer.dirty, false)
})

test('the back-off doubles up to ten seconds where nobody waits, and ends at a commit', () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('k', 1)
  quiet(checkpointer.checkpoint(0))
  const waits: number[] = []
  for (let attempt = 0; attempt < 10; attempt++) {
    scheduler.pass(0)
    host.fail(attempt)
    const before = host.commits.length
    let waited = 0
    for (; host.commits.length === before; waited += 100) scheduler.pass(100)
    waits.push(waited)
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
  host.commit()
  map.set('k', 2)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  const before = host.commits.length
  host.fail(10)
  scheduler.pass(100)
  assert.equal(host.commits.length, before + 1)
})

test('the drain goes through many collections more rarely than through few', () => {
  const walks = (count: number): number => {
    const { scheduler, space, collections, map } = alone(1000)
    for (let n = 1; n < count; n++) collections.set(`c${n}`, new Collection(space, `c${n}`, 'map', tideCodec, space.nextId++))
    scheduler.pass(100)
    let walked = 0
    const values = collections.values.bind(collections)
    collections.values = () => {
      walked++
      return values()
    }
    for (let ms = 0; ms < 800; ms += 10) {
      map.set(`k${ms}`, ms)
      scheduler.pass(10)
    }
    return walked
  }
  const few = walks(10)
  const many = walks(4096)
  assert.ok(many < few / 2, `${many} walks, ${few} with few collections`)
})

test('answers of an attempt that was given up count for nothing', () => {
  const { scheduler, host, map, checkpointer, seen } = alone()
  map.set('k', 1)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.fail(0)
  scheduler.pass(100)
  const { inFlight } = checkpointer.outbox
  host.fail(0)
  host.say({ type: 'credit', attempt: 0, bytes: 1 })
  assert.equal(checkpointer.outbox.inFlight, inFlight)
  assert.deepEqual(seen, ['barrier 1', 'degraded', 'barrier 1'])
})

test('a writer that is behind pauses the capture until it gives credit', () => {
  const { scheduler, host, map, checkpointer } = alone()
  const text = 'x'.repeat(60_000)
  for (let n = 0; n < 400; n++) map.set(`k${n}`, text)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.equal(host.commits.length, 0)
  const sent = host.keys()
  assert.ok(checkpointer.outbox.full && sent < 200, `${sent} sent`)
  scheduler.pass(1000)
  assert.equal(host.keys(), sent)
  while (host.commits.length === 0) {
    host.say({ type: 'credit', attempt: 0, bytes: checkpointer.outbox.inFlight })
    scheduler.pass(0)
  }
  assert.equal(host.keys(), 400)
})

test('many wait for one epoch', async () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('k', 1)
  const first = checkpointer.checkpoint(1e9)
  const others = Array.from({ length: 150_000 }, () => checkpointer.checkpoint(Number.POSITIVE_INFINITY))
  scheduler.pass(0)
  host.commit()
  scheduler.pass(0)
  host.fail(0)
  scheduler.pass(100)
  host.commit()
  assert.equal((await first).epoch, 1)
  assert.deepEqual(new Set((await Promise.all(others)).map(point => point.epoch)), new Set([2]))
})

test('a value that stays refused starts no epoch by itself; a change does', () => {
  const { scheduler, host, map, checkpointer, seen } = alone(10)
  map.set('bad', () => {})
  map.set('good', 1)
  scheduler.pass(10)
  host.commit()
  scheduler.pass(500)
  assert.deepEqual(seen, ['barrier 1', 'refused', 'checkpoint'])
  assert.equal(checkpointer.refusals.length, 1)
  map.set('good', 2)
  scheduler.pass(10)
  host.commit()
  assert.deepEqual(seen.slice(3), ['barrier 2', 'checkpoint'], 'announced once')
  map.set('bad', 'mended')
  scheduler.pass(10)
  host.commit()
  assert.equal(checkpointer.refusals.length, 0)
  assert.equal(checkpointer.dirty, false)
})

test('a value that was refused and is deleted is refused no more, and what is set afterwards becomes durable', async () => {
  const { scheduler, host, map, checkpointer } = alone(10)
  map.set('bad', () => {})
  scheduler.pass(10)
  host.commit()
  assert.equal(checkpointer.refusals.length, 1)
  map.delete('bad')
  assert.deepEqual(checkpointer.refusals, [])
  scheduler.pass(500)
  await checkpointer.durable(1e9)
  map.set('good', 1)
  scheduler.pass(60_000)
  assert.equal(host.commits.length, 2)
})

test('a value that was refused and is deleted before its epoch is durable keeps durable() from nothing', async () => {
  const { scheduler, host, map, checkpointer } = alone(10)
  map.set('bad', () => {})
  scheduler.pass(10)
  map.delete('bad')
  const durable = checkpointer.durable(1e9)
  host.commit()
  await durable
  assert.deepEqual(checkpointer.refusals, [])
})

test('a value that stays refused over a stored one starts no epoch by itself', () => {
  const { scheduler, host, map, checkpointer } = alone(100)
  map.set('bad', 1)
  scheduler.pass(100)
  host.commit()
  map.set('bad', () => {})
  scheduler.pass(100)
  host.commit()
  scheduler.pass(60_000)
  assert.equal(host.commits.length, 2)
  map.delete('bad')
  scheduler.pass(1000)
  host.commit()
  assert.equal(host.commits.length, 3, 'a tombstone')
  assert.deepEqual(checkpointer.refusals, [])
})

for (const stored of [false, true]) {
  test(`a refused value that is mended becomes durable, captured early or not; stored before: ${stored}`, () => {
    for (const writes of [1, 5000]) {
      const { scheduler, host, map, checkpointer } = alone(1000)
      if (stored) {
        map.set('bad', 1)
        scheduler.pass(1000)
        host.commit()
      }
      map.set('bad', () => {})
      scheduler.pass(1000)
      host.commit()
      scheduler.pass(5000)
      const before = host.commits.length
      for (let n = 0; n < writes; n++) map.set('bad', `mended ${n}`)
      scheduler.pass(60_000)
      assert.equal(host.commits.length, before + 1, `${writes} writes`)
      host.commit()
      assert.deepEqual(checkpointer.refusals, [])
    }
  })
}

test('what comes to a store at rest, or just opened, is written as soon as it is `deltaBytesMax`, not an interval later', () => {
  for (const restMs of [0, 120_000]) {
    const { scheduler, host, map } = alone(60_000, false, { deltaBytesMax: 100_000, intervalMsMin: 1000 })
    scheduler.pass(restMs)
    for (let n = 0; n < 100_000; n++) map.set(`k${n}`, n)
    for (let ms = 0; ms < 10_000; ms += 100) {
      scheduler.pass(100)
      host.say({ type: 'credit', attempt: 0, bytes: 1e6 })
    }
    assert.equal(host.commits.length, 1)
  }
})

test('whoever waits for the next barrier, when all is in the epoch under way, is not told that the store closed', async () => {
  const { scheduler, host, map, space, checkpointer } = alone()
  map.set('k', 1)
  const first = checkpointer.checkpoint(1e9)
  const second = checkpointer.checkpoint(1e9)
  quiet(second)
  space.forbidden = 'closed'
  const closing = checkpointer.durable(1e9).then(() => checkpointer.stop(new Error('closed') as never))
  scheduler.pass(1000)
  host.commit()
  await closing
  assert.equal((await first).epoch, 1)
  assert.equal((await second).epoch, 1)
})
