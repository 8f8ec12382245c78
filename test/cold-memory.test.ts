/** A store that keeps its entries within `memoryBytesMax`, over a simulated disk: what goes, what stays, and what a failure changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { TidemarkMap } from '../src/capture/index.ts'
import { FRAME_HEADER_BYTES, openEveryDecompress } from '../src/format/index.ts'
import { RecordTable } from '../src/image/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { type Components, openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import type { Store } from '../src/store.ts'
import { SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { failsWith } from './temporary.ts'

const SMALL = {
  bytes: 20_000,
  fanIn: 3,
  smallestBytes: 30_000,
  youngBytesMax: 200_000,
  slackBytes: 50_000,
  slackRecords: 3000,
  baseBytes: 40_000,
}
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const BOUND = 200_000
const ENTRIES = 4000

const value = (at: number, round = 0) => ({ at, round, text: `some text of entry ${at}` })
type Value = ReturnType<typeof value>

class World {
  readonly scheduler: SimulatedScheduler
  readonly storage: SimulatedStorage

  constructor(seed = 7) {
    this.scheduler = new SimulatedScheduler({ seed })
    this.storage = new SimulatedStorage({ seed, scheduler: this.scheduler })
  }

  async open(settings: Settings = {}, components: Components = {}): Promise<Store> {
    const { scheduler, storage } = this
    await openEveryDecompress()
    const given: Settings = {
      checkpoint: { intervalMs: 0 },
      compression: 'none',
      restore: { hydrate: 'on-demand' },
      budget: { memoryBytesMax: BOUND },
      ...settings,
    }
    const parts: Components = {
      storage,
      scheduler,
      clock: scheduler.clock,
      writer: 'inline',
      thresholds: { ...SMALL, graceMs: 100 },
      ...components,
    }
    return await this.run(openStore('simulated', given, parts))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  async rest(ms = 2000): Promise<void> {
    await this.scheduler.run(this.scheduler.clock.monotonic() + ms)
  }

  /** All entries, in several epochs, at rest. */
  async fill(store: Store, round = 0): Promise<TidemarkMap<number, Value>> {
    const map = store.map<Value, number>('map')
    for (let at = 0; at < ENTRIES; at++) {
      map.set(at, value(at, round))
      if (at % 500 === 499) await this.run(store.checkpoint())
    }
    await this.rest()
    return map
  }
}

const memory = (store: Store): NonNullable<ReturnType<Store['stats']>['memory']> => {
  const { memory } = store.stats()
  assert.ok(memory !== undefined)
  return memory
}

test('a collection several times larger than the bound is filled, read, walked, changed and brought back under it', async () => {
  const world = new World()
  const store = await world.open()
  const map = await world.fill(store)
  const bounded = (what: string): void => assert.ok(memory(store).liveBytes <= BOUND, `${what}: ${memory(store).liveBytes}`)
  bounded('filled')
  assert.ok(memory(store).evicted > ENTRIES / 2)
  assert.equal(map.size, ENTRIES)
  for (let at = 0; at < ENTRIES; at++) assert.deepEqual(map.get(at), value(at))
  assert.ok(memory(store).liveBytes <= BOUND * 1.1, `read in one turn, making room: ${memory(store).liveBytes}`)
  let seen = 0
  for (const [key, entry] of map) {
    assert.deepEqual(entry, value(key))
    if (++seen % 100 === 0) await world.rest(1)
  }
  assert.equal(seen, ENTRIES)
  await world.rest(500)
  bounded('walked')
  for (let at = 0; at < ENTRIES; at += 3) map.update(at, entry => void entry.round++)
  for (let at = 1; at < ENTRIES; at += 3) map.set(at, value(at, 2))
  map.delete(5)
  await world.run(store.checkpoint())
  await world.rest(20_000)
  bounded('changed')
  const right = (from: TidemarkMap<number, Value>): void => {
    assert.equal(from.size, ENTRIES - 1)
    for (let at = 0; at < ENTRIES; at++) {
      const want = at === 5 ? undefined : value(at, [1, 2, 0][at % 3])
      assert.deepEqual(from.get(at), want)
    }
  }
  right(map)
  await world.run(store.close())
  const again = await world.open()
  right(again.map<Value, number>('map'))
  await world.rest()
  assert.ok(memory(again).liveBytes <= BOUND)
  await world.run(again.close())
})

