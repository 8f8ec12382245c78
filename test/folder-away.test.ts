/** A folder of the store is away at one open, as a disk that is not mounted: that open is refused, has written nothing, and costs nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Failpoint, noFailpoint } from '../src/base/failpoint.ts'
import { manifestName, ORDER_FOLDER, SCHEDULE_FOLDER } from '../src/format/index.ts'
import { type FoundManifest, listManifests, readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import { copyStore, openForWriting } from '../src/restore/index.ts'
import { MemoryStorage, storageError, systemError } from '../src/storage/index.ts'
import { SeededRandom, SimulatedStorage } from '../src/testing/index.ts'
import { badSector } from './support/bad-sector.ts'
import { type Files, filesOf, flipped, logFiles, storageOf } from './support/files.ts'
import { Life, pseudoRandom, readAll } from './support/log-store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const facts = { createdBy: 'tidemark test', random: pseudoRandom('next') }

/** One run, each epoch in a file of its own, and the manifests as they were before its last file. */
async function run(epochs: number): Promise<{ files: Map<string, Buffer>; older: Files }> {
  const storage = new MemoryStorage()
  const writer = await Life.open({ storage, fileBytesMax: 1 })
  let older: Files = new Map()
  for (let epoch = 1; epoch <= epochs; epoch++) {
    older = await filesOf(storage)
    await writer.mustCommit([[['key', `${epoch}`]]])
  }
  await writer.close()
  return { files: await filesOf(storage), older }
}

const without = (files: Files, folder: string): Map<string, Buffer> =>
  new Map([...files].filter(([path]) => !path.startsWith(`${folder}/`)))

async function damaged(files: Files): Promise<Map<string, Buffer>> {
  const newest = manifestName((await listManifests(await storageOf(files))).at(-1) as number)
  return new Map(files).set(newest, flipped(files.get(newest) as Buffer, 900))
}

test('a damaged newest manifest, and the log away for one open: no epoch is lost by that', async () => {
  for (const epochs of [1, 2, 3]) {
    const { files } = await run(epochs)
    const found = await damaged(files)
    const away = await storageOf(without(found, 'log'))
    await assert.rejects(openForWriting(away, facts), { code: 'TIDEMARK_LOG_DAMAGED', message: /is missing/, hint: /put it back/ })
    assert.deepEqual(await filesOf(away), without(found, 'log'), 'nothing is written')
    const back = await Life.open({ storage: await storageOf(found), name: 'back' })
    assert.equal(back.found.report.end.epoch, epochs)
    await back.close()
  }
})

test('an older copy of the manifests, and the log away for one open: no epoch is lost by that', async () => {
  const { files } = await run(2)
  const storage = await storageOf(files)
  const older = without(files, 'log')
  const later = await Life.open({ storage, name: 'later' })
  await later.mustCommit([[['key', 'later']]])
  await later.close()
  const logs = without(without(await filesOf(storage), 'manifest'), 'segment')
  const away = await storageOf(older)
  await assert.rejects(openForWriting(away, facts), { code: 'TIDEMARK_LOG_DAMAGED', message: /is missing/ })
  const back = await storageOf(new Map([...(await filesOf(away)), ...logs]))
  assert.equal((await Life.open({ storage: back, name: 'back' })).found.report.end.epoch, 3)
})

