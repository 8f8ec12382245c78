/** A restore to an older point whose fork fails half way: an open that rejects has given nothing up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { type FoundManifest, listManifests, readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import { MemoryDisk, MemoryStorage, type OpenMode, type Storage, type StorageFile } from '../src/storage/index.ts'
import type { Fault } from '../src/testing/index.ts'
import { MANUAL } from './support/cli.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const AT_TWO = { restore: { at: 2 } }

async function fiveEpochs(): Promise<SimulatedStore> {
  const world = new SimulatedStore()
  const map = (await world.open()).map<number>('map')
  for (let epoch = 1; epoch <= 5; epoch++) {
    map.set('n', epoch)
    await world.checkpoint()
  }
  await world.pass(5000)
  await world.close()
  return world
}

const FAULTS: Record<string, Fault> = {
  'the folder cannot be synced': { operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 2 },
  'the folder cannot be listed behind it': { operation: 'list', path: 'manifest', errno: 'EIO', nth: 4 },
  'the manifest is made and the call fails': { operation: 'createIfAbsent', path: 'manifest', errno: 'EIO', nth: 2, applied: true },
  'the manifest is not made': { operation: 'createIfAbsent', path: 'manifest', errno: 'ENOSPC', nth: 2 },
}

for (const [what, fault] of Object.entries(FAULTS)) {
  for (const next of ['open', 'crash'] as const) {
    test(`a fork of which ${what}: an open that rejects leaves the newest epoch to the next ${next}`, async () => {
      const world = await fiveEpochs()
      const heal = world.storage.inject(fault)
      // Nothing goes on by itself where the store did not open.
      const hint = fault.errno === 'ENOSPC' ? /out of space.*, then try again$/ : /^the device/
      await assert.rejects(world.open(AT_TWO), { code: 'TIDEMARK_STORAGE', hint })
      heal()
      const again = await world[next]()
      assert.equal(again.restored.epoch, 5)
      assert.equal(again.map('map').get('n'), 5)
      again.map('map').set('n', 6)
      await world.checkpoint()
      assert.equal((await world.crash()).map('map').get('n'), 6)
      await world.close()
      assert.equal((await world.open(AT_TWO)).restored.epoch, 2, 'the point is still there to go back to')
      await world.close()
    })
  }
}

test('a fork that was taken back, and the newest manifest rots: nothing goes on from the older point', async () => {
  const world = await fiveEpochs()
  const heal = world.storage.inject(FAULTS['the folder cannot be synced'] as Fault)
  await assert.rejects(world.open(AT_TWO), { code: 'TIDEMARK_STORAGE' })
  heal()
  const newest = (await world.run(listManifests(world.storage))).at(-1) as number
  world.storage.disk.lookup(manifestName(newest))?.flip(50, 1)
  const again = await world.open()
  assert.equal(again.restored.epoch, 5)
  assert.equal(again.map('map').get('n'), 5)
  await world.close()
})

test('a fork that can be taken back no more: the error says that the store may go on from the older epoch', async () => {
  const world = await fiveEpochs()
  world.storage.inject({ operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 2, times: 100 })
  await assert.rejects(world.open(AT_TWO), { code: 'TIDEMARK_STORAGE', message: /may go on from epoch 2/ })
})

/** Says that a manifest was there already, though the call made it, as a file system over a network may; `nth` such call. */
function forgetful(storage: Storage, nth: number): Storage {
  let calls = 0
  return new Proxy(storage, {
    get: (target, name) => {
      if (name !== 'createIfAbsent') return (target as never as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]?.bind(target)
      return async (path: string, bytes: Uint8Array) => {
        const made = await target.createIfAbsent(path, bytes)
        return path.startsWith('manifest/') && ++calls === nth ? false : made
      }
    },
  })
}

async function threeEpochs(disk = new MemoryDisk()): Promise<MemoryStorage> {
  const storage = new MemoryStorage(disk)
  const store = await openStore('memory', MANUAL, { storage, writer: 'inline' })
  for (let epoch = 1; epoch <= 3; epoch++) {
    store.map('map').set('n', epoch)
    await store.checkpoint()
  }
  await store.close()
  return storage
}

for (const [what, nth] of [
  ['takeover', 1],
  ['fork', 2],
] as const) {
  test(`the manifest of a ${what} that was made by a call that says it was there: open goes on`, async () => {
    const storage = await threeEpochs()
    const store = await openStore('memory', { ...MANUAL, ...AT_TWO }, { storage: forgetful(storage, nth), writer: 'inline' })
    assert.equal(store.restored.epoch, 2)
    store.map('map').set('n', 30)
    await store.checkpoint()
    await store.close()
    const again = await openStore('memory', MANUAL, { storage, writer: 'inline' })
    assert.equal(again.map('map').get('n'), 30)
    await again.close()
  })
}