test('once it is folded, what was read of the log at the start is not kept', async t => {
  const world = new World()
  const store = await world.open()
  const map = await world.fill(store)
  map.set(1, value(1, 1))
  await world.run(store.close())
  const { sortSome } = RecordTable.prototype
  let tail: WeakRef<RecordTable> | undefined
  RecordTable.prototype.sortSome = function (moves) {
    tail ??= new WeakRef(this)
    return sortSome.call(this, moves)
  }
  t.after(() => {
    RecordTable.prototype.sortSome = sortSome
  })
  const again = await world.open()
  await world.run(again.hydrated())
  assert.equal(tail?.deref()?.records, 1)
  const other = await world.fill(again, 2)
  await world.rest(20_000)
  for (let turns = 100; turns > 0 && tail.deref() !== undefined; turns--) {
    await new Promise(resolve => setImmediate(resolve))
    collect()
  }
  assert.equal(tail.deref(), undefined)
  for (const at of [0, 1, 2, ENTRIES - 1]) assert.deepEqual(other.get(at), value(at, 2))
  await world.run(again.close())
})

test('with the disk full what was written stays and is right, and what is only read goes on leaving', async () => {
  const world = new World()
  const store = await world.open()
  const map = await world.fill(store)
  const heal = world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  for (let at = 0; at < 2000; at++) map.set(at, value(at, 1))
  const point = store.checkpoint({ timeoutMs: 600_000 })
  await world.rest(5000)
  assert.equal(store.status, 'degraded')
  const { evicted } = memory(store)
  const live = memory(store).liveBytes
  assert.ok(live > BOUND, 'what is written nowhere else cannot go')
  for (let round = 0; round < 5; round++) {
    for (let at = 2000; at < ENTRIES; at++) {
      assert.deepEqual(map.get(at), value(at))
      if (at % 200 === 0) await world.rest(50)
    }
  }
  assert.ok(memory(store).evicted > evicted + 4 * (ENTRIES - 2000), 'readers make room for each other')
  assert.ok(memory(store).liveBytes < live * 1.2, `${live} -> ${memory(store).liveBytes}`)
  for (let at = 0; at < 2000; at++) assert.deepEqual(map.get(at), value(at, 1))
  heal()
  await world.run(point)
  await world.rest(20_000)
  assert.ok(memory(store).liveBytes <= BOUND, `${memory(store).liveBytes}`)
  for (let at = 0; at < ENTRIES; at++) assert.deepEqual(map.get(at), value(at, at < 2000 ? 1 : 0))
  await world.run(store.close())
})

test('segments that cannot be opened or read keep the entries in the heap, and say why, until they can', async () => {
  for (const [operation, errno, probability] of [
    ['open', 'EMFILE', 0.2],
    // A checkpoint asks for many blocks, and begins again where one of them cannot be read.
    ['read', 'EIO', 0.1],
  ] as const) {
    const world = new World()
    const store = await world.open()
    const map = await world.fill(store)
    const heal = world.storage.inject({ operation, errno, path: 'segment', probability })
    for (let at = 0; at < 1500; at++) map.set(at, value(at, 1))
    await world.run(store.checkpoint())
    let failed = false
    let round = 1
    for (let n = 0; n < 2000 && !failed; n++) {
      // Folding and merging fail too, and are tried again; the same values would not be written again.
      if (n % 30 === 29) {
        round++
        for (let at = 0; at < 1500; at++) map.set(at, value(at, round))
        await world.run(store.checkpoint())
      }
      await world.rest(100)
      failed = memory(store).lastError !== undefined
    }
    assert.ok(failed, 'it is told')
    assert.equal(store.status, 'ok')
    heal()
    await world.rest(90_000)
    assert.equal(memory(store).lastError, undefined)
    assert.ok(memory(store).liveBytes <= BOUND)
    for (let at = 0; at < ENTRIES; at++) assert.deepEqual(map.get(at), value(at, at < 1500 ? round : 0))
    await world.run(store.close())
  }
})

