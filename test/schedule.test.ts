/** Whole stores under the scheduler, in simulated time: what could be lost, what is said about it, and when upkeep writes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import { type Decision, explainStore } from '../src/schedule/index.ts'
import { MemoryStorage } from '../src/storage/index.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { flightsDays, quietShare } from './support/flights-day.ts'
import { share } from './support/share.ts'
import { SimulatedStore } from './support/simulated-store.ts'

type Told = Decision & { readonly at: number }

async function opened(
  checkpoint: Settings['checkpoint'],
  seed = 1,
  scheduler = new SimulatedScheduler({ seed, tasksMax: 20_000_000 }),
  budget: Settings['budget'] = {},
) {
  const latencyMs = { min: 0, max: 2 }
  const storage = new SimulatedStorage({ seed, scheduler, latencyMs })
  const { clock } = scheduler
  const world = { load: 0.1 }
  const components = { storage, scheduler, clock, random: new SeededRandom(seed), loopLoad: () => world.load }
  const settings: Settings = { ...(checkpoint === undefined ? {} : { checkpoint }), budget, compression: 'none' }
  const open = () => scheduler.run(openStore('simulated', settings, components))
  const store = await open()
  const decisions: Told[] = []
  store.on('decision', decision => decisions.push({ ...decision, at: clock.monotonic() }))
  const pass = (ms: number): Promise<void> => scheduler.run(clock.monotonic() + ms)
  return { scheduler, clock, storage, latencyMs, world, store, open, decisions, pass, map: store.map<unknown, string>('map') }
}

/** What the oldest change is that is not durable, as it really is. */
function watch({ store, clock }: Pick<Awaited<ReturnType<typeof opened>>, 'store' | 'clock'>) {
  let uncut: number | undefined
  let flying: number | undefined
  store.on('barrier', () => {
    flying ??= uncut
    uncut = undefined
  })
  store.on('checkpoint', () => {
    flying = undefined
  })
  return {
    wrote: (): void => {
      uncut ??= clock.monotonic()
    },
    ageMs: (): number => clock.monotonic() - (flying ?? uncut ?? clock.monotonic()),
  }
}

const said = (decisions: readonly Told[], ...types: string[]): string[] =>
  decisions.filter(({ type }) => types.includes(type)).map(({ type, reason }) => `${type} ${reason}`)

test('whatever is written and however slow the storage is, nothing is older than the RPO unless it was said', async () => {
  for (let seed = 1; seed <= share(8); seed++) {
    const random = new SeededRandom(seed)
    const intervalMs = 200
    const intervalMsMax = 200 * (3 + random.below(4))
    const world = await opened({ intervalMs, ...(seed % 2 === 0 ? { intervalMsMax } : {}) }, seed)
    const { store, map, pass, decisions, latencyMs, clock } = world
    const limitMs = seed % 2 === 0 ? intervalMsMax : 4 * intervalMs
    const { wrote, ageMs } = watch(world)
    const tooOld: number[] = []
    let steps = 0
    for (let phase = 0; phase < 40; phase++) {
      const writes = [0, 1, 20, 200][random.below(4)] as number
      latencyMs.max = [1, 5, 30, 60, 150][random.below(5)] as number
      latencyMs.min = latencyMs.max / 2
      world.world.load = random.float()
      for (let step = 0; step < 50; step++, steps++) {
        for (let n = 0; n < writes; n++) map.set(`k${random.below(500)}`, { n, step })
        if (writes > 0) wrote()
        await pass(20)
        // What is measured is never less than what is.
        assert.ok((store.stats().schedule?.rpoMs ?? 0) >= ageMs() - 1e-6, `seed ${seed}`)
        if (ageMs() > limitMs) tooOld.push(clock.monotonic())
      }
    }
    const told = decisions.filter(({ type }) => type.startsWith('rpo'))
    for (const at of tooOld) {
      const last = told.filter(decision => decision.at <= at + intervalMs).at(-1)
      assert.ok(last !== undefined && (last.type === 'rpo-broken' || last.at >= at - intervalMs), `seed ${seed}: not said at ${at}`)
    }
    assert.ok(tooOld.length < steps / 4, `seed ${seed}: ${tooOld.length} of ${steps}`)
    latencyMs.min = latencyMs.max = 1
    await world.scheduler.run(store.close())
  }
})

