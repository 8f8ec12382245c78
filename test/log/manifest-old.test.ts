/** An older copy of the folder `manifest` was put back: the log knows of writers that came after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { systemScheduler } from '../../src/base/scheduler.ts'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES, logName, logNumbers, manifestName, segmentName } from '../../src/format/index.ts'
import { listManifests } from '../../src/manifest/index.ts'
import { openStore } from '../../src/open.ts'
import { forkAt, openForReading, openForWriting } from '../../src/restore/index.ts'
import { verifyStore } from '../../src/restore/verify.ts'
import { MemoryDisk, MemoryStorage, nameOf, type Storage } from '../../src/storage/index.ts'
import { type Files, filesOf, flipped, logFiles, storageOf } from '../support/files.ts'
import { type Block, type Epoch, Life, pseudoRandom, readAll, scanAll } from '../support/log-store.ts'
import { SimulatedStore } from '../support/simulated-store.ts'

const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })
const block = (text: string): readonly Block[] => [[['key', text]]]
const isManifest = (path: string): boolean => path.startsWith('manifest/')
const manifestsOf = (files: Files): Files => new Map([...files].filter(([path]) => isManifest(path)))

/** Three lives of two epochs each, two files a life, and a copy of the manifests after each opening and each file. */
async function lives(): Promise<{ disk: MemoryDisk; files: Files; epochs: Epoch[]; copies: Files[] }> {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const epochs: Epoch[] = []
  const copies: Files[] = []
  const keep = async (): Promise<void> => {
    copies.push(manifestsOf(await filesOf(storage)))
  }
  for (let life = 0; life < 3; life++) {
    const writer = await Life.open({ storage, name: `life ${life}`, fileBytesMax: 1 })
    await keep()
    for (let count = 0; count < 2; count++) {
      const blocks = block(`${life}.${count}`)
      epochs.push({ epoch: (await writer.mustCommit(blocks)).epoch, blocks })
      await keep()
    }
    await writer.close()
  }
  return { disk, files: await filesOf(storage), epochs, copies }
}

function withManifests(files: Files, manifests: Files): Map<string, Buffer> {
  return new Map([...[...files].filter(([path]) => !isManifest(path)), ...manifests])
}

const highestToken = (files: Files): number => Math.max(...logFiles(files).map(path => logNumbers(nameOf(path))?.token ?? 0))

test('where an older copy of the manifests is put back, the log is followed to what later writers acknowledged', async () => {
  const { files, epochs, copies } = await lives()
  // In its own run nothing tells a file that came later from one that was given up.
  const told = copies.slice(0, -3)
  assert.equal(told.length, 6)
  for (const manifests of told) {
    const found = withManifests(files, manifests)
    const storage = await storageOf(found)
    const read = await readAll(storage)
    assert.deepEqual(read.epochs, epochs)
    assert.match(String(read.opened.older), /older than the log/)
    assert.deepEqual(await filesOf(storage), found, 'reading writes nothing')
    const { ok, epoch, notes } = await verifyStore(storage, () => undefined)
    assert.deepEqual([ok, epoch, notes], [true, 6, [read.opened.older]])
    const writer = await Life.open({ storage, name: 'after' })
    assert.ok(writer.manifest.token > highestToken(files), 'no token is given twice')
    const { epoch: next } = await writer.mustCommit(block('after'))
    assert.equal(next, 7)
    await writer.close()
    const again = await readAll(storage)
    assert.deepEqual(again.epochs, [...epochs, { epoch: next, blocks: block('after') }])
    assert.equal(again.opened.older, undefined)
  }
})

test('what is read of the log without the newest manifests is read in slices, by whoever opens', async () => {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const count = 200
  let older: Files = new Map()
  for (const life of [0, 1]) {
    const writer = await Life.open({ storage, name: `life ${life}` })
    for (let at = 0; at < (life === 0 ? 1 : count); at++) await writer.mustCommit(block(`${life}.${at}`))
    await writer.close()
    if (life === 0) older = manifestsOf(await filesOf(storage))
  }
  const files = withManifests(await filesOf(storage), older)
  const begin = async (): Promise<Storage> => await storageOf(files)
  let pauses = 0
  const pause = (): undefined => void pauses++
  await openForReading(await begin(), pause)
  assert.ok(pauses > count, `${pauses} pauses of who reads`)
  pauses = 0
  await openForWriting(await begin(), { ...facts('slices'), pause })
  assert.ok(pauses > count, `${pauses} pauses of who writes`)
  // A store gives way itself: until it is taken over its time is always up here, so each pause takes a turn.
  let turns = 0
  let before = 0
  let now = 0
  const clock = { now: () => 0, monotonic: () => (before === 0 ? now++ : now) }
  const immediate = (fn: () => void) => {
    turns++
    return systemScheduler.immediate(fn)
  }
  const scheduler = { ...systemScheduler, immediate }
  const taken = await begin()
  const createIfAbsent = taken.createIfAbsent.bind(taken)
  taken.createIfAbsent = async (...given) => {
    before ||= turns
    return await createIfAbsent(...given)
  }
  const store = await openStore('memory', {}, { storage: taken, clock, scheduler, writer: 'inline' })
  await store.close()
  assert.ok(before > count, `${before} turns before it was taken over`)
})

