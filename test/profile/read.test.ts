/** Profiles of stores: whole, damaged anywhere, and beside a writer that goes on, rolls, and gives files back. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { TidemarkError } from '../../src/base/errors.ts'
import { decodeManifest, encodeManifest } from '../../src/format/index.ts'
import { readNewest } from '../../src/manifest/index.ts'
import { openStore } from '../../src/open.ts'
import { type ProfileParts, profileStore } from '../../src/profile/read.ts'
import type { Profile, ProfileOptions } from '../../src/profile/types.ts'
import { copyStore } from '../../src/restore/copy.ts'
import { copyDirectory, verifyDirectory } from '../../src/restore/index.ts'
import { verifyStore } from '../../src/restore/verify.ts'
import {
  FileStorage,
  MemoryDisk,
  MemoryStorage,
  type OpenMode,
  type Storage,
  type StorageFile,
  storageError,
  systemError,
} from '../../src/storage/index.ts'
import type { Store } from '../../src/store.ts'
import { SeededRandom, SimulatedStorage } from '../../src/testing/index.ts'
import { type Files, filesOf, flipped, logFiles, storageOf, withFile } from '../support/files.ts'
import { type Block, blockBytes, Life } from '../support/log-store.ts'
import { BEGIN_MS, History } from '../support/profile-history.ts'
import { SimulatedStore } from '../support/simulated-store.ts'
import { temporaryFolder } from '../temporary.ts'

/** Time passes by waiting alone. */
function parts(waited: () => Promise<void> = async () => {}): ProfileParts {
  let now = 0
  const wait = async (ms: number): Promise<void> => {
    now += ms
    await waited()
  }
  return { monotonic: () => now, pause: () => undefined, wait }
}

const epochOf = (at: number): Block[] => [
  Array.from({ length: 5 }, (_, key) => [`k${key}`, `${at} ${'x'.repeat(20)}`] as const),
  [[`new-${at}`, 'once']],
]

async function make(lives: readonly number[], fileBytesMax = 64 * 1024): Promise<Files> {
  const disk = new MemoryDisk()
  for (const [index, epochs] of lives.entries()) {
    const life = await Life.open({ storage: new MemoryStorage(disk), name: `life ${index}`, fileBytesMax })
    for (let at = 0; at < epochs; at++) await life.mustCommit(epochOf(at))
    await life.close()
  }
  return await filesOf(new MemoryStorage(disk))
}

function look(storage: Storage): Promise<Profile> {
  return profileStore(storage, {}, parts())
}

test('all epochs of all files and lives are counted once, and the bytes are those of the files', async () => {
  const files = await make([30, 1, 20], 4000)
  assert.ok(logFiles(files).length > 5)
  const { ok, history, all } = await look(await storageOf(files))
  assert.deepEqual([ok, history.epochs, history.firstEpoch, history.lastEpoch, history.restarts], [true, 51, 1, 51, 2])
  assert.equal(all.records, 51 * 6)
  assert.equal(all.distinctKeys, 5 + 30)
  const sizes = logFiles(files).map(path => (files.get(path) as Buffer).length - 1024)
  const bytes = sizes.reduce((a, b) => a + b, 0)
  assert.ok(history.logBytes <= bytes && history.logBytes > 0.95 * bytes, `${history.logBytes} of ${bytes}`)
  assert.ok(history.blockBytes < history.logBytes)
})

test('an older copy of the manifests is told, and the log is read to its end', async () => {
  const disk = new MemoryDisk()
  const copies: Files[] = []
  for (const name of ['one', 'two']) {
    const life = await Life.open({ storage: new MemoryStorage(disk), name })
    await life.mustCommit(epochOf(0))
    await life.close()
    copies.push(await filesOf(new MemoryStorage(disk)))
  }
  const [older, files] = copies as [Files, Files]
  const found = [...older].filter(([path]) => path.startsWith('manifest/'))
  const { ok, history } = await look(await storageOf(new Map([...found, ...[...files].filter(([path]) => path.startsWith('log/'))])))
  assert.deepEqual([ok, history.epochs], [true, 2])
  assert.match(history.notes.join(), /older than the log, which was followed on/)
})

test('a store without an epoch has a profile that says so; no store is an error', async () => {
  const { ok, history } = await look(await storageOf(await make([0])))
  assert.deepEqual([ok, history.epochs], [true, 0])
  await assert.rejects(look(new MemoryStorage()), { code: 'TIDEMARK_NO_STORE' })
})

