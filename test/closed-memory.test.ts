/** What a closed store keeps while the service has the store and its maps: nothing of the state. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOCK_RAW_BYTES } from '../src/base/limits.ts'
import { Eviction, Untracked } from '../src/capture/index.ts'
import { RecordTable, TailTable } from '../src/image/index.ts'
import { openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import { listPoints } from '../src/restore/index.ts'
import { Segment } from '../src/segment/index.ts'
import { MemoryDisk, MemoryStorage, type OpenMode } from '../src/storage/index.ts'
import { Content } from '../src/storage/memory-storage.ts'
import { fill, SMALL, value, World } from './support/cold-world.ts'
import { alive, count, nothingLeft } from './support/kept.ts'

const WAYS: readonly Settings[] = [
  { restore: { hydrate: 'background' } },
  { restore: { hydrate: 'eager' } },
  { restore: { hydrate: 'on-demand' } },
  { restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1_000_000 } },
  { readOnly: true },
]

for (const way of WAYS) {
  test(`a store that was closed keeps no segment, no table of the tail and no entry: ${JSON.stringify(way)}`, async () => {
    const world = new World()
    const first = await world.open()
    await fill(world, first, 200)
    first.map<unknown, number>('map').set(3, 'in the tail')
    await world.run(first.close())
    const store = await world.open(way)
    const map = store.map<unknown, number>('map')
    assert.equal(map.get(3), 'in the tail')
    const entry = map.get(7)
    assert.deepEqual(entry, value(7, 1))
    await world.run(store.hydrated())
    const walks = [map.keys()]
    assert.equal(walks[0]?.next().done, false)
    assert.ok(count(Segment) > 0)
    await world.run(store.close())
    assert.throws(() => map.get(7), { code: 'TIDEMARK_CLOSED' })
    assert.throws(() => walks.pop()?.next(), { code: 'TIDEMARK_CLOSED' })
    assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
    await nothingLeft(() => Object.fromEntries([Segment, TailTable, RecordTable, Eviction].map(type => [type.name, count(type)])))
    assert.equal(store.status, 'closed')
  })
}

test('a store that was closed says that none of its entries takes memory', async () => {
  const world = new World()
  const store = await world.open({ restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1e9 } })
  await fill(world, store, 200)
  assert.ok((store.stats().memory?.liveBytes ?? 0) > 0)
  await world.run(store.close())
  assert.equal(store.stats().memory?.liveBytes, 0)
})

test('a store in memory that was closed keeps no byte of its files', async () => {
  const world = new World()
  const { scheduler } = world
  const settings: Settings = { checkpoint: { intervalMs: 0 }, restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1_000_000 } }
  const store = await world.run(openStore(':memory:', settings, { scheduler, clock: scheduler.clock, thresholds: SMALL }))
  await fill(world, store, 200, 2)
  assert.ok((await world.run(store.recoveryPoints())).length > 0)
  assert.ok(store.stats().upkeep.segments > 0)
  assert.ok(count(Content) > 0)
  await world.run(store.close())
  await nothingLeft(() => ({ files: count(Content) }))
  assert.equal(store.status, 'closed')
})

test('a list of recovery points that such a close overtakes says so, and not that files are missing', async () => {
  const world = new World()
  const disk = new MemoryDisk()
  const store = await world.open({}, { storage: new MemoryStorage(disk), fileBytesMax: 2000 })
  await fill(world, store, 100, 2)
  await world.run(store.close())
  class Overtaken extends MemoryStorage {
    opensLeft = 0

    override open(path: string, mode: OpenMode): ReturnType<MemoryStorage['open']> {
      if (--this.opensLeft === 0) this.end()
      return super.open(path, mode)
    }
  }
  const listing = (opens: number): Promise<unknown> => {
    const storage = new Overtaken(disk)
    storage.opensLeft = opens
    return listPoints(
      storage,
      () => Number.POSITIVE_INFINITY,
      () => undefined,
    )
  }
  let opens = 0
  for (let listed: unknown; listed === undefined; ) {
    listed = await listing(++opens).catch(error => void assert.equal(error.code, 'TIDEMARK_CLOSED'))
  }
  assert.ok(opens > 3, `${opens - 1} files`)
})

test('a store that was closed keeps no large buffer, and no digest of the debug mode', async t => {
  const large: WeakRef<ArrayBufferLike>[] = []
  for (const name of ['alloc', 'allocUnsafeSlow'] as const) {
    const allocate = Buffer[name]
    t.after(() => {
      Buffer[name] = allocate
    })
    // Not by a mock, which keeps what it gave.
    Buffer[name] = bytes => {
      const buffer = allocate(bytes)
      if (bytes >= BLOCK_RAW_BYTES) large.push(new WeakRef(buffer.buffer))
      return buffer
    }
  }
  const world = new World()
  const store = await world.open({ debug: { untracked: true } })
  const map = store.map<unknown, number>('map')
  for (let round = 0; round < 2; round++) await fill(world, store, 50)
  assert.equal(store.stats().collections['map']?.redundant.records, 50)
  map.set(50, new Map([['text', 'x'.repeat(2 * BLOCK_RAW_BYTES)]]))
  // Its bytes are kept for a rollback.
  store.transaction(() => void map.get(50))
  map.delete(50)
  assert.ok(large.length >= 3, 'what was remembered, what is sent, what is put back')
  await world.run(store.close())
  await nothingLeft(() => ({ digests: count(Untracked), large: alive(large) }))
  assert.equal(store.status, 'closed')
  assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
})
