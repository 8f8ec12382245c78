/** The scheduler before a world that is as simple as can be: when barriers fall, and what is said about it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cadence, type Decision, type Took } from '../src/schedule/index.ts'
import { SeededRandom, SimulatedClock } from '../src/testing/index.ts'
import { CadenceWorld, SETTINGS } from './support/cadence-world.ts'

const HOUR = 3_600_000
const elastic = { elastic: true, intervalMsMax: 5000 }

/** Times between barriers. */
function windows(world: CadenceWorld): number[] {
  const at = world.of('barrier').map(barrier => barrier.at)
  return at.slice(1).map((time, index) => time - (at[index] as number))
}

test('told an interval only, barriers fall in it, whatever the load', () => {
  for (const load of [0.05, 0.99]) {
    const world = new CadenceWorld({ rate: ms => (ms % 3000 < 300 ? 5000 : 10), load: () => load, keysMax: 100 })
    world.run(60_000)
    const barriers = world.of('barrier')
    assert.ok(barriers.length >= 58 && barriers.length <= 60, `${barriers.length} barriers in 60 s`)
    assert.deepEqual(new Set(barriers.map(barrier => barrier.reason)), new Set(['interval']))
    assert.ok(world.worstMs < 1100, `${world.worstMs}`)
    for (const windowMs of windows(world)) assert.ok(windowMs >= 1000 && windowMs < 1030, `${windowMs}`)
  }
})

test('a store that is not touched is looked at once an interval, and nothing is decided', () => {
  const world = new CadenceWorld({ rate: () => 0 })
  world.run(100_000)
  assert.ok(world.looks <= 101, `${world.looks}`)
  assert.deepEqual(world.decisions, [])
})

test('a change after a rest is cut within an interval', () => {
  const world = new CadenceWorld({ rate: ms => (ms % 60_000 > 30_500 && ms % 60_000 < 30_520 ? 100 : 0) })
  world.run(600_000)
  assert.equal(world.commits, 10)
  assert.ok(world.worstMs <= 1050, `${world.worstMs}`)
})

test('where the RPO is hardly more than the interval, a change after a rest is durable within it', () => {
  for (const settings of [
    { elastic: true, intervalMs: 1000, intervalMsMax: 1000 },
    { elastic: true, intervalMs: 1000, intervalMsMax: 1030 },
    { elastic: false, intervalMs: 1000, intervalMsMax: 1000 },
    { elastic: true, intervalMs: 200, intervalMsMax: 200 },
  ]) {
    for (let shift = 0; shift < 1000; shift += 90) {
      const written = (ms: number): boolean => (ms + shift) % 10_000 >= 5010 && (ms + shift) % 10_000 < 5030
      const world = new CadenceWorld({ rate: ms => (written(ms) ? 1000 : 0), settings })
      world.run(60_000)
      assert.equal(world.commits, 6)
      assert.ok(world.worstMs <= settings.intervalMsMax, `${world.worstMs} of ${settings.intervalMsMax}, ${shift}`)
      assert.deepEqual(world.of('rpo-broken'), [])
    }
  }
})

test('a delta of deltaBytesMax ends the window, but no window is shorter than intervalMsMin', () => {
  const world = new CadenceWorld({ rate: ms => (ms < 20_000 ? 2000 : 200_000), settings: { deltaBytesMax: 1_000_000 } })
  world.run(40_000)
  const early = world.of('barrier').filter(({ at }) => at < 20_000)
  assert.deepEqual(new Set(early.map(({ reason }) => reason)), new Set(['interval']))
  const late = world.of('barrier').filter(({ at }) => at > 21_000)
  assert.deepEqual(new Set(late.map(({ reason }) => reason)), new Set(['delta']))
  for (const { numbers } of late)
    assert.ok((numbers['windowMs'] as number) >= 250 && (numbers['windowMs'] as number) < 400, `${numbers['windowMs']}`)
})

test('the size of the delta is learned from commits', () => {
  const world = new CadenceWorld({ rate: () => 1000, keyBytes: 5000, settings: { deltaBytesMax: 1e12 } })
  world.run(30_000)
  const { deltaBytes, changedKeysMax } = world.of('barrier').at(-1)?.numbers ?? {}
  assert.ok(Math.abs((deltaBytes as number) / (changedKeysMax as number) / 5000 - 1) < 0.05, `${deltaBytes} for ${changedKeysMax}`)
})