test('a byte damaged anywhere: a typed error, or figures of a whole prefix, and nothing amiss goes unsaid', async () => {
  const files = await make([6, 6], 1800)
  const whole = await look(await storageOf(files))
  assert.equal(whole.history.epochs, 12)
  const outcomes = new Map<string, number>()
  for (const [path, bytes] of files) {
    for (let at = 0; at < bytes.length; at += path.startsWith('log/') ? 31 : 61) {
      const storage = await storageOf(withFile(files, path, flipped(bytes, 8 * at + (at % 8))))
      const found = await look(storage).catch(error => error as unknown)
      if (found instanceof Error) {
        assert.ok(found instanceof TidemarkError && found.kind === 'damage', `${path} at ${at}: ${found.stack}`)
        outcomes.set('error', (outcomes.get('error') ?? 0) + 1)
        continue
      }
      const { ok, history, all } = found as Profile
      assert.equal(ok, history.damage === undefined)
      assert.ok(history.epochs <= 12)
      assert.equal(all.records, history.epochs * 6, `${path} at ${at}`)
      const said = !ok || history.notes.length > 0
      // The last epoch may look as if it had never been acknowledged: nothing behind it says otherwise.
      assert.ok(said || history.epochs >= 11, `${path} at ${at}: ${history.epochs} epochs and not a word`)
      const outcome = ok ? (said ? 'note' : 'whole') : 'damage'
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  for (const outcome of ['note', 'whole', 'damage']) assert.ok((outcomes.get(outcome) ?? 0) > 10, JSON.stringify([...outcomes]))
})

test('a file that is missing, or cut off anywhere, ends the figures and is said', async () => {
  const files = await make([6, 6], 1800)
  const paths = logFiles(files)
  for (const [index, path] of paths.entries()) {
    const without = new Map(files)
    without.delete(path)
    const { ok, history } = await look(await storageOf(without))
    assert.equal(ok, false, path)
    assert.equal(history.damage?.file, path)
    const bytes = files.get(path) as Buffer
    for (let length = 0; length < bytes.length; length += 211) {
      const cut = await look(await storageOf(withFile(files, path, bytes.subarray(0, length))))
      // What follows the last epoch of a file is its seal, and nobody needs that any more.
      const nothingLost = cut.history.epochs === 12
      assert.ok(!cut.ok || nothingLost || (index === paths.length - 1 && length > 1024), `${path} of ${length} bytes`)
      assert.equal(cut.all.records, cut.history.epochs * 6)
    }
  }
})

test('where nobody can tell whether a file that is missed was given back, that is told, and no damage', async () => {
  const files = new Map(await make([3, 3]))
  files.delete(logFiles(files)[0] as string)
  const storage = await storageOf(files)
  let looks = 0
  const list = storage.list.bind(storage)
  storage.list = async folder => {
    if (folder === 'manifest' && ++looks > 1) throw storageError('list', folder, systemError('EMFILE', 'scandir'))
    return await list(folder)
  }
  await assert.rejects(look(storage), { code: 'TIDEMARK_STORAGE', message: /EMFILE/ })
})

test('followed: the epochs of the time given, and none from before, over rolls and another opening', async () => {
  const disk = new MemoryDisk()
  let life = await Life.open({ storage: new MemoryStorage(disk), name: 'a', fileBytesMax: 2500 })
  for (let at = 0; at < 10; at++) await life.mustCommit(epochOf(at))
  let rounds = 0
  const waited = async (): Promise<void> => {
    rounds++
    if (rounds === 5) {
      await life.close()
      life = await Life.open({ storage: new MemoryStorage(disk), name: 'b', fileBytesMax: 2500 })
    }
    for (let at = 0; at < rounds % 4; at++) await life.mustCommit(epochOf(at))
  }
  const { ok, history, all } = await profileStore(new MemoryStorage(disk), { forMs: 2000 }, parts(waited))
  await life.close()
  assert.equal(rounds, 10)
  assert.deepEqual([ok, history.firstEpoch, history.epochs, history.restarts], [true, 11, 15, 1])
  assert.equal(all.records, 15 * 6)
  assert.equal(history.coveredMs, 2000)
})

test('followed: of a store that wrote nothing a collection that is not there is refused, and one that is there has no records', async () => {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), name: 'a', fileBytesMax: 2500 })
  for (let at = 0; at < 10; at++) await life.mustCommit(epochOf(at))
  await life.close()
  // Another opening, which did not come to write anything.
  await (await Life.open({ storage: new MemoryStorage(disk), name: 'b', fileBytesMax: 2500 })).close()
  const followed = (collection: string): Promise<Profile> => profileStore(new MemoryStorage(disk), { forMs: 600, collection }, parts())
  await assert.rejects(followed('nothing'), { code: 'TIDEMARK_ARGUMENT', hint: 'there are: things' })
  const { history, all } = await followed('things')
  assert.deepEqual([history.epochs, history.coveredMs, all.records], [0, 600, 0])
})