test('where nobody can follow to what a later writer acknowledged, the store is not opened, and nothing is written', async () => {
  const { files, copies } = await lives()
  const missing = logFiles(files)[3] as string
  const found = withManifests(files, copies[2] as Files)
  found.delete(missing)
  const storage = await storageOf(found)
  const refuses = (error: unknown): boolean =>
    hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') && /newer than manifest\/.*nobody knows how history came to log\//.test(String(error))
  await assert.rejects(openForReading(storage), refuses)
  await assert.rejects(openForWriting(storage, facts('next')), refuses)
  assert.equal((await verifyStore(storage, () => undefined)).ok, false)
  assert.deepEqual(await filesOf(storage), found)
  // Given up by hand, file by file, as the hint says.
  for (const path of logFiles(found).slice(3)) await storage.remove(path)
  assert.equal((await readAll(storage)).epochs.length, 3)
})

test('a damaged file of the log does not hide what a later writer acknowledged from an older manifest', async () => {
  const { files, copies } = await lives()
  const found = withManifests(files, copies[2] as Files)
  found.delete(logFiles(files)[1] as string)
  const storage = await storageOf(found)
  await assert.rejects(openForWriting(storage, facts('next')), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
  assert.deepEqual(await filesOf(storage), found)
})

test('an older copy of the manifests that stands on what was given up since is refused with the cure', async () => {
  const { files, copies } = await lives()
  for (const manifests of copies.slice(2, -3)) {
    const found = withManifests(files, manifests)
    found.delete(logFiles(files)[0] as string)
    const storage = await storageOf(found)
    const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', message: /log\/00000001-00000001\.log.* is missing/, hint: /put the newest copy/ }
    for (const onDamage of ['refuse', 'fall-back'] as const)
      await assert.rejects(openForWriting(storage, { ...facts('next'), onDamage }), refused)
    assert.equal((await verifyStore(storage, () => undefined)).ok, false)
    assert.deepEqual(await filesOf(storage), found)
  }
})

test('an older copy of the manifests does not undo a fork, nor what came after it', async () => {
  for (let target = 0; target <= 6; target++) {
    const { disk, files, epochs } = await lives()
    const storage = new MemoryStorage(disk)
    const manifests = manifestsOf(files)
    const { manifest } = await openForWriting(storage, facts('restorer'))
    const { report } = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, until: { epoch: target } })
    await forkAt(storage, manifest, report, facts('fork'))
    const writer = await Life.open({ storage, name: 'later' })
    const { epoch } = await writer.mustCommit(block('other future'))
    await writer.close()
    const forked = await filesOf(storage)
    // What a fork abandons is of lower tokens than the manifest that says so: it keeps nobody from opening.
    assert.deepEqual((await readAll(storage)).epochs, [...epochs.slice(0, target), { epoch, blocks: block('other future') }])
    const found = await storageOf(withManifests(forked, manifests))
    // Who went back to epoch 5 gave up one that was acknowledged: nothing but his manifest tells that from a file of another history.
    if (target === 6) {
      assert.deepEqual((await readAll(found)).epochs, [...epochs.slice(0, target), { epoch, blocks: block('other future') }])
      continue
    }
    await assert.rejects(readAll(found), { code: 'TIDEMARK_MANIFEST_DAMAGED' }, `a fork at ${target}`)
    await assert.rejects(openForWriting(found, facts('next')), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
    assert.deepEqual(await filesOf(found), withManifests(forked, manifests))
  }
})

