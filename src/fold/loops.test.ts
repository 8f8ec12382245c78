import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler } from '../testing/index.ts'
import { Loops } from './loops.ts'

const JOB_MS = 1000

/** The times at which the job began, of which each gives the next pause. */
function rig(pauses: (number | undefined | Error)[], failed = () => {}) {
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
  const failures: number[] = []
  const told = (): void => {
    failures.push(now())
    failed()
  }
  const loops = new Loops({ scheduler, job, failed: told })
  const pass = (ms: number): Promise<void> => scheduler.run(scheduler.clock.monotonic() + ms)
  return { loops, begun, failures, pass }
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

test('a job that fails is tried again later and later, up to a minute, and after one that goes well as at first', async () => {
  const failed = (times: number): Error[] => Array.from({ length: times }, () => new Error('failed'))
  const { loops, begun, failures, pass } = rig([...failed(9), undefined, ...failed(1)])
  loops.wake('fold', 0)
  await pass(1_000_000)
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] as number) - JOB_MS)
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  assert.deepEqual(
    failures,
    begun.slice(0, 9).map(at => at + JOB_MS),
  )
  loops.wake('fold', 0)
  await pass(100_000)
  assert.deepEqual(
    begun.slice(10).map(at => at - (begun[10] as number)),
    [0, JOB_MS + 1000],
  )
})

test('what is run now does not wait for its pause, is seen to run, and runs once', async () => {
  const { loops, begun, pass } = rig([60_000])
  loops.wake('collect', 0)
  await pass(5000)
  const ran = loops.runNow('collect')
  assert.notEqual(loops.running('collect'), undefined)
  await pass(5000)
  await ran
  assert.equal(loops.running('collect'), undefined)
  await pass(200_000)
  assert.deepEqual(begun, [0, 5000])
})

test('a failure behind the end is not told', async () => {
  const { loops, failures, pass } = rig([new Error('failed')])
  loops.wake('merge', 0)
  await pass(500)
  loops.halt()
  const ended = loops.ended()
  await pass(5000)
  await ended
  assert.deepEqual(failures, [])
})

test('a failure of which nobody can be told is tried again like any other', async () => {
  const { loops, begun, pass } = rig([new Error('failed')], () => {
    throw new Error('not told')
  })
  loops.wake('merge', 0)
  await pass(100_000)
  assert.deepEqual(begun, [0, 2000])
})
