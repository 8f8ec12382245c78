import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler } from '../testing/index.ts'
import { Loops } from './loops.ts'

const JOB_MS = 1000

/** The times at which the job began, of which each gives the next pause. */
function rig(pauses: (number | undefined | Error)[]) {
  const scheduler = new SimulatedScheduler()
  const start = scheduler.clock.monotonic()
  const now = (): number => scheduler.clock.monotonic() - start
  const begun: number[] = []
  const job = async (): Promise<number | undefined> => {
    begun.push(now())
    await scheduler.sleep(JOB_MS)
    const pause = pauses.shift()
    if (pause instanceof Error) throw pause
    return pause
  }
  const loops = new Loops({ scheduler, job, failed: () => {} })
  const pass = (ms: number): Promise<void> => scheduler.run(scheduler.clock.monotonic() + ms)
  return { loops, begun, pass }
}

test('a job that is woken while it runs runs once more, after the least that it was asked for', async () => {
  const { loops, begun, pass } = rig([])
  loops.wake('merge', 0)
  await pass(500)
  loops.wake('merge', 5000)
  loops.wake('merge', 3000)
  loops.wake('merge', 4000)
  await pass(100_000)
  assert.deepEqual(begun, [0, 4000])
})

test('a wake brings no pause forward that the job asks for, nor a retry, and is not kept beyond it', async () => {
  const { loops, begun, pass } = rig([20_000, new Error('failed')])
  loops.wake('collect', 0)
  await pass(500)
  loops.wake('collect', 0)
  await pass(10_000)
  loops.wake('collect', 0)
  await pass(11_000)
  assert.deepEqual(begun, [0, 21_000])
  loops.wake('collect', 0)
  await pass(100_000)
  assert.deepEqual(begun, [0, 21_000, 23_000])
})

test('behind the end a wake that came while the job ran counts for nothing', async () => {
  const { loops, begun, pass } = rig([])
  loops.wake('fold', 0)
  await pass(500)
  loops.wake('fold', 0)
  loops.halt()
  await pass(100_000)
  assert.deepEqual(begun, [0])
})
