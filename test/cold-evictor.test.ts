/** The evictor over collections of a rig: what it remembers while nothing has to go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Eviction, treat } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { Evictor } from '../src/cold/index.ts'
import { Resident } from '../src/cold/resident.ts'
import { SimulatedScheduler } from '../src/testing/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const BOUND = 100_000
const JOBS = 20_000

const stored = (count: number): Map<Key, unknown> => new Map(numbered(count, n => ({ n, text: 'x'.repeat(100) })))

function evicting(rig: Rig, starved: () => void = () => undefined): { evictor: Evictor; pass: (ms: number) => Promise<void> } {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const evictor = new Evictor({
    clock: scheduler.clock,
    scheduler,
    stallMsMax: 10,
    bytesMax: BOUND,
    stalled: () => undefined,
    accessed: () => undefined,
    starved,
    collections: () => rig.collections,
  })
  rig.space.enters = (...entry) => evictor.enters(...entry)
  rig.space.changed = (...entry) => evictor.changed(...entry)
  return { evictor, pass: ms => scheduler.run(scheduler.clock.monotonic() + ms) }
}

test('below the bound, what comes home and is deleted is not remembered, though a hand was round before', async t => {
  const came = t.mock.method(Eviction.prototype, 'cameHome')
  const rig = new Rig()
  const [jobsStored, othersStored] = [stored(JOBS), stored(2000)]
  const jobs = rig.cold(new FakeCold(jobsStored), jobsStored, true)
  const others = rig.cold(new FakeCold(othersStored), othersStored, true)
  const { evictor, pass } = evicting(rig)
  rig.space.coldOf = () => ({ cold: new FakeCold([]), coldCount: 0, evicts: true })
  for (let at = 0; at < 200; at++) jobs.get(`k${at}`)
  // What is written stays, so all else goes.
  for (const key of othersStored.keys()) others.set(key, { n: -1, text: 'x'.repeat(100) })
  await pass(1000)
  assert.ok(evictor.bytes > BOUND)
  assert.equal(jobs.live.size, 0)
  others.clear()
  // Before anybody has looked.
  jobs.get('k200')
  await pass(1000)
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  for (let at = 200; at < JOBS; at++) {
    jobs.get(`k${at}`)
    jobs.delete(`k${at}`)
    if (at % 100 === 0) {
      rig.checkpoint()
      jobs.cold?.exchanged(rig.committed)
      await pass(200)
    }
  }
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  const eviction = came.mock.calls.find(call => call.arguments[0] === `k${JOBS - 1}`)?.this as Eviction
  assert.ok(eviction.listed < 1000, `${eviction.listed} keys`)
  evictor.stop()
})

test('a collection that was emptied leaves nothing of what it had in memory, whatever was evicted before', async () => {
  const rig = new Rig()
  const entries = stored(2000)
  const collection = rig.cold(new FakeCold(entries), entries, true)
  const { evictor, pass } = evicting(rig)
  rig.space.coldOf = () => ({ cold: new FakeCold([]), coldCount: 0, evicts: true })
  for (const key of entries.keys()) collection.get(key)
  assert.ok(evictor.evicted > 0)
  const old = new WeakRef(collection.live)
  assert.ok(collection.live.size > 0)
  collection.clear()
  await pass(5000)
  await new Promise(resolve => setImmediate(resolve))
  collect()
  assert.ok(old.deref() === undefined)
  evictor.stop()
})

test('a slice that looks at values which take long ends with the one that was looked at when its time was up', async t => {
  const rig = new Rig()
  const collection = rig.cold(new FakeCold([]), new Map(), true)
  let now = 0
  let looked = 0
  const { keys } = Object
  t.mock.method(Object, 'keys', (value: { readonly lookMs?: number }) => {
    if (value.lookMs !== undefined) {
      looked++
      now += value.lookMs
    }
    return keys(value)
  })
  for (let at = 0; at < 100; at++) collection.set(at, { lookMs: at % 2 === 0 ? 3 : 1 })
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const slices: number[] = []
  const evictor = new Evictor({
    clock: { now: () => now, monotonic: () => now },
    scheduler,
    stallMsMax: 10,
    bytesMax: BOUND,
    stalled: ms => slices.push(ms),
    accessed: () => undefined,
    starved: () => undefined,
    collections: () => rig.collections,
  })
  await scheduler.run(scheduler.clock.monotonic() + 1050)
  // A round ends in the slice behind that of its last collection.
  assert.deepEqual([slices.length, looked], [10, 10])
  assert.equal(Math.max(...slices), 4)
  evictor.stop()
})

test('insignificant changes are taken in where they keep the bound from being kept', async () => {
  const rig = new Rig()
  const entries = stored(2000)
  const cold = new FakeCold(entries)
  const collection = rig.cold(cold, entries, true)
  treat(collection, { significant: () => false })
  let starved = 0
  const { evictor, pass } = evicting(rig, () => starved++)
  const touch = (key: Key): void => collection.set(key, { ...(collection.get(key) as object), n: -1 })
  for (let at = 0; at < 100; at++) touch(`k${at}`)
  await pass(5000)
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  assert.equal(collection.significance?.size, 100)
  assert.equal(collection.dirty, false)
  assert.equal(starved, 0)
  for (const key of entries.keys()) touch(key)
  await pass(5000)
  assert.ok(evictor.bytes > BOUND && starved > 0)
  assert.equal(collection.dirty, true)
  rig.checkpoint()
  cold.exchange(rig.disk.get(collection.id) as Map<Key, unknown>)
  collection.cold?.exchanged(rig.committed)
  evictor.renew(collection)
  await pass(1000)
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  assert.equal((collection.get('k7') as { n: number }).n, -1)
  evictor.stop()
})

test('what insignificant changes are compared with counts for the bound, until the stored state has followed', async () => {
  const rig = new Rig()
  const entries = stored(5000)
  const cold = new FakeCold(entries)
  const collection = rig.cold(cold, entries, true)
  treat(collection, { significant: () => false })
  const resident = new Resident(collection)
  for (const key of entries.keys()) resident.enters(key, collection.get(key))
  const alone = resident.bytes
  for (const key of entries.keys()) collection.set(key, { ...(collection.get(key) as object), n: -1 })
  const twice = alone + 5000 * 150
  assert.ok(resident.bytes > twice, `${resident.bytes} bytes, ${alone} before`)
  collection.takeIn()
  assert.equal(collection.significance?.size, 0)
  assert.ok(resident.bytes > twice, `${resident.bytes} bytes, ${alone} before`)
  rig.checkpoint()
  cold.exchange(rig.disk.get(collection.id) as Map<Key, unknown>)
  collection.cold?.exchanged(rig.committed)
  assert.ok(resident.bytes < twice, `${resident.bytes} bytes, ${alone} before`)
})

test('insignificant changes are taken in, too, where only what they are compared with exceeds the bound', async () => {
  const rig = new Rig()
  const entries = stored(2000)
  const collection = rig.cold(new FakeCold(entries), entries, true)
  treat(collection, { significant: () => false })
  let starved = 0
  const { evictor, pass } = evicting(rig, () => starved++)
  for (let at = 0; at < 250; at++) collection.set(`k${at}`, { ...(collection.get(`k${at}`) as object), n: -1 })
  await pass(2000)
  assert.ok(starved > 0)
  assert.equal(collection.significance?.size, 0)
  assert.equal(collection.dirty, true)
  evictor.stop()
})

test('insignificant changes of very many collections are taken in a slice after the other', async () => {
  const rig = new Rig()
  const entries = stored(2000)
  const collection = rig.cold(new FakeCold(entries), entries, true)
  for (const key of entries.keys()) collection.set(key, { n: -1, text: 'x'.repeat(100) })
  for (let n = 0; n < 30; n++) rig.collection([['k', 1]])
  const last = rig.cold(new FakeCold([['k', 1]]), new Map([['k', 1]]), true)
  treat(last, { significant: () => false })
  last.get('k')
  last.set('k', 2)
  let now = 0
  const slices: number[] = []
  const starved: (number | undefined)[] = []
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const evictor = new Evictor({
    clock: { now: () => now, monotonic: () => now },
    scheduler,
    stallMsMax: 10,
    bytesMax: BOUND,
    stalled: ms => slices.push(ms),
    accessed: () => undefined,
    starved: () => starved.push(last.significance?.size),
    *collections() {
      for (const one of rig.collections) {
        now++
        yield one
      }
    },
  })
  assert.equal(last.significance?.size, 1)
  await scheduler.run(scheduler.clock.monotonic() + 2000)
  assert.ok(evictor.bytes > BOUND)
  assert.deepEqual(starved, [0])
  assert.ok(Math.max(...slices) <= 4, `${Math.max(...slices)} ms`)
  evictor.stop()
})

test('collections of which nothing is in the heap take nothing of the bound, however many there are', async () => {
  const rig = new Rig()
  const entries = stored(2000)
  const first = rig.cold(new FakeCold(entries), entries, true)
  for (let n = 0; n < 1000; n++) rig.cold(new FakeCold([['k', 1]]), new Map([['k', 1]]), true)
  let starved = 0
  const { evictor, pass } = evicting(rig, () => starved++)
  await pass(5000)
  assert.equal(evictor.bytes, 0)
  for (let at = 0; at < 200; at++) first.get(`k${at}`)
  await pass(5000)
  assert.equal(first.live.size, 200)
  for (let at = 200; at < 2000; at++) first.get(`k${at}`)
  await pass(5000)
  assert.ok(evictor.bytes > 0 && evictor.bytes < BOUND)
  assert.equal(starved, 0)
  evictor.stop()
})
