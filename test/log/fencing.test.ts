/** A writer without a lock that slept while a rival took over and published so much that the takeover itself was pruned. */
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { type Failpoint, noFailpoint } from '../../src/base/failpoint.ts'
import { MANIFESTS_KEPT } from '../../src/base/limits.ts'
import { Collector } from '../../src/fold/collect.ts'
import { logName, type Manifest, manifestName } from '../../src/format/index.ts'
import { listManifests, readNewest } from '../../src/manifest/index.ts'
import { openForWriting } from '../../src/restore/index.ts'
import { FileStorage, type OpenMode, type Storage } from '../../src/storage/index.ts'
import { type SimulatedDisk, SimulatedStorage } from '../../src/testing/index.ts'
import { Ownership } from '../../src/writer/ownership.ts'
import { type Block, Life, NOWHERE, pseudoRandom, readAll } from '../support/log-store.ts'
import { temporaryFolder } from '../temporary.ts'

const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })
const isFenced = (error: unknown): boolean => hasCode(error, 'TIDEMARK_FENCED')
const block = (key: string): readonly Block[] => [[[key, '1']]]
const next = (manifest: Manifest): Manifest => ({ ...manifest, number: manifest.number + 1 })

/** Takes over and publishes until nothing that was there before is left. */
async function overtake(storage: Storage): Promise<Life> {
  const before = (await listManifests(storage)).at(-1) ?? 0
  const young = await Life.open({ storage, name: 'young', fileBytesMax: 1 })
  for (let count = 0; count < MANIFESTS_KEPT + 4; count++) await young.mustCommit(block(`young ${count}`))
  assert.ok(((await listManifests(storage))[0] as number) > before + 1)
  return young
}

async function isWhole(storage: Storage, young: Life): Promise<void> {
  await young.mustCommit(block('later'))
  await young.close()
  const { epochs, opened } = await readAll(storage)
  assert.equal(epochs.length, young.epoch)
  assert.equal(opened.manifest.token, young.manifest.token)
}

for (const rolled of [true, false]) {
  test(`a writer that slept through all of it is fenced ${rolled ? 'at its commit' : 'at its roll'}`, async () => {
    const storage = new SimulatedStorage({ seed: 1 })
    const old = await Life.open({ storage, name: 'old' })
    if (rolled) await old.mustCommit(block('a'))
    const young = await overtake(storage)
    assert.equal((await old.commit(block('lost'))).type, 'fenced')
    await isWhole(storage, young)
  })
}

test('a writer that slept before its first roll, and whose inherited file the rival has collected, is fenced', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const failpoint: Failpoint = async name => {
    if (name === 'commit.seal') throw new Error('no seal')
  }
  const first = await Life.open({ storage, name: 'first', failpoint })
  await first.mustCommit(block('a'))
  const old = await Life.open({ storage, name: 'old' })
  assert.notEqual(old.found.report.unproven, null)
  const young = await Life.open({ storage, name: 'young' })
  for (let count = 0; count < 3; count++) await young.mustCommit(block(`young ${count}`))
  await storage.remove(logName(1, 1))
  assert.equal((await old.commit(block('lost'))).type, 'fenced')
})

test('an opener that slept before its takeover is fenced, and leaves nothing', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  await (await Life.open({ storage, name: 'first' })).mustCommit(block('a'))
  let young: Life | undefined
  const failpoint: Failpoint = async name => {
    if (name === 'open.takeover') young = await overtake(storage)
  }
  await assert.rejects(openForWriting(storage, { ...facts('slow'), failpoint }), isFenced)
  const numbers = await listManifests(storage)
  assert.equal(numbers.length, MANIFESTS_KEPT)
  await isWhole(storage, young as Life)
})

test('a check that meets a manifest of our own under way is not fooled by one before it that the rival keeps', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const { manifest } = await openForWriting(storage, facts('old'))
  const checks: Promise<void>[] = []
  const failpoint: Failpoint = async name => {
    if (name !== 'manifest.sync-folder' || checks.length > 0) return
    const rival = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('young'))).manifest)
    const keeps = [{ number: manifest.number, epoch: 0, timeMs: 0 }]
    for (let count = 0; count < MANIFESTS_KEPT + 4; count++) {
      await rival.publish(of => ({ ...next(of), retained: keeps }))
      await rival.prune(Number.POSITIVE_INFINITY)
    }
    assert.equal(await storage.exists(manifestName(manifest.number)), true)
    assert.equal(await storage.exists(manifestName(manifest.number + 1)), false)
    checks.push(old.check())
    await Promise.allSettled(checks)
  }
  const old = new Ownership(storage, failpoint, manifest)
  const published = old.publish(next)
  await assert.rejects(published, isFenced)
  assert.equal(checks.length, 1)
  await assert.rejects(checks[0] as Promise<void>, isFenced)
  await assert.rejects(old.check(), isFenced)
})

