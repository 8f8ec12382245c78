/** What the entries of a collection are said to take, against what each of them takes, while entries come, change and go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../src/capture/index.ts'
import { lengthen } from '../src/capture/map-chain.ts'
import type { Key } from '../src/codec/index.ts'
import { entryHeapBytes, mapHeapBytes, mapRoom } from '../src/cold/heap-size.ts'
import { Evictor } from '../src/cold/index.ts'
import { Resident } from '../src/cold/resident.ts'
import { SAMPLED_BYTES, Sample } from '../src/cold/sample.ts'
import { SimulatedScheduler } from '../src/testing/index.ts'
import { Rig } from './support/capture-rig.ts'
import { transaction } from './support/cold-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

const MIB = 2 ** 20
/** Long enough for a look at each entry that was drawn. */
const ROUND_MS = 30_000

const small = (n: number): unknown => ({ n })
const large = (n: number): unknown => ({ n, text: 'x'.repeat(10_000) })

class World {
  readonly rig = new Rig()
  readonly evictor: Evictor
  readonly scheduler = new SimulatedScheduler({ seed: 1 })
  readonly #colds = new Map<Collection, FakeCold>()

  constructor(bytesMax = Number.POSITIVE_INFINITY) {
    const { rig, scheduler } = this
    this.evictor = new Evictor({
      clock: scheduler.clock,
      scheduler,
      stallMsMax: 10,
      bytesMax,
      stalled: () => undefined,
      accessed: () => undefined,
      starved: () => undefined,
      collections: () => rig.collections,
    })
    rig.space.enters = (...entry) => this.evictor.enters(...entry)
    rig.space.changed = (...entry) => this.evictor.changed(...entry)
    rig.space.coldOf = () => ({ cold: new FakeCold([]), coldCount: 0, evicts: true })
  }

  collection(): Collection {
    const cold = new FakeCold([])
    const collection = this.rig.cold(cold, new Map(), true)
    this.#colds.set(collection, cold)
    return collection
  }

  async pass(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.clock.monotonic() + ms)
  }

  /** An epoch is committed and folded: all may leave the heap. */
  fold(): void {
    this.rig.checkpoint()
    for (const [collection, cold] of this.#colds) {
      cold.exchange(this.rig.disk.get(collection.id) as Map<Key, unknown>)
      if (collection.cold?.exchanged(this.rig.committed) === true) this.evictor.renew(collection)
    }
  }

  /** What is said of keys and values alone is within this share of what they take. */
  near(share: number): void {
    const taken = this.rig.collections.reduce((sum, { live }) => sum + taking(live), 0)
    assertNear(this.evictor.bytes, taken, share)
  }
}

function assertNear(said: number, taken: number, share: number): void {
  assert.ok(Math.abs(said - taken) <= share * taken, `said to take ${said}, and takes ${taken}`)
}

function taking(live: ReadonlyMap<Key, unknown>): number {
  let bytes = 0
  for (const [key, value] of live) bytes += entryHeapBytes(key, value)
  return bytes
}

test('the bound is kept where what is set is larger than all that was there before', async () => {
  const world = new World(MIB)
  const collection = world.collection()
  for (let n = 0; n < 4000; n++) collection.set(`k${n}`, small(n))
  world.fold()
  await world.pass(10)
  for (let batch = 0; batch < 10; batch++) {
    for (let n = 0; n < 40; n++) collection.set(`l${batch} ${n}`, large(n))
    world.fold()
    await world.pass(10)
  }
  await world.pass(2000)
  assert.ok(world.evictor.evicted > 0)
  assert.ok(taking(collection.live) < MIB, `${taking(collection.live)} bytes`)
  // Not by letting go of all there is.
  assert.ok(taking(collection.live) > MIB / 2, `${taking(collection.live)} bytes`)
  world.evictor.stop()
})

test('the bound is kept where small values are overwritten by large ones, as new objects or in place', async () => {
  for (const inPlace of [false, true]) {
    const world = new World(MIB)
    const collection = world.collection()
    for (let n = 0; n < 500; n++) collection.set(`k${n}`, small(n))
    world.fold()
    for (let n = 0; n < 500; n++) {
      const value = collection.get(`k${n}`) as object
      collection.set(`k${n}`, inPlace ? Object.assign(value, large(n)) : large(n))
    }
    await world.pass(100)
    world.near(0.05)
    world.fold()
    await world.pass(2000)
    assert.ok(taking(collection.live) < MIB, `${taking(collection.live)} bytes`)
    world.evictor.stop()
  }
})

test('with every second value large the estimate stands, and follows when the large ones are deleted', async () => {
  const world = new World()
  const collection = world.collection()
  for (let n = 0; n < 10_000; n++) collection.set(`k${n}`, n % 2 === 0 ? small(n) : large(n))
  world.near(0.25)
  await world.pass(100)
  world.near(0.05)
  const before = world.evictor.bytes
  for (let at = 0; at < 20; at++) {
    await world.pass(500)
    assert.ok(Math.abs(world.evictor.bytes - before) < before / 100, `${world.evictor.bytes} bytes after ${before}`)
  }
  for (let n = 1; n < 10_000; n += 2) collection.delete(`k${n}`)
  const left = taking(collection.live) + 300_000
  await world.pass(100)
  assert.ok(world.evictor.bytes < 2 * left, `${world.evictor.bytes} bytes`)
  world.evictor.stop()
})

