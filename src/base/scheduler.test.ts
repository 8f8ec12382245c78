import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, systemLoopLoad } from './clock.ts'
import { systemScheduler } from './scheduler.ts'

test('nothing runs inside the call that schedules it, and everything runs once', async () => {
  const ran: string[] = []
  // The timer does not keep the process alive: the interval of the test does.
  const alive = setInterval(() => {}, 1000)
  const immediate = new Promise<void>(resolve => {
    systemScheduler.immediate(() => {
      ran.push('immediate')
      resolve()
    })
  })
  const after = new Promise<void>(resolve => {
    systemScheduler.after(5, () => {
      ran.push('after')
      resolve()
    })
  })
  assert.deepEqual(ran, [])
  await Promise.all([immediate, after])
  await new Promise(resolve => setTimeout(resolve, 20))
  clearInterval(alive)
  // In which order depends on how busy the machine is.
  assert.deepEqual(ran.sort(), ['after', 'immediate'])
})

test('what was cancelled never runs, and cancelling twice is harmless', async () => {
  let ran = 0
  const cancels = [systemScheduler.immediate(() => ran++), systemScheduler.after(1, () => ran++)]
  for (const cancel of [...cancels, ...cancels]) cancel()
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(ran, 0)
})

test('elapsed time does not go backwards and has fractions; the wall clock counts from 1970', () => {
  const times = Array.from({ length: 1000 }, () => systemClock.monotonic())
  for (let at = 1; at < times.length; at++) assert.ok((times[at] as number) >= (times[at - 1] as number))
  assert.ok(times.some(time => !Number.isInteger(time)))
  assert.ok(systemClock.now() > Date.UTC(2024, 0) && Number.isInteger(systemClock.now()))
})

/** What a library for tests does to the globals, as long as `run` takes: its time stands still. */
async function withFakes(run: () => Promise<void>): Promise<void> {
  const names = ['performance', 'setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] as const
  const own = names.map(name => Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor)
  const fakes = {
    performance: { now: () => 0 },
    setTimeout: () => 1,
    clearTimeout: () => {},
    setImmediate: () => 1,
    clearImmediate: () => {},
  }
  for (const name of names) Object.defineProperty(globalThis, name, { value: fakes[name], configurable: true, writable: true })
  try {
    await run()
  } finally {
    for (const [at, name] of names.entries()) Object.defineProperty(globalThis, name, own[at] as PropertyDescriptor)
  }
}

test('time passes, and what is scheduled runs, while the timers of the process are faked', async () => {
  await withFakes(async () => {
    const begin = systemClock.monotonic()
    await new Promise<void>(resolve => systemScheduler.immediate(resolve))
    await new Promise<void>(resolve => systemScheduler.after(2, resolve, true))
    systemScheduler.after(1, () => assert.fail('it was cancelled'))()
    assert.ok(systemClock.monotonic() > begin)
    assert.ok(systemLoopLoad()() >= 0)
  })
})
