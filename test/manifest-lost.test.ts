/** The newest manifest is damaged, and the one before it keeps fold points whose manifests, or segments, went with the newest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogEntry, manifestName } from '../src/format/index.ts'
import { listManifests, readManifest } from '../src/manifest/index.ts'
import { load, openForReading } from '../src/restore/index.ts'
import { listPoints } from '../src/restore/points.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const never = (): undefined => undefined

/** What a crash leaves, all manifests of the newest fold point damaged. */
async function damaged(world: SimulatedStore): Promise<SimulatedStorage> {
  const storage = world.storage.crash({ mode: 'kept' })
  const numbers = await listManifests(storage)
  const manifests = await Promise.all(numbers.map(number => readManifest(storage, number)))
  const newest = Math.max(...manifests.map(({ fold }) => fold?.epoch ?? 0))
  for (const { number, fold } of manifests) if (fold?.epoch === newest) storage.disk.lookup(manifestName(number))?.flip(50, 1)
  return storage
}

async function filled(): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 2, keepMs: 0 } })
  world.thresholds = { records: 20, paced: false, graceMs: 100 }
  world.fileBytesMax = 1
  const map = (await world.open()).map<number>('map')
  for (let at = 0; world.store.stats().upkeep.folds < 3; at++) {
    map.set(`key ${at}`, at)
    await world.checkpoint()
    await world.pass(10)
  }
  return world
}

test('points are listed, and older ones restored, though a manifest that is kept is there no more', async () => {
  const world = await filled()
  const storage = await damaged(world)
  const points = await listPoints(storage, () => Number.POSITIVE_INFINITY, never)
  assert.equal(points[0]?.epoch, world.points.at(-1)?.epoch)
  assert.ok(points.length > 20)
  const files = (await verifyStore(storage, never)).files.filter(({ problem }) => problem !== undefined)
  assert.ok(
    files.every(({ problem }) => problem !== 'it is missing'),
    JSON.stringify(files),
  )
  for (const { epoch, time } of points) {
    for (const at of [epoch, new Date(time)]) {
      const opened = await openForReading(storage)
      const { tail, cold } = await load({ storage, opened, at, onDamage: 'refuse', monotonic: () => 0, pause: never })
      if (typeof at === 'number') assert.equal(tail.epoch, epoch)
      await cold.close()
    }
  }
  await world.close()
})

test('whoever takes the store over keeps no fold point whose manifest is gone', async () => {
  const world = await filled()
  const { disk } = await damaged(world)
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  const store = await world.open()
  assert.equal(store.restored.epoch, world.points.at(-1)?.epoch)
  assert.ok((await world.run(store.recoveryPoints())).length > 20)
  await world.close()
  const { ok, files } = await world.run(verifyStore(world.storage, never))
  assert.ok(ok, JSON.stringify(files.filter(({ problem }) => problem !== undefined)))
})

/** The newest manifest dropped a fold point; its segments are gone, its manifest is still there. */
async function merged(): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 2, keepMs: 0 } })
  world.thresholds = { records: 20, paced: false, graceMs: 100, fanIn: 3, fewTimes: 1 }
  const map = (await world.open()).map<number>('map')
  for (let at = 0; at < 125; at++) {
    map.set(`key ${at}`, at)
    if (at % 25 < 24) continue
    await world.checkpoint()
    await world.pass(1000)
  }
  const storage = world.storage.crash({ mode: 'kept' })
  const newest = (await listManifests(storage)).at(-1) as number
  storage.disk.lookup(manifestName(newest))?.flip(50, 1)
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk: storage.disk })
  return world
}

test('a fold point whose segments are gone is kept by nobody', async () => {
  const world = await merged()
  const before = await world.run(verifyStore(world.storage, never))
  const wrong = before.files.filter(({ problem }) => problem !== undefined)
  assert.deepEqual(
    wrong.map(({ kind }) => kind),
    ['manifest'],
    JSON.stringify(wrong),
  )
  const store = await world.open()
  const points = await world.run(store.recoveryPoints())
  await world.close()
  const { ok, files } = await world.run(verifyStore(world.storage, never))
  assert.ok(ok, JSON.stringify(files.filter(({ problem }) => problem !== undefined)))
  const { disk } = world.storage
  world.storage.powerOff()
  const storage = new SimulatedStorage({ seed: 3, disk })
  for (const { epoch } of points) {
    const opened = await openForReading(storage)
    const { tail, cold } = await load({ storage, opened, at: epoch, onDamage: 'refuse', monotonic: () => 0, pause: never })
    assert.equal(tail.epoch, epoch)
    await cold.close()
  }
})