test('a file left behind by another copy does not win over what the newest manifest names', async () => {
  for (const later of [
    ['3a', '4a'],
    ['3a', '4a', '5a'],
  ]) {
    const disk = new MemoryDisk()
    const first = new MemoryStorage(disk)
    const writer = await Life.open({ storage: first, name: 'first' })
    for (const text of ['1', '2']) await writer.mustCommit(block(text))
    const copy = await storageOf(await filesOf(first))
    const other = await Life.open({ storage: copy, name: 'other' })
    await other.mustCommit(block('3b'))
    await other.close()
    for (const text of later) await writer.mustCommit(block(text))
    await writer.close()
    // The copy is put over the other one, and nothing there is deleted but the manifests.
    const found = new Map([...[...(await filesOf(copy))].filter(([path]) => !isManifest(path)), ...(await filesOf(first))])
    const storage = await storageOf(found)
    const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', hint: /put the newest one there.*move log\/00000002-00000002\.log away/ }
    await assert.rejects(openForReading(storage), refused)
    await assert.rejects(openForWriting(storage, facts('next')), refused)
    assert.deepEqual(await filesOf(storage), found)
    await storage.remove(logName(2, 2))
    assert.equal((await readAll(storage)).epochs.length, 2 + later.length)
  }
})

test('files of a later token that are none of this store, or hold no epoch, keep nobody from opening, and take no tokens', async () => {
  const { files, epochs } = await lives()
  const foreign = new MemoryStorage()
  const life = await Life.open({ storage: foreign, name: 'foreign' })
  await life.mustCommit(block('foreign'))
  await life.close()
  const strangers = await filesOf(foreign)
  const stray = new Map(files)
  stray.set('log/ffffffff-00000001.log', Buffer.from('junk'))
  stray.set('log/fffffff0-00000001.log', strangers.get(logName(1, 1)) as Buffer)
  stray.set('log/notes.txt', Buffer.from('mine'))
  const storage = await storageOf(stray)
  assert.equal((await readAll(storage)).opened.older, undefined)
  const writer = await Life.open({ storage, name: 'after' })
  assert.equal(writer.manifest.token, 4)
  await writer.mustCommit(block('after'))
  await writer.close()
  assert.equal((await readAll(storage)).epochs.length, epochs.length + 1)
})

test('a file that a later writer began and committed nothing to is nothing to follow, and its token is not given twice', async () => {
  const { disk, files, epochs } = await lives()
  const storage = new MemoryStorage(disk)
  const failpoint = async (name: string): Promise<void> => {
    if (name === 'commit.append') throw new Error('killed')
  }
  const writer = await Life.open({ storage, name: 'killed', failpoint })
  writer.host.post({ type: 'batch', attempt: 1, bytes: Buffer.alloc(0), records: 0 })
  await writer.commit(block('never'))
  const begun = await filesOf(storage)
  const path = logFiles(begun).at(-1) as string
  assert.equal(logNumbers(nameOf(path))?.token, 4)
  const found = await storageOf(withManifests(begun, manifestsOf(files)))
  const read = await readAll(found)
  assert.deepEqual([read.epochs, read.opened.older], [epochs, undefined])
  const next = await Life.open({ storage: found, name: 'next' })
  assert.equal(next.manifest.token, 5)
  await next.mustCommit(block('next'))
  await next.close()
})

test('a run that left no file of the log, and segments alone, had a token that is not given twice', async () => {
  const { files } = await lives()
  const stranger = new Map(files).set(segmentName(0xffff_fff0, 1), Buffer.from('none of ours'))
  for (const [found, token] of [
    [files, 4],
    [new Map(files).set(segmentName(4, 1), Buffer.from('of a fold')), 5],
    [stranger, 4],
  ] as const)
    assert.equal((await openForWriting(await storageOf(found), facts('next'))).manifest.token, token)
})

test('where older manifests were put back, upkeep removes nothing of what later writers acknowledged', async () => {
  const world = new SimulatedStore()
  world.thresholds = { records: 3, paced: false, graceMs: 100 }
  const manifests = async (): Promise<Files> => manifestsOf(await world.run(filesOf(world.storage)))
  let old: Files = new Map()
  for (const key of ['a', 'b', 'c']) {
    const store = await world.open()
    store.map<number>('map').set(key, 1)
    await world.run(store.durable())
    await world.close()
    if (key === 'a') old = await manifests()
  }
  for (const path of (await manifests()).keys()) await world.run(world.storage.remove(path))
  for (const [path, bytes] of old) await world.run(world.storage.createIfAbsent(path, bytes))
  const store = await world.open()
  assert.deepEqual([...store.map('map').keys()].sort(), ['a', 'b', 'c'])
  assert.deepEqual([store.restored.epoch, store.restored.notes.length], [3, 1])
  store.map<number>('map').set('d', 1)
  assert.equal((await world.checkpoint()).epoch, 4)
  await world.pass(60_000)
  const reader = await world.crash({ readOnly: true })
  assert.deepEqual([...reader.map('map').keys()].sort(), ['a', 'b', 'c', 'd'])
  await world.close()
  assert.ok((await world.run(verifyStore(world.storage, () => undefined))).ok)
})

