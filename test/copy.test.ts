/** A copy of a store: whole or no store, whatever stops it; beside a writer that goes on and gives files back. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { copy, open } from 'tidemark'
import { hasCode, type TidemarkError } from '../src/base/errors.ts'
import { openEveryDecompress } from '../src/format/index.ts'
import { openStore } from '../src/open.ts'
import { copyStore, openForReading } from '../src/restore/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import {
  isErrno,
  MemoryDisk,
  MemoryStorage,
  type OpenMode,
  type Storage,
  type StorageFile,
  storageError,
  systemError,
} from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { fails, run } from './support/cli.ts'
import { flipped } from './support/files.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

const THRESHOLDS = { bytes: 2000, fanIn: 3, smallestBytes: 3000, youngBytesMax: 20_000, slackBytes: 5000, baseBytes: 4000, graceMs: 100 }
const COUNT = 200

class World {
  readonly scheduler = new SimulatedScheduler({ seed: 5 })
  readonly source = new SimulatedStorage({ seed: 5, scheduler: this.scheduler })
  readonly states = new Map<number, Map<number, unknown>>()
  store!: Store
  round = 0

  async open(storage: Storage = this.source): Promise<Store> {
    await openEveryDecompress()
    const { scheduler } = this
    const settings = { checkpoint: { intervalMs: 0 }, compression: 'none' as const, retention: { keepLast: 1, keepMs: 0 } }
    const parts = { storage, scheduler, clock: scheduler.clock, writer: 'inline' as const, thresholds: THRESHOLDS, fileBytesMax: 4000 }
    return await this.run(openStore('simulated', settings, parts))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  /** Entries come, change and go, in one epoch. */
  async write(restMs = 0): Promise<void> {
    const map = this.store.map<unknown, number>('map')
    this.round++
    for (let at = this.round; at < COUNT + this.round; at += 1 + (this.round % 3)) map.set(at, `${this.round} of entry ${at}`)
    map.delete(this.round * 2)
    const entries = new Map(map)
    const { epoch } = await this.store.checkpoint()
    this.states.set(epoch, entries)
    if (restMs > 0) await this.scheduler.sleep(restMs)
  }

  /** A store of some epochs, most of them folded. */
  async begin(): Promise<void> {
    this.store = await this.open()
    for (let at = 0; at < 6; at++) await this.run(this.write(3000))
    await this.run(this.write())
    assert.ok(this.store.stats().upkeep.segments > 0)
  }

  /** The copy is whole, holds its epoch, and goes on by itself. */
  async assertCopy(storage: Storage, copied: { readonly epoch: number; readonly entries: number }): Promise<void> {
    const { ok, epoch } = await this.run(verifyStore(storage, () => undefined))
    assert.deepEqual({ ok, epoch }, { ok: true, epoch: copied.epoch })
    const copy = await this.open(storage)
    assert.equal(copy.restored.epoch, copied.epoch)
    const want = this.states.get(copied.epoch) as Map<number, unknown>
    const map = copy.map<unknown, number>('map')
    assert.equal(copied.entries, want.size)
    assert.equal(map.size, want.size)
    assert.deepEqual([...map].sort(byKey), [...want].sort(byKey))
    map.set(-1, 'of the copy')
    await this.run(copy.checkpoint())
    await this.run(copy.close())
    const again = await this.open(storage)
    assert.equal(again.map<unknown, number>('map').get(-1), 'of the copy')
    await this.run(again.close())
  }
}

function byKey([one]: [number, unknown], [other]: [number, unknown]): number {
  return one - other
}

/** Undefined: there is no store. */
async function epochIn(storage: Storage): Promise<number | undefined> {
  try {
    return (await openForReading(storage)).manifest.number
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_NO_STORE') || hasCode(error, 'TIDEMARK_DIRECTORY')) return undefined
    throw error
  }
}

