/** Log, folding and merging together, in simulated time: how evenly the bytes leave, and that only elapsed time matters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../src/base/clock.ts'
import { open } from '../src/index.ts'
import { openStore } from '../src/open.ts'
import { PacedStorage } from '../src/pace/index.ts'
import { openForReading } from '../src/restore/index.ts'
import type { Store } from '../src/store.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { InlineHost, type UpkeepFacts, type UpkeepMessage } from '../src/writer/index.ts'
import { type Block, blockBytes, catalogue, Life, pseudoRandom, readAll } from './support/log-store.ts'
import { temporaryFolder } from './temporary.ts'

/** As W1, a fourth of its bytes in a fourth of its time, so that a block weighs as much in 100 ms: a table fills in less than an interval, and a round through the base takes some twenty. */
const THRESHOLDS: UpkeepFacts['thresholds'] = {
  bytes: 512 * 1024,
  records: 2 ** 40,
  smallestBytes: 256 * 1024,
  slackBytes: 2 * 1024 * 1024,
  slackRecords: 2 ** 40,
  baseBytes: 2 * 1024 * 1024,
  graceMs: 10_000,
}
const KEYS = 40_000
const VALUE = 'x'.repeat(80)
const INTERVAL_MS = 1250
const BLOCK_RECORDS = 150
const BLOCKS = 40

interface Written {
  readonly at: number
  readonly bytes: number
  readonly path: string
}

interface World {
  readonly scheduler: SimulatedScheduler
  readonly storage: SimulatedStorage
  readonly written: Written[]
  readonly life: Life
  readonly news: () => UpkeepMessage[]
  /** Of each commit, from asking to the answer, ms. */
  readonly latencies: number[]
}

async function newWorld(
  latencyMs: { min: number; max: number },
  ioBytesPerSecondMax = Number.POSITIVE_INFINITY,
  syncMs = 0,
): Promise<World> {
  const scheduler = new SimulatedScheduler({ seed: 3, tasksMax: 10_000_000 })
  const storage = new SimulatedStorage({ seed: 3, scheduler, latencyMs })
  const written: Written[] = []
  storage.onCall = ({ operation, bytes, path }) => {
    if (operation === 'append' || operation === 'createIfAbsent') written.push({ at: scheduler.clock.monotonic(), bytes, path })
  }
  // A disk on which each sync takes so much longer than anything else.
  const slow = {
    room: () => undefined,
    wrote: () => {},
    published: () => {},
    syncTurn: () => (syncMs > 0 ? scheduler.sleep(syncMs) : undefined),
    synced: () => {},
  }
  const disk = new PacedStorage(storage, slow, () => scheduler.clock.monotonic())
  const life = await scheduler.run(
    Life.open({
      storage,
      host: facts =>
        new InlineHost({
          storage: disk,
          facts: {
            ...facts,
            compression: 'none',
            ioBytesPerSecondMax,
            upkeep: {
              retention: { keepLast: 1, keepMs: 0 },
              tail: { rawBytes: 0, records: 0, logBytes: 0 },
              catalogue: [],
              follow: false,
              ...(THRESHOLDS === undefined ? {} : { thresholds: THRESHOLDS }),
            },
          },
          clock: scheduler.clock,
          random: pseudoRandom('pacing'),
          upkeep: { storage: disk, scheduler, sliceMs: 1 },
        }),
    }),
  )
  return { scheduler, storage, written, life, latencies: [], news: () => life.messages.filter(message => message.type === 'upkeep') }
}

/** Commits whose blocks come evenly, one commit each interval, or as soon as it can be. */
async function live(
  { scheduler, life, latencies }: World,
  commits: number,
  random: SeededRandom,
  blocks = BLOCKS,
  intervalMs = INTERVAL_MS,
): Promise<void> {
  const { attempt, host } = life
  const blockOf = (): Block =>
    Array.from({ length: BLOCK_RECORDS }, () => [`key:${Math.floor(random.float() ** 3 * KEYS)}`, VALUE] as const)
  for (let commit = 0; commit < commits; commit++) {
    const begin = scheduler.clock.monotonic()
    const epoch = ++life.epoch
    for (let block = 1; block <= blocks; block++) {
      host.post({ type: 'batch', attempt, bytes: blockBytes(blockOf()), records: BLOCK_RECORDS })
      await scheduler.run(begin + (block * intervalMs) / blocks)
    }
    const asked = scheduler.clock.monotonic()
    host.post({ type: 'commit', attempt, epoch, timeMs: 1, bytes: new Uint8Array(0), records: 0, catalogue: catalogue(), refused: 0 })
    for (let wait = 0; life.acknowledged.at(-1) !== epoch && wait < 10_000; wait++) await scheduler.run(scheduler.clock.monotonic() + 1)
    assert.equal(life.acknowledged.at(-1), epoch)
    latencies.push(scheduler.clock.monotonic() - asked)
  }
}