test('under load, windows that save rewrites become longer, never beyond the RPO, and short again afterwards', () => {
  const busy = (ms: number): boolean => ms < 60_000
  const world = new CadenceWorld({
    rate: ms => (busy(ms) ? 20_000 : 100),
    load: ms => (busy(ms) ? 0.8 : 0.1),
    keysMax: 500,
    settings: elastic,
  })
  world.run(120_000)
  assert.ok(world.of('widen').length >= 2)
  assert.ok(Math.max(...windows(world)) > 3000)
  assert.ok(world.worstMs <= 5000, `${world.worstMs}`)
  assert.ok(world.of('narrow', 'calm').length >= 2)
  assert.equal(world.cadence.stats(false, 0, []).windowMs, 1000)
  assert.deepEqual(world.of('rpo-broken'), [])
})

test('what a window was before it changed is what was said of it last, however it followed the commits meanwhile', () => {
  const commitMs = (ms: number): number => 500 + (ms < 150_000 ? ms / 200 : (300_000 - ms) / 200)
  const world = new CadenceWorld({
    rate: () => 20_000,
    load: () => 0.8,
    keysMax: 500,
    commitMs,
    settings: { ...elastic, intervalMsMax: 4000 },
  })
  world.run(300_000)
  assert.ok(world.of('narrow', 'slow-commits').length >= 3)
  assert.ok(world.of('widen').length >= 4)
  let said = 1000
  for (const { type, numbers } of world.decisions) {
    if (type !== 'widen' && type !== 'narrow') continue
    const { windowMs = 0, windowMsBefore = 0 } = numbers
    assert.equal(windowMsBefore, said)
    const grew = windowMs / windowMsBefore
    assert.ok((type === 'widen' ? grew : 1 / grew) >= 1.099, `${type} ${windowMsBefore} to ${windowMs}`)
    said = windowMs
  }
})

test('barriers come in the lull behind a burst when the RPO has room, and at the interval when it has none', () => {
  const burst = (ms: number): boolean => ms % 3000 < 1500
  const options = { rate: (ms: number) => (burst(ms) ? 5000 : 10), load: (ms: number) => (burst(ms) ? 0.9 : 0.05) }
  const world = new CadenceWorld({ ...options, settings: { ...elastic, intervalMs: 2000 } })
  world.run(180_000)
  const late = world.of('barrier').filter(({ at }) => at > 60_000)
  const inLull = late.filter(({ at }) => !burst(at - 1))
  assert.ok(inLull.length / late.length > 0.9, `${inLull.length} of ${late.length}`)
  assert.ok(late.some(({ reason }) => reason === 'lull'))
  assert.ok(world.worstMs <= 5000)
  const plain = new CadenceWorld({ ...options, settings: { intervalMs: 2000 } })
  plain.run(180_000)
  assert.deepEqual(new Set(plain.of('barrier').map(({ reason }) => reason)), new Set(['interval']))
})

test('pressure rises with an epoch that takes long, is told once each way, and is 0 when all goes well', () => {
  const slow = (ms: number): boolean => ms > 30_000 && ms < 60_000
  const world = new CadenceWorld({ rate: () => 1000, commitMs: ms => (slow(ms) ? 2500 : 20) })
  world.run(29_000)
  assert.ok(world.cadence.pressure < 0.1)
  world.run(120_000)
  assert.deepEqual(
    world.decisions.filter(({ type }) => type.startsWith('pressure')).map(({ type, reason }) => `${type} ${reason}`),
    ['pressure-high storage', 'pressure-low calm'],
  )
  assert.ok(world.cadence.pressure < 0.1)
})

test('the pressure is high once an epoch takes two fifths of the RPO', () => {
  for (const [commitMs, times] of [
    [1500, 0],
    [1750, 1],
  ] as const) {
    const world = new CadenceWorld({ rate: () => 1000, commitMs: ms => (ms > 3000 && ms < 4500 ? commitMs : 20) })
    world.run(10_000)
    assert.equal(world.of('pressure-high', 'storage').length, times, `${commitMs} of ${world.settings.intervalMsMax}`)
  }
})

