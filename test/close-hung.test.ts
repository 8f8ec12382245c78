/** A close on a storage that hangs: it ends within the time it was given, and a second more at most, by the simulated clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../src/base/errors.ts'
import { openEveryDecompress } from '../src/format/index.ts'
import { openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import type { Storage, StorageFile } from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'

const COUNT = 500
const TIMEOUT_MS = 5000
/** What a writer gets beyond it to end by itself. */
const MORE_MS = 1000
/** From its call to its failure, of a sync that fails in the end. */
const SYNC_MS = 5500
const SMALL = { bytes: 2000, fanIn: 3, smallestBytes: 3000, youngBytesMax: 20_000, slackBytes: 5000, slackRecords: 300, baseBytes: 4000 }

type Hanging = 'nothing' | 'reads of segments' | 'all of the log' | 'a sync of the log, then it fails'

class World {
  readonly scheduler = new SimulatedScheduler({ seed: 5 })
  readonly plain = new SimulatedStorage({ seed: 5, scheduler: this.scheduler })
  hanging: Hanging = 'nothing'
  /** Calls that hang. */
  hung = 0

  async open(settings: Settings = {}): Promise<Store> {
    const { scheduler } = this
    await openEveryDecompress()
    const given: Settings = { checkpoint: { intervalMs: 0 }, compression: 'none', ...settings }
    const parts = { storage: this.#storage(), scheduler, clock: scheduler.clock, thresholds: { ...SMALL, graceMs: 100 } }
    return await this.run(openStore('simulated', given, parts))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  rest(ms = 2000): Promise<void> {
    return this.scheduler.run(this.scheduler.clock.monotonic() + ms)
  }

  /** How long a close takes that ends so. */
  async close(store: Store, code?: string): Promise<number> {
    const before = this.scheduler.clock.monotonic()
    const closed = this.run(store.close({ timeoutMs: TIMEOUT_MS }))
    if (code === undefined) await closed
    else await assert.rejects(closed, { code })
    return this.scheduler.clock.monotonic() - before
  }

  #storage(): Storage {
    const { plain } = this
    return {
      list: path => plain.list(path),
      open: async (path, mode) => this.#file(await plain.open(path, mode)),
      exists: path => plain.exists(path),
      size: path => plain.size(path),
      createIfAbsent: (path, bytes) => plain.createIfAbsent(path, bytes),
      syncFolder: path => plain.syncFolder(path),
      remove: path => plain.remove(path),
      makeFolder: path => plain.makeFolder(path),
    }
  }

  #failLate(): Promise<never> {
    this.hung++
    this.hanging = 'nothing'
    const error = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    return new Promise((_, reject) => this.scheduler.after(SYNC_MS, () => reject(error)))
  }

  /** As the contract says, a close waits for the reads under way. */
  #file(file: StorageFile): StorageFile {
    let stuck = false
    const or = async <T>(hangs: boolean, call: () => Promise<T>): Promise<T> => {
      if (!hangs) return await call()
      this.hung++
      return await new Promise<never>(() => {})
    }
    const segment = file.path.startsWith('segment/')
    const log = (): boolean => !segment && this.hanging === 'all of the log' && file.path.startsWith('log/')
    const late = (): boolean => this.hanging === 'a sync of the log, then it fails' && file.path.startsWith('log/')
    return {
      path: file.path,
      append: parts => or(log(), () => file.append(parts)),
      overwrite: (offset, bytes) => or(log(), () => file.overwrite(offset, bytes)),
      read: (offset, length) => {
        const hangs = log() || (segment && this.hanging === 'reads of segments')
        stuck ||= hangs
        return or(hangs, () => file.read(offset, length))
      },
      readNow: (offset, length) => file.readNow(offset, length),
      sync: () => (late() ? this.#failLate() : or(log(), () => file.sync())),
      size: () => file.size(),
      truncate: length => file.truncate(length),
      close: () => or(stuck, () => file.close()),
    }
  }
}

async function filled(): Promise<World> {
  const world = new World()
  const store = await world.open()
  for (let at = 0; at < COUNT; at++) {
    store.map<string, number>('map').set(at, `some text of entry ${at}`)
    if (at % 100 === 99) await world.run(store.checkpoint())
  }
  await world.rest()
  await world.run(store.close())
  return world
}

/** What it is rejected with, once it is. */
function rejection(promise: Promise<unknown>): { code?: string } {
  const told: { code?: string } = {}
  promise.catch(({ code }) => {
    told.code = code
  })
  return told
}

async function isWhole(world: World): Promise<void> {
  world.hanging = 'nothing'
  const again = await world.open()
  const map = again.map<string, number>('map')
  for (let at = 0; at < COUNT; at++) assert.equal(map.get(at), `some text of entry ${at}`)
  await world.run(again.close())
}

