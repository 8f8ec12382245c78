/** A file that cannot be removed stops nothing behind it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../src/base/errors.ts'
import { noFailpoint } from '../src/base/failpoint.ts'
import { MANIFESTS_KEPT } from '../src/base/limits.ts'
import { Collector } from '../src/fold/collect.ts'
import { logName, type Manifest, manifestName, segmentName } from '../src/format/index.ts'
import { fork, listManifests, roll } from '../src/manifest/index.ts'
import { openForWriting } from '../src/restore/index.ts'
import { nameOf } from '../src/storage/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { Ownership } from '../src/writer/ownership.ts'
import { pseudoRandom } from './support/log-store.ts'
import { segment } from './support/manifest.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })
const next = (manifest: Manifest): Manifest => ({ ...manifest, number: manifest.number + 1 })
const ORPHANS = ['00000001-00000008.seg', '00000001-00000009.seg']

test('of two dead files the second goes where the first cannot be removed, which goes once it can', async () => {
  const world = new SimulatedStore()
  world.thresholds = { graceMs: 100, records: 50 }
  await world.open()
  const { storage, store } = world
  const map = store.map<number>('map')
  // In a log that is folded: it is kept for the manifest before the newest alone.
  for (let at = 0; at < 100; at++) map.set(`${at}`, at)
  await world.checkpoint()
  await world.pass(3000)
  const named = await world.run(storage.list('segment'))
  for (const name of ORPHANS) await world.run((async () => await (await storage.open(`segment/${name}`, 'create')).close())())
  const heal = storage.inject({ operation: 'remove', errno: 'EIO', path: `segment/${ORPHANS[0]}` })
  for (let at = 0; at < 100; at++) map.set(`${at}`, -at)
  await world.checkpoint()
  await world.pass(5000)
  const names = await world.run(storage.list('segment'))
  assert.ok(names.length > named.length && names.includes(ORPHANS[0] as string))
  assert.equal(names.includes(ORPHANS[1] as string), false)
  const { filesRemoved, failures, lastError } = store.stats().upkeep
  assert.ok(filesRemoved >= 1, 'those removed are counted')
  assert.ok(failures >= 1 && lastError?.includes(ORPHANS[0] as string), 'and the one that was not is told of')
  heal()
  await world.pass(120_000)
  assert.equal((await world.run(storage.list('segment'))).includes(ORPHANS[0] as string), false)
  await world.close()
})

test('a segment that somebody took away is told of while the service lives, which goes on, and no more once it was put back', async () => {
  const world = new SimulatedStore()
  world.thresholds = { graceMs: 100, records: 50, fewTimes: 0 }
  await world.open()
  const { storage, store } = world
  const map = store.map<number>('map')
  let value = 0
  const fold = async (): Promise<void> => {
    for (let at = 0; at < 100; at++) map.set(`${at}`, ++value)
    await world.checkpoint()
    await world.pass(3000)
  }
  await fold()
  assert.equal(store.stats().upkeep.lastError, undefined)
  const file = `segment/${(await world.run(storage.list('segment')))[0]}`
  const copied = await world.run(storage.open(file, 'read'))
  const bytes = await world.run((async () => await copied.read(0, await storage.size(file)))())
  await world.run(storage.remove(file))
  await fold()
  const { folds, lastError, failures: told } = store.stats().upkeep
  assert.match(lastError ?? '', new RegExp(`${file} is missing`))
  assert.equal(folds, 2, 'upkeep goes on')
  assert.equal(store.stats().status, 'ok')
  await world.pass(120_000)
  const orphan = `segment/${ORPHANS[0]}`
  await world.run((async () => await (await storage.open(orphan, 'create')).close())())
  await fold()
  assert.equal(await world.run(storage.exists(orphan)), false, 'what is dead goes as ever')
  assert.equal(store.stats().upkeep.failures, told, 'it is told of once')
  const back = await world.run(storage.open(file, 'create'))
  await world.run(back.append([bytes]))
  await world.pass(120_000)
  const { failures } = store.stats().upkeep
  await fold()
  assert.equal(store.stats().upkeep.failures, failures)
  await world.close()
})

test('a file of the log, or a segment, that no manifest names yet stays, however long the storage takes until one does', async () => {
  for (const slow of ['log', 'segment']) {
    const world = new SimulatedStore()
    world.thresholds = { graceMs: 100, records: 1, paced: false }
    const { storage, scheduler } = world
    await world.open()
    await world.run(storage.makeFolder('segment'))
    const orphan = await world.run(storage.open(`segment/${ORPHANS[0]}`, 'create'))
    await world.run(orphan.close())
    const syncFolder = storage.syncFolder.bind(storage)
    storage.syncFolder = async folder => {
      if (folder === slow) await scheduler.sleep(5000)
      await syncFolder(folder)
    }
    const failures: unknown[] = []
    world.store.on('degraded', failure => failures.push(failure))
    world.store.map('map').set('k', 1)
    const checkpoint = world.store.checkpoint()
    await world.pass(4000)
    const segments = await world.run(storage.list('segment'))
    assert.ok(!segments.includes(ORPHANS[0] as string), 'what is dead went meanwhile')
    assert.equal(segments.length, slow === 'segment' ? 1 : 0)
    assert.deepEqual(await world.run(storage.list('log')), ['00000001-00000001.log'])
    await world.run(checkpoint)
    await world.pass(4000)
    const { failures: failed, folds } = world.store.stats().upkeep
    assert.deepEqual([failures, failed, folds], [[], 0, 1])
    await world.close()
  }
})

test('a manifest of our own that cannot be removed stays alone; an older one keeps those up to our first', async () => {
  for (const whose of ['own', 'older'] as const) {
    const storage = new SimulatedStorage({ seed: 1 })
    const older = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('older'))).manifest)
    for (let count = 0; count < 3; count++) await older.publish(next)
    const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
    const first = own.manifest.number
    const stuck = whose === 'own' ? first + 2 : older.manifest.number - 1
    const heal = storage.inject({ operation: 'remove', errno: 'EIO', path: manifestName(stuck) })
    for (let count = 0; count < 3 * MANIFESTS_KEPT; count++) {
      await own.publish(next)
      await own.prune(Number.POSITIVE_INFINITY)
    }
    const newest = Array.from({ length: MANIFESTS_KEPT }, (_, at) => own.manifest.number - MANIFESTS_KEPT + 1 + at)
    const left = whose === 'own' ? [stuck] : [stuck, stuck + 1, first]
    assert.deepEqual(await listManifests(storage), [...left, ...newest])
    await assert.rejects(older.check(), error => hasCode(error, 'TIDEMARK_FENCED'))
    heal()
    await own.prune(Number.POSITIVE_INFINITY)
    assert.deepEqual(await listManifests(storage), newest)
  }
})

test('between two manifests that the collector reads it gives way, and each is read once', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
  const keeps = { number: own.manifest.number, epoch: 0, timeMs: 0 }
  for (let count = 0; count < 40; count++) {
    await own.publish(of => ({ ...next(of), retained: [...of.retained, { ...keeps, number: of.number }] }))
  }
  const steps: string[] = []
  storage.onCall = ({ operation, path }) => {
    if (operation === 'open' && path.startsWith('manifest/')) steps.push('read')
  }
  const collector = new Collector({
    ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, monotonic: () => 0 },
    pause: async () => void steps.push('pause'),
    manifest: () => own.manifest,
    check: () => own.check(),
  })
  await collector.sweep()
  // The two before this run once more: of a retained one not all that it names counts.
  assert.deepEqual(
    steps,
    Array.from({ length: 84 }, (_, at) => (at % 2 === 0 ? 'pause' : 'read')),
  )
  await collector.sweep()
  assert.equal(steps.length, 84)
})

test('what is published while the collector looks is looked at again', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
  await own.publish(next)
  let during = true
  const collector = new Collector({
    ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, monotonic: () => 0 },
    pause: async () => {
      if (during) await own.publish(next)
      during = false
    },
    manifest: () => own.manifest,
    check: () => own.check(),
  })
  assert.equal(await collector.sweep(), true)
  assert.equal(await collector.sweep(), false)
})

test('a file that the last look at the manifests names after all stays: one that was begun and failed may turn out to count', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
  const { token } = own.manifest
  const [named, orphan] = [1, 2].map(sequence => segmentName(token, sequence)) as [string, string]
  await storage.makeFolder('segment')
  for (const file of [named, orphan]) await (await storage.open(file, 'create')).close()
  let now = 0
  const fold = { bytes: 1, epoch: 1, digest: 'cd'.repeat(32), file: logName(token, 1), timeMs: 1, nextId: 1, catalogue: [] }
  const collector = new Collector({
    ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, monotonic: () => now },
    pause: async () => {},
    manifest: () => own.manifest,
    check: async () => {
      if (now > 10) return
      await own.publish(of => ({ ...next(of), log: [{ file: fold.file, end: null }], fold, young: [segment({ file: named })] }))
    },
  })
  await collector.sweep()
  now = 10
  assert.equal(await collector.sweep(), true)
  assert.deepEqual(await storage.list('segment'), [named, orphan].map(nameOf))
  now = 20
  await collector.sweep()
  assert.deepEqual(await storage.list('segment'), [nameOf(named)])
})

test('what the last manifest but one of the run before named has a grace, also where the manifests are away for the first look', async () => {
  for (const isAway of [false, true]) {
    const storage = new SimulatedStorage({ seed: 1 })
    const older = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('older'))).manifest)
    const { token } = older.manifest
    const files = [1, 2].map(sequence => segmentName(token, sequence))
    await storage.makeFolder('segment')
    for (const file of files) await (await storage.open(file, 'create')).close()
    const fold = { bytes: 1, epoch: 1, digest: 'cd'.repeat(32), file: logName(token, 1), timeMs: 1, nextId: 1, catalogue: [] }
    const log = [{ file: fold.file, end: null }]
    for (const file of files) await older.publish(of => ({ ...next(of), log, fold, young: [segment({ file })] }))
    const begun = { ...next(older.manifest), token: token + 1 }
    const own = new Ownership(storage, noFailpoint, older.manifest)
    await own.publish(() => begun)
    let now = 0
    const collector = new Collector({
      ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, monotonic: () => now },
      pause: async () => {},
      manifest: () => own.manifest,
      check: async () => {},
    })
    const list = storage.list.bind(storage)
    storage.list = async folder => (isAway && now === 0 && folder === 'manifest' ? [] : list(folder))
    await collector.sweep()
    assert.deepEqual(await storage.list('segment'), files.map(nameOf), `${isAway}`)
    now = 10
    await collector.sweep()
    assert.deepEqual(await storage.list('segment'), files.slice(1).map(nameOf), `${isAway}`)
  }
})

test('what was dead before a run begins goes in its close, however short the run is', async () => {
  const world = new SimulatedStore()
  await world.open()
  await world.checkpoint()
  await world.close()
  const orphan = 'segment/00000001-00000009.seg'
  const leave = async (): Promise<void> => {
    await world.storage.makeFolder('segment')
    await (await world.storage.open(orphan, 'create')).close()
  }
  await world.run(leave())
  await world.open()
  assert.equal(await world.run(world.storage.exists(orphan)), true)
  await world.close()
  assert.equal(await world.run(world.storage.exists(orphan)), false)
})

test('of a point that is kept the log does not count behind what the newest manifest names: files of history that was given up go', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const own = new Ownership(storage, noFailpoint, (await openForWriting(storage, facts('own'))).manifest)
  const { token } = own.manifest
  const [first, second, third] = [1, 2, 3].map(sequence => logName(token, sequence)) as [string, string, string]
  const segments = [1, 2].map(sequence => segment({ file: segmentName(token, sequence), from: sequence - 1, through: sequence }))
  await storage.makeFolder('segment')
  for (const file of [first, second, third, ...segments.map(({ file }) => file)]) await (await storage.open(file, 'create')).close()
  const end = { bytes: 1500, epoch: 4, digest: 'cd'.repeat(32) }
  const foldAt = (epoch: number) => ({ ...end, file: first, epoch, timeMs: epoch, nextId: 1, catalogue: [] })
  const log = [
    { file: first, end },
    { file: second, end: null },
  ]
  await own.publish(of => ({ ...next(of), log, fold: foldAt(1), young: segments.slice(0, 1) }))
  const point = { number: own.manifest.number, epoch: 1, timeMs: 1 }
  await own.publish(of => ({ ...next(of), fold: foldAt(2), young: segments.slice(1), retained: [point] }))
  await own.publish(of => fork(of, { ...end, file: first, epoch: 3 }, 'ef'.repeat(16)))
  await own.publish(of => roll(of, { ...end, file: first, epoch: 3 }, third, null))
  let now = 0
  const collector = new Collector({
    ...{ storage, graceMs: 10, failpoint: noFailpoint, inUse: () => false, missing: () => {}, monotonic: () => now },
    pause: async () => {},
    manifest: () => own.manifest,
    check: () => own.check(),
  })
  await collector.sweep()
  now = 20
  await collector.sweep()
  const left = [
    ...(await storage.list('log')).map(name => `log/${name}`),
    ...(await storage.list('segment')).map(name => `segment/${name}`),
  ]
  assert.deepEqual(left, [first, third, ...segments.map(({ file }) => file)])
})