test('of bytes in flight it is said whom they wait for: a writer that works all the time, or the storage behind it', () => {
  const said = (took: Took | undefined): string[] => {
    const decided: string[] = []
    const clock = new SimulatedClock()
    const decide = ({ type, reason }: Decision): void => void decided.push(`${type} ${reason}`)
    const cadence = new Cadence({ clock, loopLoad: () => 0, settings: { ...SETTINGS, ...elastic }, decided: decide })
    const seen = { dirty: true, changed: [], collections: 1, counted: true, inFlightBytes: 7_000_000, lag: { laggingMs: 0, uncutMs: 0 } }
    cadence.cut([], undefined)
    while (clock.monotonic() < 3000) {
      clock.advance(100)
      if (took !== undefined) cadence.credited(took)
      cadence.look(seen)
    }
    return decided.slice(1)
  }
  assert.deepEqual(said({ ms: 10, workMs: 9 }), ['pause writer', 'pressure-high writer'])
  // It waits for the disk, or below a ceiling; or it stands still.
  for (const took of [{ ms: 10, workMs: 1 }, undefined]) assert.deepEqual(said(took), ['pause storage', 'pressure-high storage'])
})

test('an RPO that is broken is said, with why, and said again when it is met', () => {
  const stuck = new CadenceWorld({ rate: () => 1000, commitMs: ms => (ms > 30_000 && ms < 31_500 ? 10_000 : 20) })
  stuck.run(60_000)
  const said = stuck.decisions.filter(({ type }) => type.startsWith('rpo')).map(({ type, reason }) => `${type} ${reason}`)
  assert.deepEqual(said, ['rpo-broken storage', 'rpo-met durable'])
  const blocked = new CadenceWorld({ rate: () => 1000, blockedMs: ms => (ms > 30_000 && ms < 30_100 ? 6000 : 0) })
  blocked.run(60_000)
  assert.equal(blocked.of('rpo-broken', 'loop').length, 1)
  assert.equal(blocked.of('rpo-met').length, 1)
  assert.ok(stuck.cadence.stats(true, 0, []).rpoMsWorst >= 10_000)
})

test('an RPO that a short standstill of the loop broke is not said to be broken by a hold, nor by the loop where the storage is stuck', () => {
  const settings = { intervalMs: 1000, intervalMsMax: 1100 }
  const said = new Set<string>()
  for (let at = 30_000; at < 31_000; at += 50) {
    const world = new CadenceWorld({ rate: () => 1000, settings, blockedMs: ms => (ms >= at && ms < at + 10 ? 450 : 0) })
    world.run(40_000)
    for (const { reason } of world.of('rpo-broken')) said.add(reason)
  }
  // An epoch that was under way in the standstill may seem slow.
  assert.deepEqual([said.has('loop'), said.has('held')], [true, false])
  // Timers are a few milliseconds late, as ever.
  const often = { intervalMs: 2, intervalMsMin: 1, intervalMsMax: 50 }
  const commitMs = (ms: number): number => (ms > 1000 && ms < 1010 ? 1000 : 1)
  const stuck = new CadenceWorld({ rate: () => 1000, settings: often, blockedMs: () => 3, commitMs })
  stuck.run(3000)
  assert.deepEqual(
    stuck.of('rpo-broken').map(({ reason }) => reason),
    ['storage'],
  )
  // A barrier was decided on in time, and does not fall.
  const decided: Decision[] = []
  const clock = new SimulatedClock()
  const cadence = new Cadence({ clock, loopLoad: () => 0, settings: SETTINGS, decided: decision => decided.push(decision) })
  const seen = { dirty: true, changed: [], collections: 1, counted: true, inFlightBytes: 0, lag: { laggingMs: 0, uncutMs: 0 } }
  while (clock.monotonic() < 6000) clock.advance(cadence.look(seen).againMs + 30)
  assert.deepEqual(
    decided.filter(({ type }) => type === 'rpo-broken').map(({ reason }) => reason),
    ['held'],
  )
})

test('what lags too long and can be taken by no barrier, as values that were refused, is looked at no more often for that', () => {
  const clock = new SimulatedClock()
  const cadence = new Cadence({ clock, loopLoad: () => 0, settings: SETTINGS, decided: () => {} })
  const seen = (ms: number) => ({
    ...{ dirty: false, changed: [], collections: 1, counted: true, inFlightBytes: 0 },
    lag: { laggingMs: ms, uncutMs: ms },
  })
  let looks = 0
  for (; clock.monotonic() < 60_000; looks++) clock.advance(cadence.look(seen(100_000)).againMs)
  assert.ok(looks <= 61, `${looks} looks in a minute`)
  // Before that it is looked at when it is due.
  assert.equal(Math.round(cadence.look(seen(cadence.leftOutMsMax - 300)).againMs), 300)
})

