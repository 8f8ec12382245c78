/** What is deleted as a whole gives its space back, though nothing is written after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNewest } from '../src/manifest/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const HOUR_MS = 3_600_000
const TEXT = 'some text, so that it takes space '.repeat(10)

async function segmentBytes(world: SimulatedStore): Promise<number> {
  let bytes = 0
  for (const name of await world.run(world.storage.list('segment'))) bytes += await world.run(world.storage.size(`segment/${name}`))
  return bytes
}

async function filled(thresholds: SimulatedStore['thresholds']): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = thresholds
  const store = await world.open()
  const big = store.map<string>('big')
  for (let at = 0; at < 1000; at++) big.set(`${at}`, TEXT)
  await world.checkpoint()
  await world.pass(60_000)
  assert.ok((await segmentBytes(world)) > 300_000)
  return world
}

const SOON = { records: 100, slackBytes: 1, slackRecords: 1, graceMs: 100, paced: false }
const YOUNG = { records: 100, graceMs: 100 }
const BY_SIZE = { records: 100, slackBytes: 100_000, slackRecords: 1_000_000, fewTimes: 1, graceMs: 100 }

for (const how of ['deleted', 'cleared']) {
  for (const [where, thresholds] of [
    ['the base', SOON],
    ['young segments', YOUNG],
  ] as const) {
    test(`the files of a collection that was ${how}, in ${where}, go while the store rests`, async () => {
      const world = await filled(thresholds)
      const { store } = world
      if (how === 'deleted') store.delete('big')
      else store.map('big').clear()
      await world.checkpoint()
      await world.pass(HOUR_MS)
      assert.equal(await segmentBytes(world), 0)
      const { folds } = store.stats().upkeep
      await world.pass(HOUR_MS)
      assert.equal(store.stats().upkeep.folds, folds, 'a store at rest folds nothing')
      await world.crash()
      assert.equal(world.store.map('big').size, 0)
      await world.close()
    })
  }
}

for (const how of ['deleted', 'cleared']) {
  test(`collections that were ${how} give their space back where others, which live, share their files`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
    world.thresholds = SOON
    const store = await world.open()
    for (let id = 0; id < 100; id++) for (let at = 0; at < 10; at++) store.map<string>(`c${id}`).set(`${at}`, TEXT)
    await world.checkpoint()
    await world.pass(60_000)
    const whole = await segmentBytes(world)
    for (let id = 1; id < 99; id++) {
      if (how === 'deleted') store.delete(`c${id}`)
      else store.map(`c${id}`).clear()
    }
    await world.checkpoint()
    await world.pass(HOUR_MS)
    const bytes = await segmentBytes(world)
    assert.ok(bytes < whole / 10, `${bytes} of ${whole} bytes`)
    const { merges } = store.stats().upkeep
    store.map<string>('other').set('key', TEXT)
    await world.checkpoint()
    await world.pass(HOUR_MS)
    await world.crash()
    await world.pass(HOUR_MS)
    assert.ok(merges + world.store.stats().upkeep.merges < 10, 'what was written anew is let be')
    for (let id = 0; id < 100; id++) {
      const map = world.store.map<string>(`c${id}`)
      assert.equal(map.size, id % 99 === 0 ? 10 : 0)
      assert.equal(map.get('9'), id % 99 === 0 ? TEXT : undefined)
    }
    await world.close()
  })
}

test('collections that come and go with each epoch are no reason to fold each epoch', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  const store = await world.open()
  for (let at = 0; at < 120; at++) {
    store.map<string>(`of ${at}`).set('key', TEXT)
    if (at > 0) store.delete(`of ${at - 1}`)
    await world.checkpoint()
    await world.pass(1000)
  }
  const { folds } = store.stats().upkeep
  assert.ok(folds <= 5, `${folds} folds`)
  await world.close()
})

for (const failing of [false, true]) {
  test(`the files of a collection that was deleted while a fold was under way go${failing ? ', though its manifest was there and not known to be' : ''}`, async () => {
    // With the usual grace a fold is tried again before the collector looks.
    const world = await filled({ records: 100 })
    const { store } = world
    for (let at = 0; at < 150; at++) store.map<string>('other').set(`${at}`, TEXT)
    await world.checkpoint()
    const { folds } = store.stats().upkeep
    await world.pass(300)
    store.delete('big')
    const { epoch } = await world.checkpoint()
    assert.equal(store.stats().upkeep.folds, folds, 'it is still under way')
    if (failing) world.storage.inject({ operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 1 })
    await world.pass(HOUR_MS)
    const { failures, foldedEpoch } = store.stats().upkeep
    assert.deepEqual([failures, foldedEpoch], [failing ? 1 : 0, epoch])
    const bytes = await segmentBytes(world)
    assert.ok(bytes < 100_000, `${bytes} bytes`)
    await world.close()
  })
}

test('the files of a collection go that was deleted when its entries had been, one by one, and were too few to be merged away', async () => {
  const world = await filled({ ...BY_SIZE, baseBytes: 50_000, paced: false })
  const { store } = world
  for (let at = 0; at < 2000; at++) store.map<string>('other').set(`${at}`, TEXT)
  await world.checkpoint()
  await world.pass(60_000)
  for (let at = 0; at < 1000; at++) store.map<string>('big').delete(`${at}`)
  const { epoch } = await world.checkpoint()
  await world.pass(60_000)
  const before = await segmentBytes(world)
  assert.deepEqual([store.stats().upkeep.foldedEpoch, store.map('big').size, before > 1_000_000], [epoch, 0, true])
  store.delete('big')
  await world.checkpoint()
  await world.pass(HOUR_MS)
  const bytes = await segmentBytes(world)
  assert.ok(bytes < before - 300_000, `${bytes} of ${before} bytes`)
  const { folds } = store.stats().upkeep
  await world.pass(HOUR_MS)
  assert.equal(store.stats().upkeep.folds, folds, 'a store at rest folds nothing')
  await world.crash()
  assert.deepEqual([world.store.map('big').size, world.store.map('other').size], [0, 2000])
  await world.close()
})

/** A collection was made, and deleted while the fold that first has it was under way, as it still is. */
async function droppedInItsFold(): Promise<{ readonly world: SimulatedStore; readonly epoch: number }> {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = YOUNG
  const store = await world.open()
  await world.pass(60_000)
  for (let at = 0; at < 1000; at++) store.map<string>('big').set(`${at}`, TEXT)
  await world.checkpoint()
  await world.pass(300)
  store.delete('big')
  const { epoch } = await world.checkpoint()
  assert.deepEqual([epoch, store.stats().upkeep.folds], [2, 0], 'it is still under way')
  return { world, epoch }
}

