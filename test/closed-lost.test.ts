/** A close that could not make everything durable, and a map that was deleted: what was in them is let go of, though somebody keeps the store and its map. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CapturePart } from '../src/capture/capture-part.ts'
import type { TidemarkMap } from '../src/capture/index.ts'
import { Journal } from '../src/capture/journal.ts'
import type { Codec } from '../src/codec/index.ts'
import type { Storage, StorageFile } from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { World } from './support/cold-world.ts'
import { alive, count, nothingLeft } from './support/kept.ts'

const COUNT = 200

/** Nothing else in this process is one. */
class Thing {
  readonly at: number

  constructor(at: number) {
    this.at = at
  }
}

const codec: Codec<Thing> = {
  name: 'thing',
  encode: thing => Buffer.from(String(thing.at)),
  decode: bytes => new Thing(Number(Buffer.from(bytes).toString())),
}

/** All that ever listed a key. */
const journals: WeakRef<Journal>[] = []
const { push } = Journal.prototype
Journal.prototype.push = function (key) {
  journals.push(new WeakRef(this))
  push.call(this, key)
}

/** Some changes wait because nobody thought them significant, some were made since the last barrier. */
async function changed(world: World, storage: Storage): Promise<{ store: Store; map: TidemarkMap<number, Thing> }> {
  const store = await world.open({}, { storage })
  const map = store.map<Thing, number>('map', { codec, significant: (_, next) => next.at > 1000 })
  for (let at = 0; at < COUNT; at++) map.set(at, new Thing(at))
  await world.run(store.checkpoint())
  await world.rest()
  for (let at = 0; at < COUNT; at++) map.set(at, new Thing(at + (at % 2 === 0 ? 2000 : 1)))
  for (let at = 0; at < COUNT / 4; at++) map.delete(at)
  for (let at = COUNT; at < 2 * COUNT; at++) map.set(at, new Thing(at))
  return { store, map }
}

async function keepsNothing(world: World, store: Store, map: TidemarkMap<number, Thing>, code: string): Promise<void> {
  assert.ok(count(Thing) > COUNT)
  await assert.rejects(world.run(store.close({ timeoutMs: 100 })), { code })
  assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
  assert.throws(() => map.set(1, new Thing(1)), { code: 'TIDEMARK_CLOSED' })
  assert.ok(journals.length > COUNT)
  await nothingLeft(() => ({ things: count(Thing), parts: count(CapturePart), journals: alive(journals) }))
}

test('after a close that ended while an epoch was under way', async () => {
  const world = new World()
  const hung: (() => void)[] = []
  let hangs = false
  const { store, map } = await changed(
    world,
    hanging(world.storage, path => hangs && path.startsWith('log/') && hung),
  )
  hangs = true
  store.checkpoint().catch(() => {})
  await world.rest(50)
  for (let at = COUNT; at < 2 * COUNT; at++) map.set(at, new Thing(at + 2000))
  await keepsNothing(world, store, map, 'TIDEMARK_TIMEOUT')
  assert.ok(hung.length > 0)
})

test('after a close on a full disk', async () => {
  const world = new World()
  const { store, map } = await changed(world, world.storage)
  world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  await assert.rejects(world.run(store.durable({ timeoutMs: 500 })), { code: 'TIDEMARK_TIMEOUT' })
  assert.equal(store.status, 'degraded')
  await keepsNothing(world, store, map, 'TIDEMARK_TIMEOUT')
})

test('after the close of an engine that had stopped', async () => {
  const world = new World()
  const { store, map } = await changed(world, world.storage)
  await world.run((await world.open()).close())
  await assert.rejects(world.run(store.checkpoint()), { code: 'TIDEMARK_FENCED' })
  assert.equal(store.status, 'failed')
  await keepsNothing(world, store, map, 'TIDEMARK_FENCED')
})

test('after a map was deleted, once a barrier has fallen', async () => {
  const world = new World()
  const { store, map } = await changed(world, world.storage)
  store.delete('map')
  await world.run(store.checkpoint())
  assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
  await nothingLeft(() => ({ things: count(Thing), parts: count(CapturePart), journals: alive(journals) }))
  await world.run(store.close())
  assert.throws(() => map.set(1, new Thing(1)), { code: 'TIDEMARK_CLOSED' })
})

test('after maps were deleted, though no barrier falls', async () => {
  const world = new World()
  const store = await world.open()
  for (let barriers = 0; barriers < 3; barriers++) {
    await world.rest(100)
    store.map('other').set('key', barriers)
    await world.run(store.checkpoint())
  }
  for (let maps = 0; maps < 5; maps++) {
    const map = store.map<Thing, number>(`map ${maps}`, { codec })
    for (let at = 0; at < 2 * COUNT; at++) map.set(at % COUNT, new Thing(at))
    // The drain looks at them, and nothing is cold yet.
    await world.rest(7)
    store.delete(`map ${maps}`)
  }
  await world.rest(100)
  await nothingLeft(() => ({ things: count(Thing), journals: alive(journals) }))
  assert.equal(store.stats().checkpoints, 3)
  await world.run(store.close())
})

for (const how of ['emptied', 'deleted']) {
  test(`a map that is ${how} while the storage hangs: its values are not kept for the epoch under way, which has them`, async () => {
    const world = new World()
    const hung: (() => void)[] = []
    let hangs = false
    const { store, map } = await changed(
      world,
      hanging(world.storage, path => hangs && path.startsWith('log/') && hung),
    )
    store.map('other').set('key', 1)
    hangs = true
    const point = store.checkpoint()
    await world.rest(50)
    assert.ok(count(Thing) > COUNT)
    if (how === 'emptied') map.clear()
    else store.delete('map')
    await nothingLeft(() => ({ things: count(Thing) }))
    hangs = false
    for (const go of hung) go()
    await world.run(point)
    await world.run(store.close())
    const again = await world.open()
    assert.equal(again.map<Thing, number>('map', { codec }).size, 0)
    await world.run(again.close())
    assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
  })
}

function hanging(storage: Storage, hangs: (path: string) => false | (() => void)[]): Storage {
  return standIn(storage, {
    open: async (path, mode) => {
      const file = await storage.open(path, mode)
      return standIn<StorageFile>(file, {
        sync: () => {
          const hung = hangs(path)
          return hung === false ? file.sync() : new Promise(resolve => hung.push(resolve))
        },
      })
    },
  })
}

/** Is that object but for these methods. */
function standIn<T extends object>(of: T, methods: Partial<T>): T {
  return new Proxy(of, {
    get: (target, name) => {
      const own = methods[name as keyof T] ?? target[name as keyof T]
      return typeof own === 'function' && !(name in methods) ? own.bind(target) : own
    },
  })
}
