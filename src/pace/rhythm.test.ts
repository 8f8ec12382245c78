/** Bars and beats in simulated time, where a step is larger than what a beat allows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STOPPED } from '../base/errors.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { Budget } from './budget.ts'
import { Rhythm } from './rhythm.ts'

const RATE = 1_000_000
const VALUE = 5_000_000

function newRhythm(rate: () => number, bytes = 10 * VALUE) {
  const scheduler = new SimulatedScheduler({ seed: 5 })
  const monotonic = (): number => scheduler.clock.monotonic()
  const budget = new Budget({ monotonic, scheduler, bytesPerSecondMax: Number.POSITIVE_INFINITY })
  const rhythm = new Rhythm({ monotonic, scheduler, budget, sliceMs: 1 }, { bytes, stored: bytes, rate })
  /** When each value was done. */
  const doneAt: number[] = []
  const work = async (): Promise<void> => {
    for (let value = 0; value < 10; value++) {
      rhythm.done(VALUE)
      doneAt.push(monotonic())
      if (rhythm.due) await rhythm.rest()
    }
    rhythm.end()
  }
  return { scheduler, rhythm, monotonic, doneAt, work }
}

test('values that are larger than the quota of a beat go at the rate: each is paid for before the next', async () => {
  const { scheduler, monotonic, doneAt, work } = newRhythm(() => RATE)
  await scheduler.run(work())
  assert.ok(monotonic() > 48_000 && monotonic() < 52_000, `${monotonic()} ms`)
  for (const [at, ms] of doneAt.entries()) assert.ok(Math.abs(ms - at * 5000) < 300, `value ${at} at ${ms} ms`)
})

test('meanwhile the rate is asked at each beat: what is pressed goes on', async () => {
  let pressed = false
  const { scheduler, monotonic, work } = newRhythm(() => (pressed ? Number.POSITIVE_INFINITY : RATE))
  const all = work()
  await scheduler.run(7000)
  pressed = true
  await scheduler.run(all)
  assert.ok(monotonic() < 7100, `${monotonic()} ms`)
})

test('meanwhile it is nudged and stopped as ever', async () => {
  const stopped = newRhythm(() => RATE)
  const ended = stopped.work()
  await stopped.scheduler.run(7000)
  stopped.rhythm.stop()
  await assert.rejects(stopped.scheduler.run(ended), error => error === STOPPED)
  assert.equal(stopped.monotonic(), 7000)
  let hurried = false
  const nudged = newRhythm(() => (hurried ? Number.POSITIVE_INFINITY : RATE))
  const all = nudged.work()
  await nudged.scheduler.run(7000)
  hurried = true
  nudged.rhythm.nudge()
  await nudged.scheduler.run(all)
  assert.equal(nudged.monotonic(), 7000)
})

test('a job without a rate, of which nothing was expected, ends all the same', async () => {
  const { scheduler, monotonic, work } = newRhythm(() => 0, 0)
  await scheduler.run(work())
  assert.ok(monotonic() < 60_000, `${monotonic()} ms`)
})