for (const readOnly of [false, true]) {
  test(`a read that hangs does not keep ${readOnly ? 'a reader' : 'a writer'} from closing`, async () => {
    const world = await filled()
    const store = await world.open({ readOnly })
    world.hanging = 'reads of segments'
    await world.rest(100)
    assert.ok(world.hung > 0, 'blocks come home in the background')
    const told = rejection(store.hydrated())
    const ms = await world.close(store)
    assert.ok(ms <= TIMEOUT_MS, `${ms} ms`)
    assert.equal(store.status, 'closed')
    assert.equal(told.code, 'TIDEMARK_CLOSED')
    await isWhole(world)
  })
}

test('who waits for entries to come home is told of the close, though what follows the folds hangs, too', async () => {
  const world = await filled()
  world.hanging = 'reads of segments'
  const store = await world.open({ restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1024 * 1024 } })
  await world.rest(100)
  const told = rejection(store.hydrated())
  world.hanging = 'nothing'
  for (let at = 0; at < COUNT; at++) store.map<string, number>('map').set(at, `some text of entry ${at}`)
  await world.run(store.checkpoint())
  const before = store.stats().upkeep.foldedEpoch
  await world.rest()
  assert.ok(store.stats().upkeep.foldedEpoch > before)
  await world.close(store)
  assert.equal(told.code, 'TIDEMARK_CLOSED')
  await isWhole(world)
})

test('a writer ends by itself within that time, whatever hangs beside it', async () => {
  const world = await filled()
  const store = await world.open()
  world.hanging = 'reads of segments'
  store.value<string>('value', '').set('the file of this run is begun')
  await world.run(store.checkpoint())
  await world.rest(100)
  assert.ok(world.hung > 0, 'blocks come home in the background')
  const before = world.plain.calls.length
  const ms = await world.close(store)
  assert.ok(ms <= TIMEOUT_MS, `${ms} ms`)
  const calls = world.plain.calls.slice(before).filter(({ path }) => path.startsWith('log/'))
  assert.deepEqual(
    calls.map(({ operation }) => operation),
    ['sync', 'close'],
  )
  await isWhole(world)
})

test('the time of a close is given once, not to each of its steps', async () => {
  const world = await filled()
  const store = await world.open()
  await world.run(store.hydrated())
  world.hanging = 'all of the log'
  store.map<string, number>('map').set(COUNT, 'never durable')
  const ms = await world.close(store, 'TIDEMARK_TIMEOUT')
  assert.ok(world.hung > 0)
  assert.ok(ms <= TIMEOUT_MS + MORE_MS, `${ms} ms`)
  await isWhole(world)
})

test('a sync that fails when the close has given up on it brings nothing back to life', async () => {
  const world = await filled()
  const store = await world.open()
  store.map<string, number>('map').set(COUNT + 1, 'the file of this run is begun')
  await world.run(store.checkpoint())
  world.hanging = 'a sync of the log, then it fails'
  store.map<string, number>('map').set(COUNT, 'never durable')
  const told: string[] = []
  world.scheduler.after(TIMEOUT_MS, () => {
    for (const event of ['degraded', 'barrier', 'error', 'checkpoint'] as const) store.on(event, () => told.push(event))
  })
  await world.close(store, 'TIDEMARK_TIMEOUT')
  await world.rest(MORE_MS)
  assert.equal(world.hung, 1)
  assert.deepEqual(told, [])
  assert.equal(store.status, 'closed')
  await isWhole(world)
})

test('a close that runs out of time says that it is over, and why', async () => {
  const scheduler = new SimulatedScheduler({ seed: 5 })
  const storage = new SimulatedStorage({ seed: 5, scheduler })
  const settings: Settings = { checkpoint: { intervalMs: 0 }, compression: 'none' }
  const store = await scheduler.run(openStore('simulated', settings, { storage, scheduler, clock: scheduler.clock }))
  const map = store.map<number>('map').set('k', 1)
  storage.inject({ operation: 'any', errno: 'ENOSPC' })
  const waiting = await scheduler.run(store.durable({ timeoutMs: 200 }).catch((error: TidemarkError) => error))
  const error = await scheduler.run(store.close({ timeoutMs: 200 }).catch((error: TidemarkError) => error))
  assert.ok(waiting instanceof TidemarkError && error instanceof TidemarkError)
  assert.deepEqual([waiting.code, error.code], ['TIDEMARK_TIMEOUT', 'TIDEMARK_TIMEOUT'])
  assert.doesNotMatch(waiting.message, /lost/)
  assert.match(error.message, /closed, and what was not durable .*200 ms is lost.*ENOSPC/)
  assert.doesNotMatch(error.hint ?? '', /goes on trying|by themselves/)
  assert.equal((error.cause as TidemarkError).code, 'TIDEMARK_STORAGE')
  assert.deepEqual(error.info, { timeoutMs: 200 })
  assert.throws(() => map.get('k'), { code: 'TIDEMARK_CLOSED' })
})
