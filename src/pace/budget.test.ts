/** The budget in simulated time: who waits for what, and that nobody waits for ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STOPPED } from '../base/errors.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../testing/index.ts'
import { Budget } from './budget.ts'
import { logToll, PacedStorage, proofToll, upkeepToll } from './paced-storage.ts'
import { Rhythm } from './rhythm.ts'

interface World {
  readonly scheduler: SimulatedScheduler
  readonly storage: SimulatedStorage
  readonly budget: Budget
  readonly log: PacedStorage
  readonly upkeep: PacedStorage
  /** What was appended when. */
  readonly written: { readonly at: number; readonly bytes: number; readonly path: string }[]
}

async function newWorld(bytesPerSecondMax = Number.POSITIVE_INFINITY, latencyMs = { min: 0, max: 2 }): Promise<World> {
  const scheduler = new SimulatedScheduler({ seed: 5 })
  const storage = new SimulatedStorage({ seed: 5, scheduler, latencyMs })
  const monotonic = (): number => scheduler.clock.monotonic()
  const budget = new Budget({ monotonic, scheduler, bytesPerSecondMax })
  const written: World['written'] = []
  storage.onCall = ({ operation, bytes, path }) => {
    if (operation === 'append') written.push({ at: monotonic(), bytes, path })
  }
  await scheduler.run(storage.makeFolder('log'))
  const of = (toll: ReturnType<typeof logToll>): PacedStorage => new PacedStorage(storage, toll, monotonic)
  return { scheduler, storage, budget, log: of(logToll(budget)), upkeep: of(upkeepToll(budget)), written }
}

/** The most that was appended within any `ms`. */
function peak(written: World['written'], ms: number): number {
  let most = 0
  let sum = 0
  let first = 0
  for (const { at, bytes } of written) {
    sum += bytes
    while ((written[first] as { at: number }).at <= at - ms) sum -= (written[first++] as { bytes: number }).bytes
    most = Math.max(most, sum)
  }
  return most
}

function bytesOf(written: World['written'], path: string): number {
  return written.reduce((sum, one) => sum + (one.path === path ? one.bytes : 0), 0)
}

test('whoever writes and however much, no second holds more than the ceiling, a tenth of it and one append of each', async () => {
  const most = 200_000
  const { scheduler, log, upkeep, written } = await newWorld(most)
  const random = new SeededRandom(1)
  const write = async (storage: PacedStorage, name: string, bytesMax: number): Promise<void> => {
    const file = await storage.open(name, 'create')
    while (scheduler.clock.monotonic() < 20_000) {
      await file.append([Buffer.alloc(random.below(bytesMax))])
      if (random.below(10) === 0) await scheduler.sleep(random.below(300))
    }
  }
  const all = Promise.all([write(log, 'log/a', 30_000), write(upkeep, 'log/b', 20_000)])
  await scheduler.run(all)
  assert.ok(peak(written, 1000) <= most * 1.1 + 65_536 + 30_000, `${peak(written, 1000)}`)
  const total = bytesOf(written, 'log/a') + bytesOf(written, 'log/b')
  assert.ok(total > most * 20 * 0.8, `it is used: ${total}`)
})

test('under the ceiling the log goes first: it waits for its own bytes and for one append of upkeep', async () => {
  const most = 100_000
  const { scheduler, budget, log, upkeep } = await newWorld(most)
  let ended = false
  const greedy = (async () => {
    const file = await upkeep.open('log/b', 'create')
    while (!ended) await file.append([Buffer.alloc(10_000)])
  })()
  const waits: number[] = []
  const commits = (async () => {
    const file = await log.open('log/a', 'create')
    for (let commit = 0; commit < 50; commit++) {
      await scheduler.sleep(200)
      budget.commitArrived()
      const begin = scheduler.clock.monotonic()
      await file.append([Buffer.alloc(5000)])
      waits.push(scheduler.clock.monotonic() - begin)
      budget.commitEnded()
    }
    ended = true
  })()
  await scheduler.run(Promise.all([greedy, commits]))
  // One append of upkeep is 100 ms of the ceiling.
  assert.ok(Math.max(...waits) <= 110, `${Math.max(...waits)}`)
})

