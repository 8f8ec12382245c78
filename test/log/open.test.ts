import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { hasCode, TidemarkError } from '../../src/base/errors.ts'
import { MANIFESTS_KEPT } from '../../src/base/limits.ts'
import { encodeManifest, GENESIS, manifestName } from '../../src/format/index.ts'
import { listManifests } from '../../src/manifest/index.ts'
import { copyStore, forkAt, openForReading, openForWriting } from '../../src/restore/index.ts'
import { FileStorage, MemoryDisk, MemoryStorage, type Storage } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type Files, filesOf, flipped, logFiles, storageOf } from '../support/files.ts'
import { type Block, type Epoch, Life, pseudoRandom, readAll, scanAll } from '../support/log-store.ts'
import { temporaryFolder } from '../temporary.ts'

const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })

function block(text: string): readonly Block[] {
  return [[['key', text]]]
}

async function store(lives: number, perLife: number): Promise<{ files: Files; epochs: Epoch[]; disk: MemoryDisk }> {
  const disk = new MemoryDisk()
  const epochs: Epoch[] = []
  for (let life = 0; life < lives; life++) {
    const writer = await Life.open({ storage: new MemoryStorage(disk), name: `life ${life}` })
    for (let count = 0; count < perLife; count++) {
      const blocks = block(`${life}.${count}`)
      epochs.push({ epoch: (await writer.mustCommit(blocks)).epoch, blocks })
    }
    await writer.close()
  }
  return { files: await filesOf(new MemoryStorage(disk)), epochs, disk }
}

test('a directory that is neither empty nor a store is left alone', async () => {
  const storage = new MemoryStorage()
  await storage.createIfAbsent('notes.txt', Buffer.from('mine'))
  await assert.rejects(openForWriting(storage, facts('a')), error => hasCode(error, 'TIDEMARK_DIRECTORY'))
  await assert.rejects(openForReading(storage), error => hasCode(error, 'TIDEMARK_DIRECTORY'))
  assert.deepEqual(await storage.list(''), ['notes.txt'])
  assert.deepEqual(await storage.list('manifest'), [])
})

test('log files without any manifest are no empty directory', async () => {
  const { files } = await store(1, 1)
  const storage = await storageOf(new Map([...files].filter(([path]) => path.startsWith('log/'))))
  await assert.rejects(openForWriting(storage, facts('a')), error => hasCode(error, 'TIDEMARK_DIRECTORY'))
})

test('who looks for a manifest just before a first opening makes one, or a copy ends, finds the store', async () => {
  const made = await store(1, 1)
  const makes = {
    'a first opening': async (storage: Storage) => {
      const life = await Life.open({ storage, name: 'first' })
      await life.mustCommit(block('0.0'))
      await life.close()
    },
    'a copy': async (storage: Storage) => {
      const source = new MemoryStorage(made.disk)
      await copyStore(source, storage, pseudoRandom('copy'), () => undefined)
    },
  }
  for (const [name, make] of Object.entries(makes)) {
    for (const open of [openForReading, (storage: Storage) => openForWriting(storage, facts('second'))]) {
      const storage = new MemoryStorage()
      const list = storage.list.bind(storage)
      storage.list = async folder => {
        const names = await list(folder)
        if (folder !== 'manifest') return names
        storage.list = list
        await make(storage)
        return names
      }
      const { manifest, created } = await open(storage)
      assert.equal(created, false, name)
      assert.equal(manifest.log.length, 1, name)
    }
  }
})

test('who finds an empty directory does not put a first manifest behind that of another first opening', async () => {
  for (const left of [[], [manifestName(1)]]) {
    const storage = new MemoryStorage()
    await storage.makeFolder('manifest')
    for (const path of left) await storage.createIfAbsent(path, Buffer.alloc(0))
    let looks = 0
    let life: Life | undefined
    storage.list = async folder => {
      const names = await MemoryStorage.prototype.list.call(storage, folder)
      // The last look before a manifest is made finds nothing.
      if (folder !== 'log' || ++looks <= left.length) return names
      storage.list = MemoryStorage.prototype.list
      life = await Life.open({ storage, name: 'first' })
      await life.mustCommit(block('a'))
      return names
    }
    await assert.rejects(openForWriting(storage, facts('second')), error => hasCode(error, 'TIDEMARK_FENCED'))
    await life?.mustCommit(block('b'))
    assert.equal((await readAll(storage)).epochs.length, 2)
  }
})