test('a store that is not touched costs a wake-up an interval, and decides nothing', async () => {
  const { store, scheduler, map, pass, decisions } = await opened({ intervalMs: 100, intervalMsMax: 1000 })
  map.set('k', 1)
  await pass(20_000)
  const before = scheduler.ran
  const decided = decisions.length
  await pass(100 * 1000)
  assert.ok(scheduler.ran - before <= 1010, `${scheduler.ran - before} wake-ups in 1,000 intervals`)
  assert.equal(decisions.length, decided)
  await scheduler.run(store.close())
})

test('without an interval there is no wake-up, no automatic barrier and no file', async () => {
  const { store, storage, scheduler, map, pass, decisions } = await opened({ intervalMs: 0 })
  map.set('k', 1)
  await pass(20_000)
  const before = scheduler.ran
  await pass(100_000)
  assert.equal(scheduler.ran, before)
  await scheduler.run(store.durable())
  assert.deepEqual(said(decisions, 'barrier'), ['barrier asked'])
  assert.equal(store.stats().schedule?.rpoMsMax, 0)
  await scheduler.run(store.close())
  assert.deepEqual(await scheduler.run(storage.list('schedule')), [])
})

test('without an interval a change is no older than the last time that somebody asked, and there was none', async () => {
  const { store, scheduler, map, pass, decisions } = await opened({ intervalMs: 0 })
  const rpo = (): readonly unknown[] => [store.stats().schedule?.rpoMs, store.stats().schedule?.rpoMsWorst]
  for (let n = 0; n < 100; n++) {
    await pass(60_000)
    assert.deepEqual(rpo(), [0, 0])
  }
  map.set('k', 1)
  assert.deepEqual(rpo(), [0, 0])
  await pass(5000)
  assert.deepEqual(rpo(), [5000, 5000])
  await scheduler.run(store.checkpoint())
  const [now, worst] = rpo() as [number, number]
  assert.ok(now === 0 && worst >= 5000 && worst < 6000, `${worst}`)
  assert.equal(decisions.at(-1)?.numbers['rpoMs'], 5000)
  await scheduler.run(store.close())
})

for (const intervalMs of [0, 1000]) {
  test(`deltaBytes is what is listed now, 0 once a barrier took it, with intervalMs ${intervalMs}`, async () => {
    const { store, scheduler, map, pass } = await opened({ intervalMs })
    const deltaBytes = (): number => store.stats().schedule?.deltaBytes ?? Number.NaN
    assert.equal(deltaBytes(), 0)
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 500; n++) map.set(`k${n}`, String(round).repeat(1000))
      assert.ok(deltaBytes() > (round === 0 ? 0 : 400_000), `${deltaBytes()}`)
      if (intervalMs > 0) await pass(5000)
      else await scheduler.run(store.durable())
      assert.equal(deltaBytes(), 0)
      await pass(20_000)
      assert.equal(deltaBytes(), 0)
    }
    await scheduler.run(store.close())
    assert.equal(deltaBytes(), 0)
  })
}

test('a storage that is stuck for ten seconds raises the pressure, breaks the RPO aloud, and both are well within two intervals after it', async () => {
  const { store, scheduler, latencyMs, map, pass, decisions, clock } = await opened({ intervalMs: 1000, intervalMsMax: 4000 })
  const pressures: { readonly high: boolean; readonly pressure: number; readonly at: number }[] = []
  store.on('pressure', info => pressures.push({ ...info, at: clock.monotonic() }))
  const write = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      map.set(`k${passed % 1000}`, passed)
      await pass(50)
    }
  }
  await write(5000)
  assert.ok(store.pressure < 0.1)
  latencyMs.min = latencyMs.max = 10_000
  await write(5000)
  latencyMs.min = latencyMs.max = 1
  assert.ok(store.pressure >= 0.8, `${store.pressure}`)
  const freed = clock.monotonic() + 10_000
  await write(60_000)
  assert.deepEqual(
    pressures.map(({ high }) => high),
    [true, false],
  )
  const [high, low] = pressures as [(typeof pressures)[number], (typeof pressures)[number]]
  assert.ok(high.pressure >= 0.8 && low.pressure < 0.4)
  assert.deepEqual(said(decisions, 'rpo-broken', 'rpo-met'), ['rpo-broken storage', 'rpo-met durable'])
  const met = decisions.find(({ type }) => type === 'rpo-met') as Told
  assert.ok(met.at <= freed + 2000, `${met.at - freed}`)
  assert.ok(store.pressure < 0.1)
  await scheduler.run(store.close())
})

