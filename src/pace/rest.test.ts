/** How long upkeep rests after syncs, in simulated time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler } from '../testing/index.ts'
import { Budget } from './budget.ts'

function newBudget(): { scheduler: SimulatedScheduler; budget: Budget } {
  const scheduler = new SimulatedScheduler({ seed: 5 })
  const monotonic = (): number => scheduler.clock.monotonic()
  return { scheduler, budget: new Budget({ monotonic, scheduler, bytesPerSecondMax: Number.POSITIVE_INFINITY }) }
}

test('upkeep rests after a slow sync, the longer the slower, within a bound', () => {
  const { budget } = newBudget()
  budget.upkeepSynced(50)
  assert.equal(budget.upkeepWaitMs(false), 50)
  assert.equal(budget.upkeepWaitMs(true), 0)
  budget.upkeepSynced(60_000)
  assert.equal(budget.upkeepWaitMs(false), 5000)
})

test('upkeep rests after a sync of the log, too, but for its share, and so for half of the time at most', async () => {
  const { scheduler, budget } = newBudget()
  const rate = 100_000
  budget.need({}, rate)
  /** What upkeep writes in so long, where it writes at its rate while it may. */
  const written = async (ms: number): Promise<number> => {
    let bytes = 0
    for (const end = scheduler.clock.monotonic() + ms; scheduler.clock.monotonic() < end; ) {
      if (budget.upkeepWaitMs(false) === 0) {
        budget.upkeepWrote(rate / 40)
        bytes += rate / 40
      }
      await scheduler.run(scheduler.clock.monotonic() + 25)
    }
    return bytes
  }
  await scheduler.run(100)
  budget.logSynced(200)
  const resting = await written(200)
  assert.ok(resting > 0 && resting <= rate * 0.2 * 0.25 + rate / 40, `${resting}`)
  const after = await written(200)
  assert.ok(after >= rate * 0.2 * 0.8, `${after}`)
  // One behind the other, as a slow disk has them.
  let busy = 0
  for (let sync = 0; sync < 50; sync++) {
    budget.logSynced(100)
    busy += await written(100)
  }
  const share = busy / (rate * 5)
  assert.ok(share > 0.55 && share < 0.8, `${share}`)
})
