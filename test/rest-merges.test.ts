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

/** A store whose base is one segment, which holds much of 'big' and little of others; gives that segment. */
async function filled(world: SimulatedStore): Promise<string> {
  world.thresholds = LIMITS
  const store = await world.open()
  for (const name of ['first', 'gone', 'big', 'last'])
    for (let at = 0; at < (name === 'big' ? 1000 : 10); at++) store.map<string>(name).set(`${at}`, TEXT)
  await world.checkpoint()
  await world.pass(60_000)
  const { young, base } = await manifestOf(world)
  assert.deepEqual([young.length, base.length], [0, 1])
  return base[0]?.segment?.file as string
}

/** A merge is being decided: what the segment of the base holds of a collection that is gone is read, and that takes `slowMs`. */
async function deciding(slowMs: number) {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  const mixed = await filled(world)
  const { store, storage, scheduler } = world
  const fill = (name: string, count: number): void => {
    for (let at = 0; at < count; at++) store.map<string>(name).set(`${at}`, TEXT)
  }
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

test('a collection gives its space back though the device was away when it was asked what there is of it, at rest, too', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  const mixed = await filled(world)
  const back = world.storage.inject({ operation: 'open', errno: 'ESTALE', path: mixed })
  world.store.delete('big')
  await world.checkpoint()
  await world.pass(60_000)
  back()
  const bytes = async (): Promise<number> => (await manifestOf(world)).base.reduce((sum, { segment }) => sum + (segment?.bytes ?? 0), 0)
  const [fold, before] = [world.store.stats().upkeep.foldedEpoch, await bytes()]
  assert.ok(fold === world.store.stats().epoch && before > 300_000, `${before} bytes`)
  await world.pass(HOUR_MS)
  const after = await bytes()
  assert.ok(after < 20_000, `${after} bytes`)
  assert.equal(world.store.stats().upkeep.foldedEpoch, fold)
  await world.crash()
  assert.equal(world.store.map('big').size, 0)
  for (const name of ['first', 'gone', 'last']) for (let at = 0; at < 10; at++) assert.equal(world.store.map(name).get(`${at}`), TEXT)
  await world.close()
})

test('nor do runs of seconds leave it to each other for ever, though none of them lives as long as such a merge takes', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
  await filled(world)
  world.store.delete('big')
  await world.close()
  world.thresholds = { ...LIMITS, paced: true }
  const sizes: number[] = []
  for (let run = 0; run < 3; run++) {
    await world.open()
    await world.pass(3000)
    const { base } = await manifestOf(world)
    sizes.push(base.reduce((sum, { segment }) => sum + (segment?.bytes ?? 0), 0))
    await world.close()
  }
  assert.ok((sizes[0] ?? 0) > 300_000, `${sizes}: the merge takes longer than a run`)
  assert.ok((sizes[1] ?? 0) < 20_000, `${sizes}`)
  await world.open()
  for (const name of ['first', 'gone', 'last']) for (let at = 0; at < 10; at++) assert.equal(world.store.map(name).get(`${at}`), TEXT)
  await world.close()
})