for (const [how, budget] of [
  ['a storage that is stuck', {}],
  ['a ceiling', { ioBytesPerSecondMax: 65_536 }],
] as const) {
  test(`${how} is not told as a writer that is behind, though all that fits is handed over`, async () => {
    const { scheduler, latencyMs, map, pass, decisions, store } = await opened(
      { intervalMs: 1000, intervalMsMax: 4000 },
      1,
      undefined,
      budget,
    )
    await pass(5000)
    if (how === 'a storage that is stuck') latencyMs.min = latencyMs.max = 10_000
    for (let n = 0; n < 200; n++) map.set(`k${n}`, 'x'.repeat(50_000))
    await pass(5000)
    const told = decisions.filter(({ type }) => type === 'pause' || type === 'pressure-high')
    assert.deepEqual(new Set(told.map(({ type }) => type)), new Set(['pause', 'pressure-high']))
    assert.ok(told.some(({ numbers }) => (numbers['inFlightBytes'] as number) > 7_000_000))
    assert.deepEqual(new Set(told.map(({ reason }) => reason)), new Set(['storage']))
    latencyMs.min = latencyMs.max = 1
    await scheduler.run(store.close({ timeoutMs: 1_000_000 }))
  })
}

test('pressure that has gone is told, however often durable() is called', async () => {
  const { store, scheduler, latencyMs, map, pass } = await opened({ intervalMs: 1000 })
  const pressures: boolean[] = []
  store.on('pressure', ({ high }) => pressures.push(high))
  const set = (n: number): void => void map.set(`k${n % 20}`, n)
  latencyMs.min = latencyMs.max = 5000
  for (let n = 0; n < 100; n++) {
    set(n)
    await pass(50)
  }
  assert.deepEqual(pressures, [true])
  latencyMs.min = 0
  latencyMs.max = 2
  for (let n = 100; n < 700; n++) {
    set(n)
    await scheduler.run(store.durable())
    await pass(50)
  }
  assert.deepEqual(pressures, [true, false])
  await scheduler.run(store.close())
})

test('where an `rpoMs` brings barriers more often than looks come, the day is learned and kept all the same', async () => {
  const { store, storage, scheduler, pass } = await opened({ intervalMs: 1000, cycleMs: 600_000 })
  const payments = store.map<number>('pay', { class: 'critical', rpoMs: 50 })
  for (let n = 0; n < 10_000; n++) {
    payments.set('k', n)
    await pass(10)
  }
  assert.ok((store.stats().schedule?.dayKnown ?? 0) > 0)
  await scheduler.run(store.close())
  assert.equal((await scheduler.run(storage.list('schedule'))).length, 2)
})

test('what was decided behind the last look is kept, too', async () => {
  const { store, storage, scheduler, map } = await opened({ intervalMs: 1000 })
  map.set('k', 1)
  await scheduler.run(store.close())
  const { decisions } = await scheduler.run(explainStore(storage, 'simulated'))
  assert.deepEqual(
    decisions.map(({ type, reason }) => `${type} ${reason}`),
    ['barrier asked'],
  )
})

test('explain says that the device does not give back what was kept, and not that nothing was', async () => {
  const { store, storage, scheduler, map } = await opened({ intervalMs: 1000 })
  map.set('k', 1)
  await scheduler.run(store.close())
  storage.inject({ operation: 'read', errno: 'EIO', path: 'schedule/' })
  await assert.rejects(scheduler.run(explainStore(storage, 'simulated')), { code: 'TIDEMARK_STORAGE', file: 'schedule/00000001.schedule' })
})

test('a storage that fails, and a hold that lasts, are named as what broke the RPO', async () => {
  const { store, storage, scheduler, map, pass, decisions } = await opened({ intervalMs: 100, intervalMsMax: 300 })
  const heal = storage.inject({ operation: 'append', errno: 'ENOSPC' })
  map.set('k', 1)
  await pass(3000)
  assert.deepEqual(said(decisions, 'rpo-broken', 'pressure-high'), ['pressure-high failing', 'rpo-broken failing'])
  assert.ok(said(decisions, 'barrier').includes('barrier retry'))
  assert.equal(store.pressure, 1)
  heal()
  await pass(15_000)
  assert.deepEqual(said(decisions, 'rpo-met', 'pressure-low').sort(), ['pressure-low calm', 'rpo-met durable'])
  decisions.length = 0
  const hold = store.hold(() => scheduler.sleep(2000), { msMax: 5000 })
  map.set('k', 2)
  await pass(6000)
  await hold
  assert.deepEqual(said(decisions, 'rpo-broken', 'rpo-met'), ['rpo-broken held', 'rpo-met durable'])
  await scheduler.run(store.close())
})