test('publishing and checking side by side, a writer of its own store is never fenced', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const { manifest } = await openForWriting(storage, facts('one'))
  const own = new Ownership(storage, noFailpoint, manifest)
  let checks = 0
  const looking = (async () => {
    for (; own.manifest.number < manifest.number + 3 * MANIFESTS_KEPT; checks++) await own.check()
  })()
  for (let count = 0; count < 3 * MANIFESTS_KEPT; count++) {
    // Half of them happen and are not heard of.
    if (count % 2 === 1) storage.inject({ operation: 'syncFolder', errno: 'EIO', nth: 1 })
    await own.publishBeside(storage, next, NOWHERE, []).catch(error => assert.ok(hasCode(error, 'TIDEMARK_STORAGE'), String(error)))
  }
  while (own.manifest.number < manifest.number + 3 * MANIFESTS_KEPT) await own.publish(next)
  await looking
  assert.ok(checks > 10)
})

test('a manifest that cannot be removed keeps the one behind it: whoever wrote it finds out', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const old = await Life.open({ storage, name: 'old' })
  await old.mustCommit(block('a'))
  const newest = (await listManifests(storage)).at(-1) as number
  storage.inject({ operation: 'remove', errno: 'EIO', path: manifestName(newest) })
  const young = await Life.open({ storage, name: 'young', fileBytesMax: 1 })
  for (let count = 0; count < MANIFESTS_KEPT + 4; count++) await young.mustCommit(block(`young ${count}`))
  assert.equal(await storage.exists(manifestName(newest)), true)
  assert.equal((await old.commit(block('lost'))).type, 'fenced')
  await isWhole(storage, young)
})

test('who slept removes no file', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const old = await Life.open({ storage, name: 'old' })
  await old.mustCommit(block('a'))
  const newest = (await listManifests(storage)).at(-1) as number
  const own = new Ownership(storage, noFailpoint, { ...old.manifest, number: newest })
  const graceMs = 10
  let now = 0
  const collector = new Collector({
    ...{ storage, graceMs, failpoint: noFailpoint, inUse: () => false, missing: () => {}, pause: async () => {} },
    monotonic: () => now,
    manifest: () => own.manifest,
    check: () => own.check(),
  })
  await storage.makeFolder('segment')
  await (await storage.open('segment/00000001-00000001.seg', 'create')).close()
  assert.equal(await collector.sweep(), true)
  const young = await overtake(storage)
  now = graceMs
  await assert.rejects(collector.sweep(), isFenced)
  assert.deepEqual(await storage.list('segment'), ['00000001-00000001.seg'])
  await isWhole(storage, young)
})

test('a file goes only when the manifests that do without it are on the device, though nobody heard of them when they were published', async () => {
  const file = 'segment/00000001-00000001.seg'
  const sums = { bytes: 1000, sha256: 'ab'.repeat(32), describedAt: 900, from: 0, through: 1, records: 1, tombstones: 0, rawBytes: 1 }
  const place = { collection: 1, key: '00' }
  const point = { ...{ file: logName(1, 1), bytes: 1, epoch: 1, digest: 'cd'.repeat(32) }, timeMs: 0, nextId: 2, catalogue: [] }
  const storage = new SimulatedStorage({ seed: 1 })
  const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
  await storage.makeFolder('segment')
  await (await storage.open(file, 'create')).close()
  await storage.syncFolder('segment')
  const named = { fold: point, log: [{ file: point.file, end: null }], young: [{ file, ...sums, first: place, last: place }] }
  await own.publish(of => ({ ...next(of), ...named }))
  assert.equal((await readNewest(storage))?.manifest.young.length, 1)
  for (let count = 0; count < 2; count++) {
    storage.inject({ operation: 'syncFolder', errno: 'EIO', path: 'manifest', nth: 1 })
    await assert.rejects(own.publish(of => ({ ...next(of), young: [] })))
    // It is there, and ours.
    await own.check()
    assert.deepEqual(own.manifest.young, [])
  }
  let now = 0
  const collector = new Collector({
    ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, pause: async () => {} },
    monotonic: () => now,
    manifest: () => own.manifest,
    check: () => own.check(),
  })
  const disks: SimulatedDisk[] = []
  storage.onCall = ({ operation, path }) => {
    if (operation !== 'remove' || path !== file) return
    for (let seed = 1; seed <= 50; seed++) disks.push(storage.crash({ names: 'random', seed }).disk)
  }
  await collector.sweep()
  now = 10
  await collector.sweep()
  assert.equal(disks.length, 50)
  let gone = 0
  for (const disk of disks) {
    const left = new SimulatedStorage({ seed: 2, disk })
    const found = await readNewest(left)
    const isThere = await left.exists(file)
    assert.ok(isThere || found?.manifest.young.length === 0, `${found?.manifest.number} names a file that is gone`)
    if (!isThere) gone++
  }
  assert.ok(gone > 0)
})

