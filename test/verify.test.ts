/** What verify says of files that the device does not give back, and beside a writer that takes back what was read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { TidemarkError } from '../src/base/errors.ts'
import { encodeManifest, manifestName, type RetainedPoint } from '../src/format/index.ts'
import { readManifest } from '../src/manifest/index.ts'
import { openForReading } from '../src/restore/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { MemoryDisk, MemoryStorage, type OpenMode, type StorageFile, storageError, systemError } from '../src/storage/index.ts'
import { Life } from './support/log-store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const MIB = 1024 * 1024

const never = (): undefined => undefined

/** Two log files of an epoch each. */
async function make(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  for (const name of ['a', 'b']) {
    const life = await Life.open({ storage: new MemoryStorage(disk), name })
    await life.mustCommit([[['key', name]]])
    await life.close()
  }
  return disk
}

class Looked extends MemoryStorage {
  before: (path: string, mode: OpenMode) => Promise<void> = async () => {}

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    await this.before(path, mode)
    return await super.open(path, mode)
  }
}

test('a log file that the device refuses to read is the one that is named', async () => {
  const disk = await make()
  const [first, second] = (await new MemoryStorage(disk).list('log')).sort().map(name => `log/${name}`)
  for (const file of [first, second]) {
    const storage = new Looked(disk)
    storage.before = async path => {
      if (path === file) throw storageError('read', path, systemError('EIO', 'read'))
    }
    const { ok, files } = await verifyStore(storage, never)
    assert.equal(ok, false)
    assert.deepEqual(
      files.filter(({ problem }) => problem !== undefined).map(each => each.file),
      [file],
    )
  }
})

const otherwise = (file: string): TidemarkError =>
  new TidemarkError('TIDEMARK_STORAGE', `a block of ${file} at 1024 reads otherwise than a moment ago`, { file })

/** The last log file reads otherwise than a moment ago, `times` times; each time after a later manifest, where `moves`. */
async function takenBack(times: number, moves: boolean): Promise<Looked> {
  const disk = await make()
  const last = `log/${(await new MemoryStorage(disk).list('log')).sort().at(-1)}`
  const storage = new Looked(disk)
  let count = 0
  storage.before = async (path, mode) => {
    if (path !== last || mode !== 'read' || count >= times) return
    count++
    const others = { storage: new MemoryStorage(disk), name: `other ${count}` }
    if (moves) await (await Life.open(others)).close()
    throw otherwise(path)
  }
  return storage
}

test('bytes that a living writer takes back while they are read: verify begins again, and blames no device', async () => {
  const { ok, epoch } = await verifyStore(await takenBack(1, true), never)
  assert.deepEqual([ok, epoch], [true, 2])
  for (const storage of [await takenBack(1, false), await takenBack(Number.POSITIVE_INFINITY, true)])
    await assert.rejects(verifyStore(storage, never), { code: 'TIDEMARK_STORAGE' })
})

test('of the manifests that are kept no more is held than where each lets the log be read on', async () => {
  const disk = await make()
  const { manifest } = await openForReading(new MemoryStorage(disk))
  const kept = Array.from({ length: 60 }, (_, at) => ({ number: manifest.number + 1 + at, epoch: 0, timeMs: at }))
  const large = Array.from({ length: 1000 }, (_, id) => ({
    ...{ id: id + 1, kind: 'map' as const, name: `a collection called ${id}`, codec: 'tide1', entries: id, bytes: id },
  }))
  const writing = new MemoryStorage(disk)
  for (const { number } of kept)
    await writing.createIfAbsent(manifestName(number), encodeManifest({ ...manifest, number, catalogue: { epoch: 2, collections: large } }))
  const newest = manifest.number + kept.length + 1
  await writing.createIfAbsent(manifestName(newest), encodeManifest({ ...manifest, number: newest, retained: kept }))
  const storage = new Looked(disk)
  const held: number[] = []
  storage.before = async path => {
    if (held.length > 0 && !path.startsWith('log/')) return
    collect()
    held.push(process.memoryUsage().heapUsed)
  }
  const { ok, files } = await verifyStore(storage, never)
  assert.deepEqual([ok, files.filter(({ kind }) => kind === 'manifest').length], [true, kept.length + 1])
  const [before, whileLogIsRead] = held as [number, number]
  assert.ok(whileLogIsRead - before < 2 * MIB, `${whileLogIsRead - before} bytes are held for ${kept.length} manifests`)
})

test('what costs nothing is a note, with its file and place: a copy that is damaged, and an end that was never acknowledged', async () => {
  const disk = await make()
  const storage = new MemoryStorage(disk)
  const [first, second] = (await storage.list('log')).sort().map(name => `log/${name}`) as [string, string]
  assert.deepEqual((await verifyStore(storage, never)).notes, [])
  const header = await storage.open(first, 'append')
  await header.overwrite(20, Buffer.from([0xee]))
  const tail = await storage.open(second, 'append')
  const { length } = await tail.read(0, MIB)
  await tail.append([Buffer.alloc(100, 7)])
  const { ok, epoch, notes } = await verifyStore(storage, never)
  assert.deepEqual([ok, epoch], [true, 2])
  assert.deepEqual(notes, [
    `${first} at 0: a copy of the header is damaged; nothing is lost by it`,
    `${second} at ${length}: 100 bytes of an epoch that was never acknowledged`,
  ])
})

test('a note on a file is made once, however often the log is looked at from a place in it', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 20, paced: false, graceMs: 100 }
  const map = (await world.open()).map<number>('map')
  for (let at = 0; world.store.stats().upkeep.folds < 3; at++) {
    map.set(`key ${at}`, at)
    await world.checkpoint()
    await world.pass(10)
  }
  const storage = world.storage.crash({ mode: 'kept' })
  await world.close()
  const { manifest } = await openForReading(storage)
  const [point] = manifest.retained.slice(-1) as [RetainedPoint]
  const { fold } = await readManifest(storage, point.number)
  assert.ok(fold !== null && fold.file !== null && fold.file === manifest.fold?.file, 'both lie in one file')
  const bytes = storage.disk.lookup(fold.file)
  bytes?.flip(20, 1)
  bytes?.flip(fold.bytes + 100, 1)
  const { ok, notes } = await verifyStore(storage, never)
  assert.equal(ok, false)
  assert.deepEqual(notes, [
    `${fold.file} at 0: a copy of the header is damaged; nothing is lost by it`,
    `behind the damage in ${fold.file} the log was not looked at up to the fold point at epoch ${manifest.fold.epoch}`,
  ])
})
