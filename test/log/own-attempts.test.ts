/**
 * What an attempt of this writer's own left or is leaving under the next number, seen by its other half: manifests that are half written, or whose
 * making was answered wrongly. They fence nobody, and hold up nobody for longer than they must.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { type Failpoint, noFailpoint } from '../../src/base/failpoint.ts'
import { MANIFESTS_KEPT } from '../../src/base/limits.ts'
import { type Manifest, manifestName } from '../../src/format/index.ts'
import { listManifests, readNewest } from '../../src/manifest/index.ts'
import { openForWriting } from '../../src/restore/index.ts'
import { MemoryDisk, MemoryStorage, storageError, systemError } from '../../src/storage/index.ts'
import { Ownership } from '../../src/writer/ownership.ts'
import { Life, NOWHERE, pseudoRandom, readAll } from '../support/log-store.ts'

const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })
const next = (manifest: Manifest): Manifest => ({ ...manifest, number: manifest.number + 1 })
const isFenced = (error: unknown): boolean => hasCode(error, 'TIDEMARK_FENCED')

/** Without links, as some file systems are: a manifest is written under its own name. */
class InPlace extends MemoryStorage {
  /** What it waits for between half of the bytes and the rest. */
  gate: Promise<unknown> = Promise.resolve()
  /** So many calls end half way, and what they wrote stays. */
  failures = 0

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (await this.exists(path)) return false
    const file = await this.open(path, 'create')
    await file.append([bytes.subarray(0, bytes.length / 2)])
    await this.gate
    if (this.failures-- > 0) {
      await file.close()
      throw storageError('createIfAbsent', path, systemError('EIO', 'write'))
    }
    await file.append([bytes.subarray(bytes.length / 2)])
    await file.sync()
    await file.close()
    return true
  }
}

async function owned(failpoint: Failpoint = noFailpoint) {
  const disk = new MemoryDisk()
  const storage = new InPlace(disk)
  const { manifest } = await openForWriting(storage, facts('own'))
  return { disk, storage, number: manifest.number, own: new Ownership(storage, failpoint, manifest) }
}

function newGate() {
  let open = (): void => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  return { gate, open }
}

test('a commit that meets half a manifest of upkeep is neither fenced nor held up by it', async () => {
  const { storage, number, own } = await owned()
  const { gate, open } = newGate()
  storage.gate = gate
  const published = own.publishBeside(storage, next, NOWHERE, [])
  while (!(await storage.exists(manifestName(number + 1)))) await null
  await own.check()
  open()
  await published
  await own.check()
  assert.equal(own.manifest.number, number + 1)
})

test('one that is spoiled fences nobody before it was read back', async () => {
  const checks: Promise<void>[] = []
  const { storage, number, own } = await owned(async name => {
    if (name === 'manifest.sync-folder') checks.push(own.check())
    await Promise.all(checks)
  })
  const create = storage.createIfAbsent.bind(storage)
  storage.createIfAbsent = (path, bytes) => create(path, Buffer.from(bytes).fill(0, 40, 60))
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  assert.equal(checks.length, 1)
  storage.createIfAbsent = create
  await own.publish(next)
  assert.equal(own.manifest.number, number + 2)
})

test('one that was not written whole and stays keeps its number: no file goes before there is a later one', async () => {
  const { storage, number, own } = await owned()
  storage.failures = 2
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(own.publishBeside(storage, next, NOWHERE, []), { code: 'TIDEMARK_STORAGE' })
    await own.check()
    await assert.rejects(own.checkForRemoval(), { code: 'TIDEMARK_STORAGE' })
  }
  await own.publishBeside(storage, next, NOWHERE, [])
  await own.checkForRemoval()
  assert.equal(own.manifest.number, number + 3)
  assert.equal((await readNewest(storage))?.manifest.number, number + 3)
})

test('who is behind it fences its writer', async () => {
  for (const keeps of [true, false]) {
    const { storage, number, own } = await owned()
    storage.failures = 1
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    await openForWriting(storage, facts('rival'))
    if (!keeps) {
      await openForWriting(storage, facts('another'))
      await storage.remove(manifestName(number + 2))
    }
    await assert.rejects(own.check(), isFenced)
    await assert.rejects(own.publish(next), isFenced)
  }
})