for (const where of ['young', 'base'] as const) {
  test(`beside a ${where} segment whose filter is damaged entries go on leaving, and the damage is told`, async () => {
    const world = new World()
    // Merged, the damaged segment would be gone.
    const unmerged = { thresholds: { ...SMALL, graceMs: 100, fanIn: 1000, slackBytes: 2 ** 40, slackRecords: 2 ** 40 } }
    const store = await world.open({}, where === 'young' ? unmerged : {})
    await world.fill(store)
    await world.run(store.close())
    const { young, base } = (await world.run(readNewest(world.storage)))?.manifest ?? assert.fail('no manifest')
    const segments = where === 'young' ? young : base.flatMap(range => range.segment ?? [])
    const { file, describedAt } = segments.at(-1) ?? assert.fail('no segment')
    const content = world.storage.disk.lookup(file) ?? assert.fail('no file')
    const filterAt = describedAt + FRAME_HEADER_BYTES + content.cache.view().readUInt32LE(describedAt + 12)
    content.flip(filterAt + FRAME_HEADER_BYTES, 3)
    const again = await world.open({}, unmerged)
    const map = again.map<Value, number>('map')
    // Folded, and followed with the segment in it.
    for (let at = 0; at < 500; at++) map.set(at, value(at, 1))
    await world.run(again.checkpoint())
    await world.rest()
    for (let at = 0; at < ENTRIES; at++) assert.deepEqual(map.get(at), value(at, at < 500 ? 1 : 0))
    await world.rest()
    assert.match(memory(again).lastError ?? '', new RegExp(`${file} is damaged`))
    assert.ok(memory(again).liveBytes <= BOUND, `read: ${memory(again).liveBytes}`)
    for (let round = 2; round < 5; round++) {
      for (let at = 0; at < ENTRIES; at++) map.set(at, value(at, round))
      await world.run(again.checkpoint())
      await world.rest(20_000)
      assert.ok(memory(again).liveBytes <= BOUND, `round ${round}: ${memory(again).liveBytes}`)
    }
    for (let at = 0; at < ENTRIES; at++) assert.deepEqual(map.get(at), value(at, 4))
    await world.run(again.close())
  })
}

test('entries stay while what describes their segments cannot be read, and nobody is told of it but who asks for one', async () => {
  const world = new World()
  const store = await world.open()
  await world.fill(store)
  await world.run(store.close())
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  const again = await world.open({ budget: { memoryBytesMax: 0 } })
  const map = again.map<Value, number>('map')
  assert.throws(() => map.get(7), { code: 'TIDEMARK_STORAGE' })
  heal()
  assert.deepEqual(map.get(8), value(8))
  const healLater = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  await world.rest(1000)
  healLater()
  assert.deepEqual(
    [8, 7].map(at => map.get(at)),
    [value(8), value(7)],
  )
  await world.run(again.close())
})

test('a close at any moment of a fold, a merge and an exchange loses nothing and leaves nothing open', async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const world = new World(seed)
    const store = await world.open()
    const map = await world.fill(store)
    for (let at = 0; at < 1500; at++) map.set(at, value(at, seed))
    await world.run(store.checkpoint())
    await world.rest(seed * 7)
    // Looks and leavings that are under way when the end comes.
    for (let at = 0; at < ENTRIES; at += 40) assert.deepEqual(map.get(at), value(at, at < 1500 ? seed : 0))
    await world.run(store.close())
    assert.equal(world.storage.openFiles, 0, `seed ${seed}`)
    const again = await world.open({ readOnly: true })
    const found = again.map<Value, number>('map')
    for (let at = 0; at < ENTRIES; at++) assert.deepEqual(found.get(at), value(at, at < 1500 ? seed : 0))
    assert.ok(memory(again).evicted > 0, 'a reader keeps to the bound too')
    await world.run(again.close())
  }
})

