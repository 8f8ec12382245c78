/** What the scheduler is shown of the engine, and when: the checkpointer alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treat } from '../src/capture/importance.ts'
import { Collection } from '../src/capture/index.ts'
import { changedIn } from '../src/checkpoint/looks.ts'
import { tideCodec } from '../src/codec/index.ts'
import { scheduleStats } from '../src/face/schedule.ts'
import { Cadence, type CadenceParts, type ScheduleStats } from '../src/schedule/index.ts'
import { SimulatedClock } from '../src/testing/index.ts'
import type { ToWriter } from '../src/writer/index.ts'
import { SETTINGS } from './support/cadence-world.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'

/** A day whose parts are a second each. */
const SHORT_DAY = { cycleMs: 96_000 }

test('a loop that stood still is not blamed on the storage, whose answer came meanwhile', () => {
  const told: string[] = []
  const { scheduler, host, map } = alone(1000, false, { elastic: true }, ({ type, reason }) => told.push(`${type} ${reason}`))
  map.set('k', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  scheduler.nowMs += 3000
  // Timers run in front of messages.
  scheduler.step()
  host.commit()
  scheduler.pass(10)
  assert.deepEqual(told, ['barrier interval'])
})

for (const [what, load, early, answersMs] of [
  ['a loop stood still', 1, false, 0],
  ['a process was stopped', 0, false, 1],
  ['a loop stood still that had not captured all', 1, true, 1],
  ['a process was stopped that had not captured all', 0, true, 1],
] as const) {
  test(`the time in which ${what} is not taken for that of a commit: barriers come no earlier behind it, and no storage is blamed`, () => {
    const told: string[] = []
    const note: CadenceParts['decided'] = ({ type, reason }) => void told.push(`${type} ${reason}`)
    const { scheduler, host, map, cadence } = alone(1000, false, { intervalMsMax: 1500 }, note, undefined, load)
    map.set('k', 1)
    if (early) while (told.length === 0) scheduler.step(scheduler.nowMs + 1000)
    else scheduler.pass(1000)
    assert.equal(host.commits.length, early ? 0 : 1)
    scheduler.nowMs += 60_000
    // Timers run in front of messages, and then a look that was late: where the writer was stopped, too, it needs some time.
    if (answersMs === 0) scheduler.step()
    else scheduler.pass(answersMs)
    host.commit()
    assert.ok(cadence.commitMs < 200, `${cadence.commitMs}`)
    assert.ok(cadence.stats(false, 0, []).rpoMsWorst > 60_000, 'what could have been lost could')
    // A look that finds nothing to write.
    scheduler.pass(1000)
    assert.ok(!told.some(one => one.startsWith('pressure') || one.endsWith('storage')), told.join(', '))
    told.length = 0
    for (let n = 2; n < 22; n++) {
      map.set('k', n)
      for (let ms = 0; ms < 5000 && host.commits.length < n; ms += 10) scheduler.pass(10)
      host.commit()
    }
    assert.deepEqual(new Set(told), new Set(['barrier interval']))
  })
}

test('a commit that takes long while the loop turns is known to take long', () => {
  const { scheduler, host, map, cadence } = alone(1000)
  map.set('k', 1)
  scheduler.pass(1000)
  scheduler.pass(3000)
  host.commit()
  assert.ok(cadence.commitMs >= 3000, `${cadence.commitMs}`)
})

test('of a commit in a loop all of whose turns are long only the longest does not count, while the epoch is captured, and none behind that', () => {
  const lengths = (turns: readonly number[], answers: readonly number[]): number => {
    const clock = new SimulatedClock()
    const cadence = new Cadence({ clock, loopLoad: () => 1, settings: SETTINGS, decided: () => {} })
    const pass = (ms: number): void => {
      clock.advance(ms)
      cadence.look({ dirty: true, changed: [], collections: 1, counted: true, inFlightBytes: 0, lag: { laggingMs: 0, uncutMs: 0 } })
    }
    pass(1)
    cadence.cut([], undefined)
    for (const ms of turns) pass(ms)
    cadence.handedOver()
    for (const ms of answers) pass(ms)
    clock.advance(1)
    cadence.committed({ records: 1, written: [] })
    return cadence.commitMs
  }
  const few = lengths([60_000], [])
  assert.ok(few < 200, `${few}`)
  const many = lengths(new Array<number>(10).fill(1000), [])
  assert.ok(many > 9000 && many < 9500, `${many}`)
  const one = lengths([1000, 1000, 60_000, 1000], [])
  assert.ok(one > 3000 && one < 3500, `${one}`)
  assert.equal(lengths([], [3000]), 3001)
})

test('a storage that has not answered when a loop stood still is blamed', () => {
  const told: string[] = []
  // Busy all the time: a process that was stopped has a writer that was, too.
  const { scheduler, host, map } = alone(1000, false, {}, ({ type, reason }) => told.push(`${type} ${reason}`), undefined, 1)
  map.set('k', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  scheduler.nowMs += 3000
  scheduler.pass(10)
  assert.deepEqual(told, ['barrier interval', 'pressure-high storage'])
})

test('an epoch whose cut is void and waits for a hold is not blamed on the storage, which was asked for nothing', () => {
  const told: string[] = []
  const { scheduler, host, map, checkpointer, cadence, seen } = alone(100, false, { elastic: true }, ({ type, reason }) => {
    told.push(`${type} ${reason}`)
  })
  const object = { n: 1 }
  map.set('object', object)
  while (!seen.includes('barrier 1')) scheduler.step(scheduler.nowMs + 100)
  quiet(checkpointer.holds.run(() => new Promise(() => {}), 1000))
  object.n = 2
  map.set('object', object)
  assert.equal(checkpointer.counters.voids, 1)
  scheduler.pass(900)
  assert.deepEqual(host.posted, [])
  assert.deepEqual(told, ['barrier interval', 'rpo-broken held'])
  assert.equal(cadence.pressure, 0)
  scheduler.pass(110)
  assert.equal(host.commits.length, 1)
  // From now on it is asked for something.
  scheduler.pass(200)
  assert.deepEqual(told.slice(2), ['pause storage', 'pressure-high storage'])
})

test('what was inserted before an epoch that failed still counts as changed', () => {
  const { scheduler, host, map, checkpointer } = alone()
  for (let n = 0; n < 10_000; n++) map.set(`k${n}`, n)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.deepEqual(changedIn([map]).changed, [])
  host.fail(0)
  assert.deepEqual(changedIn([map]).changed, [{ id: map.id, keys: 10_000 }])
  map.set('k0', 'again')
  map.set('new', 1)
  assert.deepEqual(changedIn([map]).changed, [{ id: map.id, keys: 10_002 }])
  scheduler.pass(100)
  host.commit()
  assert.deepEqual(changedIn([map]).changed, [])
})

test('a barrier decided on while an epoch is under way does not fall in a pause that begins meanwhile', () => {
  const told: string[] = []
  const { scheduler, host, map } = alone(1000, false, { elastic: true, intervalMsMax: 5000 }, ({ type, reason }) => {
    told.push(`${type} ${reason}`)
  })
  let commits = 0
  /** So many keys every 10 ms, until the writer is asked for a commit, or for so long: then false. */
  const write = (msMax: number, keys: number): boolean => {
    for (let ms = 0; ms < msMax; ms += 10) {
      for (let key = 0; key < keys; key++) map.set(key, scheduler.nowMs)
      scheduler.pass(10)
      if (host.commits.length > commits) break
    }
    const asked = host.commits.length > commits
    commits = host.commits.length
    return asked
  }
  while (scheduler.nowMs < 21_000) if (write(5000, 10)) host.commit()
  assert.ok(write(5000, 10))
  told.length = 0
  write(1500, 1)
  assert.deepEqual(told, ['pause storage'])
  host.commit()
  assert.ok(write(5000, 1))
  const barrier = told.findIndex(decision => decision.startsWith('barrier'))
  assert.ok(told[barrier] === 'barrier rpo' || told.slice(0, barrier).includes('resume calm'), told.join(', '))
})

test('a barrier that somebody waits for falls behind the epoch under way, whatever a look says', () => {
  const { scheduler, host, map, checkpointer } = alone(1000)
  map.set('k', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  map.set('k', 2)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(300)
  host.commit()
  scheduler.pass(0)
  assert.equal(host.commits.length, 2)
})

test('values that are refused again with each barrier do not count as changed', () => {
  const { scheduler, host, map, checkpointer } = alone()
  for (let n = 0; n < 1000; n++) map.set(`bad${n}`, () => {})
  map.set('good', 1)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.commit()
  assert.deepEqual(changedIn([map]).changed, [])
  map.set('good', 2)
  assert.deepEqual(changedIn([map]).changed, [{ id: map.id, keys: 1 }])
})

test('a barrier that is taken back keeps no hold from beginning', async () => {
  const { scheduler, checkpointer } = alone(1000)
  let end = (): void => {}
  const first = checkpointer.holds.run(
    () =>
      new Promise<void>(resolve => {
        end = resolve
      }),
    1e9,
  )
  const given = assert.rejects(checkpointer.checkpoint(100), { code: 'TIDEMARK_TIMEOUT' })
  scheduler.pass(3000)
  await given
  let begun = false
  const second = checkpointer.holds.run(() => {
    begun = true
  }, 1e9)
  scheduler.pass(3000)
  end()
  await first
  scheduler.pass(3000)
  await second
  assert.ok(begun)
})

test('a key that is written once counts once, though the cut that took it is void, or leaves it out epoch after epoch', () => {
  for (const how of ['void', 'left out'] as const) {
    const rig = alone(
      1000,
      false,
      SHORT_DAY,
      () => {},
      () => true,
    )
    const { scheduler, host, space, collections, checkpointer, cadence, map } = rig
    const other = new Collection(space, 'other', 'map', tideCodec, space.nextId++)
    collections.set('other', other)
    treat(map, { class: how === 'void' ? 'standard' : 'rebuildable' })
    const pass = (ms: number): void => {
      for (const end = scheduler.nowMs + ms; scheduler.nowMs < end; scheduler.pass(10)) {
        other.set('now', scheduler.nowMs)
        if (host.commits.length > checkpointer.epoch) host.commit()
      }
    }
    // What an epoch may leave out was committed before.
    map.set('first', { n: -1 })
    while (checkpointer.epoch === 0) pass(10)
    pass(2850)
    for (let n = 0; n < 10_000; n++) map.set(`k${n}`, { n })
    const before = cadence.record().rate.reduce((sum, rate) => sum + rate, 0)
    if (how === 'void') {
      while (map.part === undefined) pass(10)
      const key = [...map.live.keys()].find(one => map.part?.frozen(one)) as string
      map.set(key, map.live.get(key))
    }
    pass(8000)
    assert.equal(checkpointer.counters.voids, how === 'void' ? 1 : 0)
    assert.equal(map.dirty, how === 'left out')
    const written = cadence.record().rate.reduce((sum, rate) => sum + rate, 0) - before
    assert.ok(written > 9000 && written < 13_000, `${how}: ${written}`)
  }
})

for (const [what, intervalMs, others] of [
  ['looks are a second apart', 8000, 0],
  ['looks are far apart, as of very many collections', 20_000, 10_000],
] as const) {
  test(`where ${what} and a part of the day is shorter, a level of upkeep is said again before it lapses`, t => {
    const { scheduler, host, space, collections, checkpointer, cadence, map } = alone(intervalMs, false, { cycleMs: 60_000 })
    for (let n = 0; n < others; n++) collections.set(`${n}`, new Collection(space, `${n}`, 'map', tideCodec, space.nextId++))
    t.mock.getter(cadence, 'upkeep', () => 'held')
    const said: { readonly at: number; readonly ms: number }[] = []
    t.mock.method(host, 'post', (message: ToWriter) => {
      host.posted.push(message)
      if (message.type === 'upkeep-level') said.push({ at: scheduler.nowMs, ms: message.ms })
    })
    for (let ms = 0; ms < 120_000; ms += 100) {
      // There is something to write for some of the time, which looks come more often in.
      if (ms % 10_000 < 3000) map.set('k', ms)
      scheduler.pass(100)
      if (host.commits.length > checkpointer.epoch) host.commit()
    }
    assert.ok(said.length > 2)
    for (const [n, { at, ms }] of said.entries()) {
      const next = said[n + 1]?.at ?? scheduler.nowMs
      assert.ok(next < at + ms, `said at ${at} for ${ms}, and again at ${next}`)
    }
  })
}
test('bytes of a key in an epoch that took everything are not taken for those of a listing, nor the other way round', () => {
  const barriers: { reason: string; deltaBytes: number }[] = []
  const { scheduler, host, map, space } = alone(1000, false, { deltaBytesMax: 1_000_000 }, ({ type, reason, numbers }) => {
    if (type === 'barrier') barriers.push({ reason, deltaBytes: numbers['deltaBytes'] as number })
  })
  space.journalSlackKeys = 10_000
  /** Many times the same hundred keys, of a thousand bytes each. */
  const window = (sets: number): boolean => {
    for (let n = 0; n < sets; n++) map.set(`k${n % 100}`, `${scheduler.nowMs} ${n}`.padEnd(1000))
    const { saturated } = map
    const { length } = barriers
    while (barriers.length === length || host.commits.length < barriers.length) scheduler.pass(10)
    host.commit()
    return saturated
  }
  assert.deepEqual([5000, 20_000, 5000, 20_000, 5000].map(window), [false, true, false, true, false])
  assert.deepEqual(new Set(barriers.map(({ reason }) => reason)), new Set(['interval']))
  for (const { deltaBytes } of barriers.slice(2)) assert.ok(deltaBytes > 90_000 && deltaBytes < 120_000, `${deltaBytes}`)
})

test('a barrier that a listener sets during a look is followed by none for what that look had seen', () => {
  const told: string[] = []
  const rig = alone(1000, false, { intervalMsMin: 0, deltaBytesMax: 10_000 }, ({ type, reason }) => {
    told.push(`${type} ${reason}`)
    if (type === 'pressure-low') quiet(rig.checkpointer.checkpoint(1e9))
  })
  const { scheduler, host, map, cadence } = rig
  map.set('k', 1)
  scheduler.pass(3000)
  host.commit()
  // It has fallen, and no look has said so.
  while (cadence.pressure >= 0.4) scheduler.pass(10)
  for (let n = 0; n < 1000; n++) map.set(`k${n}`, n)
  while (host.commits.length < 2) scheduler.pass(10)
  host.commit()
  scheduler.pass(500)
  assert.deepEqual(told, ['barrier interval', 'pressure-high storage', 'pressure-low calm', 'barrier asked'])
})

test('what the next epoch leaves out brings no barrier forward, until it has to be taken', () => {
  const barriers: string[] = []
  const note: CadenceParts['decided'] = ({ type, reason }) => void (type === 'barrier' && barriers.push(reason))
  const { scheduler, host, space, collections, map, cadence, checkpointer } = alone(
    1000,
    false,
    { deltaBytesMax: 100_000 },
    note,
    () => true,
  )
  const other = new Collection(space, 'other', 'map', tideCodec, space.nextId++)
  collections.set('other', other)
  treat(map, { class: 'rebuildable' })
  const pass = (ms: number): void => {
    for (const end = scheduler.nowMs + ms; scheduler.nowMs < end; scheduler.pass(10)) {
      other.set('now', scheduler.nowMs)
      if (host.commits.length > checkpointer.epoch) host.commit()
    }
  }
  const value = 'x'.repeat(1000)
  map.set('first', value)
  while (checkpointer.epoch === 0) pass(10)
  for (let n = 0; n < 1000; n++) map.set(`k${n}`, value)
  barriers.length = 0
  pass(5000)
  assert.ok(map.dirty)
  assert.deepEqual(new Set(barriers), new Set(['interval']))
  assert.ok(barriers.length <= 5, `${barriers.length} in five intervals`)
  const { deltaBytes } = scheduleStats(cadence, checkpointer, collections.values()) as ScheduleStats
  assert.ok(deltaBytes < 100_000, `${deltaBytes}`)
  pass(6000)
  assert.ok(!map.dirty)
})
