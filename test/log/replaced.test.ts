/** The directory of a store at work is replaced by a copy of it: what is open is in the one that was moved away. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { noFailpoint } from '../../src/base/failpoint.ts'
import { logName, type Manifest, manifestName } from '../../src/format/index.ts'
import { copyDirectory } from '../../src/restore/copy.ts'
import { openForWriting } from '../../src/restore/index.ts'
import { FileStorage, storageError, systemError } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import type { FromWriter } from '../../src/writer/index.ts'
import { Ownership } from '../../src/writer/ownership.ts'
import { type Block, Life, NOWHERE, pseudoRandom, type ReadResult, readAll } from '../support/log-store.ts'
import { temporaryFolder } from '../temporary.ts'

const block = (key: string, value = '1'): readonly Block[] => [[[key, value]]]
const next = (of: Manifest): Manifest => ({ ...of, number: of.number + 1 })
const keys = ({ epochs }: ReadResult): unknown[] => epochs.map(({ blocks }) => blocks[0]?.[0]?.[0])

function isMisplaced(answer: FromWriter): void {
  assert.equal(answer.type, 'failed')
  if (answer.type !== 'failed') return
  assert.equal(answer.error.code, 'TIDEMARK_STORAGE')
  assert.match(answer.error.message, /the store's directory is not where it was/)
  assert.match(answer.error.hint ?? '', /moved/)
}

for (const due of ['commit', 'roll'] as const) {
  for (const lacking of ['the last epoch', 'the file'] as const) {
    test(`a copy that lacks ${lacking} of the log gets no ${due}, opens as before, and all goes on when the directory is back`, async t => {
      const folder = join(temporaryFolder(t), 'state')
      mkdirSync(folder)
      const storage = new FileStorage(folder)
      const life = await Life.open({ storage, compression: 'none', ...(due === 'roll' ? { fileBytesMax: 4000 } : {}) })
      await life.mustCommit(block('a'))
      cpSync(folder, `${folder}-copy`, { recursive: true })
      if (lacking === 'the file') rmSync(join(`${folder}-copy`, logName(life.manifest.token, 1)))
      await life.mustCommit(block('b', 'long'.repeat(1000)))
      putCopy(folder)
      for (let attempt = 0; attempt < 3; attempt++) isMisplaced(await life.commit(block(`away ${attempt}`)))
      if (lacking === 'the last epoch') assert.deepEqual(keys(await readAll(storage)), ['a'])
      putBack(folder)
      await life.mustCommit(block('back'))
      await life.close()
      assert.deepEqual(keys(await readAll(storage)), ['a', 'b', 'back'])
    })
  }
}

/** The copy beside it stands in its place. */
function putCopy(folder: string): void {
  renameSync(folder, `${folder}-away`)
  renameSync(`${folder}-copy`, folder)
}

function putBack(folder: string): void {
  renameSync(folder, `${folder}-copy`)
  renameSync(`${folder}-away`, folder)
}

test('an older copy, as a backup is, gets no commit of a run that has made none yet, and no manifest', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  for (const [key, copied] of [
    ['a', true],
    ['b', false],
  ] as const) {
    const life = await Life.open({ storage, name: key })
    await life.mustCommit(block(key))
    await life.close()
    if (copied) cpSync(folder, `${folder}-copy`, { recursive: true })
  }
  const life = await Life.open({ storage, name: 'c' })
  putCopy(folder)
  const before = await storage.list('manifest')
  for (let attempt = 0; attempt < 3; attempt++) isMisplaced(await life.commit(block('c')))
  assert.deepEqual(await storage.list('manifest'), before)
  assert.deepEqual(keys(await readAll(storage)), ['a'])
  putBack(folder)
  await life.mustCommit(block('c'))
  await life.close()
  assert.deepEqual(keys(await readAll(storage)), ['a', 'b', 'c'])
})

test('an older copy gets nothing of a run whose newest manifest it lacks, though it has all of the log', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  const first = await Life.open({ storage, name: 'first' })
  await first.mustCommit(block('a'))
  await first.close()
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('second') })
  const own = new Ownership(storage, noFailpoint, manifest)
  cpSync(folder, `${folder}-copy`, { recursive: true })
  await own.publish(next)
  putCopy(folder)
  const before = await storage.list('manifest')
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE', message: /not where it was/ })
  assert.deepEqual(await storage.list('manifest'), before)
})

test('a store made by `copy` gets no commit and no manifest of a run that came with the number that the copy has', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  const first = await Life.open({ storage, name: 'first' })
  await first.mustCommit(block('a'))
  await copyDirectory(folder, `${folder}-copy`, { lock: 'none' })
  await first.mustCommit(block('b'))
  await first.close()
  const life = await Life.open({ storage, name: 'second' })
  putCopy(folder)
  assert.deepEqual(await storage.list('manifest'), [manifestName(life.manifest.number).slice('manifest/'.length)])
  const names = async (): Promise<string[][]> => await Promise.all(['manifest', 'log'].map(name => storage.list(name)))
  const before = await names()
  for (let attempt = 0; attempt < 3; attempt++) isMisplaced(await life.commit(block('c')))
  assert.deepEqual(await names(), before)
  assert.deepEqual(keys(await readAll(storage)), ['a'])
  putBack(folder)
  await life.mustCommit(block('c'))
  await life.close()
  assert.deepEqual(keys(await readAll(storage)), ['a', 'b', 'c'])
})