test('what is dropped, emptied and rolled back counts no more, and what follows counts', async () => {
  const world = new World()
  const store = await world.open({ budget: { memoryBytesMax: 10_000_000 } })
  const map = await world.fill(store)
  const other = store.map<Value, number>('other')
  for (let at = 0; at < ENTRIES; at++) other.set(at, value(at))
  await world.run(store.checkpoint())
  await world.rest()
  const both = memory(store).liveBytes
  store.delete('other')
  await world.rest()
  const one = memory(store).liveBytes
  assert.ok(one < both * 0.7, `${both} -> ${one}`)
  assert.throws(() =>
    store.transaction(() => {
      map.clear()
      map.set(1, value(1, 9))
      throw new Error('taken back')
    }),
  )
  assert.equal(map.size, ENTRIES)
  assert.deepEqual(map.get(1), value(1))
  map.clear()
  await world.rest()
  assert.ok(memory(store).liveBytes < one * 0.1, `${one} -> ${memory(store).liveBytes}`)
  const third = await world.fill(store, 3)
  await world.run(store.checkpoint())
  await world.rest()
  assert.deepEqual([third.size, third.get(7)], [ENTRIES, value(7, 3)])
  await world.run(store.close())
})

test('collections that come and go in one burst count no more at once, however many they were', async () => {
  const world = new World()
  const store = await world.open({ budget: { memoryBytesMax: 64 * 1024 * 1024 } })
  await world.fill(store)
  const before = memory(store).liveBytes
  assert.ok(before > 0)
  for (let at = 0; at < 500; at++) {
    const map = store.map<number, number>('burst')
    for (let key = 0; key < 20; key++) map.set(key, key)
    assert.ok(memory(store).liveBytes > before + 100)
    store.delete('burst')
  }
  assert.ok(Math.abs(memory(store).liveBytes - before) < 100, `${before} -> ${memory(store).liveBytes}`)
  await world.run(store.close())
})

test('a thing held by the service is the same after any number of leavings, and its change counts when it is set', async () => {
  const world = new World()
  const store = await world.open()
  const map = await world.fill(store)
  const held = [3, 1500, 3999].map(at => map.get(at) as Value)
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < ENTRIES; at++) map.get(at)
    await world.rest()
    for (const one of held) assert.equal(map.get(one.at), one)
  }
  for (const one of held) {
    one.round = 77
    map.set(one.at, one)
  }
  await world.run(store.close())
  const again = await world.open()
  for (const one of held) assert.deepEqual(again.map<Value, number>('map').get(one.at), value(one.at, 77))
  await world.run(again.close())
})

test('a value that a proxy makes expensive or impossible to look at breaks nothing', async () => {
  const world = new World()
  const store = await world.open({ budget: { memoryBytesMax: 0 } })
  const map = store.map<unknown, string>('map')
  const trap = new Proxy({}, { ownKeys: () => assert.fail('looked at'), getPrototypeOf: () => assert.fail('looked at') })
  map.set('bad', trap)
  await world.rest()
  assert.equal(map.get('bad'), trap)
  map.delete('bad')
  map.set('good', 1)
  await world.run(store.close())
})

test('the bound needs entries that may stay away, and is a number of bytes', async () => {
  for (const hydrate of ['background', 'eager', undefined] as const) {
    const restore = hydrate === undefined ? {} : { hydrate }
    await failsWith('TIDEMARK_SETTINGS', () => openStore(':memory:', { restore, budget: { memoryBytesMax: 1e9 } }), {
      says: ['memoryBytesMax'],
    })
  }
  for (const memoryBytesMax of [-1, Number.NaN, '1 GB' as unknown as number]) {
    const settings: Settings = { restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax } }
    await failsWith('TIDEMARK_SETTINGS', () => openStore(':memory:', settings), { says: ['memoryBytesMax'] })
  }
  const store = await openStore(':memory:', { budget: { memoryBytesMax: Number.POSITIVE_INFINITY } })
  assert.equal(store.stats().memory, undefined)
  await store.close()
})