test('whatever the load and the storage do, nothing is older than the RPO unless it was said', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed)
    const phases = Array.from({ length: 200 }, () => ({
      rate: [0, 1, 100, 5000, 100_000][random.below(5)] as number,
      load: random.float(),
      commitMs: [5, 50, 300, 900, 1400][random.below(5)] as number,
    }))
    const of = (ms: number): (typeof phases)[number] => phases[Math.floor(ms / 3000) % phases.length] as (typeof phases)[number]
    const intervalMs = [50, 400, 1000][random.below(3)] as number
    const intervalMsMax = intervalMs * (2 + random.below(5))
    const world = new CadenceWorld({
      rate: ms => of(ms).rate,
      load: ms => of(ms).load,
      commitMs: ms => (of(ms).commitMs * intervalMsMax) / 4000,
      keysMax: 1 + random.below(5000),
      settings: { intervalMs, intervalMsMin: intervalMs / 4, intervalMsMax, elastic: random.below(2) === 0, deltaBytesMax: 1e6 },
    })
    world.run(300_000)
    const broken = world.decisions.filter(({ type }) => type.startsWith('rpo'))
    for (const at of world.tooOld) {
      const said = broken.filter(decision => decision.at <= at + 1001).at(-1)
      assert.ok(said !== undefined && (said.type === 'rpo-broken' || at - said.at < 1001), `seed ${seed}: not said at ${at}`)
    }
    const share = world.tooOld.length / 30_000
    assert.ok(share < 0.02, `seed ${seed}: too old for ${share} of the time`)
    // No state lasts shorter than an interval.
    const turns = world.decisions.filter(({ type }) => type === 'pause' || type === 'resume').map(({ at }) => at)
    for (let n = 1; n < turns.length; n++) assert.ok((turns[n] as number) - (turns[n - 1] as number) >= intervalMs, `seed ${seed}`)
  }
})

test('in the busy part of a day upkeep is held, in the quiet one it is free, from what was learned; an even day knows neither', () => {
  const busy = (ms: number): boolean => ms % (24 * HOUR) >= 8 * HOUR && ms % (24 * HOUR) < 20 * HOUR
  const settings = { ...elastic, intervalMs: 60_000, intervalMsMax: 300_000, intervalMsMin: 15_000 }
  const startMs = Date.UTC(2026, 0, 1)
  const world = new CadenceWorld({ rate: ms => (busy(ms) ? 300 : 20), load: ms => (busy(ms) ? 0.6 : 0.05), settings, startMs })
  world.run(3 * 24 * HOUR, 5000)
  const levels = world.decisions.filter(({ type, at }) => type.startsWith('upkeep') && at > 24 * HOUR)
  assert.ok(levels.length <= 8, `flaps: ${levels.length}`)
  for (const { type, at } of levels) {
    if (type === 'upkeep-held') assert.ok(busy(at), `held at ${at / HOUR} h`)
    if (type === 'upkeep-free') assert.ok(!busy(at), `free at ${at / HOUR} h`)
  }
  assert.equal(levels.filter(({ type }) => type === 'upkeep-held').length, 2)
  assert.equal(levels.filter(({ type }) => type === 'upkeep-free').length, 2)
  const random = new SeededRandom(7)
  const even = new CadenceWorld({ rate: () => 100 + random.below(40), load: () => 0.3 + random.float() * 0.1, settings, startMs })
  even.run(2 * 24 * HOUR, 5000)
  assert.deepEqual(
    even.decisions.filter(({ type }) => type.startsWith('upkeep')),
    [],
  )
})

test('the hours for which a process was stopped are no load: nothing is known of them', () => {
  const stop = 60_000
  const stopped = (ms: number): boolean => ms > stop + 5000 && ms < stop + HOUR - 5000
  const world = new CadenceWorld({
    rate: ms => (ms >= stop && ms < stop + 10 ? 0 : 1000),
    // The loop was as busy as ever in the few milliseconds of that time in which there was one.
    load: ms => (stopped(ms) ? 60 / HOUR : 0.5),
    blockedMs: ms => (ms >= stop && ms < stop + 10 ? HOUR : 0),
    settings: elastic,
  })
  world.run(stop + HOUR + 300)
  assert.ok(world.cadence.load() > 0.3, `${world.cadence.load()}`)
  world.run(stop + HOUR + 30_000)
  assert.deepEqual(world.of('barrier', 'lull'), [])
  const { load, rate } = world.cadence.record()
  world.run(stop + 2 * HOUR)
  for (const [part, weight] of world.cadence.record().weight.entries()) {
    if (weight === 0) continue
    const [partLoad, partRate] = [world.cadence.record().load[part] as number, world.cadence.record().rate[part] as number]
    assert.ok(partLoad > 0.4 && partRate > 800, `${partLoad}, ${partRate} of ${part}: ${load[part]}, ${rate[part]}`)
  }
})

