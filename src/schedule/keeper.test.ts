import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MANIFEST_FOLDER, SCHEDULE_FOLDER, SCHEDULE_PARTS, type ScheduleRecord, scheduleName } from '../format/index.ts'
import { SimulatedScheduler, SimulatedStorage } from '../testing/index.ts'
import { Keeper, newestRecord } from './keeper.ts'

const DAY = 86_400_000
const zeros = new Array<number>(SCHEDULE_PARTS).fill(0)

/** A keeper over a storage in which every call takes a millisecond. */
function rig(seed = 1) {
  const scheduler = new SimulatedScheduler({ seed })
  const { clock } = scheduler
  const storage = new SimulatedStorage({ seed, scheduler, latencyMs: { min: 1, max: 1 } })
  storage.disk.folders.add(MANIFEST_FOLDER)
  const remembered: ScheduleRecord[] = []
  const state = { cycleMs: DAY }
  const begin = (): Keeper =>
    new Keeper({
      storage,
      clock,
      record: () => ({ savedMs: clock.now(), cycleMs: state.cycleMs, load: zeros, rate: zeros, weight: zeros, decisions: [] }),
      remember: record => remembered.push(record),
    })
  return { scheduler, clock, storage, remembered, state, begin }
}

async function writeSome(keeper: Keeper, { scheduler, state }: ReturnType<typeof rig>, times: number): Promise<void> {
  for (let n = 1; n <= times; n++) {
    state.cycleMs = DAY + n
    await scheduler.run(scheduler.clock.monotonic() + 61_000)
    keeper.look(n)
    await scheduler.run(scheduler.clock.monotonic() + 100)
  }
}

test('what one run kept is given to the next; two files stay', async () => {
  const world = rig()
  const keeper = world.begin()
  await writeSome(keeper, world, 5)
  assert.deepEqual(await world.scheduler.run(world.storage.list(SCHEDULE_FOLDER)), ['00000004.schedule', '00000005.schedule'])
  world.begin()
  await world.scheduler.run(world.clock.monotonic() + 100)
  assert.deepEqual(
    world.remembered.map(({ cycleMs }) => cycleMs),
    [DAY + 5],
  )
})

test('it writes at most once a minute, and at the end only when there is something to keep', async () => {
  const world = rig()
  const { scheduler, storage } = world
  const keeper = world.begin()
  for (let n = 0; n < 100; n++) {
    keeper.look(n + 1)
    await scheduler.run(scheduler.clock.monotonic() + 100)
  }
  assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), [])
  await scheduler.run(keeper.stop())
  assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), ['00000001.schedule'])
  await scheduler.run(world.begin().stop())
  assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), ['00000001.schedule'])
})

test('what could not be written is tried again though nothing came since, once a minute, and at the end', async () => {
  for (const ends of [false, true]) {
    const world = rig()
    const { scheduler, storage, clock } = world
    const keeper = world.begin()
    storage.inject({ operation: 'createIfAbsent', errno: 'EIO', nth: 1 })
    await writeSome(keeper, world, 1)
    assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), [])
    if (ends) await scheduler.run(keeper.stop())
    else {
      keeper.look(1)
      await scheduler.run(clock.monotonic() + 50_000)
      assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), [])
      await scheduler.run(clock.monotonic() + 11_000)
      keeper.look(1)
      await scheduler.run(clock.monotonic() + 100)
    }
    assert.equal((await scheduler.run(newestRecord(storage)))?.cycleMs, DAY + 1)
  }
})

for (const operation of ['list', 'open', 'read'] as const) {
  test(`what the device did not give back for a moment at the begin is taken over later, and not written over: ${operation}`, async () => {
    const world = rig()
    const { scheduler, storage, remembered, state } = world
    await writeSome(world.begin(), world, 2)
    const files = await scheduler.run(storage.list(SCHEDULE_FOLDER))
    storage.inject({ operation, errno: 'EMFILE' })
    const keeper = world.begin()
    await writeSome(keeper, world, 2)
    storage.heal()
    assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), files)
    assert.deepEqual(remembered, [])
    state.cycleMs = DAY + 7
    await scheduler.run(keeper.stop())
    assert.deepEqual(
      remembered.map(({ cycleMs }) => cycleMs),
      [DAY + 2],
    )
    assert.equal((await scheduler.run(newestRecord(storage)))?.cycleMs, DAY + 7)
  })
}