test('a copy beside a writer holds an epoch whole, and neither knows of the other', async () => {
  const world = new World()
  await world.begin()
  const lineages = (await world.run(openForReading(world.source))).manifest.lineage.length
  let working = true
  const writing = (async () => {
    while (working) await world.write(400)
  })()
  for (let seed = 0; seed < 8; seed++) {
    // Reading takes its time, so files go under it.
    const slow = new SimulatedStorage({ seed, scheduler: world.scheduler, latencyMs: { min: 0, max: 40 } })
    let asked = 0
    const pause = (): undefined => void asked++
    const copied = await world.run(copyStore(world.source, slow, new SeededRandom(seed), pause))
    await world.assertCopy(slow, copied)
    assert.ok(asked > 20, `verifying asked ${asked} times whether to give way`)
    const { lineage } = (await world.run(openForReading(slow))).manifest
    assert.equal(lineage.length, lineages + 1)
  }
  working = false
  await world.run(writing)
  assert.equal(world.store.map<unknown, number>('map').has(-1), false)
  await world.run(world.store.close())
})

test('a store without an epoch, and one that never folded, can be copied', async () => {
  const world = new World()
  world.store = await world.open()
  world.states.set(0, new Map())
  const first = new MemoryStorage(new MemoryDisk())
  await world.assertCopy(first, await world.run(copyStore(world.source, first, new SeededRandom(1), () => undefined)))
  world.store.map<unknown, number>('map').set(1, 'one')
  world.states.set((await world.run(world.store.checkpoint())).epoch, new Map([[1, 'one']]))
  const second = new MemoryStorage(new MemoryDisk())
  await world.assertCopy(second, await world.run(copyStore(world.source, second, new SeededRandom(1), () => undefined)))
  await world.run(world.store.close())
})

test('a copy that is cut short at any step is no store or a whole one, and can be begun again', async () => {
  const world = new World()
  await world.begin()
  let whole = 0
  let none = 0
  let ended = false
  for (let step = 1; !ended; step++) {
    assert.ok(step < 1000, 'it comes to an end')
    const target = new SimulatedStorage({ seed: step, powerCutAtStep: step })
    ended = await world.run(
      copyStore(world.source, target, new SeededRandom(step), () => undefined).then(
        () => true,
        () => false,
      ),
    )
    const after = target.crash({ mode: 'random', seed: step })
    if ((await epochIn(after)) === undefined) {
      assert.ok(!ended, 'a copy that was told to be there is there')
      none++
      const left = after.disk.paths()
      assert.ok(left.length === 0 || left.includes('copying'), `step ${step}: ${left} would be taken for somebody else's`)
      await world.assertCopy(after, await world.run(copyStore(world.source, after, new SeededRandom(step), () => undefined)))
      continue
    }
    whole++
    if (ended) assert.ok(!target.crash({ mode: 'lost' }).disk.paths().includes('copying'), 'what tells one that was cut short is gone')
    const { epoch } = await verifyStore(after, () => undefined)
    await world.assertCopy(after, { epoch, entries: world.states.get(epoch)?.size ?? -1 })
  }
  assert.ok(none > 20 && whole > 4, `${none} and ${whole}`)
  await world.run(world.store.close())
})

test('the manifest that a copy cut short left in part is gone for good before the next one makes its own', async () => {
  const world = new World()
  await world.begin()
  await world.run(world.store.close())
  const target = new SimulatedStorage({ seed: 1 })
  await target.createIfAbsent('copying', new Uint8Array(0))
  for (const folder of ['manifest', 'log', 'segment']) await target.makeFolder(folder)
  await target.createIfAbsent('manifest/00000999.manifest', new Uint8Array(100))
  for (const folder of ['', 'manifest']) await target.syncFolder(folder)
  let cuts = 0
  target.onCall = ({ operation, path }) => {
    if (operation !== 'createIfAbsent' || !path.startsWith('manifest/')) return
    for (let seed = 0; seed < 50; seed++, cuts++) {
      const manifests = target
        .crash({ names: 'random', seed })
        .disk.paths()
        .filter(name => name.startsWith('manifest/'))
      // Of two none is known to be that of a copy.
      assert.ok(manifests.length < 2, `seed ${seed}: ${manifests}`)
    }
  }
  await world.run(copyStore(world.source, target, new SeededRandom(1), () => undefined))
  assert.equal(cuts, 50)
})

