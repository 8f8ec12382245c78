import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifest as aManifest } from '../../test/support/manifest.ts'
import { ByteWriter } from '../base/bytes.ts'
import { STOPPED } from '../base/errors.ts'
import {
  appendRecord,
  EMPTY_BASE,
  FIRST_PLACE,
  type Manifest,
  openCompress,
  RecordCursor,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { SegmentWriter } from '../segment/index.ts'
import { MemoryStorage, type OpenMode, type StorageFile, storageError, systemError } from '../storage/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { Gone, type GoneParts } from './gone.ts'
import { MERGE_LIMITS } from './policy.ts'

const LIMITS = { ...MERGE_LIMITS, slackBytes: 1 }

class Watched extends MemoryStorage {
  opened: string[] = []
  away = false

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    if (mode === 'read') this.opened.push(path)
    if (this.away) throw storageError('open', path, systemError('ESTALE', 'open'))
    return await super.open(path, mode)
  }
}

function made(storage: MemoryStorage, parts: Partial<GoneParts> = {}): Gone {
  return new Gone({ storage, scheduler: new SimulatedScheduler(), pause: async () => {}, again: () => {}, ...parts })
}

/** Ten records of each collection. */
async function write(storage: MemoryStorage, sequence: number, ids: readonly number[]): Promise<SegmentEntry> {
  const file = segmentName(1, sequence)
  const writer = await SegmentWriter.create({ storage, file, salt: 7, compress: await openCompress('none') })
  for (const collection of ids) {
    for (let at = 0; at < 10; at++) {
      const out = new ByteWriter(64)
      appendRecord(out, collection, Buffer.from(`${at}`), Buffer.alloc(100))
      const bytes = out.view()
      const cursor = new RecordCursor(bytes)
      assert.ok(cursor.next())
      const { keyStart, keyEnd, valueStart, valueEnd } = cursor
      writer.add({ collection, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
    }
  }
  return await writer.finish({ from: 0, through: 1 }, async () => {})
}

/** A store of which these collections live. */
function manifest(segments: readonly SegmentEntry[], alive: readonly number[]): Manifest {
  const catalogue = alive.map(id => ({ id, kind: 'map' as const, name: `${id}`, codec: 'tide', entries: 10, bytes: 1 }))
  const ranges = segments.map((segment, at) => ({ start: at === 0 ? FIRST_PLACE : segment.first, through: 1, segment }))
  return aManifest({ log: [], fold: { nextId: 100, catalogue }, base: segments.length === 0 ? EMPTY_BASE : ranges })
}

test('what a segment says of its collections is read once, and only where some of its ids are not alive', async () => {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const segments = [await write(storage, 1, [1, 2, 3, 4]), await write(storage, 2, [5, 6, 7, 8, 9]), await write(storage, 3, [10, 20])]
  const gone = made(storage)
  const planned = async (alive: readonly number[]): Promise<readonly (string | undefined)[]> => {
    storage.opened = []
    const plan = await gone.plan(manifest(segments, alive), LIMITS, new Set())
    return plan?.type === 'base' ? plan.ranges.map(range => range.segment?.file) : []
  }
  assert.deepEqual(await planned([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]), [], 'ids that are not there are none that are gone')
  assert.deepEqual(storage.opened, [segments[2]?.file])
  assert.deepEqual(await planned([1, 2, 3, 4, 5, 6, 10, 20]), [], 'too little of it is gone')
  assert.deepEqual(storage.opened, [segments[1]?.file])
  assert.deepEqual(await planned([1, 2, 3, 4, 7, 10, 20]), [segments[1]?.file])
  assert.deepEqual(storage.opened, [])
})

test('a segment that is damaged is let be', async () => {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const entry = await write(storage, 1, [1, 2, 3, 4, 5])
  const gone = made(storage)
  const damaged = { ...entry, describedAt: entry.describedAt + 1 }
  assert.equal(await gone.plan(manifest([damaged], [1]), LIMITS, new Set()), undefined)
  assert.equal(storage.opened.length, 1)
  assert.equal(await gone.plan(manifest([damaged], [1]), LIMITS, new Set()), undefined)
  assert.equal(storage.opened.length, 1, 'it is not tried again')
  assert.equal((await made(storage).plan(manifest([entry], [1]), LIMITS, new Set()))?.type, 'base')
})

test('a segment that could not be read is asked for again some minutes later, which is told, and not after the end', async () => {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const [some, more] = [await write(storage, 1, [1, 2, 3, 4, 5]), await write(storage, 2, [11, 12, 13, 14, 15])]
  const scheduler = new SimulatedScheduler()
  let told = 0
  const gone = made(storage, { scheduler, again: () => told++ })
  const plan = () => gone.plan(manifest([some, more], [1, 11]), LIMITS, new Set())
  const pass = (ms: number): Promise<void> => scheduler.run(scheduler.clock.monotonic() + ms)
  storage.away = true
  assert.equal(await plan(), undefined)
  await pass(599_000)
  assert.equal(await plan(), undefined)
  assert.deepEqual([told, storage.opened], [0, [some.file, more.file]])
  await pass(2000)
  assert.equal(told, 1)
  assert.equal(await plan(), undefined)
  assert.equal(storage.opened.length, 4)
  storage.away = false
  await pass(600_000)
  assert.equal(told, 2)
  assert.equal((await plan())?.type, 'base')
  assert.equal(storage.opened.length, 6)
  await pass(600_000)
  assert.equal(told, 2, 'all of it was read')
  const ended = made(storage, { scheduler, again: () => told++ })
  storage.away = true
  assert.equal(await ended.plan(manifest([some, more], [1, 11]), LIMITS, new Set()), undefined)
  ended.stop()
  await pass(1_000_000)
  assert.equal(told, 2)
})

test('reading is paused before each file, and what was read before it was ended is not read again', async () => {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const parts = [1, 11, 21].map(id => [id, id + 1, id + 2, id + 3, id + 4])
  const segments: SegmentEntry[] = []
  for (const [at, ids] of parts.entries()) segments.push(await write(storage, at + 1, ids))
  const files = segments.map(({ file }) => file)
  let left = 1
  const pause = async (): Promise<void> => {
    if (left-- === 0) throw STOPPED
  }
  const gone = made(storage, { pause })
  const plan = () => gone.plan(manifest(segments, [1, 11, 21]), LIMITS, new Set())
  await assert.rejects(plan(), error => error === STOPPED)
  assert.deepEqual(storage.opened, files.slice(0, 1))
  left = 2
  assert.equal((await plan())?.type, 'base')
  assert.deepEqual(storage.opened, files)
})

test('one id that is not alive among those of a segment is enough to read it', async () => {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const segments = [await write(storage, 1, [1, 2, 3, 4])]
  for (const [alive, reads] of [
    [[1, 2, 3, 4], 0],
    [[0, 1, 2, 3, 4, 5], 0],
    [[1, 2, 3], 1],
    [[2, 3, 4, 5, 6], 1],
    [[1, 2, 4], 1],
  ] as const) {
    storage.opened = []
    await made(storage).plan(manifest(segments, alive), LIMITS, new Set())
    assert.equal(storage.opened.length, reads, `${alive}`)
  }
})

test('a segment whose word on its collections is damaged is let be for good, and nobody is told', async () => {
  const whole = new MemoryStorage()
  await whole.makeFolder(SEGMENT_FOLDER)
  const segment = await write(whole, 1, [1, 2])
  const bytes = await (await whole.open(segment.file, 'read')).read(0, segment.bytes)
  bytes[segment.bytes - 100] = (bytes[segment.bytes - 100] as number) ^ 1
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  await storage.createIfAbsent(segment.file, bytes)
  const scheduler = new SimulatedScheduler()
  let told = 0
  const gone = made(storage, { scheduler, again: () => void told++ })
  for (let at = 0; at < 2; at++) {
    assert.equal(await gone.plan(manifest([segment], [2]), LIMITS, new Set()), undefined)
    await scheduler.run(scheduler.clock.monotonic() + 3_600_000)
  }
  assert.deepEqual([storage.opened.length, told], [1, 0])
})
