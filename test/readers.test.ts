/** Readers beside a living writer that gives files back between a reader's look at the manifest and its look at the files. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from 'tidemark'
import { hasCode, type TidemarkError } from '../src/base/errors.ts'
import { READ_ATTEMPTS_MAX } from '../src/base/limits.ts'
import { openEveryDecompress } from '../src/format/index.ts'
import { type Retention, readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import { listPoints, openForReading } from '../src/restore/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { type OpenMode, type Storage, type StorageFile, storageError, systemError } from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { temporaryFolder } from './temporary.ts'

const GRACE_MS = 100
const THRESHOLDS = {
  bytes: 2000,
  fanIn: 3,
  smallestBytes: 3000,
  youngBytesMax: 20_000,
  slackBytes: 5000,
  slackRecords: 300,
  baseBytes: 4000,
  graceMs: GRACE_MS,
}
const COUNT = 200

/** A writer, and whoever reads beside it. */
class World {
  readonly scheduler = new SimulatedScheduler({ seed: 11 })
  readonly storage = new SimulatedStorage({ seed: 11, scheduler: this.scheduler })
  store!: Store
  round = 0

  async begin(retention: Retention = { keepLast: 1, keepMs: 0 }): Promise<void> {
    const { storage, scheduler } = this
    await openEveryDecompress()
    const settings: Settings = { checkpoint: { intervalMs: 0 }, compression: 'none', retention }
    const parts = { storage, scheduler, clock: scheduler.clock, writer: 'inline' as const, thresholds: THRESHOLDS, fileBytesMax: 4000 }
    this.store = await this.run(openStore('simulated', settings, parts))
    for (let at = 0; at < 4; at++) await this.run(this.write())
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  /** Every entry again, and upkeep until all that is dead is gone. */
  async write(): Promise<void> {
    const map = this.store.map<string, number>('map')
    this.round++
    for (let at = 0; at < COUNT; at++) map.set(at, `${this.round} of entry ${at}`)
    await this.store.checkpoint()
    await this.wait(30 * GRACE_MS)
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.scheduler.after(ms, resolve)
    })
  }

  read(storage: Storage, settings: Settings = {}): Promise<Store> {
    const { scheduler } = this
    const given: Settings = { readOnly: true, ...settings, restore: { hydrate: 'on-demand', ...settings.restore } }
    return this.run(openStore('simulated', given, { storage, scheduler, clock: scheduler.clock }))
  }
}

/** The same files; before the first look at one of `folder` after a look at a manifest, `before` is awaited. */
function interrupted(storage: SimulatedStorage, folder: string, before: () => Promise<void>): Storage {
  let armed = false
  const look = async (path: string): Promise<void> => {
    if (path.startsWith('manifest')) armed = true
    if (!armed || !path.startsWith(`${folder}/`)) return
    armed = false
    await before()
  }
  return {
    list: path => storage.list(path),
    open: async (path: string, mode: OpenMode): Promise<StorageFile> => {
      await look(path)
      return await storage.open(path, mode)
    },
    exists: async path => {
      await look(path)
      return await storage.exists(path)
    },
    size: path => storage.size(path),
    createIfAbsent: (path, bytes) => storage.createIfAbsent(path, bytes),
    syncFolder: path => storage.syncFolder(path),
    remove: path => storage.remove(path),
    makeFolder: path => storage.makeFolder(path),
  }
}

/** Interrupts so often, and tells which files were gone after each time. */
function interruptions(world: World, folder: string, times: number): { storage: Storage; gone: string[][] } {
  const gone: string[][] = []
  const storage = interrupted(world.storage, folder, async () => {
    if (gone.length >= times) return
    const before = await world.storage.list(folder)
    await world.write()
    const after = new Set(await world.storage.list(folder))
    gone.push(before.filter(name => !after.has(name)))
  })
  return { storage, gone }
}