test('what a first opening that was killed left is durable before the next one begins: a power cut leaves no later number alone', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  await storage.makeFolder('manifest')
  await storage.createIfAbsent(manifestName(1), Buffer.alloc(0))
  let left: number[] = []
  const failpoint = async (name: string): Promise<void> => {
    if (name === 'manifest.create') left = await listManifests(storage.crash({ mode: 'lost' }))
  }
  const { manifest } = await openForWriting(storage, { ...facts('next'), failpoint })
  assert.equal(manifest.number, 2)
  assert.deepEqual(left, [1])
})

test('a first opening that died inside its manifest left nothing, and the next one begins again', async () => {
  const storage = new MemoryStorage()
  const { manifest } = await openForWriting(storage, facts('whole'))
  const [bytes, bytesOfSecond] = [encodeManifest(manifest), encodeManifest({ ...manifest, number: 2, token: 2 })]
  for (const length of [0, 100, bytes.length - 1]) {
    const partial = new Map([[manifestName(1), bytes.subarray(0, length)]])
    const left = await storageOf(partial)
    await assert.rejects(openForReading(left), { code: 'TIDEMARK_NO_STORE', message: /a first opening died/ })
    const opened = await openForWriting(left, facts('next'))
    assert.deepEqual([opened.manifest.number, opened.manifest.token, opened.created], [2, 2, true])
    assert.notEqual(opened.manifest.storeId, manifest.storeId)
    const life = await Life.open({ storage: left, name: 'life' })
    await life.mustCommit(block('kept'))
    await life.close()
    assert.deepEqual((await readAll(left)).epochs, [{ epoch: 1, blocks: block('kept') }])
    // So did the one that came after it.
    const twice = await storageOf(new Map([...partial, [manifestName(2), bytesOfSecond.subarray(0, 50)]]))
    assert.equal((await openForWriting(twice, facts('third'))).manifest.number, 3)
    // What may have been a store stays as it is.
    for (const path of ['log/00000001-00000001.log', 'segment/00000001-00000001.seg']) {
      const files = new Map([...partial, [path, Buffer.alloc(0)]])
      const used = await storageOf(files)
      for (const call of [openForReading(used), openForWriting(used, facts('next'))])
        await assert.rejects(call, { code: 'TIDEMARK_MANIFEST_DAMAGED' })
      assert.deepEqual(await filesOf(used), files)
    }
    const later = await storageOf(new Map([[manifestName(7), bytes.subarray(0, length)]]))
    await assert.rejects(openForWriting(later, facts('next')), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
  }
})

test('opening for reading writes nothing, and needs a store', async () => {
  const empty = new MemoryStorage()
  await assert.rejects(openForReading(empty), error => hasCode(error, 'TIDEMARK_NO_STORE'))
  await assert.rejects(openForWriting(empty, { ...facts('a'), create: false }), error => hasCode(error, 'TIDEMARK_NO_STORE'))
  assert.deepEqual(await filesOf(empty), new Map())
  const { files, epochs } = await store(2, 2)
  const storage = await storageOf(files)
  const read = await readAll(storage)
  assert.deepEqual(read.epochs, epochs)
  assert.deepEqual(await filesOf(storage), files)
})

test('each opening raises number and token, and keeps id and lineage', async () => {
  const storage = new MemoryStorage()
  let last = (await openForWriting(storage, facts('first'))).manifest
  assert.equal(last.number, 1)
  for (let count = 0; count < 40; count++) {
    const { manifest, created } = await openForWriting(storage, facts(`opener ${count}`))
    assert.equal(created, false)
    assert.equal(manifest.number, last.number + 1)
    assert.equal(manifest.token, last.token + 1)
    assert.equal(manifest.storeId, last.storeId)
    assert.deepEqual(manifest.lineage, last.lineage)
    assert.notEqual(manifest.writer, last.writer)
    last = manifest
  }
  const numbers = await listManifests(storage)
  assert.equal(numbers.length, MANIFESTS_KEPT)
  assert.equal(numbers.at(-1), last.number)
})

test('of several who open at once all but one are fenced, in every order', async () => {
  for (const openers of [2, 3, 7]) {
    const storage = new MemoryStorage()
    await openForWriting(storage, facts('first'))
    const results = await Promise.allSettled(
      Array.from({ length: openers }, (_, index) => openForWriting(storage, facts(`rival ${index}`))),
    )
    const opened = results.filter(result => result.status === 'fulfilled')
    assert.equal(opened.length, 1)
    for (const result of results) if (result.status === 'rejected') assert.ok(hasCode(result.reason, 'TIDEMARK_FENCED'))
  }
})

test('when the newest manifest is damaged, no epoch is lost: the files that go on are followed', async () => {
  const { files, epochs } = await store(4, 2)
  const newest = Math.max(...(await listManifests(await storageOf(files))))
  // Take away the trust in the newest one, two, … manifests.
  for (let lost = 1; lost < newest; lost++) {
    const damaged = new Map(files)
    for (let number = newest; number > newest - lost; number--) {
      const path = manifestName(number)
      damaged.set(path, flipped(files.get(path) as Buffer, 8 * 200 + 3))
    }
    const read = await readAll(await storageOf(damaged))
    assert.deepEqual(read.epochs, epochs, `${lost} manifests damaged`)
    assert.equal(read.opened.damagedManifests.length, lost)
    const storage = await storageOf(damaged)
    const writer = await Life.open({ storage, name: 'after' })
    assert.equal(writer.manifest.number, newest + 1)
    const highest = Math.max(...logFiles(files).map(path => Number.parseInt(path.slice(4, 12), 16)))
    assert.ok(writer.manifest.token > highest, 'the token is above every token that was ever used')
    const { epoch } = await writer.mustCommit(block('after'))
    await writer.close()
    const again = await readAll(storage)
    assert.deepEqual(again.epochs, [...epochs, { epoch, blocks: block('after') }])
    assert.equal(again.opened.damagedManifests.length, 0)
  }
})

test('when no manifest verifies it is said so', async () => {
  const { files } = await store(1, 1)
  const damaged = new Map([...files].map(([path, bytes]) => [path, path.startsWith('manifest/') ? flipped(bytes, 900) : bytes]))
  const storage = await storageOf(damaged)
  await assert.rejects(openForReading(storage), error => hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED'))
  await assert.rejects(openForWriting(storage, facts('a')), error => hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED'))
  assert.deepEqual(await filesOf(storage), damaged)
})

test('a manifest under another name is damaged', async () => {
  const { files } = await store(1, 1)
  const newest = Math.max(...(await listManifests(await storageOf(files))))
  const copy = new Map(files).set(manifestName(newest + 5), files.get(manifestName(newest)) as Buffer)
  const { opened } = await readAll(await storageOf(copy))
  assert.equal(opened.manifest.number, newest)
  assert.equal(opened.damagedManifests.length, 1)
})

test('a fork goes on from an older epoch, in a new lineage, and what lay beyond does not come back', async () => {
  for (let target = 0; target <= 6; target++) {
    const { disk, epochs } = await store(3, 2)
    const storage: Storage = new MemoryStorage(disk)
    const { manifest } = await openForWriting(storage, facts('restorer'))
    const { report } = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, until: { epoch: target } })
    assert.equal(report.end.epoch, target)
    const { manifest: forked } = await forkAt(storage, manifest, target === 0 ? { end: GENESIS, unproven: null } : report, facts('fork'))
    assert.deepEqual(
      forked.lineage.map(entry => entry.forkEpoch),
      [0, target],
    )
    const kept = epochs.slice(0, target)
    assert.deepEqual((await readAll(storage)).epochs, kept)
    const writer = await Life.open({ storage, name: 'later' })
    const { epoch } = await writer.mustCommit(block('other future'))
    assert.equal(epoch, target + 1)
    await writer.close()
    assert.deepEqual((await readAll(storage)).epochs, [...kept, { epoch, blocks: block('other future') }])
  }
})

test('where every manifest from a fork on is damaged, what came after it is not taken for nothing', async () => {
  for (let target = 0; target <= 6; target++) {
    const { disk, epochs } = await store(3, 2)
    const storage: Storage = new MemoryStorage(disk)
    const { manifest } = await openForWriting(storage, facts('restorer'))
    const { report } = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, until: { epoch: target } })
    const { manifest: forked } = await forkAt(storage, manifest, target === 0 ? { end: GENESIS, unproven: null } : report, facts('fork'))
    const writer = await Life.open({ storage, name: 'later' })
    const { epoch } = await writer.mustCommit(block('other future'))
    await writer.close()
    const damaged = await filesOf(storage)
    for (const [path, bytes] of damaged)
      if (path.startsWith('manifest/') && path >= manifestName(forked.number)) damaged.set(path, flipped(bytes, 8 * 200 + 3))
    const found = await storageOf(damaged)
    // Where the last closed file of the manifest before the fork ends, and behind it, the other future goes on from that one.
    if (target >= 4) {
      assert.deepEqual((await readAll(found)).epochs, [...epochs.slice(0, target), { epoch, blocks: block('other future') }])
      continue
    }
    const refuses = (error: unknown): boolean => hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') && (error as Error).message.includes('log/')
    await assert.rejects(readAll(found), refuses, `a fork at ${target}`)
    await assert.rejects(openForWriting(found, facts('next')), refuses)
    assert.deepEqual(await filesOf(found), damaged, 'nothing is written')
  }
})