test('a file of a later run whose header is damaged is not passed over where it holds an epoch, and its token is not given twice', async () => {
  const { files, copies } = await lives()
  const [one, two] = logFiles(files).slice(-2) as [string, string]
  const headless = (path: string, bytes = files.get(path) as Buffer): Buffer => Buffer.from(bytes).fill(0, 0, LOG_HEADER_BYTES)
  const base = withManifests(files, copies[5] as Files)
  const onlyOne = new Map([...base].filter(([path]) => path !== two))
  for (const found of [new Map(onlyOne).set(one, headless(one)), new Map(base).set(two, headless(two))]) {
    const storage = await storageOf(found)
    const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', message: /log\/00000003-\S+, whose header is damaged/, hint: /moving it away/ }
    await assert.rejects(openForReading(storage), refused)
    for (const onDamage of ['refuse', 'fall-back'] as const)
      await assert.rejects(openForWriting(storage, { ...facts('next'), onDamage }), refused)
    assert.equal((await verifyStore(storage, () => undefined)).ok, false)
    assert.deepEqual(await filesOf(storage), found)
  }
  // Begun, and died before it was whole; and with a block of an epoch that nobody committed.
  const bytes = files.get(one) as Buffer
  const frame = LOG_HEADER_BYTES + FRAME_HEADER_BYTES
  for (const torn of [bytes.subarray(0, 700), headless(one, bytes.subarray(0, frame + bytes.readUInt32LE(LOG_HEADER_BYTES + 12)))]) {
    const storage = await storageOf(new Map(onlyOne).set(one, torn))
    assert.equal((await readAll(storage)).epochs.length, 4)
    const writer = await Life.open({ storage, name: 'after' })
    assert.equal(writer.manifest.token, 4)
    await writer.close()
  }
})

test('a damaged newest manifest, and a damaged header of the file that only it names: refused, nothing is written', async () => {
  const { files } = await lives()
  const newest = manifestName((await listManifests(await storageOf(files))).at(-1) as number)
  const path = logFiles(files).at(-1) as string
  const found = new Map(files).set(newest, flipped(files.get(newest) as Buffer, 900))
  found.set(path, Buffer.from(files.get(path) as Buffer).fill(0, 0, LOG_HEADER_BYTES))
  const storage = await storageOf(found)
  await assert.rejects(openForWriting(storage, facts('next')), {
    code: 'TIDEMARK_MANIFEST_DAMAGED',
    file: newest,
    message: /header is damaged/,
  })
  assert.deepEqual(await filesOf(storage), found)
})

/** The same files; before the first look at the log behind a look at the manifests, `before` is awaited, so often. */
function interrupted(storage: MemoryStorage, times: number, before: () => Promise<void>): Storage {
  let left = times
  const list = async (folder: string): Promise<string[]> => {
    if (folder === 'log' && left > 0) {
      left--
      await before()
    }
    return await storage.list(folder)
  }
  return new Proxy(storage, {
    get: (of, name) => {
      if (name === 'list') return list
      const member = Reflect.get(of, name)
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
}

test('an opener that takes a manifest just before another writer takes over and commits begins again with the newest', async () => {
  for (const times of [1, 3, 20]) {
    const { disk, epochs } = await lives()
    const storage = new MemoryStorage(disk)
    const expected = [...epochs]
    const rival = async (): Promise<void> => {
      const life = await Life.open({ storage, name: `rival ${expected.length}`, fileBytesMax: 1 })
      for (const text of ['a', 'b']) expected.push({ epoch: (await life.mustCommit(block(text))).epoch, blocks: block(text) })
      await life.close()
      // What the manifest before it stands on, and that manifest itself, may be gone.
      for (const number of (await listManifests(storage)).slice(0, -1)) await storage.remove(manifestName(number))
    }
    const read = await readAll(interrupted(storage, times, rival))
    assert.equal(read.opened.older, undefined)
    if (times < 20) assert.deepEqual(read.epochs, expected)
    // Who is overtaken at each look reads what was there at the last one.
    else assert.deepEqual(read.epochs, expected.slice(0, read.epochs.length))
    const opening = openForWriting(interrupted(storage, times, rival), facts('slow'))
    if (times < 20) assert.equal((await opening).created, false)
    else await assert.rejects(opening, { code: 'TIDEMARK_FENCED' })
  }
})
