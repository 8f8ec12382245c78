/** What the benchmark of spikes says of barriers that the engine sets itself: an engine that stops making checkpoints is seen. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Engine } from '../bench/engines/index.ts'
import { TurnWatch } from '../bench/open-loop/turn-watch.ts'
import { Barriers } from '../bench/spikes/barriers.ts'
import type { SpikesAssignment } from '../bench/spikes/contract.ts'
import { type Judged, keptUp } from '../bench/spikes/judge.ts'

const INTERVAL_MS = 1000
const job = { intervalMs: INTERVAL_MS, barriers: { intervalMs: INTERVAL_MS } } as unknown as SpikesAssignment

function automatic(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'], now: 100_000 })
  let failures = 3
  let durable: (barrierMs: number, bytes: number) => void = () => {}
  const engine: Partial<Engine> = {
    checkpoint: async () => durable(Date.now(), 1),
    onDurable: listener => {
      durable = listener
    },
    stats: () => ({ failures }),
  }
  const barriers = new Barriers(engine as Engine, job, new TurnWatch())
  return {
    barriers,
    wait: (ms: number) => t.mock.timers.setTime(Date.now() + ms),
    acknowledge: (lateMs: number) => durable(Date.now() - lateMs, 1),
    fail: () => void failures++,
  }
}

const broken = (figures: ReturnType<Barriers['figures']>): string[] => {
  const rows = [{ name: 'tidemark', ...figures }] as unknown as Judged['rows']
  return keptUp({ shape: 'a shape', rows, subject: 'tidemark', quick: false, latencyMs: { p999: 1, max: 1 } }, INTERVAL_MS)
    .filter(({ measured, limit }) => !(measured <= limit))
    .map(({ name }) => name.replace('a shape: ', ''))
}

test('an engine that keeps its interval meets the bounds; what comes after the measured time does not count', async t => {
  const { barriers, wait, acknowledge } = automatic(t)
  acknowledge(20)
  barriers.measure()
  for (let n = 0; n < 5; n++) {
    wait(INTERVAL_MS)
    acknowledge(20)
  }
  wait(500)
  barriers.over()
  wait(60_000)
  await barriers.end()
  const figures = barriers.figures(undefined)
  assert.equal(figures.checkpoints, 5)
  assert.equal(figures.rpoMs, INTERVAL_MS + 20)
  assert.deepEqual(broken(figures), [])
})

test('an engine that stops making checkpoints breaks the bound on the age', async t => {
  const { barriers, wait, acknowledge } = automatic(t)
  acknowledge(20)
  barriers.measure()
  wait(INTERVAL_MS)
  acknowledge(20)
  wait(20 * INTERVAL_MS)
  barriers.over()
  await barriers.end()
  assert.equal(barriers.figures(undefined).rpoMs, 20 * INTERVAL_MS + 20)
  assert.deepEqual(broken(barriers.figures(undefined)), ['age of what could be lost'])
})

test('one that never made any is as old as what is measured', t => {
  const { barriers, wait } = automatic(t)
  barriers.measure()
  wait(20 * INTERVAL_MS)
  assert.equal(barriers.figures(undefined).rpoMs, 20 * INTERVAL_MS)
})

test('failures of its own accord count, those of the measured time alone', async t => {
  const { barriers, wait, acknowledge, fail } = automatic(t)
  fail()
  barriers.measure()
  for (let n = 0; n < 2; n++) {
    wait(INTERVAL_MS)
    fail()
    acknowledge(20)
  }
  barriers.over()
  await barriers.end()
  assert.equal(barriers.figures(undefined).failedCheckpoints, 2)
  assert.deepEqual(broken(barriers.figures(undefined)), ['checkpoints that failed'])
})