test('the estimate holds in many rounds of inserts, changes and deletes', async () => {
  const world = new World()
  const collections = Array.from({ length: 16 }, () => world.collection())
  let random = 12_345
  const below = (count: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((random / 2 ** 32) * count)
  }
  for (let round = 0; round < 40; round++) {
    // What is written is of another size in each.
    const length = [100, 5000, 20, 2000][round % 4] as number
    for (const collection of collections) {
      for (let n = 0; n < 400; n++) {
        const key = `k${below(1500)}`
        if (below(3) === 0) collection.delete(key)
        else collection.set(key, 'x'.repeat(length + below(1000)))
      }
    }
    if (round % 8 === 3) collections[round % 16]?.clear()
    await world.pass(100)
    if (round > 3) world.near(0.15)
  }
  world.evictor.stop()
})

test('what is changed in place, and of which nobody is told, is seen within a round', async () => {
  const world = new World()
  const collection = world.collection()
  const values = Array.from({ length: 3000 }, (_, n) => small(n) as object)
  for (const [n, value] of values.entries()) collection.set(`k${n}`, value)
  for (const value of values) Object.assign(value, large(0))
  await world.pass(ROUND_MS)
  world.near(0.05)
  world.evictor.stop()
})

test('of a collection that lost nearly all entries the few that are left are told, and those that are put there by nobody', async () => {
  const world = new World()
  const collection = world.collection()
  for (let n = 0; n < 30_000; n++) collection.set(n, n < 100 && n % 2 === 0 ? large(n) : small(n))
  for (let n = 100; n < 30_000; n++) collection.delete(n)
  await world.pass(300)
  world.near(0.05)
  for (let n = 100; n < 1000; n++) collection.live.set(n, large(n))
  await world.pass(1000)
  world.near(0.15)
  collection.clear()
  await world.pass(100)
  assert.equal(world.evictor.bytes, 0)
  world.evictor.stop()
})

/** Half of them large, and looked at. */
async function halfLarge(world: World): Promise<Collection> {
  const collection = world.collection()
  for (let n = 0; n < 500; n++) collection.set(`s${n}`, small(n))
  for (let n = 0; n < 500; n++) collection.set(`l${n}`, large(n))
  await world.pass(100)
  world.near(0.15)
  return collection
}

test('what a rollback puts back, and what it takes back, counts as what enters and what is deleted', async () => {
  const world = new World()
  const collection = await halfLarge(world)
  const rollback = (inside: () => void): void => transaction(world.rig, inside, 'rollback')
  rollback(() => {
    for (let n = 0; n < 500; n++) collection.delete(`l${n}`)
  })
  await world.pass(100)
  world.near(0.15)
  rollback(() => {
    for (let n = 0; n < 5000; n++) collection.set(`n${n}`, large(n))
    for (let n = 0; n < 500; n += 2) {
      collection.delete(`l${n}`)
      collection.set(`l${n}`, small(n))
    }
  })
  // At once: nothing has to be looked at for it.
  collection.set('one more', 1)
  world.near(0.5)
  await world.pass(100)
  world.near(0.15)
  world.evictor.stop()
})

test('a rollback in which the stack ends behind what it puts or takes back is whole, and the sample is drawn anew', async () => {
  const world = new World()
  const collection = await halfLarge(world)
  const { space } = world.rig
  const { enters, changed } = space
  const ended = (): never => {
    throw new RangeError('Maximum call stack size exceeded')
  }
  transaction(
    world.rig,
    () => {
      for (let n = 0; n < 500; n++) collection.delete(`l${n}`)
      for (let n = 0; n < 5000; n++) collection.set(`n${n}`, small(n))
      Object.assign(space, { enters: ended, changed: ended })
    },
    'rollback',
  )
  Object.assign(space, { enters, changed })
  assert.equal(collection.live.size, 1000)
  await world.pass(200)
  world.near(0.15)
  world.evictor.stop()
})

test('entries that a clear took and a rollback brought back are all counted, whatever enters before the next look', async () => {
  for (const entering of [0, 40]) {
    const world = new World()
    const collection = world.collection()
    for (let n = 0; n < 500; n++) collection.set(`k${n}`, 'x'.repeat(100_000))
    await world.pass(100)
    const inside = (): void => {
      collection.clear()
      collection.set('x', 1)
    }
    transaction(world.rig, inside, 'rollback')
    for (let n = 0; n < entering; n++) collection.set(n, n)
    await world.pass(200)
    world.near(0.15)
    world.evictor.stop()
  }
})

/** A collection of whose entries one Resident alone is told. */
class Alone {
  readonly live: Map<Key, unknown>
  readonly resident: Resident

