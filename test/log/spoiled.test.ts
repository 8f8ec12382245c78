/** A manifest that is not in the storage as it was written: nothing is built upon it, and the next number is taken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { noFailpoint } from '../../src/base/failpoint.ts'
import { manifestName } from '../../src/format/index.ts'
import { listManifests, readNewest } from '../../src/manifest/index.ts'
import { openStore } from '../../src/open.ts'
import { openForWriting } from '../../src/restore/index.ts'
import type { OpenMode, StorageFile } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { Ownership } from '../../src/writer/ownership.ts'
import { Life, readAll } from '../support/log-store.ts'
import { block, facts, Lying, next, store } from '../support/lying.ts'
import { SimulatedStore } from '../support/simulated-store.ts'

test('a writer does not build upon it, is not fenced by it, and takes the next number', async () => {
  const storage = await store()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.lies = 2
  for (let attempt = 1; attempt <= 2; attempt++) {
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    assert.equal(own.manifest.number, manifest.number, 'nothing refers to what does not verify')
    await own.check()
    // It may read otherwise another time, and then counts: what it names stays.
    await assert.rejects(own.checkForRemoval(), { code: 'TIDEMARK_STORAGE' })
  }
  await own.publish(next)
  await own.checkForRemoval()
  assert.equal(own.manifest.number, manifest.number + 3)
  assert.equal((await readNewest(storage))?.manifest.number, manifest.number + 3)
  await openForWriting(storage, facts('rival'))
  await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
})

test('a rival that came behind it fences its writer', async () => {
  const storage = await store()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.lies = 1
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  await openForWriting(storage, facts('rival'))
  await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  await assert.rejects(own.publish(next), error => hasCode(error, 'TIDEMARK_FENCED'))
})

test('one of a roll: the epoch goes to another file, and whoever opens the store in between finds what was acknowledged', async () => {
  const storage = await store()
  const life = await Life.open({ storage, name: 'later' })
  storage.lies = 1
  assert.equal((await life.commit(block('c'))).type, 'failed')
  assert.equal((await readAll(storage)).epochs.length, 2)
  await life.mustCommit(block('c'))
  await life.mustCommit(block('d'))
  await life.close()
  assert.equal((await readAll(storage)).epochs.length, 4)
})

test('one of a takeover, or of a fork: open goes on with the next', async () => {
  for (const restore of [{}, { at: 1 }]) {
    const storage = new Lying()
    const settings = { checkpoint: { intervalMs: 0 } } as const
    const first = await openStore('memory', settings, { storage, writer: 'inline' })
    for (const value of [1, 2]) {
      first.map('map').set('n', value)
      await first.checkpoint()
    }
    await first.close()
    const before = (await listManifests(storage)).at(-1) as number
    storage.lies = 1
    const again = await openStore('memory', { ...settings, restore }, { storage, writer: 'inline' })
    assert.equal(again.map('map').get('n'), restore.at ?? 2)
    await again.close()
    assert.ok(((await listManifests(storage)).at(-1) as number) > before + 1)
    const found = await readNewest(storage)
    assert.deepEqual(found?.damaged, [])
  }
})

test('a storage that spoils every manifest makes no store, and takes none over', async () => {
  const storage = await store()
  storage.lies = Number.POSITIVE_INFINITY
  await assert.rejects(openForWriting(storage, facts('own')), { code: 'TIDEMARK_STORAGE' })
  storage.lies = 0
  const life = await Life.open({ storage, name: 'later' })
  assert.equal(life.found.epochs.length, 2)
  await life.mustCommit(block('c'))
  await life.close()
})

async function owned() {
  const storage = new SimulatedStorage()
  const { manifest } = await openForWriting(storage, facts('own'))
  return { storage, number: manifest.number, own: new Ownership(storage, noFailpoint, manifest) }
}

for (const operation of ['open', 'read'] as const) {
  test(`one of our own that is not given back (${operation}) is neither a rival's nor the end`, async () => {
    for (const behind of ['nothing', 'syncFolder', 'list'] as const) {
      const { storage, number, own } = await owned()
      const heal = storage.inject({ operation, errno: 'EUCLEAN', path: manifestName(number + 1), times: Number.POSITIVE_INFINITY })
      // The call after its making fails, so that it was never read back.
      if (behind !== 'nothing') storage.inject({ operation: behind, errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' }, behind)
      await own.check()
      await assert.rejects(own.checkForRemoval(), { code: 'TIDEMARK_STORAGE' }, behind)
      await own.publish(next)
      assert.equal(own.manifest.number, number + 2, behind)
      await own.checkForRemoval()
      heal()
      await own.check()
      assert.equal((await readNewest(storage))?.manifest.number, number + 2)
      await openForWriting(storage, facts('rival'))
      await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
    }
  })
}

test('one that is not given back, where it is not known who made it, stops its writer: he may have read it whole', async () => {
  const { storage, number, own } = await owned()
  storage.inject({ operation: 'createIfAbsent', errno: 'EIO', path: manifestName(number + 1), nth: 1 })
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  await openForWriting(storage, facts('rival'))
  const heal = storage.inject({ operation: 'read', errno: 'EIO', path: manifestName(number + 1), times: Number.POSITIVE_INFINITY })
  await assert.rejects(own.check(), { code: 'TIDEMARK_STORAGE' })
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  heal()
  await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
})

/** Opening this file takes until `answer`, once. */
class Slow extends SimulatedStorage {
  slow: string | undefined
  answer: () => void = () => {}

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    if (path === this.slow) {
      this.slow = undefined
      await new Promise<void>(resolve => void (this.answer = resolve))
    }
    return await super.open(path, mode)
  }
}