test('what a day taught is of use to the next run, and a wall clock that jumps harms nothing', () => {
  const busy = (ms: number): boolean => ms % (24 * HOUR) >= 8 * HOUR && ms % (24 * HOUR) < 20 * HOUR
  const settings = { intervalMs: 60_000, intervalMsMax: 300_000 }
  const options = { rate: (ms: number) => (busy(ms) ? 300 : 20), load: (ms: number) => (busy(ms) ? 0.6 : 0.05), settings }
  const first = new CadenceWorld({ ...options, startMs: Date.UTC(2026, 0, 1) })
  first.run(24 * HOUR + 60_000, 5000)
  const second = new CadenceWorld({ ...options, startMs: Date.UTC(2026, 0, 3) })
  second.cadence.remember(first.cadence.record())
  second.run(2 * HOUR, 5000)
  assert.equal(second.cadence.upkeep, 'free', 'known from the first hour on')
  second.run(9 * HOUR, 5000)
  assert.equal(second.cadence.upkeep, 'held')
  for (const jump of [-5 * HOUR, 1000 * 24 * HOUR, -2000 * 24 * HOUR, 3 * HOUR]) {
    second.clock.jump(jump)
    second.run(second.clock.monotonic() + HOUR, 5000)
  }
  const { load, rate, weight } = second.cadence.record()
  for (const value of [...load, ...rate, ...weight]) assert.ok(Number.isFinite(value) && value >= 0)
  assert.deepEqual(second.of('rpo-broken'), [])
  const other = new CadenceWorld({ ...options, settings: { ...settings, cycleMs: HOUR } })
  other.cadence.remember(first.cadence.record())
  assert.equal(other.cadence.stats(false, 0, []).dayKnown, 0, 'a pattern of another length is none')
})

test('what an epoch leaves out was not rewritten, and its keys go on to cost what they cost', () => {
  const clock = new SimulatedClock()
  const decisions: Decision[] = []
  const settings = { ...SETTINGS, ...elastic }
  const cadence = new Cadence({ clock, loopLoad: () => 0, settings, decided: decision => decisions.push(decision) })
  const changed = [
    { id: 1, keys: 100 },
    { id: 2, keys: 100_000 },
  ]
  const epoch = (second: { readonly bytes: number; readonly asOf?: number }, records: number): void => {
    clock.advance(400)
    cadence.cut(changed, undefined)
    clock.advance(600)
    const written = [
      { id: 1, bytes: 10_000 },
      { id: 2, ...second },
    ]
    cadence.committed({ records, written })
  }
  epoch({ bytes: 50_000_000 }, 100_100)
  for (let left = 1; left <= 20; left++) epoch({ bytes: 0, asOf: 1 }, 100)
  assert.deepEqual(
    decisions.filter(({ type }) => type !== 'barrier' && type !== 'rpo-broken' && type !== 'left-out'),
    [],
  )
  assert.equal(decisions.findLast(({ type }) => type === 'barrier')?.numbers['deltaBytes'], 50_010_000)
})

test('a short run with another cycle, as an import is, hands on what the service learned; one that learned a pattern keeps its own', () => {
  const options = { rate: () => 100, load: () => 0.3, settings: { intervalMs: 60_000, cycleMs: HOUR }, startMs: Date.UTC(2026, 0, 1) }
  const service = new CadenceWorld(options)
  service.run(2 * HOUR, 5000)
  const { cycleMs, load, rate, weight } = service.cadence.record()
  const other = new CadenceWorld({ ...options, settings: { intervalMs: 60_000 }, startMs: Date.UTC(2026, 0, 2) })
  other.cadence.remember(service.cadence.record())
  other.run(HOUR / 3, 5000)
  const { decisions, savedMs, ...pattern } = other.cadence.record()
  assert.deepEqual(pattern, { cycleMs, load, rate, weight })
  assert.ok(decisions.length > 0 && savedMs > Date.UTC(2026, 0, 2))
  const again = new CadenceWorld({ ...options, startMs: Date.UTC(2026, 0, 3) })
  again.cadence.remember(other.cadence.record())
  assert.equal(again.cadence.stats(false, 0, []).dayKnown, service.cadence.stats(false, 0, []).dayKnown)
  other.run(HOUR, 5000)
  assert.equal(other.cadence.record().cycleMs, 24 * HOUR)
})