test('what is damaged is not copied', async () => {
  const world = new World()
  await world.begin()
  await world.run(world.store.close())
  for (const [folder, code] of [
    ['segment', 'TIDEMARK_SEGMENT_DAMAGED'],
    ['log', 'TIDEMARK_LOG_DAMAGED'],
  ] as const) {
    const source = world.source.crash({ mode: 'kept', seed: 1 })
    const { manifest } = await openForReading(source)
    const needed =
      folder === 'segment' ? (manifest.base.flatMap(range => range.segment ?? [])[0] ?? manifest.young[0])?.file : manifest.log.at(-1)?.file
    source.rot(300, needed as string)
    const target = new MemoryStorage(new MemoryDisk())
    await assert.rejects(
      copyStore(source, target, new SeededRandom(1), () => undefined),
      { code, message: /^(?!in the target)/ },
    )
    assert.equal(await epochIn(target), undefined)
  }
})

test('a directory of somebody else is no copy that was cut short, whatever its files are called', async t => {
  const folder = temporaryFolder(t)
  const source = join(folder, 'source')
  const store = await open(source)
  store.map<number>('map').set('key', 1)
  await store.close()
  for (const [name, files] of [
    ['beside', ['copying', 'notes.txt', 'log/mine.txt']],
    ['inside', ['copying', 'log/mine.txt']],
    ['alone', ['copying']],
  ] as const) {
    const target = join(folder, name)
    for (const file of files) {
      mkdirSync(dirname(join(target, file)), { recursive: true })
      writeFileSync(join(target, file), 'mine')
    }
    await failsWith('TIDEMARK_DIRECTORY', () => copy(source, target))
    for (const file of files) assert.equal(readFileSync(join(target, file), 'utf8'), 'mine', file)
  }
  // How a file comes to its name: a kill at the very beginning leaves this.
  const temporary = '.tmp-0123456789abcdef-copying'
  const barely = join(folder, 'barely')
  mkdirSync(barely)
  for (const name of [temporary, 'lock']) writeFileSync(join(barely, name), '')
  assert.equal((await copy(source, barely)).entries, 1)
  assert.ok(!readdirSync(barely).includes(temporary))
  const other = join(folder, 'other')
  mkdirSync(other)
  for (const name of [temporary, '.tmp-0123456789abcdef-notes']) writeFileSync(join(other, name), '')
  await failsWith('TIDEMARK_DIRECTORY', () => copy(source, other))
  assert.equal(readdirSync(other).length, 2)
  const begun = join(folder, 'begun')
  for (const name of ['manifest', 'log']) mkdirSync(join(begun, name), { recursive: true })
  for (const file of [temporary, 'copying', 'log/00000001-00000001.log']) writeFileSync(join(begun, file), '')
  assert.equal((await copy(source, begun)).entries, 1)
})

test('a copy that was cut short inside its manifest, where that has no other name first, can be begun again', async t => {
  const folder = temporaryFolder(t)
  const source = join(folder, 'source')
  const store = await open(source)
  store.map<number>('map').set('key', 1)
  await store.close()
  const begin = async (name: string): Promise<string> => {
    const target = join(folder, name)
    await copy(source, target)
    writeFileSync(join(target, 'copying'), '')
    return target
  }
  const cut = (target: string, bytes: number): void => {
    for (const name of readdirSync(join(target, 'manifest'))) truncateSync(join(target, 'manifest', name), bytes)
  }
  for (const bytes of [0, 100, 700]) {
    const target = await begin(`cut-${bytes}`)
    cut(target, bytes)
    assert.equal((await copy(source, target)).entries, 1)
    assert.ok(!existsSync(join(target, 'copying')))
  }
  const commanded = await begin('commanded')
  cut(commanded, 100)
  const { status, err } = run(['copy', source, commanded])
  assert.equal(status, 0, err)
  // What is a store, and what was one that somebody went on with, is left alone.
  const whole = await begin('whole')
  await failsWith('TIDEMARK_DIRECTORY', () => copy(source, whole))
  const used = await begin('used')
  await (await open(used)).close()
  assert.ok(readdirSync(join(used, 'manifest')).length > 1)
  cut(used, 100)
  await failsWith('TIDEMARK_DIRECTORY', () => copy(source, used))
  assert.ok(readdirSync(join(used, 'manifest')).length > 1)
  fails(1, /TIDEMARK_DIRECTORY/, 'copy', source, used)
})