for (const folder of ['segment', 'log']) {
  test(`a reader whose ${folder} files went begins again with the newest manifest`, async () => {
    for (const onDamage of ['refuse', 'fall-back'] as const) {
      const world = new World()
      await world.begin()
      const { storage, gone } = interruptions(world, folder, 2)
      const reader = await world.read(storage, { restore: { onDamage } })
      assert.equal(gone.length, 2)
      assert.ok(
        gone.every(files => files.length > 0),
        JSON.stringify(gone),
      )
      assert.equal(reader.restored.lost, undefined)
      assert.equal(reader.restored.epoch, world.store.stats().epoch)
      const map = reader.map<string, number>('map')
      assert.equal(map.size, COUNT)
      for (let at = 0; at < COUNT; at++) assert.equal(map.get(at), `${world.round} of entry ${at}`)
      await world.run(reader.close())
      await world.run(world.store.close())
      assert.equal(world.storage.openFiles, 0)
    }
  })

  test(`verify beside a writer that gives ${folder} files back finds no damage`, async () => {
    const world = new World()
    await world.begin()
    const { storage, gone } = interruptions(world, folder, 2)
    const { ok, epoch, files } = await world.run(verifyStore(storage, () => undefined))
    assert.ok(
      gone.every(files => files.length > 0),
      JSON.stringify(gone),
    )
    assert.ok(
      ok,
      files
        .filter(({ problem }) => problem !== undefined)
        .map(({ file, problem }) => `${file}: ${problem}`)
        .join(),
    )
    assert.equal(epoch, world.store.stats().epoch)
    await world.run(world.store.close())
  })

  test(`${folder} files that are missing are damage, however often the store moves on`, async () => {
    for (const moves of [false, true]) {
      const world = new World()
      // Nothing is given back.
      await world.begin({ keepLast: 1000, keepMs: 0 })
      const lost = new Set((await world.run(world.storage.list(folder))).slice(-1).map(name => `${folder}/${name}`))
      let numbers = 0
      const storage = interrupted(world.storage, folder, async () => {
        if (!moves) return
        await world.write()
        numbers++
        for (const name of await world.storage.list(folder)) lost.add(`${folder}/${name}`)
      })
      const there = (path: string): string => (lost.has(path) ? `${folder}/nothing` : path)
      const blind: Storage = {
        ...storage,
        open: async (path, mode) => {
          const file = await storage.open(path, mode)
          if (!lost.has(path)) return file
          await file.close()
          return await world.storage.open(there(path), mode)
        },
        exists: async path => (await storage.exists(path)) && !lost.has(path),
        size: path => storage.size(there(path)),
      }
      const found = await world.read(blind).catch((error: unknown) => error)
      assert.ok(hasCode(found, folder === 'log' ? 'TIDEMARK_LOG_DAMAGED' : 'TIDEMARK_STORAGE'), String(found))
      assert.equal(numbers, moves ? READ_ATTEMPTS_MAX : 0)
      const { ok, files } = await world.run(verifyStore(blind, () => undefined))
      assert.equal(ok, false)
      const missed = files.filter(({ problem }) => problem !== undefined)
      assert.ok(missed.length > 0 && missed.every(({ file, problem }) => lost.has(file) && /missing/.test(problem ?? '')))
      await world.run(world.store.close())
    }
  })

  test(`a store that gives ${folder} files back under every look is not damaged; the reader is told to try again`, async () => {
    const world = new World()
    await world.begin()
    const { storage, gone } = interruptions(world, folder, Number.POSITIVE_INFINITY)
    const again = (error: unknown): boolean =>
      hasCode(error, 'TIDEMARK_STORAGE') &&
      (error as TidemarkError).kind === 'retry' &&
      /try again/.test((error as TidemarkError).hint ?? '')
    await assert.rejects(world.read(storage), again)
    assert.equal(gone.length, READ_ATTEMPTS_MAX)
    await assert.rejects(world.run(verifyStore(storage, () => undefined)), again)
    await world.run(world.store.close())
    assert.equal(world.storage.openFiles, 0)
  })
}

test('recovery points are listed from a log that begins later meanwhile', async () => {
  const world = new World()
  await world.begin()
  const { storage, gone } = interruptions(world, 'log', 1)
  const points = await world.run(
    listPoints(
      storage,
      () => Number.MAX_SAFE_INTEGER,
      () => undefined,
    ),
  )
  assert.ok((gone[0] as string[]).length > 0)
  assert.equal(points[0]?.epoch, world.store.stats().epoch)
  const { manifest } = await world.run(openForReading(world.storage))
  assert.equal(points.at(-1)?.epoch, manifest.fold?.epoch)
  await world.run(world.store.close())
})

test('where the look that would tell that files were given back fails, that is told, and no damage', async () => {
  const world = new World()
  await world.begin()
  const looks: readonly [string, (storage: Storage) => Promise<unknown>][] = [
    [
      'log',
      storage =>
        listPoints(
          storage,
          () => Number.MAX_SAFE_INTEGER,
          () => undefined,
        ),
    ],
    ['log', storage => verifyStore(storage, () => undefined)],
    ['segment', storage => verifyStore(storage, () => undefined)],
  ]
  for (const [folder, look] of looks) {
    const { storage, gone } = interruptions(world, folder, 1)
    const short: Storage = {
      ...storage,
      list: async path => {
        if (path === 'manifest' && gone.length > 0) throw storageError('list', path, systemError('EMFILE', 'scandir'))
        return await storage.list(path)
      },
    }
    await assert.rejects(world.run(look(short)), { code: 'TIDEMARK_STORAGE', message: /EMFILE/ }, folder)
    assert.ok((gone[0] as string[]).length > 0)
  }
  await world.run(world.store.close())
  assert.equal(world.storage.openFiles, 0)
})

test('a point that retention gave up between two looks is no point any more, and no damage', async () => {
  for (const folder of ['manifest', 'segment']) {
    const world = new World()
    await world.begin({ keepLast: 3, keepMs: 0 })
    const newest = await world.run(readNewest(world.storage))
    const at = newest?.manifest.retained[0]?.epoch
    assert.ok(at !== undefined)
    // The newest manifest is the first to be opened, the one that keeps the point the second.
    const nth = folder === 'manifest' ? 2 : 1
    let looks = 0
    const storage = interrupted(world.storage, folder, async () => {
      if (++looks !== nth) return
      for (let round = 0; round < 20; round++) await world.write()
    })
    await assert.rejects(world.read(storage, { restore: { at } }), { code: 'TIDEMARK_NO_SUCH_POINT' })
    assert.ok(looks >= nth, folder)
    await world.run(world.store.close())
    assert.equal(world.storage.openFiles, 0)
  }
})

test('what a reader takes for hydration is no commit, no sync and no access', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  for (let key = 0; key < 2000; key++) store.map('a').set(key, 'x')
  await store.close()
  const reader = await open(folder, { readOnly: true, restore: { hydrate: 'eager' } })
  await reader.hydrated()
  const { access, commits, syncs, stalls } = reader.stats()
  assert.ok(stalls.count > 0)
  assert.deepEqual([access.count, commits.count, syncs.count], [0, 0, 0])
  await reader.close()
})