test('a log that takes the whole ceiling starves upkeep until that is behind, and shares with it from then on', async () => {
  const most = 100_000
  const { scheduler, budget, log, upkeep, written } = await newWorld(most)
  const run = async (storage: PacedStorage, name: string): Promise<void> => {
    const file = await storage.open(name, 'create')
    while (scheduler.clock.monotonic() < 20_000) await file.append([Buffer.alloc(4000)])
  }
  const all = Promise.all([run(log, 'log/a'), run(upkeep, 'log/b')])
  await scheduler.run(10_000)
  const starved = bytesOf(written, 'log/b')
  assert.ok(starved <= most, `${starved}`)
  const logged = bytesOf(written, 'log/a')
  budget.behind = true
  void budget.folding(() => new Promise(() => {}))
  await scheduler.run(all)
  assert.ok(bytesOf(written, 'log/b') - starved >= most * 5, `${bytesOf(written, 'log/b')}`)
  const share = bytesOf(written, 'log/a') - logged
  assert.ok(share >= most * 2, `the log goes on: ${share}`)
})

test('upkeep that is behind has a part of the ceiling only while a fold is under way: a merge takes nothing off what is behind', async () => {
  const { scheduler, budget } = await newWorld(90_000)
  budget.behind = true
  budget.need({}, 1000)
  const fold = budget.folding(() => scheduler.sleep(33_000))
  budget.logWrote(90_000 * 30)
  // What the ceiling itself is overdrawn by has passed, early blocks still wait.
  await scheduler.run(31_000)
  budget.logWrote(90_000)
  await scheduler.run(32_500)
  assert.notEqual(budget.logRoom(), undefined)
  await scheduler.run(fold)
  assert.equal(budget.logRoom(), undefined)
  void budget.folding(() => new Promise(() => {}))
  assert.notEqual(budget.logRoom(), undefined)
})

test('upkeep that is behind gets its part of the ceiling although a commit always lies behind the blocks in front of it', async () => {
  const most = 100_000
  const { scheduler, budget, log, upkeep, written } = await newWorld(most)
  const endMs = 20_000
  let commits = 0
  budget.behind = true
  void budget.folding(() => new Promise(() => {}))
  const commit = async (): Promise<void> => {
    const file = await log.open('log/a', 'create')
    while (scheduler.clock.monotonic() < endMs) {
      budget.commitArrived()
      for (let block = 0; block < 50 && scheduler.clock.monotonic() < endMs; block++) await file.append([Buffer.alloc(4000)])
      budget.commitBegins()
      await file.append([Buffer.alloc(4000)])
      budget.commitEnded()
      commits++
    }
  }
  const greedy = async (): Promise<void> => {
    const file = await upkeep.open('log/b', 'create')
    while (scheduler.clock.monotonic() < endMs) await file.append([Buffer.alloc(4000)])
  }
  await scheduler.run(Promise.all([commit(), greedy()]))
  const share = bytesOf(written, 'log/b') / (most * (endMs / 1000))
  assert.ok(share >= 1 / 3, `${share}`)
  assert.ok(commits >= 3, `${commits}`)
})

test('upkeep that is behind syncs without waiting for a commit that lies behind blocks which wait themselves', async () => {
  const most = 6_000_000
  const { scheduler, budget, log, upkeep, written } = await newWorld(most)
  const endMs = 20_000
  const part = Buffer.alloc(65_536)
  let commits = 0
  budget.behind = true
  void budget.folding(() => new Promise(() => {}))
  const commit = async (): Promise<void> => {
    const file = await log.open('log/a', 'create')
    while (scheduler.clock.monotonic() < endMs) {
      budget.commitArrived()
      for (let block = 0; block < 50 && scheduler.clock.monotonic() < endMs; block++) await file.append([part])
      budget.commitBegins()
      await file.append([part])
      budget.commitEnded()
      commits++
    }
  }
  const greedy = async (): Promise<void> => {
    const file = await upkeep.open('log/b', 'create')
    for (let count = 1; scheduler.clock.monotonic() < endMs; count++) {
      await file.append([part])
      if (count % 4 === 0) await file.sync()
    }
  }
  await scheduler.run(Promise.all([commit(), greedy()]))
  const share = bytesOf(written, 'log/b') / (most * (endMs / 1000))
  assert.ok(share >= 1 / 3, `${share}`)
  assert.ok(commits >= 3, `${commits}`)
  // Its own turn is another matter.
  budget.commitArrived()
  assert.equal(budget.upkeepSyncTurn(), undefined)
  budget.commitBegins()
  assert.notEqual(budget.upkeepSyncTurn(), undefined)
})

