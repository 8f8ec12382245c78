import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { HYDRATION_AWAY_BYTES_MIN, HYDRATION_AWAY_MS_MAX } from '../base/limits.ts'
import { appendRecord, FIRST_PLACE, hashPlace, openCompress, RecordCursor, SEGMENT_FOLDER, segmentName } from '../format/index.ts'
import { Image } from '../image/index.ts'
import { Segment, SegmentWriter, unpackBlocks } from '../segment/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { ColdState } from './cold-state.ts'
import { Hydration, type HydrationParts } from './hydration.ts'

const KEYS = 3000
const keyOf = (at: number): Buffer => Buffer.from(String(at).padStart(5, '0'))
/** So that all of them are worth the way. */
const contentOf = (at: number): string => createHash('sha512').update(String(at)).digest('base64')

interface World {
  readonly storage: MemoryStorage
  readonly scheduler: SimulatedScheduler
  readonly segment: Segment
  readonly state: ColdState
  /** Read here, in bytes. */
  readonly read: () => number
}

async function world(): Promise<World> {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 7, compress: await openCompress('zstd') })
  for (let at = 0; at < KEYS; at++) {
    const bytes = new ByteWriter(64)
    appendRecord(bytes, 1, keyOf(at), Buffer.from(contentOf(at)))
    const cursor = new RecordCursor(bytes.view())
    assert.ok(cursor.next())
    const { keyStart, keyEnd, valueStart: start, valueEnd: end } = cursor
    writer.add({ collection: 1, put: true, bytes: bytes.view(), keyStart, keyEnd, start, end })
    if (writer.pendingBytes > 20_000) await writer.flush()
  }
  const segment = await Segment.open(storage, await writer.finish({ from: 1, through: 2 }, async () => {}))
  await segment.describe()
  let read = 0
  const original = segment.read.bind(segment)
  segment.read = (offset, length) => {
    read += length
    return original(offset, length)
  }
  const image = new Image({ tables: [], young: [segment], base: [{ start: FIRST_PLACE, through: 0, layer: null }] })
  const state = new ColdState({ image, segments: [segment] }, () => 0)
  return { storage, scheduler: new SimulatedScheduler(), segment, state, read: () => read }
}

function begin({ state, scheduler }: World, unpack: HydrationParts['unpack']): Hydration {
  return new Hydration(state, { clock: scheduler.clock, scheduler, loopLoad: () => 0, stallMsMax: 1, stalled: () => {}, unpack })
}

function assertAtHome({ segment, state }: World, hydration: Hydration): void {
  assert.equal(state.atHome, true)
  assert.deepEqual(hydration.progress, { state: 'done', bytesHome: segment.entry.describedAt, bytesTotal: segment.entry.describedAt })
  for (let at = 0; at < KEYS; at++) {
    const found = segment.find(1, keyOf(at), hashPlace(1, keyOf(at)))
    assert.equal(found?.bytes.toString('utf8', found.start, found.end), contentOf(at))
  }
}

test('what is unpacked elsewhere comes home as it is, and is not read here', async () => {
  const it = await world()
  let asked = 0
  const hydration = begin(it, async wanted => {
    asked++
    return await unpackBlocks(it.storage, wanted, () => undefined)
  })
  await it.scheduler.run(hydration.done)
  assertAtHome(it, hydration)
  assert.ok(asked > 0)
  assert.equal(it.read(), 0)
})

test('what comes in parts is asked for until all is home', async () => {
  const it = await world()
  let asked = 0
  const hydration = begin(it, async wanted => {
    asked++
    return await unpackBlocks(it.storage, { ...wanted, ranges: wanted.ranges.subarray(0, 2 * 5) }, () => undefined)
  })
  await it.scheduler.run(hydration.done)
  assertAtHome(it, hydration)
  assert.ok(asked > 2)
  // The last few are not worth the way.
  assert.ok(it.read() < HYDRATION_AWAY_BYTES_MIN)
})