test('what cannot be kept does not keep the store from closing', async () => {
  const { store, scheduler, latencyMs, map, pass, clock } = await opened({ intervalMs: 100 })
  map.set('k', 1)
  await pass(1000)
  latencyMs.min = latencyMs.max = 1e9
  const begin = clock.monotonic()
  await scheduler.run(store.close({ timeoutMs: 2000 }))
  assert.ok(clock.monotonic() - begin <= 2001, `${clock.monotonic() - begin}`)
})

test('decisions and the pattern outlive the process; explain shows them beside a living writer', async () => {
  const world = await opened({ intervalMs: 1000, cycleMs: 600_000 })
  const { store, storage, scheduler, map, pass, clock } = world
  for (let n = 0; n < 100; n++) {
    map.set('k', n)
    await pass(1000)
  }
  const live = await scheduler.run(explainStore(storage, 'simulated'))
  assert.ok(live.savedMs > 0 && clock.now() - live.savedMs <= 61_000)
  assert.ok(live.decisions.some(({ type, reason, times }) => type === 'barrier' && reason === 'interval' && times > 20))
  assert.ok(live.day.length >= 8, `${live.day.length}`)
  await scheduler.run(store.close())
  const kept = await scheduler.run(explainStore(storage, 'simulated'))
  assert.ok(kept.decisions.length > 0)
  const second = await world.open()
  await pass(100)
  assert.deepEqual(second.decisions(), kept.decisions)
  assert.ok((second.stats().schedule?.dayKnown ?? 0) > 0)
  await scheduler.run(second.close())
  await assert.rejects(explainStore(new MemoryStorage(), 'nowhere'), { code: 'TIDEMARK_NO_STORE' })
})

test('the days of the flights data: held through the busy hours, upkeep writes in the quiet half, and the tail stays bounded', async () => {
  const settings: Settings = { retention: { keepLast: 1, keepMs: 0 } }
  // A quarter of the tables, and half of the flights: as in the benchmark, the busy half writes more than may be held.
  const thresholds = { bytes: 512 * 1024, records: 8192, slackBytes: 2 * 1024 * 1024, slackRecords: 65_536 }
  const run = (days: number, checkpoint: Settings['checkpoint']) =>
    flightsDays(days, 120_000, { ...settings, ...(checkpoint === undefined ? {} : { checkpoint }) }, { flightsADay: 8300, thresholds })
  const moved = await run(3, { intervalMs: 500, intervalMsMax: 2500, cycleMs: 120_000 })
  // On the first nothing is known.
  for (const day of moved.written.slice(1, 3)) {
    assert.ok(day.some(bytes => bytes > 0))
    assert.ok(quietShare(day) >= 0.7, `${quietShare(day)} of ${day}`)
  }
  assert.ok(moved.tailBytesMax <= 4 * thresholds.bytes, `${moved.tailBytesMax}`)
  await moved.run(moved.store.close())
  // Where the pattern is not known, upkeep writes when there is something to write.
  const plain = await run(2, { intervalMs: 500 })
  const unmoved = plain.written[1] as number[]
  assert.ok(quietShare(unmoved) < 0.6, `${quietShare(unmoved)} of ${unmoved}`)
  await plain.run(plain.store.close())
})

test('values that were refused, and nothing else, are nothing that a crash would lose', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 100 } })
  const store = await world.open()
  const map = store.map<unknown>('map')
  map.set('refused', () => {})
  await world.pass(1000)
  assert.equal(store.stats().refused.length, 1)
  assert.equal(store.stats().schedule?.rpoMs, 0)
  map.set('other', 1)
  assert.ok((store.stats().schedule?.rpoMs ?? 0) > 0)
  await world.pass(1000)
  assert.equal(store.stats().schedule?.rpoMs, 0)
  map.delete('refused')
  await world.close()
})

test('the highest exposure that was shown stays the highest, also where nothing of it had to be written', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 1000 } })
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('a', 1)
  await world.run(store.durable())
  await world.pass(2000)
  let worst = 0
  let shown = 0
  for (let n = 0; n < 100; n++) {
    map.set('new', n)
    shown = Math.max(shown, store.stats().schedule?.rpoMs ?? 0)
    map.delete('new')
    await world.pass(37)
    const { rpoMsWorst = 0 } = store.stats().schedule ?? {}
    assert.ok(rpoMsWorst >= Math.max(worst, shown), `${rpoMsWorst} after ${worst} and ${shown}`)
    worst = rpoMsWorst
  }
  assert.ok(shown > 100, `${shown} ms`)
  await world.close()
})