test('followed: a store that is taken back meanwhile is followed on from there, though it was taken back as far before', async () => {
  const takenBack = async (disk: MemoryDisk, at: number, epochs: number): Promise<void> => {
    const store = await openStore('simulated', { restore: { at }, checkpoint: { intervalMs: 0 } }, { storage: new MemoryStorage(disk) })
    for (let count = 0; count < epochs; count++) {
      store.map<number>('more').set('key', count)
      await store.checkpoint()
    }
    await store.close()
  }
  for (const [before, at, firstCounted] of [
    [undefined, 5, 6],
    [undefined, 8, 9],
    [8, 5, 6],
    [8, 8, 9],
  ] as const) {
    const disk = new MemoryDisk()
    for (const name of ['a', 'b']) {
      const life = await Life.open({ storage: new MemoryStorage(disk), name, fileBytesMax: 64 * 1024 })
      for (let count = 0; count < 5; count++) await life.mustCommit(epochOf(count))
      await life.close()
    }
    if (before !== undefined) await takenBack(disk, before, 2)
    let rounds = 0
    const waited = async (): Promise<void> => {
      if (rounds++ === 0) await takenBack(disk, at, 4)
    }
    const { ok, history } = await profileStore(new MemoryStorage(disk), { forMs: 600 }, parts(waited))
    assert.deepEqual([ok, history.firstEpoch, history.epochs, history.missedEpochs], [true, firstCounted, 4, 0])
    assert.match(history.notes.join(), /went back to an earlier point meanwhile/)
  }
})

test('epochs that were given back before they were read are counted as missed', async () => {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const life = await Life.open({ storage, name: 'a', fileBytesMax: 2000 })
  for (let at = 0; at < 3; at++) await life.mustCommit(epochOf(at))
  let rounds = 0
  // What folding does to the log, in short: the newest manifest names fewer files.
  const forgetful: Storage = forgetting(storage, () => rounds > 1)
  const { ok, history } = await profileStore(
    forgetful,
    { forMs: 600 },
    parts(async () => {
      rounds++
      for (let at = 0; at < 12; at++) await life.mustCommit(epochOf(at))
    }),
  )
  await life.close()
  assert.equal(ok, true)
  assert.ok(history.missedEpochs > 0 && history.missedEpochs < 30)
  assert.equal(history.epochs + history.missedEpochs, 36)
})

/** The same store, of whose manifests it seems, from `when` on, as if they named the last two log files alone. */
function forgetting(storage: MemoryStorage, when: () => boolean): Storage {
  const open = async (path: string, mode: OpenMode): Promise<StorageFile> => {
    const file = await storage.open(path, mode)
    if (!path.startsWith('manifest/') || !when()) return file
    const manifest = decodeManifest(await file.read(0, await file.size()), path)
    const bytes = encodeManifest({ ...manifest, log: manifest.log.slice(-2) })
    return Object.assign(Object.create(file) as StorageFile, {
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
      size: async () => bytes.length,
      close: () => file.close(),
    })
  }
  const size = async (path: string): Promise<number> => {
    const file = await open(path, 'read')
    const bytes = await file.size()
    await file.close()
    return bytes
  }
  return Object.assign(Object.create(storage) as Storage, {
    open,
    size,
    list: (folder: string) => storage.list(folder),
    exists: (path: string) => storage.exists(path),
  })
}

test('bytes that a living writer takes back while they are read: the reading begins again behind what was counted', async () => {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), name: 'a', fileBytesMax: 2000 })
  for (let at = 0; at < 20; at++) await life.mustCommit(epochOf(at))
  await life.close()
  const files = (await new MemoryStorage(disk).list('log')).sort().map(name => `log/${name}`)
  class Refusing extends MemoryStorage {
    moves = true
    #looks = 0

    override async open(path: string, mode: OpenMode): Promise<StorageFile> {
      // Found first, then read.
      if (path === files.at(-2) && ++this.#looks === 1) {
        if (this.moves) await (await Life.open({ storage: new MemoryStorage(disk), name: 'b' })).close()
        throw new TidemarkError('TIDEMARK_STORAGE', `a block of ${path} reads otherwise than a moment ago`, { file: path })
      }
      return await super.open(path, mode)
    }
  }
  const { ok, history, all } = await look(new Refusing(disk))
  assert.deepEqual([ok, history.epochs, all.records], [true, 20, 20 * 6])
  const still = new Refusing(disk)
  still.moves = false
  await assert.rejects(look(still), { code: 'TIDEMARK_STORAGE' })
})