test('the log away, and no manifest that verifies: where a run left what it learned a store was, and none is begun in its place', async () => {
  const { files } = await run(2)
  const away = without(files, 'log')
  await assert.rejects(openForWriting(await storageOf(away), facts), { code: 'TIDEMARK_LOG_DAMAGED', message: /is missing/ })
  for (const folder of [ORDER_FOLDER, SCHEDULE_FOLDER]) {
    const found = new Map([...away].map(([path, bytes]) => [path, flipped(bytes, 900)]))
    const storage = await storageOf(new Map(found).set(`${folder}/00000001`, Buffer.from('any')))
    await assert.rejects(openForWriting(storage, facts), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
    assert.deepEqual(await filesOf(storage), found, 'nothing is written')
  }
})

test('a damaged newest manifest, and the log of another store in place of its own: no epoch is lost by that', async () => {
  const { files } = await run(2)
  const found = await damaged(files)
  const other = new MemoryStorage()
  const life = await Life.open({ storage: other, name: 'other', fileBytesMax: 1 })
  await life.mustCommit([[['key', 'other']]])
  await life.close()
  const strangers = without(without(await filesOf(other), 'manifest'), 'segment')
  const swapped = new Map([...without(found, 'log'), ...strangers])
  const storage = await storageOf(swapped)
  await assert.rejects(openForWriting(storage, facts), {
    code: 'TIDEMARK_LOG_DAMAGED',
    message: /another store/,
    hint: /put the file back/,
  })
  assert.deepEqual(await filesOf(storage), swapped)
})

test('the hint for a file of the log that is not there, or is another, is to put it back; for one that is damaged it is not', async () => {
  const { files } = await run(3)
  const [first, second] = logFiles(files) as [string, string]
  const bytes = (path: string): Buffer => files.get(path) as Buffer
  const changed: [RegExp, Map<string, Buffer>][] = [
    [/put the file back.* only where it is lost/, new Map([...files].filter(([path]) => path !== second))],
    [/put the file back/, new Map(files).set(second, bytes(first))],
    [/^epochs 2 to 3 cannot be read/, new Map(files).set(second, bytes(second).subarray(0, 1100))],
  ]
  for (const [hint, found] of changed)
    await assert.rejects(readAll(await storageOf(found)), { code: 'TIDEMARK_LOG_DAMAGED', hint }, String(hint))
})

test('an older copy of the manifests, and the log away for an open at a point, with a fall-back: it rejects, and no epoch is lost by that', async () => {
  const { files } = await run(2)
  const storage = await storageOf(files)
  const later = await Life.open({ storage, name: 'later' })
  await later.mustCommit([[['key', 'later']]])
  await later.close()
  const logs = without(without(await filesOf(storage), 'manifest'), 'segment')
  const away = await storageOf(without(files, 'log'))
  await assert.rejects(openAt(2, away), { code: 'TIDEMARK_NO_SUCH_POINT' })
  const back = await storageOf(new Map([...(await filesOf(away)), ...logs]))
  assert.equal((await Life.open({ storage: back, name: 'back' })).found.report.end.epoch, 3)
})

test('who asks to fall back from a log that is lost, folder and all, goes on without it, and commits', async () => {
  const { files } = await run(2)
  const storage = await storageOf(without(files, 'log'))
  assert.equal(await storage.exists('log'), false)
  const settings = { checkpoint: { intervalMs: 0 }, restore: { onDamage: 'fall-back' } } as const
  const store = await openStore('lost', settings, { storage, writer: 'inline' })
  assert.equal(store.restored.epoch, 0)
  store.map('map').set('key', 1)
  await store.checkpoint()
  await store.close()
})

/** At a recovery point, and falling back, through `failpoint`. */
async function openAt(at: number, storage: MemoryStorage, failpoint: Failpoint = noFailpoint) {
  const settings = { checkpoint: { intervalMs: 0 }, restore: { at, onDamage: 'fall-back' } } as const
  return await openStore('away', settings, { storage, writer: 'inline', failpoint })
}

test('a damaged newest manifest, and the log or a file of it away for an open at a point, with a fall-back: it rejects, and no epoch is lost by that', async () => {
  const { files } = await run(3)
  const found = await damaged(files)
  for (const [part, at] of [
    ['log', 3],
    ['log', 1],
    [logFiles(files)[1] as string, 3],
    [logFiles(files)[1] as string, 2],
  ] as const) {
    const lacking = new Map([...found].filter(([path]) => !path.startsWith(part)))
    const away = await storageOf(lacking)
    await assert.rejects(openAt(at, away), { code: 'TIDEMARK_NO_SUCH_POINT' }, `${part} ${at}`)
    assert.deepEqual([...(await filesOf(away)).keys()].sort(), [...lacking.keys()].sort(), 'nothing is published')
    const back = await Life.open({ storage: await storageOf(new Map([...found, ...(await filesOf(away))])), name: 'back' })
    assert.equal(back.found.report.end.epoch, 3)
    await back.close()
  }
})

/** The newest state, with all defaults. */
async function openNewest(storage: MemoryStorage, failpoint: Failpoint = noFailpoint) {
  return await openStore('away', { checkpoint: { intervalMs: 0 } }, { storage, writer: 'inline', failpoint })
}

test('a damaged newest manifest, a file of the log away, the one before it damaged or not given back: an open rejects, and no epoch is lost by that', async () => {
  const { files } = await run(3)
  const found = await damaged(files)
  const [before, last] = logFiles(files).slice(-2) as [string, string]
  const lacking = new Map([...found].filter(([path]) => path !== last))
  const rotten = new Map(lacking).set(before, flipped(flipped(lacking.get(before) as Buffer, 20 * 8), (512 + 20) * 8))
  const unread = await storageOf(lacking)
  const mend = badSector(unread, before, 0)
  for (const [away, code] of [
    [unread, 'TIDEMARK_STORAGE'],
    [await storageOf(rotten), 'TIDEMARK_LOG_DAMAGED'],
  ] as const) {
    await assert.rejects(openNewest(away), { code })
    mend()
    assert.deepEqual([...(await filesOf(away)).keys()].sort(), [...lacking.keys()].sort(), 'nothing is published')
    const back = await Life.open({ storage: await storageOf(new Map([...(await filesOf(away)), ...found])), name: 'back' })
    assert.equal(back.found.report.end.epoch, 3)
    await back.close()
  }
})

test('a point before a file that is away, behind a damaged newest manifest, is gone back to with a fall-back', async () => {
  const { files } = await run(3)
  const storage = await storageOf(await damaged(files))
  await storage.remove(logFiles(files)[1] as string)
  const store = await openAt(1, storage)
  assert.equal(store.restored.epoch, 1)
  await store.close()
})

test('an open that rejects once it has published behind a damaged newest manifest says what is not looked for any more', async () => {
  const { files } = await run(3)
  const found = await damaged(files)
  const lacking = (file: string | undefined) => new Map([...found].filter(([path]) => path !== file))
  const openFirst = (storage: MemoryStorage, failpoint: Failpoint) => openAt(1, storage, failpoint)
  const newest = (await listManifests(await storageOf(files))).at(-1) as number
  const told = { message: new RegExp(`only ${manifestName(newest)} named.* not looked for`), hint: /copy of the directory/ }
  for (const [opens, left] of [
    [openFirst, lacking(logFiles(files)[1])],
    [openNewest, lacking(logFiles(files)[2])],
  ] as const) {
    for (const name of ['open.scan', 'manifest.sync-folder']) {
      const fails = async (reached: string): Promise<void> => {
        if (reached === name) throw storageError('read', 'log', systemError('EIO', 'read'))
      }
      await assert.rejects(opens(await storageOf(left), fails), { code: 'TIDEMARK_STORAGE', ...told }, name)
    }
    // Not where nothing was published, nor where nothing was hidden.
    const fails = async (reached: string): Promise<void> => {
      if (reached === 'manifest.create' || reached === 'open.scan') throw storageError('read', 'log', systemError('EIO', 'read'))
    }
    for (const each of [left, files])
      await assert.rejects(opens(await storageOf(each), fails), ({ message }: Error) => !told.message.test(message))
  }
})

test('whoever came while an open found that a file is away has given it back: that open is fenced', async () => {
  const { files } = await run(3)
  const storage = await storageOf(await damaged(files))
  const tryOut = async (): Promise<void> => {
    await openForWriting(storage, { ...facts, random: pseudoRandom('rival') })
    throw new Error('it is away')
  }
  await assert.rejects(openForWriting(storage, { ...facts, atPoint: true, tryOut }), { code: 'TIDEMARK_FENCED' })
})

test('a copy whose log ends at its fold point, made without empty folders, is a store to commit to', async () => {
  const world = await folded()
  await world.open()
  await world.close()
  const target = new MemoryStorage()
  await world.run(copyStore(world.storage, target, new SeededRandom(1), () => undefined))
  const { manifest } = (await readNewest(target)) as FoundManifest
  assert.equal(manifest.log.at(-1)?.end?.epoch, manifest.fold?.epoch)
  const storage = await storageOf(without(await filesOf(target), 'log'))
  const store = await openStore('copy', { checkpoint: { intervalMs: 0 } }, { storage, writer: 'inline' })
  store.map('map').set('key', 1)
  await store.checkpoint()
  await store.close()
})

test('a copy of one whose log ends at its fold point is opened behind a newest manifest that is damaged, as any store is', async () => {
  const world = await folded()
  await world.open()
  await world.close()
  const first = new MemoryStorage()
  await world.run(copyStore(world.storage, first, new SeededRandom(1), () => undefined))
  const files = await filesOf(first)
  const [last] = logFiles(files).slice(-1) as [string]
  const unread = new Map([...files].filter(([path]) => path !== last))
  for (const [source, isThere] of [
    [files, true],
    [new Map(files).set(last, Buffer.alloc(10)), false],
    [unread, false],
  ] as const) {
    const target = new MemoryStorage()
    const copied = await copyStore(await storageOf(source), target, new SeededRandom(2), () => undefined)
    const made = await filesOf(target)
    assert.equal(copied.files, made.size - 1)
    assert.deepEqual(logFiles(made), isThere ? [last] : [])
    if (!isThere) continue
    assert.deepEqual(made.get(last), files.get(last))
    assert.equal(
      copied.bytes,
      [...made].reduce((sum, [path, { length }]) => sum + (path.startsWith('manifest') ? 0 : length), 0),
    )
    await openForWriting(target, facts)
    const storage = await storageOf(await damaged(await filesOf(target)))
    const store = await openStore('copy', { checkpoint: { intervalMs: 0 } }, { storage, writer: 'inline' })
    assert.equal(store.restored.epoch, copied.epoch)
    await store.close()
  }
})

test('a point before a file of the log that is missing can be gone back to, unless nobody knows what else is', async () => {
  const { files, older } = await run(3)
  const storage = await storageOf(files)
  await storage.remove('log/00000001-00000003.log')
  await assert.rejects(openForWriting(storage, facts), { code: 'TIDEMARK_LOG_DAMAGED' })
  assert.equal((await openForWriting(storage, { ...facts, atPoint: true })).manifest.token, 2)
  for (const found of [without(files, 'log'), without(await damaged(files), 'log'), without(older, 'log')])
    await assert.rejects(openForWriting(await storageOf(found), { ...facts, atPoint: true }), { code: 'TIDEMARK_LOG_DAMAGED' })
})

/** Points that are kept, segments, and a newest manifest that is damaged. */
async function folded(): Promise<SimulatedStore> {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 20, paced: false, graceMs: 100, fanIn: 2, fewTimes: 1 }
  const map = (await world.open()).map<number>('map')
  for (let at = 0; at < 125; at++) {
    map.set(`key ${at}`, at)
    if (at % 25 < 24) continue
    await world.checkpoint()
    await world.pass(1000)
  }
  await world.close()
  // Another run, whose takeover alone is damaged.
  await world.open()
  const storage = world.storage.crash({ mode: 'kept' })
  storage.disk.lookup(manifestName((await listManifests(storage)).at(-1) as number))?.flip(50, 1)
  world.storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk: storage.disk })
  return world
}