test('what could not be read at the begin is taken over also where there is nothing to keep', async () => {
  const world = rig()
  const { scheduler, storage, clock, remembered } = world
  await writeSome(world.begin(), world, 2)
  storage.inject({ operation: 'open', errno: 'EIO' })
  const keeper = world.begin()
  await scheduler.run(clock.monotonic() + 61_000)
  storage.heal()
  const files = await scheduler.run(storage.list(SCHEDULE_FOLDER))
  keeper.look(0)
  await scheduler.run(clock.monotonic() + 100)
  assert.equal(remembered.length, 1)
  assert.deepEqual(await scheduler.run(storage.list(SCHEDULE_FOLDER)), files)
  await scheduler.run(keeper.stop())
})

test('what the device does not give back at all is learned again, and kept', async () => {
  const world = rig()
  const { scheduler, storage, remembered } = world
  await writeSome(world.begin(), world, 2)
  storage.inject({ operation: 'read', errno: 'EIO' })
  const keeper = world.begin()
  await writeSome(keeper, world, 10)
  storage.heal()
  assert.equal((await scheduler.run(newestRecord(storage)))?.cycleMs, DAY + 10)
  assert.deepEqual(remembered, [])
  await scheduler.run(keeper.stop())
})

test('runs that are over soon keep what they learned where the device gives nothing back; what passes by itself is waited for', async () => {
  for (const errno of ['EIO', 'EMFILE'] as const) {
    const world = rig()
    const { scheduler, storage, state } = world
    await writeSome(world.begin(), world, 2)
    const before = await scheduler.run(storage.list(SCHEDULE_FOLDER))
    storage.inject({ operation: 'read', errno })
    state.cycleMs = DAY + 7
    await scheduler.run(world.begin().stop(1))
    const files = await scheduler.run(storage.list(SCHEDULE_FOLDER))
    assert.deepEqual(files, errno === 'EIO' ? ['00000002.schedule', '00000003.schedule'] : before)
    storage.heal()
    assert.equal((await scheduler.run(newestRecord(storage)))?.cycleMs, errno === 'EIO' ? DAY + 7 : DAY + 2)
  }
})

test('of what the device did not give back the newest outlives one write', async () => {
  const world = rig()
  const { scheduler, storage, state } = world
  await writeSome(world.begin(), world, 2)
  await scheduler.run(storage.createIfAbsent(scheduleName(3), Buffer.from('tidemark-schedule 1')))
  storage.inject({ operation: 'open', errno: 'EIO', path: scheduleName(1) })
  storage.inject({ operation: 'open', errno: 'EIO', path: scheduleName(2) })
  const keeper = world.begin()
  state.cycleMs = DAY + 7
  await scheduler.run(keeper.stop(1))
  assert.deepEqual(
    await scheduler.run(storage.list(SCHEDULE_FOLDER)),
    [2, 3, 4].map(number => `0000000${number}.schedule`),
  )
  await scheduler.run(world.begin().stop(1))
  assert.deepEqual(
    await scheduler.run(storage.list(SCHEDULE_FOLDER)),
    [4, 5].map(number => `0000000${number}.schedule`),
  )
})

test('damage, files of another kind and records that are too old are passed over', async () => {
  const world = rig()
  const { scheduler, storage, clock } = world
  await writeSome(world.begin(), world, 2)
  await scheduler.run(storage.createIfAbsent(scheduleName(3), Buffer.from('tidemark-schedule 1')))
  await scheduler.run(storage.createIfAbsent(`${SCHEDULE_FOLDER}/notes.txt`, Buffer.from('x')))
  assert.equal((await scheduler.run(newestRecord(storage)))?.cycleMs, DAY + 2)
  clock.jump(31 * DAY)
  const keeper = world.begin()
  await scheduler.run(clock.monotonic() + 100)
  assert.deepEqual(world.remembered, [])
  keeper.look(1)
  await scheduler.run(keeper.stop())
  assert.equal(
    (await scheduler.run(storage.list(SCHEDULE_FOLDER))).includes('00000004.schedule'),
    true,
    'goes on behind the highest number',
  )
})

