/** The order of hydration: what the last run touched comes home first, whatever merges made of the blocks since; and what a bad file costs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../src/base/bytes.ts'
import { encodeKeyInto } from '../src/codec/index.ts'
import { ORDER_FOLDER } from '../src/format/index.ts'
import { openSegments } from '../src/image/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import { MemoryDisk, MemoryStorage, type Storage, type StorageFile } from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { SimulatedScheduler } from '../src/testing/index.ts'

const ENTRIES = 3000
const MIB = 2 ** 20
/** A few merges of some megabytes, of each kind. */
const THRESHOLDS = {
  bytes: MIB,
  fanIn: 2,
  fewTimes: 0.5,
  smallestBytes: MIB,
  youngBytesMax: 4 * MIB,
  slackBytes: 2 * MIB,
  baseBytes: 3 * MIB,
  graceMs: 100,
}
/** Two stretches, far from the beginning. */
const HOT = [...Array(40).keys()].flatMap(at => [1900 + at, 2700 + at])

const value = (at: number, round: number) => ({ at, round, text: `${at} `.repeat(800) })

function encoded(key: number): Uint8Array {
  const writer = new ByteWriter(16)
  encodeKeyInto(writer, key)
  return writer.view()
}

interface Read {
  readonly file: string
  readonly offset: number
  readonly end: number
}

class World {
  readonly disk = new MemoryDisk()
  readonly scheduler = new SimulatedScheduler({ seed: 3 })
  /** What was read of segments without holding the turn, since the last opening. */
  reads: Read[] = []

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  async open(hydrate: 'background' | 'on-demand' = 'background'): Promise<Store> {
    this.reads = []
    const { scheduler } = this
    return await this.run(
      openStore(
        'memory',
        { checkpoint: { intervalMs: 0 }, compression: 'none', restore: { hydrate } },
        { storage: this.#watched(), scheduler, clock: scheduler.clock, writer: 'inline', thresholds: THRESHOLDS },
      ),
    )
  }

  async write(store: Store, from: number, to: number, round: number): Promise<void> {
    const map = store.map<unknown, number>('map')
    for (let at = from; at < to; at++) map.set(at, value(at, round))
    await this.run(store.checkpoint())
    await this.run(this.scheduler.sleep(5000))
  }

  #watched(): Storage {
    const storage = new MemoryStorage(this.disk)
    const open = storage.open.bind(storage)
    storage.open = async (path, mode) => {
      const file = await open(path, mode)
      if (path.startsWith('segment/') && mode === 'read') this.#watch(path, file)
      return file
    }
    return storage
  }

  #watch(path: string, file: StorageFile): void {
    const read = file.read.bind(file)
    file.read = (offset, length) => {
      this.reads.push({ file: path, offset, end: offset + length })
      return read(offset, length)
    }
  }

  /** Hydrates, and gives the share of the stored bytes that was read before all of `keys` were home. */
  async readUntilHome(keys: readonly number[]): Promise<number> {
    const storage = new MemoryStorage(this.disk)
    // As the restart finds them: merges go on while it runs.
    const found = await this.run(readNewest(storage))
    assert.ok(found !== undefined)
    const id = found.manifest.fold?.catalogue[0]?.id as number
    const { segments } = await this.run(openSegments(storage, found.manifest))
    const store = await this.open()
    await this.run(store.hydrated())
    // A walk over everything, which is no touch.
    assert.deepEqual(new Map(store.map<unknown, number>('map')).get(HOT[0] as number), value(HOT[0] as number, 1))
    const reads = this.reads
    let needed = 0
    let total = 0
    for (const segment of segments) {
      await this.run(segment.describe())
      total += segment.entry.describedAt
      for (const at of keys) {
        const block = segment.blockOf({ collection: id, key: encoded(at), cut: false })
        if (block < 0) continue
        const { offset, length } = segment.storedRange(block)
        const when = reads.findIndex(read => read.file === segment.entry.file && read.offset <= offset && read.end >= offset + length)
        assert.ok(when >= 0, `${segment.entry.file}, block ${block} was never read`)
        needed = Math.max(needed, when)
      }
      await this.run(segment.close())
    }
    const described = new Map(segments.map(({ entry }) => [entry.file, entry.describedAt]))
    const bytes = reads
      .slice(0, needed + 1)
      .reduce((sum, { file, offset, end }) => sum + (offset < (described.get(file) ?? 0) ? end - offset : 0), 0)
    // Nothing was touched, so the next restart has the same order.
    await this.run(store.close())
    return bytes / total
  }

  orders(): string[] {
    return [...this.disk.files.keys()].filter(name => name.startsWith(`${ORDER_FOLDER}/`))
  }
}

/** Everything written once; then a run that reads what is hot, and rewrites more than half of the rest, so that merges make new blocks of all. */
async function hotWorld(): Promise<World> {
  const world = new World()
  const first = await world.open()
  for (let from = 0; from < ENTRIES; from += 500) await world.write(first, from, from + 500, 1)
  await world.run(first.close())
  const second = await world.open()
  const map = second.map<unknown, number>('map')
  for (let round = 0; round < 10; round++) for (const at of HOT) map.get(at)
  const { merges } = second.stats().upkeep
  for (let from = 0; from < 1750; from += 250) await world.write(second, from, from + 250, 2)
  // Upkeep comes to rest: what is read of segments later is read by hydration.
  await world.run(world.scheduler.sleep(120_000))
  assert.ok(second.stats().upkeep.merges > merges, 'blocks were written again')
  await world.run(second.close())
  return world
}

