import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedScheduler } from './index.ts'

test('tasks run at their time, in order, and time stands between them', async () => {
  const scheduler = new SimulatedScheduler()
  const ran: [string, number][] = []
  const note = (name: string) => () => ran.push([name, scheduler.clock.monotonic()])
  scheduler.after(20, note('late'))
  scheduler.after(10, note('early'))
  scheduler.immediate(note('now'))
  const start = scheduler.clock.now()
  assert.deepEqual(ran, [])
  await scheduler.run()
  assert.deepEqual(ran, [
    ['now', 0],
    ['early', 10],
    ['late', 20],
  ])
  assert.equal(scheduler.clock.now() - start, 20)
})

test('run until a time runs what is due and lets the rest wait', async () => {
  const scheduler = new SimulatedScheduler()
  let ran = 0
  for (const ms of [5, 10, 11]) scheduler.after(ms, () => ran++)
  await scheduler.run(10)
  assert.equal(ran, 2)
  assert.equal(scheduler.clock.monotonic(), 10)
  await scheduler.run(50)
  assert.equal(ran, 3)
  assert.equal(scheduler.clock.monotonic(), 50)
})

test('a cancelled task never runs, also when it is cancelled by one of the same time', async () => {
  const scheduler = new SimulatedScheduler()
  let ran = 0
  scheduler.after(1, () => ran++)()
  const cancels = [0, 1].map(at =>
    scheduler.after(5, () => {
      ran++
      cancels[1 - at]?.()
    }),
  )
  await scheduler.run()
  assert.equal(ran, 1)
})

test('the order of simultaneous tasks comes from the seed', async () => {
  const orderOf = async (seed: number): Promise<string> => {
    const scheduler = new SimulatedScheduler({ seed })
    let order = ''
    for (const name of 'abcdef') scheduler.immediate(() => (order += name))
    await scheduler.run()
    return order
  }
  assert.equal(await orderOf(1), await orderOf(1))
  const orders = new Set<string>()
  for (let seed = 0; seed < 50; seed++) orders.add(await orderOf(seed))
  assert.ok(orders.size > 40, `${orders.size} orders of 50`)
})

test('promises go on between two tasks', async () => {
  const scheduler = new SimulatedScheduler()
  const steps: string[] = []
  const work = async (): Promise<string> => {
    await scheduler.sleep(10)
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    steps.push('worked')
    await scheduler.sleep(10)
    return 'done'
  }
  scheduler.after(11, () => steps.push('after'))
  assert.equal(await scheduler.run(work()), 'done')
  assert.deepEqual(steps, ['worked', 'after'])
})

test('a promise that waits for nothing is a deadlock, one that never ends a livelock', async () => {
  await assert.rejects(new SimulatedScheduler().run(new Promise(() => {})), /deadlock/)
  const scheduler = new SimulatedScheduler({ tasksMax: 100 })
  const again = (): void => {
    scheduler.immediate(again)
  }
  again()
  await assert.rejects(scheduler.run(), /livelock/)
  await assert.rejects(new SimulatedScheduler().run(Promise.reject(new Error('own error'))), /own error/)
})

test('the wall clock jumps without moving a task', async () => {
  const clock = new SimulatedClock(1000)
  const scheduler = new SimulatedScheduler({ clock })
  let at = -1
  scheduler.after(10, () => (at = clock.monotonic()))
  clock.jump(-5000)
  assert.equal(clock.now(), -4000)
  await scheduler.run()
  assert.equal(at, 10)
  assert.throws(() => clock.advance(-1), RangeError)
})