test('the segments away for one open: the points that are kept stay', async () => {
  for (const settings of [{}, { restore: { onDamage: 'fall-back' } }] as const) {
    const world = await folded()
    const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
    assert.ok(manifest.retained.length > 1)
    const whole = world.storage
    world.storage = withoutSegments(whole)
    await assert.rejects(world.open(settings), { code: 'TIDEMARK_STORAGE', message: /segment.* is missing/, hint: /put it back/ })
    world.storage = whole
    const after = (await world.run(readNewest(world.storage))) as FoundManifest
    assert.deepEqual([after.manifest.retained, after.newestNumber], [manifest.retained, manifest.number + 1])
    const store = await world.open()
    const listed = new Set((await world.run(store.recoveryPoints())).filter(({ lost }) => lost === undefined).map(({ epoch }) => epoch))
    for (const { epoch } of manifest.retained) assert.ok(listed.has(epoch), `${epoch}`)
    await world.close()
  }
})

test('the segments away while a point of a damaged manifest is asked for with a fall-back: the points that are kept stay', async () => {
  const world = await folded()
  const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
  const kept = manifest.retained.map(({ number }) => number)
  const whole = world.storage
  world.storage = withoutSegments(whole)
  const at = manifest.retained[0]?.epoch as number
  await assert.rejects(world.open({ restore: { at, onDamage: 'fall-back' } }))
  world.storage = whole
  const after = ((await world.run(readNewest(world.storage))) as FoundManifest).manifest
  assert.deepEqual(after.retained, manifest.retained)
  const numbers = new Set(await world.run(listManifests(world.storage)))
  for (const number of kept) assert.ok(numbers.has(number), `${number}`)
})

function withoutSegments(storage: SimulatedStorage): SimulatedStorage {
  const isGone = (path: string): boolean => path.startsWith('segment')
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === 'exists') return async (path: string) => !isGone(path) && (await target.exists(path))
      if (name === 'list') return async (folder: string) => (isGone(folder) ? [] : await target.list(folder))
      if (name === 'size' || name === 'open')
        return async (path: string, mode: 'read') => {
          if (isGone(path)) return await target[name]('segment/none.seg', mode)
          return await target[name](path, mode)
        }
      const own = Reflect.get(target, name)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}