test('an epoch that is taken back between two of its blocks counts no records', async () => {
  const { profiler } = await History.make()
  const catalogue = [{ id: 1, kind: 'map' as const, name: 'things', codec: 'tide1', entries: 1, bytes: 0 }]
  for (const epoch of [1, 2, 3]) {
    const commit = { epoch, timeMs: BEGIN_MS + 1000 * epoch, blockBytes: 100, rawBytes: 100, catalogue }
    profiler.block(blockBytes([['key', String(epoch)]]), 0, commit)
    if (epoch === 2) profiler.takenBack()
    else profiler.commit(commit, 200)
  }
  const { all, collections, history } = await profiler.report(parts())
  assert.deepEqual([history.epochs, all.records, collections.map(({ records }) => records)], [2, 2, [2]])
  assert.match(history.notes.join(), /taken back while it was read/)
})

test('options are checked', async () => {
  const storage = await storageOf(await make([1]))
  for (const options of [
    { forMs: -1 },
    { forMs: Number.NaN },
    ...([{ forMS: 1 }, 5, 'players', null, new Map(), Object.create({ forMS: 1 })] as ProfileOptions[]),
    { forMs: '5' as unknown as number },
    { collection: '' },
    { collection: 'no such' },
  ]) {
    await assert.rejects(profileStore(storage, options, parts()), { code: 'TIDEMARK_ARGUMENT' })
  }
  assert.equal((await profileStore(storage, { collection: 'things' }, parts())).all.records, 6)
})

test('a copy of which the fold point ends a closed log file is whole, and its profile says so', { timeout: 120_000 }, async t => {
  const folder = temporaryFolder(t)
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  const open = async (): Promise<Store> => await openStore(source, { checkpoint: { intervalMs: 0 } })
  let store = await open()
  const map = store.map<Uint8Array, number>('map')
  for (let key = 0; key < 3 * 1024; key++) map.set(key, randomBytes(1024))
  await store.close()
  // A close folds for two seconds at most; a store that stays open takes the time it needs.
  store = await open()
  while (store.stats().upkeep.foldedEpoch === 0) await setTimeout(20)
  store.map<number, number>('map').set(0, 0)
  await store.checkpoint()
  await store.close()
  await copyDirectory(source, target)
  assert.equal((await verifyDirectory(target)).ok, true)
  const { ok, history, all } = await look(new FileStorage(target))
  assert.deepEqual([ok, history.damage, history.firstEpoch, history.lastEpoch, all.records], [true, undefined, 2, 2, 1])
  const followed = await profileStore(new FileStorage(target), { forMs: 400 }, parts())
  assert.deepEqual([followed.ok, followed.history.epochs], [true, 0])
})

test('a copy that has folded since, whose log begins with a file that its oldest fold point ends and that the copy did without, is whole', async () => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, graceMs: 100 }
  /** So much that it is folded. */
  const write = async (round: number): Promise<void> => {
    for (let at = 0; at < 60; at++) world.store.map<string>('map').set(`key ${at}`, `some text of entry ${at} in round ${round}`)
    await world.checkpoint()
    await world.pass(5000)
  }
  await world.open()
  await write(1)
  await world.close()
  // In another file.
  await world.open()
  world.store.map('map').set('one', 'more')
  await world.checkpoint()
  await world.close()
  const source = world.storage
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler })
  await world.run(copyStore(source, world.storage, new SeededRandom(1), () => undefined))
  await world.open()
  await write(2)
  await write(3)
  await world.close()
  const newest = await world.run(readNewest(world.storage))
  const { log, fold, retained } = newest?.manifest ?? assert.fail('there is none')
  assert.deepEqual([log[0]?.end?.epoch, retained[0]?.epoch, fold?.epoch], [1, 1, 4])
  assert.equal(await world.run(world.storage.exists(log[0]?.file as string)), false)
  const { ok, history, all } = await world.run(look(world.storage))
  assert.deepEqual([ok, history.damage, history.firstEpoch, history.lastEpoch, all.records], [true, undefined, 2, 4, 121])
  assert.equal((await world.run(verifyStore(world.storage, () => undefined))).ok, true)
})