test('a store of which the manifests of the last opening are damaged is copied into one that can be opened', async t => {
  const folder = temporaryFolder(t)
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  const before = new Set<string>()
  for (const value of [1, 2]) {
    if (value === 2) for (const name of readdirSync(join(source, 'manifest'))) before.add(name)
    const store = await open(source, { checkpoint: { intervalMs: 0 } })
    store.map<number>('map').set('key', value)
    await store.checkpoint()
    await store.close()
  }
  for (const name of readdirSync(join(source, 'manifest'))) {
    if (before.has(name)) continue
    const path = join(source, 'manifest', name)
    writeFileSync(path, flipped(readFileSync(path), 400))
  }
  assert.deepEqual(await copy(source, target).then(({ epoch, entries }) => ({ epoch, entries })), { epoch: 2, entries: 1 })
  const store = await open(target)
  assert.equal(store.map<number>('map').get('key'), 2)
  await store.close()
})

test('a copy whose manifest does not read back is no store', async () => {
  const world = new World()
  await world.begin()
  await world.run(world.store.close())
  const disk = new MemoryDisk()
  class Damaging extends MemoryStorage {
    override createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
      return super.createIfAbsent(path, path.startsWith('manifest/') ? flipped(Buffer.from(bytes), 400) : bytes)
    }
  }
  const storage = new Damaging(disk)
  const target = new MemoryStorage(disk)
  await assert.rejects(world.run(copyStore(world.source, storage, new SeededRandom(1), () => undefined)), { code: 'TIDEMARK_STORAGE' })
  assert.equal(await epochIn(target), undefined)
  await world.assertCopy(target, await world.run(copyStore(world.source, target, new SeededRandom(2), () => undefined)))
})

test('a target that damages what is copied says so, and not that the source is damaged', async () => {
  const world = new World()
  // A close would fold the log.
  await world.begin()
  for (const [folder, code] of [
    ['segment', 'TIDEMARK_SEGMENT_DAMAGED'],
    ['log', 'TIDEMARK_LOG_DAMAGED'],
  ] as const) {
    class Damaging extends MemoryStorage {
      override async open(path: string, mode: OpenMode): Promise<StorageFile> {
        const file = await super.open(path, mode)
        const append = file.append.bind(file)
        file.append = parts => {
          const bytes = Buffer.concat(parts)
          if (path.startsWith(folder)) for (let at = 1100; at < bytes.length; at += 10) bytes[at] = 7
          return append([bytes])
        }
        return file
      }
    }
    const target = new Damaging(new MemoryDisk())
    await assert.rejects(world.run(copyStore(world.source, target, new SeededRandom(1), () => undefined)), error => {
      const { message, hint } = error as { message: string; hint?: string }
      assert.ok(hasCode(error, code), `${error}`)
      assert.match(message, /^in the target, /)
      assert.equal(hint, undefined)
      return true
    })
    assert.equal(await epochIn(target), undefined)
  }
  await world.run(world.store.close())
})

test('a target that is full says so, and is not taken for a source that has moved on', async () => {
  const world = new World()
  await world.begin()
  let created = 0
  class Full extends MemoryStorage {
    override async open(path: string, mode: OpenMode): Promise<StorageFile> {
      const file = await super.open(path, mode)
      if (mode !== 'create') return file
      created++
      file.append = async () => {
        // Files of the source are folded and given back meanwhile.
        for (let at = 0; at < 4; at++) await world.write(3000)
        throw storageError('append', path, systemError('ENOSPC', 'write'))
      }
      return file
    }
  }
  await assert.rejects(world.run(copyStore(world.source, new Full(new MemoryDisk()), new SeededRandom(1), () => undefined)), error => {
    assert.ok(hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, 'ENOSPC'))
    assert.match(String(error), /target.*ENOSPC/)
    assert.match((error as TidemarkError).hint ?? '', /out of space.*: free some .*, then try again$/)
    return true
  })
  assert.equal(created, 1)
  await world.run(world.store.close())
})
