/** A device that answers wrong once: what would be given up for it is looked at again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogEntry, manifestName } from '../src/format/index.ts'
import { newestNumber, readManifest } from '../src/manifest/index.ts'
import { profileStore } from '../src/profile/read.ts'
import { copyStore, listPoints } from '../src/restore/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { MemoryStorage, type Storage } from '../src/storage/index.ts'
import { SeededRandom, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { answerReads, flipReads } from './support/wrong-answer.ts'

type ClosedEntry = LogEntry & { readonly end: NonNullable<LogEntry['end']> }

async function epochs(world: SimulatedStore, from: number, through: number): Promise<void> {
  for (let epoch = from; epoch <= through; epoch++) {
    world.store.map<number>('map').set('n', epoch)
    await world.checkpoint()
  }
}

test('history that a restore to the past had left does not come back for a newest manifest that reads wrong at one look', async () => {
  for (const readOnly of [true, false]) {
    const world = new SimulatedStore()
    await world.open()
    await epochs(world, 1, 5)
    await world.close()
    await world.open({ restore: { at: 3 } })
    await world.close()
    const file = manifestName(await world.run(newestNumber(world.storage)))
    flipReads(world.storage, file, 60)
    const { restored } = await world.open({ readOnly })
    assert.deepEqual([restored.epoch, restored.notes], [3, []])
    await world.close()
  }
})

/** Six epochs in several files, and the newest manifest, which alone names the last one, damaged for good. */
async function headless(): Promise<{ world: SimulatedStore; before: ClosedEntry; last: string }> {
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
  const newest = await world.run(newestNumber(world.storage))
  const { log } = await world.run(readManifest(world.storage, newest))
  const [before, last] = log.slice(-2) as [ClosedEntry, LogEntry]
  assert.ok(before.end.epoch > 1 && before.end.epoch < 6)
  disk.lookup(manifestName(newest))?.flip(50, 1)
  return { world, before, last: last.file }
}

for (const readOnly of [true, false]) {
  const who = readOnly ? 'a reader' : 'a writer'
  test(`${who} behind a damaged newest manifest loses no file for a wrong answer about it, or about the one before it`, async () => {
    const all = async ({ world }: { world: SimulatedStore }): Promise<void> => {
      const { restored } = await world.open({ readOnly })
      assert.deepEqual([restored.epoch, restored.lost], [6, undefined])
      await world.close()
    }
    for (const times of [1, 2, 3]) {
      const found = await headless()
      const reads = flipReads(found.world.storage, found.before.file, found.before.end.bytes - 1000, times)
      await all(found)
      assert.ok(reads() > times)
    }
    for (const which of ['before', 'last'] as const) {
      const found = await headless()
      const { storage } = found.world
      const file = which === 'last' ? found.last : found.before.file
      const exists = storage.exists.bind(storage)
      let asked = 0
      storage.exists = async path => (path === file && ++asked === 1 ? false : await exists(path))
      await all(found)
      assert.ok(asked > 1)
    }
    const found = await headless()
    let zeros = 0
    // Not of its header, but of all behind it, where alone it says that it was in use.
    answerReads(found.world.storage, (path, offset, bytes) =>
      path === found.last && offset > 0 && ++zeros === 1 ? Buffer.alloc(bytes.length) : bytes,
    )
    await all(found)
    assert.ok(zeros > 1)
  })

  test(`${who} behind a damaged newest manifest is told where the file before the last read whole only when that had been left out`, async () => {
    const { world, before } = await headless()
    // Two looks and one for what is lost, twice.
    flipReads(world.storage, before.file, before.end.bytes - 1000, 6)
    await assert.rejects(world.open({ readOnly }), { code: 'TIDEMARK_STORAGE', file: before.file, message: /otherwise than a moment ago/ })
    assert.equal((await world.open({ readOnly })).restored.epoch, 6, 'nothing was published')
    await world.close()
  })
}

test('a time, or an epoch, beyond a log that files were left out of, and that reads whole only then, leads to no older one', async () => {
  // Two looks and one for what is lost: twice, and once more before a writer publishes what is left.
  for (const [readOnly, times] of [
    [true, 6],
    [false, 6],
    [false, 9],
  ] as const) {
    for (const which of [() => 6, () => 7, (now: number) => new Date(now)]) {
      const { world, before } = await headless()
      flipReads(world.storage, before.file, before.end.bytes - 1000, times)
      const opened = world.open({ readOnly, restore: { at: which(world.clock.now()) } })
      await assert.rejects(opened, { code: 'TIDEMARK_STORAGE', file: before.file, message: /otherwise than a moment ago/ })
      if (times > 6) continue
      assert.equal((await world.open({ readOnly })).restored.epoch, 6, 'nothing was published')
      await world.close()
    }
  }
  const { world, before } = await headless()
  flipReads(world.storage, before.file, before.end.bytes - 1000, 6)
  const { restored } = await world.open({ readOnly: true, restore: { at: 2 } })
  assert.deepEqual([restored.epoch, restored.lost], [2, undefined])
  await world.close()
})

test('what is told of a log that files were left out of, and that reads whole only then, is not that it ends there', async () => {
  const pause = (): undefined => undefined
  const parts = { monotonic: () => 0, pause, wait: () => Promise.resolve() }
  const points = async (storage: Storage): Promise<number> =>
    (await listPoints(storage, () => Number.POSITIVE_INFINITY, pause))[0]?.epoch ?? 0
  const verified = async (storage: Storage): Promise<number> => (await verifyStore(storage, pause)).epoch
  const profiled = async (storage: Storage): Promise<number> => (await profileStore(storage, {}, parts)).history.epochs
  for (const told of [points, verified, profiled]) {
    const { world, before } = await headless()
    const offset = before.end.bytes - 1000
    flipReads(world.storage, before.file, offset, 6)
    const wrong = { code: 'TIDEMARK_STORAGE', file: before.file, message: /otherwise than a moment ago/ }
    await assert.rejects(world.run(told(world.storage)), wrong, told.name)
    assert.equal(await world.run(told(world.storage)), 6, told.name)
    world.storage.disk.lookup(before.file)?.flip(offset, 1)
    assert.equal(await world.run(told(world.storage)), before.end.epoch - 1, told.name)
  }
})

test('a copy of a log that files were left out of, behind one that reads whole only then, is none; nor is one of a log that is damaged still', async () => {
  const { world, before } = await headless()
  const offset = before.end.bytes - 1000
  flipReads(world.storage, before.file, offset, 6)
  const copied = (target: MemoryStorage) => world.run(copyStore(world.storage, target, new SeededRandom(1), () => undefined))
  const first = new MemoryStorage()
  await assert.rejects(copied(first), { code: 'TIDEMARK_STORAGE', file: before.file, message: /otherwise than a moment ago/ })
  assert.deepEqual(await first.list('manifest'), [])
  const second = new MemoryStorage()
  assert.equal((await copied(second)).epoch, 6)
  world.storage.disk.lookup(before.file)?.flip(offset, 1)
  await assert.rejects(copied(new MemoryStorage()), { code: 'TIDEMARK_LOG_DAMAGED', hint: /to 6 cannot be read/ })
})