function windows(written: readonly Written[], from: number, to: number, ms: number, path = ''): number[] {
  const sums = new Array<number>(Math.ceil((to - from) / ms)).fill(0)
  for (const one of written) {
    if (one.at < from || one.at >= to || !one.path.startsWith(path)) continue
    const at = Math.floor((one.at - from) / ms)
    sums[at] = (sums[at] as number) + one.bytes
  }
  return sums
}

function peak(sums: readonly number[]): number {
  return (Math.max(...sums) * sums.length) / sums.reduce((sum, bytes) => sum + bytes, 0)
}

test('in steady state no 100 ms hold more than two and a half times the mean of what log, folds and merges write together', async () => {
  const world = await newWorld({ min: 0, max: 2 })
  const random = new SeededRandom(1)
  await live(world, 40, random)
  const from = world.scheduler.clock.monotonic()
  const before = world.news().length
  await live(world, 24, random)
  const to = world.scheduler.clock.monotonic()
  const all = windows(world.written, from, to, 100)
  const did = (what: string): number =>
    world
      .news()
      .slice(before)
      .filter(one => one.did === what).length
  assert.ok(did('folded') >= 20 && did('merged') >= 2, `${did('folded')} folds, ${did('merged')} merges`)
  assert.ok(peak(all) <= 2.5, `${peak(all)}`)
  assert.deepEqual(
    world.news().filter(one => one.did === 'behind' || one.did === 'failed'),
    [],
  )
  await world.scheduler.run(world.life.close())
})

test('a fold writes during most of an interval: neither reading nor sorting keeps its bytes back', async () => {
  const world = await newWorld({ min: 0.05, max: 2 })
  await live(world, 24, new SeededRandom(2))
  const files = new Map<string, { first: number; last: number; bytes: number }>()
  for (const { path, at, bytes } of world.written) {
    if (!path.startsWith('segment/')) continue
    const file = files.get(path)
    files.set(path, { first: file?.first ?? at, last: at, bytes: (file?.bytes ?? 0) + bytes })
  }
  const folded = new Set(world.news().flatMap(({ did, bytesWritten }) => (did === 'folded' ? [bytesWritten] : [])))
  const shares = [...files.values()].filter(({ bytes }) => folded.has(bytes)).map(({ first, last }) => (last - first) / INTERVAL_MS)
  const some = shares.slice(4).toSorted((one, other) => one - other)
  assert.ok(some.length >= 15, `${some.length} folds`)
  const median = some[some.length >> 1] as number
  assert.ok(median >= 0.6, `${median} of an interval`)
  await world.scheduler.run(world.life.close())
})

test('no second holds more than the ceiling; a tail that grows under it is reported, and reported again when it does not', async () => {
  const most = 400_000
  const world = await newWorld({ min: 0, max: 2 }, most)
  const { scheduler, news, written } = world
  const random = new SeededRandom(2)
  await live(world, 25, random)
  const behind = news().find(one => one.did === 'behind')
  assert.ok(behind?.behind !== undefined && behind.behind.rawBytes > 2 * 512 * 1024 && behind.behind.ms > 5000, JSON.stringify(behind))
  const folds = news().filter(one => one.did === 'folded').length
  assert.ok(folds > 3, `it goes on meanwhile: ${folds} folds`)
  const said = (): string[] => news().flatMap(one => (one.did === 'behind' || one.did === 'caughtUp' ? one.did : []))
  for (let wait = 0; wait < 200 && said().at(-1) === 'behind'; wait++) await scheduler.run(scheduler.clock.monotonic() + 1000)
  assert.deepEqual(
    said(),
    said().map((_, at) => (at % 2 === 0 ? 'behind' : 'caughtUp')),
  )
  assert.equal(said().at(-1), 'caughtUp')
  const to = scheduler.clock.monotonic()
  for (const offset of [0, 300, 700]) {
    const sums = windows(written, offset, to, 1000)
    assert.ok(Math.max(...sums) <= most * 1.1 + 65_536 + 5000, `${Math.max(...sums)}`)
  }
  const busy = windows(written, 0, to, 1000).slice(2, 20)
  assert.ok(busy.reduce((sum, bytes) => sum + bytes, 0) > most * busy.length * 0.8, 'it is used')
  await scheduler.run(world.life.close())
})

