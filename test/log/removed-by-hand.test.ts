/** A manifest that did not read back, or of which nobody knows, is removed by hand: its writer goes on, a rival fences it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { noFailpoint } from '../../src/base/failpoint.ts'
import { GENESIS, manifestName } from '../../src/format/index.ts'
import { listManifests } from '../../src/manifest/index.ts'
import { openForWriting } from '../../src/restore/index.ts'
import { storageError, systemError } from '../../src/storage/index.ts'
import { Ownership } from '../../src/writer/ownership.ts'
import { facts, next, store } from '../support/lying.ts'

test('one that somebody removes by hand stops nothing but the removal of files, for it may come back', async () => {
  for (const lies of [1, 2]) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    storage.lies = lies
    for (let attempt = 1; attempt <= lies; attempt++) await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    const number = manifest.number + lies
    await storage.remove(manifestName(number))
    for (let look = 1; look <= 2; look++) {
      await own.check()
      await assert.rejects(own.checkForRemoval(), { code: 'TIDEMARK_STORAGE' })
    }
    await own.publish(next)
    assert.equal(own.manifest.number, number + 1, 'a number is used once')
    await own.checkForRemoval()
    await openForWriting(storage, facts('rival'))
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  }
})

test('a rival that takes the number of one that was removed by hand fences its writer, who has seen that it is gone', async () => {
  const storage = await store()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.lies = 1
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  await storage.remove(manifestName(manifest.number + 1))
  await own.check()
  const rival = await openForWriting(storage, facts('rival'))
  assert.equal(rival.manifest.number, manifest.number + 1)
  await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  await assert.rejects(own.publish(next), error => hasCode(error, 'TIDEMARK_FENCED'))
})

test('nor is it taken for its own where it is not given back', async () => {
  for (const lies of [0, 1]) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    storage.lies = lies
    storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    const path = manifestName(manifest.number + 1)
    await storage.remove(path)
    await own.check()
    const rival = await openForWriting(storage, facts('rival'))
    assert.equal(rival.manifest.number, manifest.number + 1)
    const heal = storage.inject({ operation: 'read', errno: 'EIO', path, times: Number.POSITIVE_INFINITY })
    await assert.rejects(own.check(), { code: 'TIDEMARK_STORAGE' })
    heal()
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  }
})

test('what was made since a list began is not forgotten because that list lacks it', async () => {
  for (const failing of ['createIfAbsent', 'syncFolder'] as const) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    const path = manifestName(manifest.number + 1)
    storage.inject({ operation: failing, errno: 'EIO', nth: 1 })
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    if (failing === 'syncFolder') await storage.remove(path)
    const { list } = storage
    storage.list = async (folder, ...rest) => {
      const names = await list.call(storage, folder, ...rest)
      storage.list = list
      storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
      return names
    }
    await own.check()
    assert.ok(await storage.exists(path))
    storage.inject({ operation: 'read', errno: 'EIO', path, times: Number.POSITIVE_INFINITY })
    await own.check()
    await own.publish(next)
    assert.equal(own.manifest.number, manifest.number + 2)
  }
})

/** Two of ours did not read back and are removed by hand, and the writer has seen that: the next number leaves a gap. */
async function gap() {
  const storage = await store()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.lies = 2
  for (let attempt = 1; attempt <= 2; attempt++) await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  for (const number of [manifest.number + 2, manifest.number + 1]) await storage.remove(manifestName(number))
  await own.check()
  return { storage, own, number: manifest.number + 3 }
}