test('one that is not given back fails no commit whose look at it ends when the next one is there', async () => {
  for (const behind of [1, 2]) {
    const storage = new Slow()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    const unread = manifestName(manifest.number + 1)
    storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    storage.slow = unread
    const look = own.check()
    while (storage.slow !== undefined) await Promise.resolve()
    storage.inject({ operation: 'open', errno: 'EIO', path: unread, times: Number.POSITIVE_INFINITY })
    for (let at = 0; at < behind; at++) await own.publish(next)
    assert.equal(own.manifest.number, manifest.number + 1 + behind)
    storage.answer()
    await look
    await openForWriting(storage, facts('rival'))
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  }
})

/** What is written as a manifest reads wrong once, right afterwards. */
class Flickering extends SimulatedStorage {
  flickers = false
  readonly #fresh = new Set<string>()

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (this.flickers && path.startsWith('manifest/')) this.#fresh.add(path)
    return await super.createIfAbsent(path, bytes)
  }

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    if (!this.#fresh.delete(path)) return file
    const read = file.read.bind(file)
    file.read = async (offset, length) => (await read(offset, length)).fill(0, 40, 60)
    return file
  }
}

test('one of a fold that reads whole later: what it names is still there, however long the storage goes on so', async () => {
  const world = new SimulatedStore()
  const storage = new Flickering({ seed: 1, scheduler: world.scheduler })
  world.storage = storage
  world.thresholds = { bytes: 2000, graceMs: 100 }
  const map = (await world.open()).map<string>('map')
  for (let at = 0; at < 60; at++) map.set(`key ${at}`, `some text of entry ${at}, to be folded`)
  await world.checkpoint()
  storage.flickers = true
  let folded = 0
  for (let step = 0; step < 100; step++) {
    await world.pass(500)
    const { disk } = storage.crash({ mode: 'lost' })
    const reader = await world.run(openStore('left', { readOnly: true }, { storage: new SimulatedStorage({ seed: 2, disk }) }))
    assert.equal(reader.map('map').size, 60)
    if (reader.stats().upkeep.segments > 0) folded++
    await world.run(reader.close())
  }
  assert.ok(folded > 50, `${folded}`)
  storage.flickers = false
  await world.pass(120_000)
  assert.equal(world.store.stats().upkeep.segments > 0, true)
  await world.close()
  assert.equal((await world.open()).map('map').size, 60)
  await world.close()
})