test('what the last run touched comes home first, through merges', async () => {
  const world = await hotWorld()
  assert.equal(world.orders().length, 1)
  const withOrder = await world.readUntilHome(HOT)
  assert.ok(withOrder < 0.25, `${withOrder} of the bytes read before what is hot was home`)
  for (const name of world.orders()) world.disk.files.delete(name)
  const without = await world.readUntilHome(HOT)
  assert.ok(without > 0.6, `without an order it was ${without}`)
})

test('a file that is damaged, empty or of another kind costs the order and nothing else', async () => {
  const world = await hotWorld()
  const name = world.orders()[0] as string
  const storage = new MemoryStorage(world.disk)
  const file = await storage.open(name, 'read')
  const bytes = await file.read(0, 1_000_000)
  await file.close()
  const flipped = Buffer.from(bytes)
  flipped[40] = (flipped[40] as number) ^ 1
  for (const bad of [Buffer.alloc(0), bytes.subarray(0, 30), flipped, Buffer.from('no order at all'), Buffer.alloc(1_000_000, 1)]) {
    await storage.remove(name)
    await storage.createIfAbsent(name, bad)
    assert.ok((await world.readUntilHome(HOT)) > 0.6)
  }
  await storage.remove(name)
  await storage.createIfAbsent(name, bytes)
  await storage.createIfAbsent('order/ffffffff-00000001.order', Buffer.from('of a later writer, damaged'))
  assert.ok((await world.readUntilHome(HOT)) < 0.25, 'the one before it is taken')
  assert.ok(world.orders().includes('order/ffffffff-00000001.order'), 'files of later writers stay')
})

test('an order is written while the store runs, at most once a minute, and older ones go', async () => {
  const world = await hotWorld()
  const before = world.orders()
  const store = await world.open()
  const map = store.map<unknown, number>('map')
  for (let at = 0; at < 300; at++) map.get(at)
  await world.write(store, 0, 1, 3)
  const [during] = world.orders()
  assert.equal(world.orders().length, 1)
  assert.notEqual(during, before[0])
  for (let at = 0; at < 300; at++) map.get(at)
  for (let round = 0; round < 5; round++) await world.write(store, 0, 1, round)
  assert.deepEqual(world.orders(), [during])
  await world.run(world.scheduler.sleep(60_000))
  for (let at = 0; at < 300; at++) map.get(at)
  await world.write(store, 0, 1, 9)
  assert.equal(world.orders().length, 1)
  assert.notEqual(world.orders()[0], during)
  await world.run(store.close())
})

for (const hydrate of ['on-demand', 'background'] as const) {
  test(`a run that was short, or brought nothing home, takes the order over from the one before (${hydrate})`, async () => {
    const world = await hotWorld()
    const [before] = world.orders()
    const store = await world.open(hydrate)
    store.map<unknown, number>('map').get(0)
    await world.run(store.close())
    assert.notEqual(world.orders()[0], before)
    const withOrder = await world.readUntilHome(HOT)
    assert.ok(withOrder < 0.25, `${withOrder} of the bytes read before what is hot was home`)
  })
}

test('an older order that cannot be removed keeps no other', async () => {
  const world = new World()
  const first = await world.open()
  await world.write(first, 0, 500, 1)
  first.map<unknown, number>('map').get(0)
  await world.run(first.close())
  const { files } = world.disk
  const remove = files.delete.bind(files)
  let stuck: string | undefined
  files.delete = name => {
    if (name === stuck) throw new Error('no')
    return remove(name)
  }
  for (let run = 0; run < 4; run++) {
    const store = await world.open('on-demand')
    store.map<unknown, number>('map').get(0)
    await world.run(store.close())
    stuck ??= world.orders()[0]
  }
  const left = world.orders()
  assert.equal(left.length, 2, `${left}`)
  assert.equal(left[0], stuck)
})

test('a disk that fails the order fails nothing else', async () => {
  const world = await hotWorld()
  const store = await world.open()
  const { files } = world.disk
  const set = files.set.bind(files)
  files.set = (name, content) => {
    if (name.startsWith(ORDER_FOLDER)) throw new Error('no')
    return set(name, content)
  }
  const map = store.map<unknown, number>('map')
  for (let at = 0; at < 500; at++) map.get(at)
  await world.write(store, 0, 10, 3)
  assert.equal(store.status, 'ok')
  await world.run(store.close())
})

test('an order that could not be written is written by the close, though nothing was touched since', async () => {
  const world = await hotWorld()
  const [before] = world.orders()
  const store = await world.open('on-demand')
  const { files } = world.disk
  const set = files.set.bind(files)
  let tries = 0
  files.set = (name, content) => {
    if (name.startsWith(ORDER_FOLDER) && tries++ === 0) throw new Error('no')
    return set(name, content)
  }
  const map = store.map<unknown, number>('map')
  for (let round = 0; round < 5; round++) for (const at of HOT) map.get(at)
  await world.write(store, 0, 10, 3)
  assert.equal(tries, 1)
  assert.deepEqual(world.orders(), [before])
  await world.run(store.close())
  assert.equal(world.orders().length, 1)
  assert.notEqual(world.orders()[0], before)
})

test('a window of notes ends, whatever the keys; who walks over everything touches nothing', async () => {
  const world = await hotWorld()
  const store = await world.open('on-demand')
  const map = store.map<unknown, string | number | bigint>('map')
  for (const odd of [{}, null, undefined, Symbol('a'), 1n << 600_000n, 'ä'.repeat(100_000)]) map.get(odd as never)
  let count = 0
  for (const [, one] of map) count += one === undefined ? 0 : 1
  assert.equal(count, ENTRIES)
  for (let round = 0; round < 5; round++) for (const at of HOT) map.get(at)
  map.set('k'.repeat(1000), 1)
  await world.run(store.close())
  assert.ok((await world.readUntilHome(HOT)) < 0.25)
})