  constructor(count: number) {
    const collection = new Rig().cold(new FakeCold([]), new Map(), true)
    this.live = collection.live
    this.resident = new Resident(collection)
    for (let n = 0; n < count; n++) this.set(n, small(n))
    this.resident.look(16, () => false)
  }

  set(key: Key, value: unknown): void {
    const isNew = !this.live.has(key)
    this.live.set(key, value)
    if (isNew) this.resident.enters(key, value)
    else this.resident.changed(key)
  }

  delete(key: Key): void {
    this.live.delete(key)
    this.resident.changed(key)
  }

  near(share: number): void {
    assertNear(this.resident.bytes, taking(this.live), share)
  }

  /** Each has time for one step. */
  looks(count: number): void {
    for (let left = count; left > 0; left--) this.resident.look(16, () => true)
  }
}

test('where a look has time for one entry alone, what was overwritten comes first, in turn with what may have been changed in place', () => {
  const world = new Alone(100)
  world.set(99, 'x'.repeat(100_000))
  world.looks(10)
  assert.ok(world.resident.bytes > 100_000, `${world.resident.bytes} bytes`)
  Object.assign(world.live.get(50) as object, { text: 'x'.repeat(1_000_000) })
  for (let at = 0; at < 250; at++) {
    for (let n = 0; n < 10; n++) world.set(n, small(n))
    world.looks(1)
  }
  assert.ok(world.resident.bytes > 1_000_000, `${world.resident.bytes} bytes`)
})

test('what was overwritten is looked at while another sample is drawn, too', () => {
  const world = new Alone(100)
  for (let n = 100; n < 20_000; n++) world.live.set(n, small(n))
  world.looks(2)
  const { bytes } = world.resident
  world.set(99, 'x'.repeat(100_000))
  world.looks(2)
  assert.ok(world.resident.bytes > 4 * bytes, `${world.resident.bytes} bytes after ${bytes}`)
})

test('another sample is drawn for as long as there is time', () => {
  const world = new Alone(100)
  const value = large(0)
  for (let n = 100; n < 100_000; n++) world.live.set(n, value)
  world.resident.look(16, () => false)
  world.near(0.2)
})

test('a walk that draws another sample ends, and gives each the same chance, while more come and go than it passes', () => {
  const world = new Alone(100)
  const value = large(0)
  for (let n = 100; n < 20_000; n++) world.live.set(n, value)
  let next = 20_000
  let oldest = next
  for (let look = 0; look < 60; look++) {
    let asked = 0
    world.resident.look(16, () => ++asked === 64)
    for (let count = 0; count < 600; count++) world.set(next++, small(0))
    // Ahead of the walk, and behind it.
    for (let count = 0; count < 60; count++) world.delete((look * 7919 + count * 104_729) % 20_000)
    while (next - oldest > 10_000) world.delete(oldest++)
  }
  world.near(0.2)
})

test('a walk over a Map that becomes a chain meanwhile ends with a sample of all', () => {
  const world = new Alone(100)
  const value = large(0)
  for (let n = 100; n < 10_000; n++) world.live.set(n, value)
  world.looks(2)
  lengthen(world.live, 2000)
  for (let n = 10_000; n < 20_000; n++) world.set(n, small(n))
  // One has time for all of it.
  for (let at = 0; at < 2; at++) world.resident.look(16, () => false)
  world.near(0.2)
})

test('a sample that is being drawn has a bound, also where nobody told of what it meets', () => {
  for (const told of [false, true]) {
    const world = new Alone(0)
    for (let n = 0; n < 10_000; n++) world.live.set(n, n)
    world.looks(1)
    for (let n = 10_000; n < 200_000; n++) {
      if (told) world.set(n, n)
      else world.live.set(n, n)
    }
    for (let at = 0; at < 2; at++) world.resident.look(16, () => false)
    const beside = world.resident.bytes - mapHeapBytes(mapRoom(world.live.size, 0))
    assert.ok(beside < 2 * 2048 * SAMPLED_BYTES, `${beside} bytes`)
  }
})

test('what is drawn behind a walk that met enough stands for what was met until it is looked at', () => {
  const sample = new Sample(1, 0)
  const live = new Map<Key, unknown>()
  for (let n = 0; n < 200; n++) live.set(n, large(0))
  for (let n = 0; n < 100; n++) sample.meets(n, live)
  const { bytes } = sample
  for (let n = 100; n < 200; n++) sample.enters(n, live.get(n))
  assert.equal(sample.bytes, 2 * bytes)
})

test('what is drawn of very many small entries is little beside them', () => {
  const world = new World()
  const collection = world.collection()
  for (let n = 0; n < 100_000; n++) collection.set(n, n)
  const { bytes } = world.evictor
  // Their Map's table, and a key that was written each.
  assert.ok(bytes > 100_000 * (28 + 32) && bytes < 1.06 * (262_144 * 28 + 100_000 * 32), `${bytes} bytes`)
  world.evictor.stop()
})
