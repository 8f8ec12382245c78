/** When and how much is captured: evenly where barriers come regularly, at once where somebody should not wait. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keysIn } from '../src/capture/journal.ts'
import { Pace } from '../src/checkpoint/pace.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'

test('the cadence is the interval, or what is learned from barriers that are asked for', () => {
  const automatic = new Pace(800)
  assert.deepEqual([automatic.cadenceMs, automatic.ageMs, automatic.spreadMs(false)], [800, 100, 100])
  const asked = new Pace(0)
  assert.deepEqual([asked.cadenceMs, asked.ageMs, asked.spreadMs(true)], [0, 0, 0])
  asked.barrier(0)
  asked.barrier(400)
  assert.equal(asked.cadenceMs, 0, 'one gap is no cadence')
  asked.barrier(800)
  assert.equal(asked.cadenceMs, 400)
  // Two in a row change nothing.
  asked.barrier(810)
  asked.barrier(1200)
  assert.ok(asked.cadenceMs >= 390)
  for (let hours = 1; hours < 6; hours++) asked.barrier(hours * 3_600_000)
  assert.equal(asked.cadenceMs, 60_000)
  assert.equal(asked.spreadMs(true), 1000, 'nobody waits longer')
  assert.equal(asked.spreadMs(false), 7500)
  for (let n = 0; n < 5; n++) automatic.barrier(n * 80)
  assert.equal(automatic.cadenceMs, 80, 'asked for more often than they come')
  assert.deepEqual([automatic.ageMsAt(320), automatic.ageMsAt(320 + 400), automatic.ageMsAt(320 + 8000)], [10, 50, 100])
})

test('what is drained in vain waits longer, up to half the interval, and no longer when it is not', () => {
  const pace = new Pace(800)
  for (let n = 0; n < 100; n++) pace.steer(100, 30)
  assert.equal(pace.ageMs, 400)
  pace.steer(100, 15)
  assert.equal(pace.ageMs, 400)
  for (let n = 0; n < 100; n++) pace.steer(100, 5)
  assert.equal(pace.ageMs, 100)
  pace.steer(0, 0)
  assert.equal(pace.ageMs, 100)
})

test('what goes cold is captured before the barrier, and the epoch that it ends has all of it', () => {
  const { scheduler, host, map, checkpointer } = alone(800)
  for (let n = 0; n < 200; n++) map.set(`k${n}`, n)
  for (let n = 0; n < 70; n++) {
    map.set('hot', n)
    scheduler.pass(10)
  }
  assert.equal(host.commits.length, 0)
  assert.equal(checkpointer.drained.records, 200)
  scheduler.pass(110)
  assert.equal(host.commits.length, 1)
  assert.equal(host.keys(), 201)
  host.commit()
  assert.equal(checkpointer.counters.records, 201)
  assert.equal(checkpointer.dirty, false)
})

test('a burst of writes leaves as an even stream until the next barrier', () => {
  const { scheduler, map, checkpointer } = alone(8000)
  for (let n = 0; n < 20_000; n++) map.set(`k${n}`, n)
  const drained: number[] = []
  for (let at = 0; at < 7900; at += 790) {
    scheduler.pass(790)
    drained.push(checkpointer.drained.records)
  }
  const steps = drained.map((records, at) => records - (drained[at - 1] ?? 0)).slice(2)
  assert.equal(drained.at(-1), 20_000)
  assert.ok(Math.max(...steps) <= 2.5 * (20_000 / 9), steps.join(' '))
})

test('the last round is spread over an eighth of the interval; whoever cannot wait does not', async () => {
  for (const hurry of [false, true]) {
    const { scheduler, host, map, checkpointer } = alone(8000)
    for (let n = 0; n < 10_000; n++) map.set(`k${n}`, n)
    if (hurry) quiet(checkpointer.durable(1e9))
    else quiet(checkpointer.checkpoint(1e9))
    scheduler.pass(0)
    assert.equal(host.commits.length, hurry ? 1 : 0)
    scheduler.pass(500)
    assert.equal(host.commits.length, hurry ? 1 : 0)
    scheduler.pass(600)
    assert.equal(host.commits.length, 1)
    assert.equal(host.keys(), 10_000)
  }
})

test('an epoch that is spread is hurried when somebody comes who should not wait, or asks for the next one', () => {
  for (const how of ['durable', 'checkpoint'] as const) {
    const { scheduler, host, map, checkpointer } = alone(8000)
    for (let n = 0; n < 1000; n++) map.set(`k${n}`, n)
    quiet(checkpointer.checkpoint(1e9))
    scheduler.pass(20)
    assert.equal(host.commits.length, 0)
    quiet(checkpointer[how](1e9))
    scheduler.pass(0)
    assert.equal(host.commits.length, 1, how)
  }
})

test('a little is captured at once, however long the interval', () => {
  const { scheduler, host, map, checkpointer } = alone(60_000)
  map.set('one', 1)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.equal(host.commits.length, 1)
})

test('nothing is drained while an epoch is captured: its records would be those of the next', () => {
  const { scheduler, host, map, checkpointer } = alone(800)
  for (let n = 0; n < 3000; n++) map.set(`k${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(10)
  for (let n = 0; n < 100; n++) map.set(`later${n}`, n)
  const drained = checkpointer.drained.records
  while (host.commits.length === 0) {
    assert.equal(checkpointer.drained.records, drained)
    scheduler.pass(1)
  }
  const before = host.keys()
  scheduler.pass(400)
  assert.equal(checkpointer.drained.records, drained + 100, 'but behind its commit')
  assert.ok(host.keys() >= before)
})

test('nothing is drained while the disk fails, and what was drained is in the attempt that follows', () => {
  const { scheduler, host, map, checkpointer } = alone(800)
  for (let n = 0; n < 500; n++) map.set(`k${n}`, n)
  scheduler.pass(700)
  assert.equal(checkpointer.drained.records, 500)
  host.fail(0)
  assert.equal(checkpointer.status, 'degraded')
  scheduler.pass(99)
  assert.equal(checkpointer.drained.records, 500)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  assert.deepEqual(
    host.posted.filter(({ type }) => type === 'reset'),
    [{ type: 'reset', attempt: 1 }],
  )
  assert.equal(host.keys(1), 500)
  host.commit()
  assert.equal(checkpointer.status, 'ok')
  assert.equal(checkpointer.dirty, false)
})

test('without an interval a failure of the drain makes no checkpoint: the next that is asked for is the next attempt', () => {
  const { scheduler, host, map, checkpointer, seen } = alone(0)
  const ask = (): void => quiet(checkpointer.checkpoint(1e9))
  for (let n = 0; n < 4; n++) {
    map.set('a', n)
    ask()
    scheduler.pass(50)
    host.commit()
    scheduler.pass(50)
  }
  map.set('a', 'drained')
  scheduler.pass(1000)
  assert.ok(checkpointer.drained.records > 0)
  const before = host.commits.length
  host.fail(0)
  scheduler.pass(60_000)
  assert.equal(host.commits.length, before)
  assert.equal(checkpointer.dirty, true)
  assert.equal(checkpointer.status, 'degraded')
  ask()
  scheduler.pass(50)
  assert.equal(host.keys(1), 1)
  host.commit()
  assert.equal(checkpointer.status, 'ok')
  assert.deepEqual(seen.slice(-4), ['degraded', 'barrier 5', 'recovered', 'checkpoint'])
})

test('without an interval whoever asks while the drain has failed waits for the back-off, and an epoch that failed is tried again unasked', () => {
  const { scheduler, host, map, checkpointer } = alone(0)
  map.set('a', 1)
  host.fail(0)
  quiet(checkpointer.checkpoint(0))
  scheduler.pass(99)
  assert.equal(host.commits.length, 0)
  scheduler.pass(1)
  assert.equal(host.commits.length, 1)
  host.fail(1)
  scheduler.pass(200)
  assert.equal(host.commits.length, 2)
  host.commit()
  assert.equal(checkpointer.dirty, false)
})

test('a store that nobody writes to is looked at no more often than its interval', () => {
  const { scheduler, host, map, checkpointer } = alone(800)
  map.set('k', 1)
  scheduler.pass(900)
  host.commit()
  scheduler.pass(8000)
  const { count } = checkpointer.stalls.snapshot()
  scheduler.pass(80_000)
  const looks = checkpointer.stalls.snapshot().count - count
  assert.ok(looks <= 2 * 100 + 10, `${looks} in 100 intervals`)
})

for (const [what, gapMs, writeMs] of [
  ['stops asking for barriers', 100, 100],
  ['asks for one an hour', 3_600_000, 10_000],
] as const) {
  test(`where somebody ${what} a key that is written again and again is drained a few times only, and one that is not is drained`, () => {
    const { scheduler, host, map, checkpointer } = alone(0)
    for (let n = 0; n < 4; n++) {
      map.set('hot', n)
      map.set('cold', n)
      quiet(checkpointer.checkpoint(60_000))
      scheduler.pass(50)
      host.commit()
      scheduler.pass(gapMs - 50)
    }
    map.set('cold', 'set once')
    const before = checkpointer.drained.records
    for (let passed = 0; passed < 3_600_000; passed += writeMs) {
      map.set('hot', passed)
      scheduler.pass(writeMs)
    }
    const records = checkpointer.drained.records - before
    assert.ok(records >= 1 && records < 50, `${records} records`)
    assert.ok(map.dirtyKeysMax < 20_000, `${map.dirtyKeysMax} keys listed`)
    const drained = map.drained.groups().flatMap(group => [...keysIn(group)])
    assert.ok(drained.includes('cold'))
  })
}

test('a few barriers asked for in a row do not make hot keys cold for the interval that follows', () => {
  const { scheduler, host, map, checkpointer } = alone(60_000)
  let n = 0
  for (let asked = 0; asked < 4; asked++) {
    map.set('hot 0', n++)
    quiet(checkpointer.checkpoint(60_000))
    scheduler.pass(50)
    host.commit()
  }
  const before = checkpointer.drained.records
  for (const end = n + 10_000; n < end; n++) {
    map.set(`hot ${n % 20}`, n)
    scheduler.pass(5)
  }
  const records = checkpointer.drained.records - before
  assert.ok(records < 500, `${records} records`)
})

for (const call of ['durable', 'checkpoint'] as const) {
  test(`${call}() that is called while a barrier falls hurries the epoch of that barrier`, () => {
    let asked = false
    const { scheduler, host, map, checkpointer } = alone(8000, false, {}, ({ type }) => {
      if (type !== 'barrier' || asked) return
      asked = true
      quiet(checkpointer[call](1e9))
    })
    scheduler.pass(7900)
    for (let n = 0; n < 10_000; n++) map.set(`k${n}`, n)
    for (let ms = 0; ms < 10_000 && !asked; ms++) scheduler.pass(1)
    scheduler.pass(0)
    assert.equal(host.commits.length, 1)
  })
}

test('after hours without a barrier the drain is there for those that come often again', () => {
  const { scheduler, host, map, checkpointer } = alone(0)
  const round = (write: () => void): void => {
    write()
    scheduler.pass(950)
    quiet(checkpointer.checkpoint(60_000))
    scheduler.pass(50)
    host.commit()
  }
  for (let n = 0; n < 4; n++) round(() => map.set('hot', n))
  for (let passed = 0; passed < 12 * 3_600_000; passed += 10_000) {
    map.set('hot', passed)
    scheduler.pass(10_000)
  }
  round(() => {})
  const before = checkpointer.drained.records
  let n = 0
  const more = (): void => {
    for (const end = n + 500; n < end; n++) map.set(`new ${n}`, n)
  }
  // The first few say how often they come now.
  for (let rounds = 0; rounds < 100; rounds++) round(more)
  assert.ok(checkpointer.drained.records - before > 5000, `${checkpointer.drained.records - before} of ${n}`)
})

test('a turn beyond the budget is counted and named; a large value has a slice of its own the next time', () => {
  const { scheduler, host, map, checkpointer, stalls } = alone(0, true)
  const large = 'x'.repeat(300_000)
  for (let n = 0; n < 20; n++) map.set(`k${n}`, n)
  map.set('large', large)
  for (let n = 20; n < 40; n++) map.set(`k${n}`, n)
  quiet(checkpointer.durable(1e9))
  scheduler.pass(10_000)
  host.commit()
  const named = stalls.filter(({ key }) => key !== undefined)
  assert.deepEqual(
    named.map(({ collection, key, budgetMs }) => [collection, key, budgetMs]),
    [['map', 'large', 1]],
  )
  assert.ok((named[0]?.bytes ?? 0) >= 300_000)
  assert.equal(checkpointer.stallBudget.broken, stalls.length)
  // Known now: nothing else is captured in front of it in its slice, and what is put back is captured once.
  for (let n = 0; n < 40; n++) map.set(`k${n}`, -n)
  map.set('large', `${large}!`)
  quiet(checkpointer.durable(1e9))
  const before = host.keys()
  scheduler.pass(10_000)
  assert.equal(host.keys() - before, 41)
  host.commit()
  map.set('large', 'small')
  quiet(checkpointer.durable(1e9))
  scheduler.pass(10_000)
  host.commit()
  assert.equal(checkpointer.dirty, false)
})

test('a turn beyond the budget is not named for a large value that a call of the service captured before it', () => {
  const { scheduler, host, map, checkpointer, stalls } = alone(0, true)
  for (let n = 0; n < 40; n++) map.set(`k${n}`, n)
  map.set('large', 'x'.repeat(300_000))
  quiet(checkpointer.durable(1e9))
  map.set('large', 'small')
  const before = stalls.length
  scheduler.pass(10_000)
  host.commit()
  assert.ok(stalls.length > before)
  assert.deepEqual(
    stalls.filter(({ key }) => key !== undefined),
    [],
  )
})

test('the first automatic barrier after a few that were asked for is spread like any other, for so much went cold before it', () => {
  const pace = new Pace(60_000)
  for (let at = 0; at <= 150; at += 50) pace.barrier(at)
  assert.equal(pace.cadenceMs, 50)
  pace.barrier(60_150)
  assert.equal(pace.spreadMs(false), 7500)
  assert.equal(pace.spreadMs(true), 1000)
  pace.barrier(60_200)
  assert.equal(pace.spreadMs(false), 50 / 8)
})

test('an epoch that is spread is hurried when the next one is as large as it may be; the next one is not', () => {
  const { scheduler, host, map } = alone(60_000, false, { deltaBytesMax: 1_000_000, intervalMsMin: 1000 })
  const write = (): void => {
    for (let n = 0; n < 20_000; n++) map.set(`k${n}`, scheduler.nowMs)
  }
  const until = (commits: number, msMax: number): number => {
    const begin = scheduler.nowMs
    while (host.commits.length < commits && scheduler.nowMs - begin < msMax) {
      scheduler.pass(50)
      host.say({ type: 'credit', attempt: 0, bytes: 1e6 })
    }
    assert.equal(host.commits.length, commits)
    return scheduler.nowMs - begin
  }
  write()
  scheduler.pass(1500)
  assert.equal(host.commits.length, 0, 'its barrier fell, it is spread')
  write()
  assert.ok(until(1, 10_000) < 1000)
  host.commit()
  assert.ok(until(2, 10_000) > 3000)
})