/** The newest manifest is damaged, and so is the file before the one that it alone named: `flip` damages the file, and undoes it. */
async function bothDamaged() {
  const world = new SimulatedStore()
  world.fileBytesMax = 4000
  const map = (await world.open()).map<string>('map')
  for (let epoch = 1; epoch <= 6; epoch++) {
    map.set('n', `value ${epoch} `.repeat(100))
    await world.checkpoint()
  }
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  const newest = (await world.run(listManifests(world.storage))).at(-1) as number
  const { log } = await world.run(readManifest(world.storage, newest))
  const { file, end } = log.at(-2) as LogEntry
  assert.ok(end !== null && end.epoch > 1 && end.epoch < 6)
  disk.lookup(manifestName(newest))?.flip(50, 1)
  const flip = (): void => disk.lookup(file)?.flip(end.bytes - 1000, 1)
  flip()
  return { world, newest, flip, time: new Date(world.points.at(-1)?.time as number) }
}

test('the newest manifest is damaged, and so is the file before the one that it named: the report reaches to the newest epoch', async () => {
  const { world, newest } = await bothDamaged()
  for (const readOnly of [true, false, false])
    await assert.rejects(world.open({ readOnly }), { code: 'TIDEMARK_LOG_DAMAGED', hint: /to 6 cannot be read/ })
  assert.equal((await world.run(listManifests(world.storage))).at(-1), newest, 'nothing is published')
  const { restored } = await world.open({ restore: { onDamage: 'fall-back' } })
  assert.deepEqual([restored.lost?.firstLostEpoch, restored.lost?.lastSeenEpoch], [restored.epoch + 1, 6])
  await world.close()
})

test('the same, and a point is asked for that lies in what is damaged: that open rejects, and costs no epoch of a file that is put back', async () => {
  const { world, newest, flip, time } = await bothDamaged()
  const refused = [
    [{ at: 6, onDamage: 'fall-back' }, 'TIDEMARK_NO_SUCH_POINT'],
    [{ at: 6 }, 'TIDEMARK_LOG_DAMAGED'],
    [{ at: time }, 'TIDEMARK_LOG_DAMAGED'],
  ] as const
  for (const [restore, code] of refused) {
    await assert.rejects(world.open({ restore }), { code })
    assert.equal((await world.run(listManifests(world.storage))).at(-1), newest, 'nothing is published')
  }
  flip()
  assert.equal((await world.open()).restored.epoch, 6)
  await world.close()
})

test('the same, and a point is asked for that lies before it: the store goes on from there', async () => {
  for (const onDamage of ['refuse', 'fall-back'] as const) {
    const { world } = await bothDamaged()
    assert.equal((await world.open({ restore: { at: 1, onDamage } })).restored.epoch, 1)
    await world.close()
    assert.equal((await world.open()).restored.epoch, 1)
    await world.close()
  }
})

test('the newest manifest is damaged, and the file before the one that it named is in what is folded: nothing is lost by that', async () => {
  const world = new SimulatedStore()
  world.fileBytesMax = 4000
  world.thresholds = { records: 1, paced: false }
  const map = (await world.open()).map<string>('map')
  const commit = async (epoch: number): Promise<void> => {
    map.set('n', `value ${epoch} `.repeat(100))
    await world.checkpoint()
  }
  const newest = async () => {
    const numbers = await world.run(listManifests(world.storage))
    return await world.run(readManifest(world.storage, numbers.at(-1) as number))
  }
  await commit(1)
  await commit(2)
  await world.pass(1000)
  const { fold, log } = await newest()
  assert.deepEqual([fold?.epoch, log.length, log[0]?.end, fold?.file], [2, 1, null, log[0]?.file])
  let epoch = 2
  for (const at = (await newest()).number; (await newest()).number === at; ) await commit(++epoch)
  assert.deepEqual([(await newest()).fold?.epoch, (await newest()).log.length], [2, 2])
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  const { number } = await newest()
  disk.lookup(manifestName(number))?.flip(50, 1)
  disk.lookup(log[0]?.file as string)?.flip((fold?.bytes as number) - 1000, 1)
  const { restored } = await world.open()
  assert.deepEqual([restored.epoch, restored.lost], [epoch, undefined])
  await world.close()
})

test('the newest manifest is damaged, and the file before the one that it named is lost from inside what is folded on, its end and signs with it', async () => {
  const world = new SimulatedStore()
  world.fileBytesMax = 1000
  world.thresholds = { records: 1, paced: false }
  const map = (await world.open()).map<string>('map')
  map.set('n', 'value 1 '.repeat(200))
  await world.checkpoint()
  await world.pass(1000)
  map.set('n', 'value 2 '.repeat(200))
  await world.checkpoint()
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  const number = (await world.run(listManifests(world.storage))).at(-1) as number
  const { fold, log } = await world.run(readManifest(world.storage, number))
  assert.deepEqual([fold?.epoch, log.length, log[0]?.file], [1, 2, fold?.file])
  disk.lookup(manifestName(number))?.flip(50, 1)
  const bytes = disk.lookup(fold?.file as string)?.cache.view()
  bytes?.fill(0, (fold?.bytes as number) - 1000)
  const { restored } = await world.open()
  assert.deepEqual([restored.epoch, restored.lost], [2, undefined])
  await world.close()
})
