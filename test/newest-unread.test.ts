/** The newest manifest is not given back by the device: the one before it and the log say the same, as where it is damaged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { filesOf, listManifests, readManifest } from '../src/manifest/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { type Fault, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

type Errno = Exclude<Fault['errno'], undefined>

const newestOf = async (world: SimulatedStore): Promise<number> => (await world.run(listManifests(world.storage))).at(-1) as number

async function epochs(world: SimulatedStore, from: number, through: number): Promise<void> {
  for (let epoch = from; epoch <= through; epoch++) {
    world.store.map<number>('map').set('n', epoch)
    await world.checkpoint()
  }
}

/** Each epoch in a file of its own. */
async function five(): Promise<SimulatedStore> {
  const world = new SimulatedStore()
  world.fileBytesMax = 1
  await world.open()
  await epochs(world, 1, 5)
  return world
}

/** The process is gone; what a crash keeps is opened by nobody yet. */
function leave(world: SimulatedStore): void {
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
}

function failReads(storage: SimulatedStorage, number: number, errno: Errno = 'EIO', times = Number.POSITIVE_INFINITY): () => void {
  return storage.inject({ operation: 'read', path: manifestName(number), errno, times })
}

for (const errno of ['EIO', 'EUCLEAN', 'EBADMSG'] as const) {
  for (const ended of ['close', 'crash'] as const) {
    test(`every epoch is there for whoever opens it, after a ${ended} (${errno})`, async () => {
      const world = await five()
      if (ended === 'close') await world.close()
      else leave(world)
      const number = await newestOf(world)
      failReads(world.storage, number, errno)
      const reader = await world.open({ readOnly: true })
      assert.deepEqual([reader.restored.epoch, reader.restored.lost], [5, undefined])
      await world.close()
      const report = await world.run(verifyStore(world.storage, () => undefined))
      assert.deepEqual(
        report.files.filter(({ problem }) => problem !== undefined).map(({ file }) => file),
        [manifestName(number)],
      )
      const again = await world.open()
      assert.deepEqual([again.restored.epoch, again.map('map').get('n'), again.restored.lost], [5, 5, undefined])
      assert.ok(
        again.restored.notes.some(note => note.includes(manifestName(number))),
        `${again.restored.notes}`,
      )
      await epochs(world, 6, 6)
      assert.equal((await world.crash()).restored.epoch, 6)
      await world.close()
    })
  }
}

test('that of a roll which was written, and not read since: whoever comes behind a crash finds what was acknowledged', async () => {
  const world = await five()
  const number = (await newestOf(world)) + 1
  failReads(world.storage, number)
  world.store.map('map').set('n', 6)
  const failed = world.store.checkpoint()
  await world.pass(20)
  failed.catch(() => {})
  leave(world)
  assert.ok((await newestOf(world)) >= number)
  failReads(world.storage, number)
  assert.equal((await world.open()).restored.epoch, 5)
  await epochs(world, 6, 7)
  await world.close()
})

test('it is asked for again before it counts for nothing', async () => {
  const world = await five()
  await world.close()
  failReads(world.storage, await newestOf(world), 'EIO', 2)
  const { restored } = await world.open()
  assert.deepEqual([restored.epoch, restored.notes], [5, []])
  await world.close()
})

test('where none is given back it is the storage that is at fault, and nothing is made', async () => {
  for (const empty of [false, true]) {
    const world = empty ? new SimulatedStore() : await five()
    if (empty) await world.open()
    await world.close()
    const before = await newestOf(world)
    const heal = world.storage.inject({ operation: 'read', path: 'manifest', errno: 'EIO', times: Number.POSITIVE_INFINITY })
    for (const settings of [{}, { readOnly: true }, { restore: { onDamage: 'fall-back' } }] as const)
      await assert.rejects(world.open(settings), { code: 'TIDEMARK_STORAGE' })
    heal()
    assert.equal(await newestOf(world), before)
    assert.equal((await world.open()).restored.epoch, empty ? 0 : 5)
    await world.close()
  }
})

test('where what the older one stands on went since, nothing is built upon it', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = { records: 2, graceMs: 100, fanIn: 2, fewTimes: 0 }
  await world.open()
  for (let epoch = 1; epoch <= 12; epoch++) {
    for (const key of ['a', 'b', 'c']) world.store.map<number>('map').set(key, epoch)
    await world.checkpoint()
    await world.pass(3000)
  }
  await world.close()
  const numbers = await world.run(listManifests(world.storage))
  const segments = new Set((await world.run(world.storage.list('segment'))).map(name => `segment/${name}`))
  const isLeft = async (number: number): Promise<boolean> => {
    const { young, base } = await world.run(readManifest(world.storage, number))
    return [...filesOf({ log: [], young, base })].some(file => !segments.has(file))
  }
  const left: number[] = []
  for (const number of numbers) if (await isLeft(number)) left.push(number)
  const last = left.at(-1) ?? assert.fail('every segment is kept')
  const heals = numbers.filter(number => number > last).map(number => failReads(world.storage, number))
  await assert.rejects(world.open(), { code: 'TIDEMARK_STORAGE' })
  assert.equal(await newestOf(world), numbers.at(-1))
  for (const heal of heals) heal()
  assert.equal((await world.open()).restored.epoch, 12)
  await world.close()
})

test('a file of the log that ends where the fold point is need not be there, as in a copy', async () => {
  const world = new SimulatedStore()
  world.thresholds = { records: 1, paced: false }
  await world.open()
  await epochs(world, 1, 2)
  await world.pass(1000)
  await world.close()
  world.thresholds = { records: 1000 }
  await world.open()
  await epochs(world, 3, 3)
  await world.close()
  const { log, fold } = await world.run(readManifest(world.storage, await newestOf(world)))
  const folded = log.find(({ end }) => end?.epoch === fold?.epoch) ?? assert.fail(JSON.stringify({ log, fold }))
  await world.run(world.storage.remove(folded.file))
  await world.open()
  await world.close()
  failReads(world.storage, await newestOf(world))
  const { restored } = await world.open()
  assert.deepEqual([restored.epoch, restored.lost], [3, undefined])
  await world.close()
})

test('three of the newest are done without; of more the device is not asked', async () => {
  for (const unread of [3, 4]) {
    const world = await five()
    await world.close()
    const numbers = await world.run(listManifests(world.storage))
    assert.ok(numbers.length > 5)
    for (const number of numbers.slice(-unread)) failReads(world.storage, number)
    if (unread > 3) await assert.rejects(world.open(), { code: 'TIDEMARK_STORAGE' })
    else assert.deepEqual([(await world.open()).restored.epoch, world.store.restored.lost], [5, undefined])
    if (unread <= 3) await world.close()
  }
})
