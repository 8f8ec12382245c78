import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import {
  appendRecord,
  FIRST_PLACE,
  FRAME_HEADER_BYTES,
  type Manifest,
  openCompress,
  RecordCursor,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { Image } from '../image/index.ts'
import { namedChange } from '../manifest/index.ts'
import { BlockCache, Segment, SegmentWriter } from '../segment/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { ColdState } from './cold-state.ts'
import { Following } from './following.ts'

/** Follows manifests from a view of these segments; `failed` is called when one is to be tried again. */
function follows(storage: MemoryStorage, segments: readonly Segment[], failed: () => void): { following: Following; state: ColdState } {
  const first = { start: FIRST_PLACE, through: 0, layer: null }
  const state = new ColdState({ image: new Image({ tables: [], young: segments, base: [first] }), segments }, () => 0)
  const immediate = (fn: () => void) => {
    setImmediate(fn)
    return () => {}
  }
  const after = () => {
    failed()
    return () => {}
  }
  const following = new Following({
    storage,
    scheduler: { immediate, after },
    clock: { now: () => 0, monotonic: () => 0 },
    stalled: () => {},
    state,
    layers: { segments, cache: new BlockCache() },
    tail: { table: undefined, epoch: 0 },
    collections: () => [],
    renewed: () => {},
  })
  return { following, state }
}

/** One record; a bit of its index is wrong. */
async function damagedSegment(storage: MemoryStorage): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const file = segmentName(1, 1)
  const writer = await SegmentWriter.create({ storage, file, salt: 5, compress: await openCompress('none') })
  const out = new ByteWriter(64)
  appendRecord(out, 1, Buffer.from('key'), Buffer.from('value'))
  const bytes = out.view()
  const record = new RecordCursor(bytes)
  assert.ok(record.next())
  const { keyStart, keyEnd, valueStart, valueEnd } = record
  writer.add({ collection: 1, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
  const entry = await writer.finish({ from: 0, through: 1 }, async () => {})
  const content = Buffer.from(await (await storage.open(file, 'read')).read(0, entry.bytes))
  const at = entry.describedAt + FRAME_HEADER_BYTES
  content[at] = (content[at] as number) ^ 1
  await storage.remove(file)
  await storage.createIfAbsent(file, content)
  return entry
}

test('a damaged segment that the view holds already keeps no manifest from being followed; a new one does', async () => {
  const storage = new MemoryStorage()
  const entry = await damagedSegment(storage)
  const base = [{ start: FIRST_PLACE, through: 0, segment: null }]
  for (const known of [true, false]) {
    let failed = false
    const { following, state } = follows(storage, known ? [await Segment.open(storage, entry)] : [], () => {
      failed = true
    })
    const first = { young: [entry], base, fold: { epoch: 1 } } as unknown as Manifest
    following.take(namedChange(1, undefined, first))
    while (state.version === 0 && !failed) await new Promise(setImmediate)
    assert.equal(state.version, known ? 1 : 0)
    assert.match(following.lastError ?? '', /is damaged/)
    following.take(namedChange(2, first, { ...first, young: [] }))
    const before = state.version
    while (state.version === before) await new Promise(setImmediate)
    assert.equal(following.lastError, undefined)
    await following.stop()
  }
})

test('a manifest of many ranges is followed in many turns', async () => {
  let turns = 0
  const scheduler = {
    immediate: (fn: () => void) => {
      turns++
      setImmediate(fn)
      return () => {}
    },
    after: () => () => {},
  }
  const first = { start: FIRST_PLACE, through: 0, layer: null }
  const state = new ColdState({ image: new Image({ tables: [], young: [], base: [first] }), segments: [] }, () => 0)
  const following = new Following({
    storage: new MemoryStorage(),
    scheduler,
    clock: { now: () => 0, monotonic: () => 0 },
    stalled: () => {},
    state,
    layers: { segments: [], cache: new BlockCache() },
    tail: { table: undefined, epoch: 0 },
    collections: () => [],
    renewed: () => {},
  })
  const base = Array.from({ length: 1000 }, (_, at) => ({
    start: at === 0 ? FIRST_PLACE : { collection: 1, key: at.toString(16).padStart(8, '0') },
    through: 1,
    segment: null,
  }))
  following.take(namedChange(1, undefined, { young: [], base, fold: { epoch: 1 } } as unknown as Manifest))
  while (state.version === 0 && following.lastError === undefined) await new Promise(setImmediate)
  assert.equal(following.lastError, undefined)
  assert.ok(turns >= 15, `${turns} turns`)
  await following.stop()
})