for (const holds of ['all', 'not all'] as const) {
  test(`the manifest of a store made by \`copy\`, which holds ${holds} that was acknowledged, is never taken for one of the writer's own`, async t => {
    const folder = join(temporaryFolder(t), 'state')
    mkdirSync(folder)
    const storage = new FileStorage(folder)
    const life = await Life.open({ storage })
    await life.mustCommit(block('a'))
    await copyDirectory(folder, `${folder}-copy`, { lock: 'none' })
    if (holds === 'not all') await life.mustCommit(block('b'))
    putCopy(folder)
    const names = async (): Promise<string[][]> => await Promise.all(['manifest', 'log'].map(name => storage.list(name)))
    const before = await names()
    for (let attempt = 0; attempt < 3; attempt++) isMisplaced(await life.commit(block('away')))
    assert.deepEqual(await names(), before)
    putBack(folder)
    await life.mustCommit(block('back'))
    await life.close()
    assert.deepEqual(keys(await readAll(storage)), ['a', ...(holds === 'all' ? [] : ['b']), 'back'])
  })
}

test('an attempt of our own that failed under its number makes the manifest of such a store no more ours', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('own') })
  const own = new Ownership(storage, noFailpoint, manifest)
  await copyDirectory(folder, `${folder}-copy`, { lock: 'none' })
  const create = storage.createIfAbsent
  storage.createIfAbsent = () => Promise.reject(storageError('createIfAbsent', 'manifest', systemError('ENOSPC', 'write')))
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE', message: /ENOSPC/ })
  storage.createIfAbsent = create
  putCopy(folder)
  await assert.rejects(own.check(), { code: 'TIDEMARK_STORAGE', message: /not where it was/ })
  putBack(folder)
  await own.publish(next)
  assert.equal(own.manifest.number, manifest.number + 1)
})

test('a store made by `copy` gets no manifest, and loses no file, to a run that has published one more since', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('own') })
  const own = new Ownership(storage, noFailpoint, manifest)
  await copyDirectory(folder, `${folder}-copy`, { lock: 'none' })
  await own.publish(next)
  putCopy(folder)
  const before = await storage.list('manifest')
  const misplaced = { code: 'TIDEMARK_STORAGE', file: manifestName(own.manifest.number), message: /not where it was/ }
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(own.publish(next), misplaced)
    await assert.rejects(own.publishBeside(storage, next, NOWHERE, []), misplaced)
    await assert.rejects(own.checkForRemoval(), misplaced)
  }
  assert.deepEqual(await storage.list('manifest'), before)
  putBack(folder)
  await own.publish(next)
  await own.checkForRemoval()
  // Rot is no other store: the next one is the way out of it.
  writeFileSync(join(folder, manifestName(own.manifest.number)), 'rot')
  await own.checkForRemoval()
  await own.publish(next)
  assert.equal((await readAll(storage)).opened.manifest.number, manifest.number + 3)
})

test('our own newest manifest is asked for before the next one: what is not given back is no other store, what fails for a moment is tried again', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('own') })
  const own = new Ownership(storage, noFailpoint, manifest)
  const path = manifestName(manifest.number)
  storage.inject({ operation: 'open', errno: 'EMFILE', path, nth: 1 })
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE', file: path })
  assert.equal(own.manifest.number, manifest.number)
  storage.inject({ operation: 'read', errno: 'EIO', path, times: Number.POSITIVE_INFINITY })
  await own.publish(next)
  await own.publishBeside(storage, next, NOWHERE, [])
  assert.equal(own.manifest.number, manifest.number + 2)
})

test('a copy with all that was acknowledged gets the next epoch in a file of its own', async t => {
  const folder = join(temporaryFolder(t), 'state')
  mkdirSync(folder)
  const storage = new FileStorage(folder)
  const life = await Life.open({ storage })
  await life.mustCommit(block('a'))
  cpSync(folder, `${folder}-copy`, { recursive: true })
  putCopy(folder)
  isMisplaced(await life.commit(block('b')))
  await life.mustCommit(block('b'))
  await life.close()
  assert.deepEqual(keys(await readAll(storage)), ['a', 'b'])
})

test('upkeep names nothing in a directory that lacks the end of the log, or what it has written', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('own') })
  const own = new Ownership(storage, noFailpoint, manifest)
  const end = { file: logName(manifest.token, 1), bytes: 10, epoch: 1, digest: '00'.repeat(32) }
  const place = { collection: 1, key: '00' }
  const sums = { sha256: 'ab'.repeat(32), describedAt: 9, from: 0, through: 1, records: 1, tombstones: 0, rawBytes: 1 }
  const segment = { file: 'segment/00000001-00000001.seg', bytes: 10, ...sums, first: place, last: place }
  for (const folder of ['log', 'segment']) await storage.makeFolder(folder)
  for (const { file } of [end, segment]) {
    await assert.rejects(own.publishBeside(storage, next, end, [segment]), { code: 'TIDEMARK_STORAGE', file, message: /is gone/ })
    const handle = await storage.open(file, 'create')
    await handle.append([Buffer.alloc(9)])
    await assert.rejects(own.publishBeside(storage, next, end, [segment]), {
      code: 'TIDEMARK_STORAGE',
      file,
      message: /has 9 of the 10 bytes/,
    })
    await handle.append([Buffer.alloc(1)])
    await handle.close()
  }
  await own.publishBeside(storage, next, end, [segment])
  assert.equal(own.manifest.number, manifest.number + 1)
})
