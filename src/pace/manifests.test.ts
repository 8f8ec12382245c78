/** Manifests under the ceiling, in simulated time: they wait for nothing, and no commit waits for them, but for upkeep's share where that is behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler, SimulatedStorage } from '../testing/index.ts'
import { Budget } from './budget.ts'
import { logToll, manifestToll, PacedStorage, type Toll, upkeepToll } from './paced-storage.ts'

const RATE = 65_536
/** A minute of the ceiling. */
const MANIFEST = Buffer.alloc(60 * RATE)

async function newWorld() {
  const scheduler = new SimulatedScheduler({ seed: 5 })
  const storage = new SimulatedStorage({ seed: 5, scheduler, latencyMs: { min: 0, max: 2 } })
  const monotonic = (): number => scheduler.clock.monotonic()
  const budget = new Budget({ monotonic, scheduler, bytesPerSecondMax: RATE })
  await scheduler.run(storage.makeFolder('log'))
  const of = (toll: Toll): PacedStorage => new PacedStorage(storage, toll, monotonic)
  return { scheduler, monotonic, budget, log: of(logToll(budget)), upkeep: of(upkeepToll(budget)), manifests: of(manifestToll(budget)) }
}

for (const by of ['manifests', 'log'] as const) {
  test(`no commit waits for a large manifest under the ceiling: upkeep pays for it before it goes on; published by: ${by}`, async () => {
    const world = await newWorld()
    const { scheduler, monotonic, budget, log, upkeep } = world
    await scheduler.run(world[by].createIfAbsent('log/m', MANIFEST))
    const begin = monotonic()
    let upkeepAt = 0
    const folds = (async () => {
      const file = await upkeep.open('log/b', 'create')
      while (monotonic() < begin + 300_000) {
        await file.append([Buffer.alloc(8192)])
        if (upkeepAt === 0) upkeepAt = monotonic()
      }
    })()
    const waits: number[] = []
    const commits = (async () => {
      const file = await log.open('log/a', 'create')
      while (monotonic() < begin + 300_000) {
        budget.commitArrived()
        const at = monotonic()
        await file.append([Buffer.alloc(RATE / 4)])
        waits.push(monotonic() - at)
        budget.commitEnded()
        await scheduler.sleep(500)
      }
    })()
    await scheduler.run(Promise.all([folds, commits]))
    // Its own bytes, and an append of upkeep.
    assert.ok(Math.max(...waits) <= 500, `${Math.max(...waits)} ms`)
    // Half of the ceiling is left beside the commits.
    const paidMs = upkeepAt - begin
    assert.ok(paidMs > 110_000 && paidMs < 130_000, `${paidMs} ms`)
    const total = budget.written.log + budget.written.upkeep
    const most = (RATE * monotonic()) / 1000 + 65_536 + RATE / 4 + 8192
    assert.ok(total <= most, `${total} of ${most} bytes`)
    assert.ok(total > 0.9 * most, 'and it is used')
  })
}

test('commits that alone take the whole ceiling leave half of it to upkeep that is behind, which pays for its manifests of it, too', async () => {
  const { scheduler, monotonic, budget, log, upkeep, manifests } = await newWorld()
  const endMs = 200_000
  const waits: number[] = []
  const commits = (async () => {
    const file = await log.open('log/a', 'create')
    while (monotonic() < endMs) {
      const at = monotonic()
      budget.commitArrived()
      budget.commitBegins()
      await file.append([Buffer.alloc(1.5 * RATE)])
      budget.commitEnded()
      waits.push(monotonic() - at)
    }
  })()
  const folds = (async () => {
    for (let number = 0; monotonic() < endMs; number++) {
      const file = await upkeep.open(`log/${number}`, 'create')
      for (let part = 0; part < 20; part++) await file.append([Buffer.alloc(8192)])
      await manifests.createIfAbsent(`log/m${number}`, Buffer.alloc(2 * RATE))
    }
  })()
  await scheduler.run(50_000)
  assert.ok(budget.written.upkeep <= 65_536, 'until then the log goes first')
  const logged = budget.written.log
  budget.behind = true
  const fold = budget.folding(() => folds)
  await scheduler.run(Promise.all([commits, fold]))
  const most = (RATE * (endMs - 50_000)) / 1000
  assert.ok(budget.written.upkeep >= 0.4 * most, `${budget.written.upkeep} of ${most} bytes are upkeep's`)
  assert.ok(budget.written.log - logged >= 0.4 * most, `${budget.written.log - logged} of ${most} bytes are the log's`)
  // Twice its own bytes, and an append of upkeep.
  assert.ok(Math.max(...waits) <= 3300, `${Math.max(...waits)} ms`)
})