test('a commit of one key costs one append, one sync, one read, two looks for a rival, and one for the file', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const writer = await Life.open({ storage })
  await writer.mustCommit(block('a'))
  await writer.mustCommit(block('b'))
  const calls: string[] = []
  storage.onCall = call => void calls.push(call.operation)
  const committed = writer.mustCommit(block('c'))
  await committed
  assert.deepEqual(calls.slice(0, 6), ['append', 'sync', 'read', 'exists', 'exists', 'size'])
  await writer.close()
})

for (const left of ['nothing', 'an empty directory'] as const) {
  test(`a directory that was moved away, with ${left} in its place, is a storage that fails: nothing is acknowledged until it is back`, async t => {
    const folder = join(temporaryFolder(t), 'state')
    mkdirSync(folder)
    const storage = new FileStorage(folder)
    const life = await Life.open({ storage })
    await life.mustCommit(block('before'))
    renameSync(folder, `${folder}-away`)
    if (left !== 'nothing') mkdirSync(folder)
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = await life.commit(block(`away ${attempt}`))
      assert.equal(answer.type, 'failed')
      assert.equal(answer.type === 'failed' && answer.error.code, 'TIDEMARK_STORAGE')
      assert.match(answer.type === 'failed' ? (answer.error.hint ?? '') : '', /moved away.*put it back/)
    }
    if (left !== 'nothing') rmdirSync(folder)
    renameSync(`${folder}-away`, folder)
    await life.mustCommit(block('back'))
    await life.close()
    const { epochs } = await readAll(storage)
    assert.deepEqual(
      epochs.map(({ blocks }) => blocks[0]?.[0]?.[0]),
      ['before', 'back'],
    )
  })
}

/** One look at the folder of the manifests after the other: whether the directory is where it was then. Afterwards it is. */
function flapping(storage: Storage, looks: ('there' | 'away')[]): Storage {
  const isAway = (): boolean => looks.shift() === 'away'
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === 'exists') return async (path: string) => !isAway() && (await target.exists(path))
      if (name === 'list') return async (path: string) => (isAway() ? [] : await target.list(path))
      if (name === 'open') return async (path: string, mode: OpenMode) => await target.open(isAway() ? 'manifest/away' : path, mode)
      return (target as never as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]?.bind(target)
    },
  })
}

test('a directory that was moved away for the length of one look, and is back, fences nobody', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const { manifest } = await openForWriting(storage, facts('own'))
  const own = new Ownership(flapping(storage, ['there', 'away', 'there']), noFailpoint, manifest)
  await own.check()
  await own.publish(next)
  assert.equal(own.manifest.number, manifest.number + 1)
})

for (const last of ['there', 'away'] as const) {
  test(`a directory that is moved away while a manifest of our own is looked at, and is ${last} then, fences nobody`, async () => {
    const storage = new SimulatedStorage({ seed: 1 })
    const { manifest } = await openForWriting(storage, facts('own'))
    const looks: ('there' | 'away')[] = []
    const own = new Ownership(flapping(storage, looks), noFailpoint, manifest)
    storage.inject({ operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 1 })
    await assert.rejects(own.publish(next), { code: 'TIDEMARK_STORAGE' })
    looks.push('there', 'away', 'away', last)
    await assert.rejects(own.check(), { code: 'TIDEMARK_STORAGE' })
    await own.check()
    assert.equal(own.manifest.number, manifest.number + 1)
  })
}