test('once a close has begun the log goes first although upkeep is behind, and what waits already goes on', async () => {
  const { scheduler, budget } = await newWorld(90_000)
  budget.behind = true
  void budget.folding(() => new Promise(() => {}))
  budget.logWrote(90_000 * 30)
  // What the ceiling itself is overdrawn by has passed, early blocks still wait.
  await scheduler.run(31_000)
  budget.logWrote(90_000)
  await scheduler.run(32_500)
  const begin = scheduler.clock.monotonic()
  const waiting = budget.logRoom()
  assert.notEqual(waiting, undefined)
  budget.beginEnding()
  await scheduler.run(Promise.resolve(waiting))
  assert.equal(scheduler.clock.monotonic(), begin)
  assert.equal(budget.upkeepRoom(1), undefined)
  budget.commitArrived()
  assert.notEqual(budget.upkeepSyncTurn(), undefined)
  const room = budget.upkeepRoom(1)
  assert.notEqual(room, undefined)
  budget.commitEnded()
  await scheduler.run(Promise.resolve(room))
})

test('what commits took while upkeep was behind keeps early blocks back for a bounded time', async () => {
  const most = 90_000
  const { scheduler, budget } = await newWorld(most)
  budget.behind = true
  void budget.folding(() => new Promise(() => {}))
  budget.commitArrived()
  for (let second = 0; second < 100; second++) {
    await scheduler.run(scheduler.clock.monotonic() + 1000)
    budget.logWrote(most)
  }
  budget.commitEnded()
  const begin = scheduler.clock.monotonic()
  await scheduler.run(Promise.resolve(budget.logRoom()))
  const waited = scheduler.clock.monotonic() - begin
  assert.ok(waited > 1000 && waited <= 10_100, `${waited}`)
})

test('what the log writes more in one moment upkeep writes less in the next, and it is never starved', async () => {
  const { scheduler, budget, log, upkeep, written } = await newWorld()
  const monotonic = (): number => scheduler.clock.monotonic()
  const rate = 100_000
  const rhythm = new Rhythm({ monotonic, scheduler, budget, sliceMs: 1 }, { bytes: 1e9, stored: 1e9, rate: () => rate })
  let ended = false
  const work = (async () => {
    const file = await upkeep.open('log/b', 'create')
    while (!ended) {
      rhythm.done(4096)
      await file.append([Buffer.alloc(4096)])
      if (rhythm.due) await rhythm.rest()
    }
    rhythm.end()
  })()
  const file = await scheduler.run(log.open('log/a', 'create'))
  const perSecond = async (): Promise<number> => {
    const before = bytesOf(written, 'log/b')
    await scheduler.run(monotonic() + 1000)
    return bytesOf(written, 'log/b') - before
  }
  await perSecond()
  const alone = await perSecond()
  assert.ok(alone > rate * 0.9 && alone < rate * 1.1, `${alone}`)
  await scheduler.run(file.append([Buffer.alloc(2_000_000)]))
  const after = await perSecond()
  assert.ok(after < rate * 0.5 && after > rate * 0.15, `${after} in the second after a burst`)
  for (let second = 0; second < 30; second++) await perSecond()
  const later = await perSecond()
  assert.ok(later > rate * 0.9, `${later}`)
  // A log without end, far above what it was: a share is left.
  let least = Number.POSITIVE_INFINITY
  for (let second = 0; second < 5; second++) {
    for (let part = 0; part < 10; part++) await scheduler.run(file.append([Buffer.alloc(300_000)]))
    least = Math.min(least, await perSecond())
  }
  assert.ok(least > rate * 0.15, `${least}`)
  ended = true
  await scheduler.run(work)
})

test('a job that is expected to write nothing is asked for its rate again, also once that was without bound', async () => {
  const { scheduler, budget } = await newWorld()
  const monotonic = (): number => scheduler.clock.monotonic()
  const parts = { monotonic, scheduler, budget, sliceMs: 1 }
  const rate = (): number => (monotonic() < 1000 ? Number.POSITIVE_INFINITY : 100_000)
  const rhythm = new Rhythm(parts, { bytes: 1e6, stored: 0, rate })
  const work = (async () => {
    for (let done = 0; done < 1e6; done += 4096) {
      rhythm.done(4096)
      await scheduler.sleep(10)
      if (rhythm.due) await rhythm.rest()
    }
    rhythm.end()
  })()
  await scheduler.run(work)
  assert.ok(monotonic() > 5000, `${monotonic()}`)
})