test('who does not answer is not waited for, and not asked again before the answer has come', async () => {
  const it = await world()
  let asked = 0
  const hydration = begin(it, () => {
    asked++
    return new Promise(() => {})
  })
  await it.scheduler.run(hydration.done)
  assertAtHome(it, hydration)
  assert.equal(asked, 1)
  assert.ok(it.scheduler.clock.monotonic() >= HYDRATION_AWAY_MS_MAX)
})

test('what cannot be had elsewhere is unpacked here', async () => {
  const it = await world()
  const hydration = begin(it, async () => undefined)
  await it.scheduler.run(hydration.done)
  assertAtHome(it, hydration)
  assert.equal(it.read(), it.segment.entry.describedAt - it.segment.storedRange(0).offset)
})

test('a block that a look-up brought meanwhile stays the one it is', async () => {
  const it = await world()
  it.segment.comesHome = true
  let own: Buffer | undefined
  const hydration = begin(it, async wanted => {
    const raw = await unpackBlocks(it.storage, wanted, () => undefined)
    own = it.segment.raw(1)
    return raw
  })
  await it.scheduler.run(hydration.done)
  assert.ok(own !== undefined)
  assert.equal(it.segment.raw(1), own)
  assertAtHome(it, hydration)
})

test('blocks that look-ups brought before are not asked for, and the few that are missing do not keep those around them', async () => {
  const it = await world()
  it.segment.comesHome = true
  const last = it.segment.blocks - 1
  let asked = 0
  const hydration = begin(it, async wanted => {
    asked += wanted.ranges.length / 2
    const raw = await unpackBlocks(it.storage, wanted, () => undefined)
    for (let block = 3; block < last; block++) it.segment.raw(block)
    return raw
  })
  for (const block of [0, 1]) it.segment.raw(block)
  await it.scheduler.run(hydration.done)
  assertAtHome(it, hydration)
  assert.equal(asked, last - 1)
  for (const block of [2, last]) {
    const raw = it.segment.raw(block)
    assert.ok(raw.buffer.byteLength <= 2 * raw.length)
  }
})

test('a stop while blocks are elsewhere ends it, and nothing is read here any more', async () => {
  const it = await world()
  let answer: (raw: undefined) => void = () => {}
  const hydration = begin(it, () => new Promise(resolve => (answer = resolve)))
  await it.scheduler.run(10)
  const stopped = hydration.stop()
  answer(undefined)
  await it.scheduler.run(stopped)
  await assert.rejects(hydration.done, { code: 'TIDEMARK_CLOSED' })
  assert.equal(it.read(), 0)
  assert.equal(it.segment.has(0), false)
})

/** What is asked of V8's own memory meanwhile, each in bytes. */
async function bytesAsked(during: () => Promise<void>): Promise<number[]> {
  const original = globalThis.ArrayBuffer
  const asked: number[] = []
  globalThis.ArrayBuffer = class extends original {
    constructor(bytes: number) {
      super(bytes)
      asked.push(bytes)
    }
  } as typeof ArrayBuffer
  try {
    await during()
  } finally {
    globalThis.ArrayBuffer = original
  }
  return asked
}

test('a close says as much to have gone as lay in memory that threads share: nothing, where nothing came from another thread', async () => {
  for (const [how, unpack] of [
    ['before a block came', () => new Promise<never>(() => {})],
    ['all unpacked here', undefined],
  ] as const) {
    const it = await world()
    const hydration = begin(it, unpack)
    if (unpack === undefined) await it.scheduler.run(hydration.done)
    await it.scheduler.run(hydration.stop())
    await hydration.done.catch(() => {})
    assert.deepEqual(await bytesAsked(() => it.state.close()), [], how)
  }
  const it = await world()
  let bytes = 0
  const hydration = begin(it, async wanted => {
    const raw = await unpackBlocks(it.storage, wanted, () => undefined)
    bytes += raw?.bytes.length ?? 0
    return raw
  })
  await it.scheduler.run(hydration.done)
  assert.ok(bytes > it.segment.entry.rawBytes / 2)
  assert.deepEqual(await bytesAsked(() => it.state.close()), [bytes])
})