test('what a fork left behind does not come back when a later manifest is damaged', async () => {
  for (let target = 0; target <= 6; target++) {
    const { disk, epochs } = await store(3, 2)
    const storage: Storage = new MemoryStorage(disk)
    const { manifest } = await openForWriting(storage, facts('restorer'))
    const { report } = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, until: { epoch: target } })
    await forkAt(storage, manifest, target === 0 ? { end: GENESIS, unproven: null } : report, facts('fork'))
    const next = await openForWriting(storage, facts('next'))
    const damaged = await filesOf(storage)
    const path = manifestName(next.manifest.number)
    damaged.set(path, flipped(damaged.get(path) as Buffer, 8 * 200 + 3))
    const read = await readAll(await storageOf(damaged))
    assert.equal(read.opened.damagedManifests.length, 1)
    assert.deepEqual(read.epochs, epochs.slice(0, target), `a fork at ${target}`)
  }
})

test('after damage, falling back and forking give a store that is whole again', async () => {
  const { files, epochs } = await store(3, 2)
  const path = logFiles(files)[1] as string
  const damaged = new Map(files).set(path, flipped(files.get(path) as Buffer, 8 * 1060))
  const storage = await storageOf(damaged)
  await assert.rejects(readAll(storage), error => hasCode(error, 'TIDEMARK_LOG_DAMAGED'))
  const { manifest } = await openForWriting(storage, facts('repair'))
  const { report } = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, onDamage: 'fall-back' })
  assert.equal(report.damage?.firstLostEpoch, 3)
  assert.equal(report.damage?.lastSeenEpoch, 6)
  await forkAt(storage, manifest, report, facts('fork'))
  const writer = await Life.open({ storage, name: 'later' })
  assert.deepEqual(writer.found.epochs, epochs.slice(0, 2))
  await writer.mustCommit(block('again'))
  assert.equal((await readAll(storage)).epochs.length, 3)
})