test('half of a manifest that turns out to be a rival’s fences, though an attempt of ours under its number failed', async () => {
  const { disk, storage, number, own } = await owned()
  const rival = new InPlace(disk)
  const { gate, open } = newGate()
  rival.gate = gate
  storage.createIfAbsent = async path => {
    throw storageError('createIfAbsent', path, systemError('EIO', 'open'))
  }
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  const opened = openForWriting(rival, facts('rival'))
  while (!(await storage.exists(manifestName(number + 1)))) await null
  await own.check()
  open()
  await opened
  await assert.rejects(own.check(), isFenced)
  assert.deepEqual(await listManifests(storage), [number, number + 1])
})

/** Makes a manifest and says that it was there, as over a network where the call was sent twice. */
class Resent extends MemoryStorage {
  resends = 0
  /** Manifests that were there when the folder was synced. */
  synced: number[] = []

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const made = await super.createIfAbsent(path, bytes)
    return made && !(path.startsWith('manifest/') && this.resends-- > 0)
  }

  override async syncFolder(folder: string): Promise<void> {
    await super.syncFolder(folder)
    if (folder === 'manifest') this.synced = await listManifests(this)
  }
}

test('a roll whose manifest was made although the answer was that it was there', async () => {
  const storage = new Resent()
  const life = await Life.open({ storage, fileBytesMax: 1 })
  storage.resends = 1
  await life.mustCommit([[['a', '1']]])
  storage.resends = 2
  await life.mustCommit([[['b', '2']]])
  await life.close()
  assert.equal((await readAll(storage)).epochs.length, 2)
})

test('an open whose manifest was made although the answer was that it was there, and cannot be read, is not fenced by it', async () => {
  const disk = new MemoryDisk()
  await openForWriting(new MemoryStorage(disk), facts('before'))
  const storage = new Resent(disk)
  storage.resends = 1
  const opens = storage.open.bind(storage)
  storage.open = async (path, mode) => {
    if (storage.resends < 1 && path.startsWith('manifest/')) throw storageError('open', path, systemError('EIO', 'open'))
    return await opens(path, mode)
  }
  await assert.rejects(openForWriting(storage, facts('own')), { code: 'TIDEMARK_STORAGE', file: manifestName(2) })
  const { manifest } = await openForWriting(new MemoryStorage(disk), facts('again'))
  assert.equal(manifest.number, 3)
})

test('a fold whose manifest was made although the answer was that it was there does not end before one is durable', async () => {
  const storage = new Resent()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  const exists = storage.exists.bind(storage)
  for (const checked of [false, true]) {
    const { number } = own.manifest
    storage.resends = 1
    const published = own.publishBeside(storage, old => (old.number === number ? next(old) : undefined), NOWHERE, [])
    if (checked) {
      while (!(await exists(manifestName(number + 1)))) await null
      await own.check()
    }
    await published
    assert.ok(own.manifest.number > number)
    assert.equal(storage.synced.at(-1), own.manifest.number)
    await own.checkForRemoval()
  }
})

test('a roll does not wait while upkeep removes manifests that nobody needs', async () => {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  for (let count = 0; count < MANIFESTS_KEPT; count++) await own.publish(next)
  const beside = new MemoryStorage(disk)
  const { gate, open } = newGate()
  const remove = beside.remove.bind(beside)
  let removes = 0
  beside.remove = async path => {
    removes++
    await gate
    await remove(path)
  }
  const published = own.publishBeside(beside, next, NOWHERE, [])
  while (removes === 0) await null
  await own.publish(next)
  await own.prune(3)
  open()
  await published
  assert.equal(own.manifest.number, manifest.number + MANIFESTS_KEPT + 2)
  assert.equal((await listManifests(storage)).length, MANIFESTS_KEPT)
})

test('no more old manifests are removed at once than was asked for', async () => {
  const storage = new MemoryStorage()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  for (let count = 0; count < MANIFESTS_KEPT + 9; count++) await own.publish(next)
  const before = await listManifests(storage)
  await own.prune(2)
  assert.deepEqual(await listManifests(storage), before.slice(2))
  await own.prune(Number.POSITIVE_INFINITY)
  assert.equal((await listManifests(storage)).length, MANIFESTS_KEPT)
})

test('a storage that goes on saying that what it made was there ends the attempt', async () => {
  const storage = new Resent()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.resends = Number.POSITIVE_INFINITY
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  storage.resends = 0
  await own.publish(next)
  await own.check()
})