test('a job that is expected to write nothing does not wait for ever for what the one before it wrote too much', async () => {
  const { scheduler, budget, upkeep } = await newWorld()
  const monotonic = (): number => scheduler.clock.monotonic()
  const parts = { monotonic, scheduler, budget, sliceMs: 1 }
  const file = await scheduler.run(upkeep.open('log/b', 'create'))
  const before = new Rhythm(parts, { bytes: 1e6, stored: 1e6, rate: () => 100_000 })
  await scheduler.run(file.append([Buffer.alloc(100_000)]))
  await scheduler.run(file.append([Buffer.alloc(100_000)]))
  before.end()
  const rhythm = new Rhythm(parts, { bytes: 1e6, stored: 0, rate: () => 100_000 })
  let ended = false
  void (async () => {
    for (let done = 0; done < 1e6; done += 4096) {
      rhythm.done(4096)
      if (rhythm.due) await rhythm.rest()
    }
    rhythm.end()
    ended = true
  })()
  await scheduler.run(monotonic() + 60_000)
  assert.ok(ended)
})

test('a sync of upkeep gives way to a commit under way, but not for ever', async () => {
  const { scheduler, budget, upkeep } = await newWorld(Number.POSITIVE_INFINITY, { min: 0, max: 0 })
  const file = await scheduler.run(upkeep.open('log/b', 'create'))
  const time = async (): Promise<number> => {
    const begin = scheduler.clock.monotonic()
    await scheduler.run(file.sync())
    return scheduler.clock.monotonic() - begin
  }
  assert.equal(await time(), 0)
  budget.commitArrived()
  scheduler.after(50, () => budget.commitEnded())
  const waited = await time()
  assert.ok(waited >= 50 && waited < 60, `${waited}`)
  budget.commitArrived()
  const most = await time()
  assert.ok(most >= 500 && most < 510, `${most}`)
})

test('a job that is stopped while it waits for the ceiling ends at once, and writes nothing more', async () => {
  const { scheduler, budget, upkeep, written } = await newWorld(100_000)
  const file = await scheduler.run(upkeep.open('log/b', 'create'))
  await scheduler.run(file.append([Buffer.alloc(1_000_000)]))
  const waiting = file.append([Buffer.alloc(1000)])
  await scheduler.run(100)
  budget.stopUpkeep()
  await assert.rejects(scheduler.run(waiting), error => error === STOPPED)
  assert.ok(scheduler.clock.monotonic() < 200)
  await assert.rejects(file.append([Buffer.alloc(1)]), error => error === STOPPED)
  assert.equal(written.length, 1)
})

test('a log that is stopped while it waits for the ceiling ends at once, and writes nothing more', async () => {
  const { scheduler, budget, log, written } = await newWorld(100_000)
  const file = await scheduler.run(log.open('log/a', 'create'))
  await scheduler.run(file.append([Buffer.alloc(1_000_000)]))
  const waiting = file.append([Buffer.alloc(1000)])
  await scheduler.run(100)
  budget.stopLog()
  await assert.rejects(scheduler.run(waiting), error => error === STOPPED)
  assert.ok(scheduler.clock.monotonic() < 200)
  budget.sealing = true
  await assert.rejects(file.append([Buffer.alloc(1)]), error => error === STOPPED)
  assert.equal(written.length, 1)
})

test('what the last run left is written again under the ceiling, and beside it once a close has begun', async () => {
  const { scheduler, storage, budget, log } = await newWorld(100_000, { min: 0, max: 0 })
  const monotonic = (): number => scheduler.clock.monotonic()
  const proof = new PacedStorage(storage, proofToll(budget), monotonic)
  const file = await scheduler.run(proof.open('log/a', 'create'))
  await scheduler.run(file.append([Buffer.alloc(1_000_000)]))
  const waiting = file.append([Buffer.alloc(1_000_000)])
  await scheduler.run(monotonic() + 8000)
  budget.beginEnding()
  await scheduler.run(waiting)
  assert.equal(monotonic(), 8000)
  await scheduler.run(file.append([Buffer.alloc(1_000_000)]))
  assert.equal(monotonic(), 8000)
  assert.equal(budget.written.log, 3_000_000)
  // What the log appends next waits for what was written before alone.
  const next = await scheduler.run(log.open('log/b', 'create'))
  await scheduler.run(next.append([Buffer.alloc(1000)]))
  assert.ok(monotonic() <= 10_000, `${monotonic()}`)
})
