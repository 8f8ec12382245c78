/** What a fold makes due while a merge is being decided is merged all the same, though the store rests after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Manifest, SEGMENT_FOLDER } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const HOUR_MS = 3_600_000
const TEXT = 'some text, so that it takes space '.repeat(10)
const LIMITS = { records: 100, slackBytes: 100_000, slackRecords: 1_000_000, fewTimes: 1, graceMs: 100, paced: false }

async function manifestOf(world: SimulatedStore): Promise<Manifest> {
  return (await world.run(readNewest(world.storage)))?.manifest as Manifest
}

/** A merge is being decided: what the segment of the base holds of a collection that is gone is read, and that takes `slowMs`. */
async function deciding(slowMs: number) {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = LIMITS
  const store = await world.open()
  const fill = (name: string, count: number): void => {
    for (let at = 0; at < count; at++) store.map<string>(name).set(`${at}`, TEXT)
  }
  for (const name of ['first', 'gone', 'last']) fill(name, 10)
  fill('big', 1000)
  await world.checkpoint()
  await world.pass(60_000)
  const { young, base } = await manifestOf(world)
  assert.deepEqual([young.length, base.length], [0, 1])
  const mixed = base[0]?.segment?.file as string
  const { storage, scheduler } = world
  const open = storage.open.bind(storage)
  const reads: number[] = []
  storage.open = async (path, mode) => {
    if (path === mixed && mode === 'read') {
      reads.push(scheduler.clock.monotonic())
      await scheduler.sleep(slowMs)
    }
    return await open(path, mode)
  }
  store.delete('gone')
  fill('dropped', 150)
  await world.checkpoint()
  for (let ms = 0; ms < 1000 && reads.length === 0; ms++) await world.pass(1)
  const { young: folded } = await manifestOf(world)
  assert.deepEqual([reads.length, folded.length], [1, 1])
  return { world, store, fill, reads }
}

test('a collection that is dropped while a merge is being decided gives its space back, though the store rests then', async () => {
  const { world, store, fill, reads } = await deciding(60_000)
  store.delete('dropped')
  fill('other', 150)
  await world.checkpoint()
  await world.pass(30_000)
  const during = await manifestOf(world)
  assert.deepEqual([reads.length, during.fold?.epoch, during.young.length], [1, store.stats().epoch, 2])
  await world.pass(HOUR_MS)
  const after = await manifestOf(world)
  assert.equal(after.young.length, 1)
  const files = [...after.young, ...after.base.flatMap(range => range.segment ?? [])].map(({ file }) => file)
  const found = await world.run(world.storage.list(SEGMENT_FOLDER))
  assert.deepEqual(found.map(name => `${SEGMENT_FOLDER}/${name}`).sort(), files.sort())
  await world.close()
})

test('nor does a run that ends while a merge is being decided leave it to the next', async () => {
  const { world, store, reads } = await deciding(1000)
  store.delete('dropped')
  const before = world.clock.monotonic()
  await world.close()
  assert.deepEqual([reads.length, world.clock.monotonic() >= before + 500], [1, true])
  const { young, fold } = await manifestOf(world)
  assert.deepEqual([fold?.epoch, young.length], [store.stats().epoch, 0])
})
