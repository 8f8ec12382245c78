/**
 * The content of what is golden of format 2: a segment file of every kind of block, and a store that was folded and merged.
 *
 * Owns: what is written, and plain accounts of what is read. Does not own: where the bytes are kept.
 */
import { inspect } from 'node:util'
import { ByteWriter } from '../../src/base/bytes.ts'
import { decodeKey, type Key, tideCodec } from '../../src/codec/index.ts'
import {
  appendPut,
  appendTombstone,
  type CompressionPreference,
  compareBytes,
  openCompress,
  openEveryDecompress,
  RECORD_PUT,
  RecordCursor,
  type SegmentEntry,
  segmentName,
} from '../../src/format/index.ts'
import { openStore } from '../../src/open.ts'
import { Segment, type SegmentRecord, SegmentWriter } from '../../src/segment/index.ts'
import type { Storage } from '../../src/storage/index.ts'
import type { Store } from '../../src/store.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'
import { filesOf } from './files.ts'

/** As the version that wrote the golden files closed blocks. */
const BLOCK_BYTES = 16 * 1024

export const SEGMENT_COMPRESSIONS: readonly CompressionPreference[] = ['none', 'deflate']

/** A table of records that fill two blocks, and one that needs a block of its own. */
const RECORDS: readonly (readonly [collection: number, key: Key, value?: unknown])[] = [
  [1, 'a', { name: 'ada', born: 1815 }],
  [1, 2, [1, -1, 0.5, 10n ** 20n]],
  [1, 3n],
  [1, '\ud800', Buffer.from('bytes')],
  ...Array.from({ length: 40 }, (_, at) => [2, `player:${at}`, at % 7 === 0 ? undefined : `${at} `.repeat(300)] as const),
  ...Array.from({ length: 9 }, (_, at) => [7, at - 4] as const),
  [9, 'large', 'abcdefghijklm'.repeat(1500)],
  [0xffff_ffff, '', null],
]

/** File number 1 + `index` of the golden segments; always the same bytes where nothing is compressed. */
export async function writeGoldenSegment(storage: Storage, index: number): Promise<SegmentEntry> {
  const compress = await openCompress(SEGMENT_COMPRESSIONS[index] as CompressionPreference)
  const file = segmentName(0x0102_0304, index + 1)
  const writer = await SegmentWriter.create({ storage, file, salt: 0xc0ff_ee00 + index, compress, blockBytes: BLOCK_BYTES })
  for (const record of RECORDS.map(recordOf).sort(byPlace)) writer.add(record)
  return await writer.finish({ from: 3, through: 9 }, async () => {})
}

/** Every record as it is walked, and how it is found; the facts. */
export async function accountOfSegment(storage: Storage, entry: SegmentEntry): Promise<unknown> {
  const segment = await Segment.open(storage, entry)
  try {
    await segment.describe()
    const records: unknown[] = []
    const cursor = segment.cursor()
    while (cursor.next()) {
      const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
      const value = put ? inspect(tideCodec.decode(bytes, start, end), { maxStringLength: 40 }) : null
      records.push([collection, inspect(decodeKey(bytes, keyStart, keyEnd)), value])
    }
    const { blocks, facts } = segment
    return JSON.parse(JSON.stringify({ blocks, facts, records }))
  } finally {
    await segment.close()
  }
}

/** The keys of what was written, and some that were not. */
export function placesAsked(): readonly { readonly record: SegmentRecord; readonly written: boolean }[] {
  const others = [0, 1, 2, 8, 9, 0xffff_fffe].map(collection => recordOf([collection, 'never written']))
  return [...RECORDS.map(one => ({ record: recordOf(one), written: true })), ...others.map(record => ({ record, written: false }))]
}

/** Small, so that a short life sees young segments, a base, and a tail. */
const THRESHOLDS = {
  bytes: 2000,
  fanIn: 4,
  smallestBytes: 3000,
  youngBytesMax: 20_000,
  slackBytes: 1500,
  slackRecords: 300,
  baseBytes: 400,
  graceMs: 100,
}

/** The files of the golden store of format 2. */
export async function writeGoldenFolded(): Promise<ReadonlyMap<string, Buffer>> {
  await openEveryDecompress()
  const scheduler = new SimulatedScheduler({ seed: 2 })
  const storage = new SimulatedStorage({ seed: 2, scheduler })
  const store = await scheduler.run(
    openStore(
      'simulated',
      { checkpoint: { intervalMs: 0 }, compression: 'deflate', retention: { keepLast: 3, keepMs: 0 } },
      { storage, scheduler, clock: scheduler.clock, random: new SeededRandom(2), writer: 'inline', thresholds: THRESHOLDS },
    ),
  )
  const commit = async (): Promise<void> => {
    await scheduler.run(store.checkpoint())
    await scheduler.run(scheduler.clock.monotonic() + 2000)
  }
  const things = store.map<unknown, Key>('things')
  const numbers = store.map<unknown, number>('numbers ü')
  store.map<unknown, string>('gone').set('x', 1)
  things
    .set('a', { name: 'ada', born: 1815 })
    .set(3n, null)
    .set('list', [1, -1, 0.5, 10n ** 20n])
  for (let round = 1; round <= 6; round++) {
    for (let at = 0; at < 60; at += round) numbers.set(at, { at, round, text: `entry ${at} of round ${round}, `.repeat(40) })
    numbers.delete(round * 7)
    store.value<number>('counter', 0).set(round)
    if (round === 4) store.delete('gone')
    await commit()
  }
  for (let at = 0; at < 60; at += 9) numbers.set(at, { at, round: 7, text: `entry ${at} of the last round, `.repeat(20) })
  numbers.delete(10)
  await commit()
  things.set('tail', new Map([[1, new Set(['x'])]])).delete('a')
  await commit()
  await scheduler.run(store.close())
  return await scheduler.run(filesOf(storage))
}

/** What a store opened for reading says, as plain data. */
export async function accountOfStore(store: Store): Promise<unknown> {
  const collections: Record<string, unknown> = {}
  const names = Object.keys(store.stats().collections).sort()
  for (const name of names) {
    const entries = name === 'counter' ? [['value', store.value(name).get()]] : [...store.map<unknown, Key>(name)]
    collections[name] = entries.map(entry => inspect(entry, { depth: 9 })).sort()
  }
  const points = (await store.recoveryPoints()).map(({ epoch, time, entries }) => ({ epoch, time, entries }))
  return JSON.parse(JSON.stringify({ epoch: store.restored.epoch, entries: store.restored.entries, collections, points }))
}

function recordOf([collection, key, value]: (typeof RECORDS)[number]): SegmentRecord {
  const writer = new ByteWriter(64)
  if (value === undefined) appendTombstone(writer, collection, key)
  else appendPut(writer, collection, key, value, tideCodec)
  const bytes = writer.view()
  const cursor = new RecordCursor(bytes)
  cursor.next()
  const { keyStart, keyEnd, valueStart, valueEnd } = cursor
  return { collection, put: cursor.kind === RECORD_PUT, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd }
}

function byPlace(a: SegmentRecord, b: SegmentRecord): number {
  return a.collection - b.collection || compareBytes(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd)
}