test('the files of a collection go that was made, and deleted while the fold that first has it was under way', async () => {
  const { world, epoch } = await droppedInItsFold()
  await world.pass(HOUR_MS)
  assert.deepEqual([world.store.stats().upkeep.foldedEpoch, await segmentBytes(world)], [epoch, 0])
  await world.close()
})

test('they go in a close, too', async () => {
  const { world } = await droppedInItsFold()
  await world.close()
  // The files themselves go after a grace, with the next run.
  const named = (await world.run(readNewest(world.storage)))?.manifest
  assert.deepEqual([named?.young, named?.base.map(({ segment }) => segment)], [[], [null]])
})

test('the files of a collection that was deleted as the last thing of a run go in the next, though it only reads', async () => {
  const world = await filled(YOUNG)
  for (let at = 0; at < 150; at++) world.store.map<string>('other').set(`${at}`, TEXT)
  await world.checkpoint()
  await world.pass(10_000)
  // Right behind a fold no other is asked for.
  world.store.delete('big')
  await world.close()
  await world.open()
  await world.pass(HOUR_MS)
  const bytes = await segmentBytes(world)
  assert.ok(bytes < 100_000, `${bytes} bytes`)
  await world.close()
})

for (const [others, count, text] of [
  ['others that stay', 50, TEXT],
  ['as many small ones that come', 900, 'x'],
] as const) {
  test(`entries that are deleted one by one give their space back, beside ${others}`, async () => {
    const world = await filled({ ...BY_SIZE, paced: false })
    const { store } = world
    const big = store.map<string>('big')
    for (let at = 0; at < count; at++) store.map<string>('other').set(`${at}`, text)
    for (let at = 0; at < 900; at++) big.delete(`${at}`)
    await world.checkpoint()
    await world.pass(HOUR_MS)
    const part = await segmentBytes(world)
    assert.ok(part < 150_000, `${part} bytes`)
    await world.crash()
    const again = world.store.map<string>('big')
    assert.equal(again.size, 100)
    for (let at = 0; at < 1000; at++) assert.equal(again.get(`${at}`), at < 900 ? undefined : TEXT)
    for (let at = 0; at < count; at++) assert.equal(world.store.map<string>('other').get(`${at}`), text)
    for (let at = 900; at < 1000; at++) again.delete(`${at}`)
    await world.checkpoint()
    await world.pass(HOUR_MS)
    await world.crash()
    assert.equal(world.store.map('big').size, 0)
    for (let at = 0; at < 1000; at++) assert.equal(world.store.map('big').get(`${at}`), undefined)
    for (let at = 0; at < count; at++) assert.equal(world.store.map<string>('other').get(`${at}`), text)
    await world.close()
  })
}

/** Short runs that write nothing, after one that deleted all but `left` of the entries. */
async function runs(left: number, end: (world: SimulatedStore) => Promise<void>): Promise<SimulatedStore> {
  const world = await filled(BY_SIZE)
  for (let at = left; at < 1000; at++) world.store.map('big').delete(`${at}`)
  await world.checkpoint()
  await world.close()
  for (let run = 0; run < 20; run++) {
    await world.open()
    await world.pass(300)
    await end(world)
  }
  return world
}

for (const [how, left, end] of [
  ['is closed', 100, (world: SimulatedStore) => world.close()],
  [
    'ends without closing it',
    50,
    async (world: SimulatedStore) => {
      const { disk } = world.storage.crash({ mode: 'kept' })
      world.storage.powerOff()
      world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
    },
  ],
] as const) {
  test(`entries that are deleted one by one give their space back where every process is short and ${how}`, async () => {
    const world = await runs(left, end)
    await world.open()
    const bytes = await segmentBytes(world)
    assert.ok(bytes < 150_000, `${bytes} bytes`)
    for (let at = 0; at < 1000; at++) assert.equal(world.store.map('big').get(`${at}`), at < left ? TEXT : undefined)
    await world.close()
  })
}

for (const ms of [300, 5000]) {
  test(`the files of a collection that was deleted go where no process lives longer than ${ms} ms`, async () => {
    const world = await filled(YOUNG)
    world.store.map<string>('other').set('key', TEXT)
    await world.close()
    await world.open()
    world.store.delete('big')
    await world.pass(ms)
    await world.close()
    for (let run = 0; run < 3; run++) {
      await world.open()
      await world.pass(ms)
      await world.close()
    }
    const bytes = await segmentBytes(world)
    assert.ok(bytes < 100_000, `${bytes} bytes`)
    await world.open()
    assert.equal(world.store.map('big').size, 0)
    assert.equal(world.store.map<string>('other').get('key'), TEXT)
    const { folds } = world.store.stats().upkeep
    await world.close()
    assert.equal(world.store.stats().upkeep.folds, folds, 'a run that drops nothing folds nothing at its end')
  })
}