test('the next one of its writer, behind the gap, is no rival, whether it is half way or of unknown end', async () => {
  for (const spoiled of [0, 1]) {
    for (const place of ['syncFolder', 'list'] as const) {
      const { storage, own, number } = await gap()
      storage.lies = spoiled
      storage.inject({ operation: place, errno: 'EIO', nth: place === 'list' ? 2 : 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
      await own.check()
      assert.equal(own.manifest.number, spoiled === 0 ? number : number - 3)
      // That one may be undecided: another look comes while the next one is half way.
      let looks = 0
      const { syncFolder } = storage
      storage.syncFolder = async folder => {
        await own.check()
        looks++
        await syncFolder.call(storage, folder)
      }
      await own.publish(next)
      storage.syncFolder = syncFolder
      assert.equal(looks, 1)
      assert.equal(own.manifest.number, number + 1)
      await own.checkForRemoval()
      await openForWriting(storage, facts('rival'))
      await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
    }
  }
})

test('a fold that publishes behind the gap fails no commit whose look comes meanwhile', async () => {
  const { storage, own, number } = await gap()
  let looks = 0
  const { syncFolder } = storage
  storage.syncFolder = async folder => {
    await own.check()
    looks++
    await syncFolder.call(storage, folder)
  }
  await own.publishBeside(storage, next, GENESIS, [])
  assert.equal(looks, 1)
  assert.equal(own.manifest.number, number)
})

test('what it makes stands behind all that may be its own, also behind a gap of which nobody knew what stood there', async () => {
  for (const beside of [false, true]) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    // Two of unknown end, that do not verify, and the first of them is removed by hand.
    storage.lies = 2
    for (let attempt = 1; attempt <= 2; attempt++) {
      storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    }
    assert.deepEqual((await listManifests(storage)).slice(-2), [manifest.number + 1, manifest.number + 2])
    await storage.remove(manifestName(manifest.number + 1))
    await own.check()
    await (beside ? own.publishBeside(storage, next, GENESIS, []) : own.publish(next))
    assert.equal(own.manifest.number, manifest.number + 3)
    await openForWriting(storage, facts('rival'))
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  }
})

test('a name that the list gives and nobody finds, as a link to what is away, is told, and not looked for without end', async () => {
  const { storage, own, number } = await gap()
  storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  const away = manifestName(number)
  const { exists, open } = storage
  storage.exists = async path => path !== away && (await exists.call(storage, path))
  storage.open = async (path, mode) => {
    if (path === away) throw storageError('open', path, systemError('ENOENT', 'open'))
    return await open.call(storage, path, mode)
  }
  await assert.rejects(own.check(), { code: 'TIDEMARK_STORAGE' })
  Object.assign(storage, { exists, open })
  await own.check()
  assert.equal(own.manifest.number, number)
})

test('nor is it in front of later ones that may be its own, behind which the next one stands', async () => {
  for (const [removed, away] of [
    [[], [1]],
    [[], [2]],
    [[], [1, 2]],
    [[1], [2]],
    [[1], [2, 3]],
  ] as const) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    storage.lies = 4
    for (let attempt = 1; attempt <= 4; attempt++) {
      storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    }
    for (const at of removed) await storage.remove(manifestName(manifest.number + at))
    const gone = new Set(away.map(at => manifestName(manifest.number + at)))
    const { exists, open } = storage
    let calls = 0
    storage.exists = async path => {
      assert.ok(++calls < 300, 'it is looked for without end')
      return !gone.has(path) && (await exists.call(storage, path))
    }
    storage.open = async (path, mode) => {
      if (gone.has(path)) throw storageError('open', path, systemError('ENOENT', 'open'))
      return await open.call(storage, path, mode)
    }
    await own.check()
    assert.equal(own.manifest.number, manifest.number)
    await own.publish(next)
    assert.equal(own.manifest.number, manifest.number + 5)
    await own.check()
    Object.assign(storage, { exists, open })
    await openForWriting(storage, facts('rival'))
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
  }
})

test('a rival behind a name of its own that nobody finds fences its writer', async () => {
  for (const behind of [2, 3]) {
    const storage = await store()
    const { manifest } = await openForWriting(storage, facts('own'))
    const own = new Ownership(storage, noFailpoint, manifest)
    for (let attempt = 2; attempt <= behind; attempt++) {
      storage.lies = 1
      storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    }
    await openForWriting(storage, facts('rival'))
    const away = manifestName(manifest.number + 1)
    const { exists, open } = storage
    let calls = 0
    storage.exists = async path => {
      assert.ok(++calls < 300, 'it is looked for without end')
      return path !== away && (await exists.call(storage, path))
    }
    storage.open = async (path, mode) => {
      if (path === away) throw storageError('open', path, systemError('ENOENT', 'open'))
      return await open.call(storage, path, mode)
    }
    await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'), `${behind}`)
  }
})

test('nor is it where the gap comes while a look is at it', async () => {
  const { storage, own, number } = await gap()
  storage.lies = 1
  storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  const { syncFolder, open } = storage
  storage.syncFolder = async folder => {
    storage.open = async (path, mode) => {
      if (path === manifestName(number)) await storage.remove(path).catch(() => {})
      return await open.call(storage, path, mode)
    }
    await own.check()
    await syncFolder.call(storage, folder)
  }
  await own.publish(next)
  assert.equal(await storage.exists(manifestName(number)), false)
  assert.equal(own.manifest.number, number + 1)
})

test('a rival in the gap, or behind it, fences its writer, whatever this one has tried', async () => {
  for (const there of ['nothing', 'one of ours'] as const) {
    for (const goneTo of [0, 1]) {
      const { storage, own, number } = await gap()
      if (there === 'nothing') storage.inject({ operation: 'createIfAbsent', errno: 'EIO', nth: 1 })
      else storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
      await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
      const rival = await openForWriting(storage, facts('rival'))
      assert.equal(rival.manifest.number, there === 'nothing' ? number - 2 : number + 1)
      const his = new Ownership(storage, noFailpoint, rival.manifest)
      // His first may be gone by the time of the look.
      if (goneTo > 0) {
        for (let at = 0; at < 4; at++) await his.publish(next)
        for (let gone = number - 3; gone < his.manifest.number - 1; gone++) await storage.remove(manifestName(gone)).catch(() => {})
      }
      await assert.rejects(own.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
      await assert.rejects(own.publish(next), error => hasCode(error, 'TIDEMARK_FENCED'))
    }
  }
})

test('where the newest went with it, the directory is gone', async () => {
  const storage = await store()
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(storage, noFailpoint, manifest)
  storage.lies = 1
  await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
  await storage.remove(manifestName(manifest.number + 1))
  await storage.remove(manifestName(manifest.number))
  for (let look = 1; look <= 2; look++) await assert.rejects(own.check(), /is gone, and there is no later one/)
})