test('on a disk whose syncs take 50 ms no commit waits for more than its own, folds, merges and their manifests beside it', async () => {
  const world = await newWorld({ min: 0, max: 0.1 }, Number.POSITIVE_INFINITY, 50)
  await live(world, 40, new SeededRandom(6))
  const did = (what: string): number => world.news().filter(one => one.did === what).length
  assert.ok(did('folded') >= 20 && did('merged') >= 2 && did('behind') === 0, `${did('folded')} folds, ${did('merged')} merges`)
  // The first one begins the file.
  const latencies = world.latencies.slice(1).sort((a, b) => a - b)
  const own = latencies.filter(ms => ms <= 55).length / latencies.length
  // An early sync of the log may be under way when it comes.
  assert.ok(own >= 0.6 && Math.max(...latencies) <= 105, `${own} ${Math.max(...latencies)}`)
  await world.scheduler.run(world.life.close())
})

test('on such a disk with a commit each 100 ms, so that the log syncs for half of the time, folds and merges keep up', async () => {
  const world = await newWorld({ min: 0, max: 0.1 }, Number.POSITIVE_INFINITY, 50)
  const { life, news } = world
  const random = new SeededRandom(8)
  const blocks = 3
  const perTable = (THRESHOLDS?.bytes as number) / (blocks * BLOCK_RECORDS * (VALUE.length + 20))
  let most = 0
  for (let commit = 0; commit < 150; commit++) {
    await live(world, 1, random, blocks, 50)
    most = Math.max(most, life.epoch - (news().findLast(({ did }) => did === 'folded')?.foldedEpoch ?? 0))
  }
  const did = (what: string): number => news().filter(one => one.did === what).length
  assert.ok(did('folded') >= 8 && did('merged') >= 1 && did('behind') === 0, `${did('folded')} folds, ${did('merged')} merges`)
  assert.ok(most <= 3 * perTable, `${most} epochs behind the fold point`)
  await world.scheduler.run(life.close())
})

test('the wall clock may jump as it likes: every byte is written at the same moment', async () => {
  const run = async (jumps: boolean): Promise<readonly Written[]> => {
    const world = await newWorld({ min: 0, max: 2 })
    const random = new SeededRandom(4)
    for (let commit = 0; commit < 8; commit++) {
      if (jumps) world.scheduler.clock.jump((commit % 2 === 0 ? 1 : -1) * 86_400_000 * (commit + 1))
      await live(world, 1, random, 8)
    }
    await world.scheduler.run(world.scheduler.clock.monotonic() + 20_000)
    await world.scheduler.run(world.life.close())
    return world.written
  }
  const still = await run(false)
  assert.ok(still.some(one => one.path.startsWith('segment')))
  assert.deepEqual(await run(true), still)
})

test('closed at any moment it ends soon, writes nothing more, and everything acknowledged is there', async () => {
  for (let moment = 0; moment < 12; moment++) {
    for (const most of [Number.POSITIVE_INFINITY, 200_000]) {
      const world = await newWorld({ min: 0, max: 20 }, most)
      const { scheduler, life, storage, written } = world
      await live(world, 3, new SeededRandom(moment), 40)
      await scheduler.run(scheduler.clock.monotonic() + moment * 137)
      const begin = scheduler.clock.monotonic()
      await scheduler.run(life.close())
      // Under the ceiling the last fold is given up after two seconds.
      const soon = most === Number.POSITIVE_INFINITY ? 1000 : 2200
      assert.ok(scheduler.clock.monotonic() - begin < soon, `${scheduler.clock.monotonic() - begin} ms`)
      const count = written.length
      await scheduler.run()
      assert.equal(written.length, count)
      assert.equal(storage.openFiles, 0)
      const { fold } = (await scheduler.run(openForReading(storage))).manifest
      const { epochs } = await scheduler.run(readAll(storage, { from: fold ?? undefined }))
      assert.equal(epochs.at(-1)?.epoch ?? fold?.epoch, life.epoch)
    }
  }
})