test('a fork by a writer that was overtaken is fenced', async () => {
  const { disk } = await store(1, 2)
  const storage = new MemoryStorage(disk)
  const { manifest } = await openForWriting(storage, facts('slow'))
  await openForWriting(storage, facts('fast'))
  await assert.rejects(
    forkAt(storage, manifest, { end: GENESIS, unproven: null }, facts('fork')),
    (error: unknown) => error instanceof TidemarkError && error.code === 'TIDEMARK_FENCED',
  )
})

test('what is no file and has the name of the next manifest is named: it is no other opener', async t => {
  const storage = new FileStorage(temporaryFolder(t))
  await openForWriting(storage, facts('first'))
  mkdirSync(join(storage.root, manifestName(2)))
  const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', file: manifestName(2), hint: /move it away/ }
  for (let count = 0; count < 2; count++) await assert.rejects(openForWriting(storage, facts('next')), refused)
  rmdirSync(join(storage.root, manifestName(2)))
  assert.equal((await openForWriting(storage, facts('next'))).manifest.number, 2)
})

test('a manifest and a file of the log that are links to files count', async t => {
  const storage = new FileStorage(temporaryFolder(t))
  const life = await Life.open({ storage })
  await life.mustCommit(block('a'))
  await life.close()
  const newest = manifestName((await listManifests(storage)).at(-1) as number)
  for (const [at, path] of [newest, ...logFiles(await filesOf(storage))].entries()) {
    renameSync(join(storage.root, path), join(storage.root, `${at}`))
    symlinkSync(join(storage.root, `${at}`), join(storage.root, path))
  }
  const again = await Life.open({ storage, name: 'again' })
  assert.equal(again.found.report.end.epoch, 1)
  await again.close()
})

test('a manifest that is a link whose target is away is not passed over: nobody goes on from an older one', async t => {
  const storage = new FileStorage(temporaryFolder(t))
  const life = await Life.open({ storage })
  await life.mustCommit(block('a'))
  await life.close()
  const newest = manifestName((await listManifests(storage)).at(-1) as number)
  const elsewhere = join(storage.root, 'elsewhere')
  renameSync(join(storage.root, newest), elsewhere)
  symlinkSync(elsewhere, join(storage.root, newest))
  renameSync(elsewhere, `${elsewhere} away`)
  const refused = { code: 'TIDEMARK_STORAGE', file: newest, hint: /put it back/ }
  await assert.rejects(openForReading(storage), refused)
  await assert.rejects(openForWriting(storage, facts('next')), refused)
  renameSync(`${elsewhere} away`, elsewhere)
  const again = await Life.open({ storage, name: 'again' })
  assert.equal(again.found.report.end.epoch, 1)
  await again.close()
})