test('a clock that is far behind, as on a device that has not asked for the time yet, loses nothing of what was kept', async () => {
  const world = rig()
  const { scheduler, clock } = world
  await writeSome(world.begin(), world, 2)
  clock.jump(-20_000 * DAY)
  const keeper = world.begin()
  await scheduler.run(clock.monotonic() + 100)
  assert.deepEqual(
    world.remembered.map(({ cycleMs }) => cycleMs),
    [DAY + 2],
  )
  // What it writes is of use to the run after it, whose clock is right.
  await writeSome(keeper, world, 3)
  await scheduler.run(keeper.stop())
  clock.jump(20_000 * DAY)
  world.begin()
  await scheduler.run(clock.monotonic() + 100)
  assert.deepEqual(
    world.remembered.map(({ cycleMs }) => cycleMs),
    [DAY + 2, DAY + 3],
  )
})

test('a clock that was ahead for one run makes nothing that later runs learned look newer than it is', async () => {
  const world = rig()
  const { scheduler, clock } = world
  clock.jump(12_000 * DAY)
  await writeSome(world.begin(), world, 2)
  clock.jump(-12_000 * DAY)
  const keeper = world.begin()
  await scheduler.run(clock.monotonic() + 100)
  await writeSome(keeper, world, 3)
  await scheduler.run(keeper.stop())
  assert.ok(((await scheduler.run(newestRecord(world.storage)))?.savedMs ?? 0) <= clock.now())
  clock.jump(60 * DAY)
  world.begin()
  await scheduler.run(clock.monotonic() + 100)
  assert.deepEqual(
    world.remembered.map(({ cycleMs }) => cycleMs),
    [DAY + 2],
  )
})

test('a storage that fails at any call harms nobody, and the next run has what was kept or nothing', async () => {
  for (const errno of ['EIO', 'ENOSPC'] as const) {
    for (let nth = 1; nth <= 20; nth++) {
      const world = rig(nth)
      const { scheduler, storage } = world
      await writeSome(world.begin(), world, 2)
      for (const operation of ['list', 'open', 'createIfAbsent', 'remove', 'read', 'size', 'makeFolder', 'close'] as const) {
        if (nth % 8 === operation.length % 8 || nth > 12) storage.inject({ operation, errno, nth: 1 + (nth % 3) })
      }
      const keeper = world.begin()
      await writeSome(keeper, world, 3)
      await scheduler.run(keeper.stop())
      const record = await scheduler.run(newestRecord(storage).catch(() => undefined))
      assert.ok(record === undefined || record.cycleMs > DAY)
    }
  }
})

test('the power may go at any call: what is read afterwards is a whole record or none', async () => {
  for (let step = 1; step <= 40; step++) {
    const scheduler = new SimulatedScheduler({ seed: step })
    const storage = new SimulatedStorage({ seed: step, scheduler, latencyMs: { min: 1, max: 1 }, powerCutAtStep: step })
    storage.disk.folders.add(MANIFEST_FOLDER)
    const world = { ...rig(step), scheduler, storage, clock: scheduler.clock }
    const keeper = new Keeper({
      storage,
      clock: scheduler.clock,
      record: () => ({
        savedMs: scheduler.clock.now(),
        cycleMs: world.state.cycleMs,
        load: zeros,
        rate: zeros,
        weight: zeros,
        decisions: [],
      }),
      remember: () => {},
    })
    await writeSome(keeper, world, 6)
    const record = await newestRecord(storage.crash({ mode: 'random', seed: step }))
    assert.ok(record === undefined || (record.cycleMs > DAY && record.cycleMs <= DAY + 6))
  }
})