test('a tail that a restart would take long to read is folded by the close, a short one is left', async () => {
  for (const blocks of [80, 8]) {
    const world = await newWorld({ min: 0, max: 2 })
    const { scheduler, life, storage } = world
    await live(world, 1, new SeededRandom(5), blocks)
    await scheduler.run(life.close())
    const { fold } = (await scheduler.run(openForReading(storage))).manifest
    assert.equal(fold?.epoch ?? 0, blocks === 80 ? life.epoch : 0)
    assert.equal(storage.openFiles, 0)
  }
})

test('a short tail waits a second after an open, a long one is folded at once', async () => {
  for (const [records, waits] of [
    [4000, true],
    [13_000, false],
  ] as const) {
    const scheduler = new SimulatedScheduler({ seed: 5 })
    const { clock } = scheduler
    const opened = (storage: SimulatedStorage): Promise<Store> => {
      const components = { storage, scheduler, clock, random: new SeededRandom(5), thresholds: { ...THRESHOLDS, records: 4000 } }
      return scheduler.run(openStore('simulated', { checkpoint: { intervalMs: 0 }, compression: 'none' }, components))
    }
    const storage = new SimulatedStorage({ seed: 5, scheduler })
    const first = await opened(storage)
    const map = first.map<number, number>('map')
    for (let key = 0; key < records; key++) map.set(key, key)
    await scheduler.run(first.durable())
    assert.equal(first.stats().upkeep.foldedEpoch, 0, 'its process is gone before a fold is')
    const second = await opened(storage.restart())
    await scheduler.run(clock.monotonic() + 900)
    assert.equal(second.stats().upkeep.foldedEpoch === 0, waits, `${records} records`)
    await scheduler.run(clock.monotonic() + 60_000)
    assert.ok(second.stats().upkeep.foldedEpoch > 0)
    await scheduler.run(second.close())
  }
})

test('a store says when its folding is behind, in an event and in its figures, and when it is not any more', async () => {
  const scheduler = new SimulatedScheduler({ seed: 4, tasksMax: 10_000_000 })
  const storage = new SimulatedStorage({ seed: 4, scheduler })
  const thresholds = { bytes: 20_000, records: 1000, slackBytes: 80_000, baseBytes: 80_000, graceMs: 1000 }
  const settings = { checkpoint: { intervalMs: 250 }, compression: 'none', budget: { ioBytesPerSecondMax: 65_536 } } as const
  const parts = { storage, scheduler, clock: scheduler.clock, writer: 'inline', thresholds } as const
  const store = await scheduler.run(openStore('simulated', settings, parts))
  const said: string[] = []
  store.on('behind', ({ rawBytes, records, ms }) => said.push(rawBytes > 0 && records > 0 && ms > 0 ? 'behind' : 'nothing'))
  store.on('caughtUp', () => said.push('caughtUp'))
  const map = store.map<string, number>('things')
  assert.equal(store.stats().upkeep.behind, undefined)
  for (let step = 0; step < 1000 && said.length === 0; step++) {
    for (let at = 0; at < 100; at++) map.set((step * 100 + at) % 3000, 'x'.repeat(200))
    await scheduler.run(scheduler.clock.monotonic() + 100)
  }
  assert.deepEqual(said, ['behind'])
  assert.ok((store.stats().upkeep.behind?.rawBytes ?? 0) > 40_000)
  for (let step = 0; step < 1000 && said.at(-1) !== 'caughtUp'; step++) await scheduler.run(scheduler.clock.monotonic() + 100)
  assert.equal(said.at(-1), 'caughtUp')
  assert.equal(store.stats().upkeep.behind, undefined)
  await scheduler.run(store.close())
})

test('on a real disk a checkpoint takes the time that the ceiling gives it, and comes back whole', async t => {
  const directory = temporaryFolder(t)
  const most = 262_144
  const settings = { checkpoint: { intervalMs: 0 }, compression: 'none', budget: { ioBytesPerSecondMax: most } } as const
  const store = await open(directory, settings)
  const map = store.map<Buffer, number>('blobs')
  for (let at = 0; at < 80; at++) map.set(at, Buffer.alloc(10_000, at))
  const begin = systemClock.monotonic()
  const { bytes } = await store.checkpoint()
  const seconds = (systemClock.monotonic() - begin) / 1000
  assert.ok(bytes > 800_000)
  // What it holds at the start, and the debt of the last append, are for free.
  assert.ok(seconds >= (bytes - 2 * 65_536 - 70_000) / most, `${seconds} s for ${bytes} bytes`)
  await store.close()
  const again = await open(directory, settings)
  assert.deepEqual(again.map<Buffer, number>('blobs').get(79), Buffer.alloc(10_000, 79))
  await again.close()
})