test('a writer that does not start behind a fork: the fork is taken back', async () => {
  const storage = await threeEpochs()
  const components = {
    storage,
    writer: 'inline',
    get fileBytesMax(): number {
      throw new Error('no thread can be had')
    },
  } as const
  await assert.rejects(openStore('memory', { ...MANUAL, ...AT_TWO }, components), /no thread can be had/)
  const again = await openStore('memory', MANUAL, { storage, writer: 'inline' })
  assert.equal(again.restored.epoch, 3)
  await again.close()
})

test('an open that fails behind a fork when its writer runs: the error says that the store may go on from the older epoch', async () => {
  const storage = await threeEpochs()
  const components = {
    storage,
    writer: 'inline',
    get loopLoad(): never {
      throw new Error('nobody knows how busy it is')
    },
  } as const
  await assert.rejects(openStore('memory', MANUAL, components), /^Error: nobody knows how busy it is$/)
  await assert.rejects(openStore('memory', { ...MANUAL, ...AT_TWO }, components), { message: /how busy it is; .* from epoch 2/ })
  const again = await openStore('memory', MANUAL, { storage, writer: 'inline' })
  assert.equal(again.restored.epoch, 2)
  await again.close()
})

test('a fork that is taken back kept every fold point behind it, and the writer that goes on from one lets them go', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 40, keepMs: 0 } })
  world.thresholds = { records: 2, graceMs: 100 }
  const map = (await world.open()).map<number>('map')
  for (let epoch = 1; epoch <= 25; epoch++) {
    for (const key of ['a', 'b']) map.set(key, epoch)
    await world.checkpoint()
    await world.pass(3000)
  }
  const points = await world.run(world.store.recoveryPoints())
  await world.close()
  const { retained } = ((await world.run(readNewest(world.storage))) as FoundManifest).manifest
  const there = async (): Promise<number> => {
    const numbers = await world.run(listManifests(world.storage))
    return retained.filter(({ number }) => numbers.includes(number)).length
  }
  assert.ok(retained.length > 20 && (await there()) === retained.length)
  const { storage, scheduler, clock } = world
  const components = {
    ...{ storage, scheduler, clock },
    get fileBytesMax(): number {
      throw new Error('no thread can be had')
    },
  }
  await assert.rejects(world.run(openStore('simulated', { ...world.settings, ...AT_TWO }, components)), /no thread can be had/)
  assert.equal(await there(), retained.length)
  const again = await world.open()
  assert.deepEqual(await world.run(again.recoveryPoints()), points)
  await world.close()
  assert.equal((await world.open({ readOnly: true, restore: { at: 5 } })).map('map').get('a'), 5)
  await world.close()
  const forked = await world.open(AT_TWO)
  forked.map<number>('map').set('a', 30)
  await world.checkpoint()
  assert.ok((await there()) < retained.length - 1)
  await world.close()
})

/** Of the manifests made from the second one on so many do not read as they were written, until it is healed. */
class Flickering extends MemoryStorage {
  readonly spoiled = new Set<string>()
  healed = false
  made = 0
  readonly spoils: number

  constructor(disk: MemoryDisk, spoils: number) {
    super(disk)
    this.spoils = spoils
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const made = await super.createIfAbsent(path, bytes)
    if (path.startsWith('manifest/') && ++this.made > 1 && this.made <= 1 + this.spoils) this.spoiled.add(path)
    return made
  }

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    const read = file.read.bind(file)
    file.read = async (offset, length) => {
      const bytes = await read(offset, length)
      return this.healed || !this.spoiled.has(path) ? bytes : bytes.fill(0, 40, 60)
    }
    return file
  }
}

for (const [spoils, epoch] of [
  [3, 3],
  [6, 2],
] as const) {
  test(`a fork none of whose tries reads back, and all of them do later: ${epoch === 3 ? 'it is taken back' : 'the error says so'}`, async () => {
    const disk = new MemoryDisk()
    await threeEpochs(disk)
    const storage = new Flickering(disk, spoils)
    await assert.rejects(openStore('memory', { ...MANUAL, ...AT_TWO }, { storage, writer: 'inline' }), error => {
      assert.equal((error as { code?: string }).code, 'TIDEMARK_STORAGE')
      assert.equal(/may go on from epoch 2/.test((error as Error).message), epoch === 2)
      return true
    })
    storage.healed = true
    const again = await openStore('memory', MANUAL, { storage, writer: 'inline' })
    if (epoch === 3) assert.equal(again.restored.epoch, 3)
    await again.close()
  })
}
