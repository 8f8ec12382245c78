/** What a segment says of the collections it holds, beside its blocks. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import {
  appendRecord,
  COMPRESSION_NONE,
  encodeHeaderOf,
  encodeSegmentFacts,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  openCompress,
  RECORD_PUT,
  RecordCursor,
  SEGMENT_FACTS,
  SEGMENT_FILTER,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_INDEX,
  type SegmentCollection,
  type SegmentEntry,
  type SegmentFacts,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { filterBytes } from './filter.ts'
import { readFacts } from './read-facts.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

interface Write {
  readonly collection: number
  readonly key: Buffer
  /** undefined: a tombstone. */
  readonly value: Buffer | undefined
}

const SALT = 78

async function write(storage: MemoryStorage, writes: readonly Write[], sequence = 1): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const file = segmentName(1, sequence)
  const writer = await SegmentWriter.create({ storage, file, salt: SALT, compress: await openCompress('deflate') })
  for (const { collection, key, value } of writes) {
    const out = new ByteWriter(64)
    appendRecord(out, collection, key, value)
    const bytes = out.view()
    const cursor = new RecordCursor(bytes)
    assert.ok(cursor.next())
    const { keyStart, keyEnd, valueStart, valueEnd } = cursor
    writer.add({ collection, put: cursor.kind === RECORD_PUT, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
    if (writer.pendingBytes > 20_000) await writer.flush()
  }
  return await writer.finish({ from: 3, through: 9 }, async () => {})
}

/** The same segment with other facts, whole in every checksum and in the hash that the manifest names. */
async function withFacts(storage: MemoryStorage, entry: SegmentEntry, facts: SegmentFacts): Promise<[MemoryStorage, SegmentEntry]> {
  const bytes = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const payload = encodeSegmentFacts(facts)
  const at = entry.bytes - SEGMENT_HEADER_BYTES - payload.length - FRAME_HEADER_BYTES
  const { length } = payload
  const frame = { kind: SEGMENT_FACTS, compression: COMPRESSION_NONE, rawLength: length, storedLength: length, payloadCrc: crc32(payload) }
  encodeHeaderOf(SEGMENT_FRAMES, frame, SALT, at).copy(bytes, at)
  payload.copy(bytes, at + FRAME_HEADER_BYTES)
  const changed = new MemoryStorage()
  await changed.makeFolder(SEGMENT_FOLDER)
  await changed.createIfAbsent(entry.file, bytes)
  const { from, through, records, tombstones, rawBytes } = facts
  return [changed, { ...entry, from, through, records, tombstones, rawBytes, sha256: createHash('sha256').update(bytes).digest('hex') }]
}

test('what a file says of each collection is held against its blocks', async () => {
  const list = Array.from({ length: 90 }, (_, at): Write => {
    return { collection: 1 + Math.floor(at / 30), key: Buffer.from(String(100 + at)), value: at % 7 === 0 ? undefined : Buffer.alloc(at) }
  })
  const storage = new MemoryStorage()
  const entry = await write(storage, list)
  const { facts } = await Segment.open(storage, entry)
  const [one, two, three] = facts.collections as [SegmentCollection, SegmentCollection, SegmentCollection]
  const check = async (changed: Partial<SegmentFacts>): Promise<void> => {
    const [copy, named] = await withFacts(storage, entry, { ...facts, ...changed })
    await verifySegment(copy, named, () => {})
  }
  await check({})
  const moved = (by: Partial<Record<'records' | 'tombstones' | 'rawBytes', number>>): Partial<SegmentFacts> => {
    const change = (from: SegmentCollection, sign: number): SegmentCollection => ({
      ...from,
      records: from.records + sign * (by.records ?? 0),
      tombstones: from.tombstones + sign * (by.tombstones ?? 0),
      rawBytes: from.rawBytes + sign * (by.rawBytes ?? 0),
    })
    return { collections: [change(one, 1), change(two, -1), three] }
  }
  for (const wrong of [
    moved({ records: 1 }),
    moved({ tombstones: 1 }),
    moved({ rawBytes: 5 }),
    { collections: [one, two, { ...three, id: 4 }] },
    { rawBytes: facts.rawBytes + 1 },
    { tombstones: facts.tombstones - 1 },
  ]) {
    await assert.rejects(check(wrong), { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file }, JSON.stringify(wrong))
  }
})

test('describing a segment takes no longer where it holds many collections', async t => {
  const storage = new MemoryStorage()
  const lists = [1, 1000].map(count =>
    Array.from({ length: count }, (_, at): Write => ({ collection: 1 + at, key: Buffer.from('key'), value: Buffer.alloc(1) })),
  )
  const reads: number[] = []
  for (const [at, list] of lists.entries()) {
    const segment = await Segment.open(storage, await write(storage, list, at + 1))
    const spy = t.mock.method(ByteReader.prototype, 'u64')
    await segment.describe()
    reads.push(spy.mock.callCount())
    spy.mock.restore()
    assert.equal(segment.facts.collections.length, list.length)
  }
  assert.equal(reads[1], reads[0])
})

test('what a file says of its collections is refused where it is damaged and asked for', async () => {
  const storage = new MemoryStorage()
  const entry = await write(storage, [
    { collection: 1, key: Buffer.from('key'), value: Buffer.alloc(1) },
    { collection: 2, key: Buffer.from('key'), value: Buffer.alloc(1) },
  ])
  const { facts } = await Segment.open(storage, entry)
  const [copy, named] = await withFacts(storage, entry, { ...facts, collections: facts.collections.map(one => ({ ...one, id: 1 })) })
  const segment = await Segment.open(copy, named)
  await segment.describe()
  assert.throws(() => segment.facts, { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file })
})

test('a schema of a collection is of a later version', async () => {
  const storage = new MemoryStorage()
  const entry = await write(storage, [{ collection: 1, key: Buffer.from('key'), value: Buffer.alloc(1) }])
  const { facts } = await Segment.open(storage, entry)
  const [copy, named] = await withFacts(storage, entry, { ...facts, collections: facts.collections.map(one => ({ ...one, schema: 1 })) })
  await assert.rejects(readFacts(copy, named), { code: 'TIDEMARK_FORMAT_NEWER' })
  await assert.rejects(
    verifySegment(copy, named, () => {}),
    { code: 'TIDEMARK_FORMAT_NEWER' },
  )
})

test('what a file says of its collections is read by itself, and refused where any of it is damaged', async () => {
  const storage = new MemoryStorage()
  const list = Array.from({ length: 60 }, (_, at): Write => {
    return { collection: 1 + Math.floor(at / 20), key: Buffer.from(String(100 + at)), value: Buffer.alloc(at) }
  })
  const entry = await write(storage, list)
  const { facts } = await Segment.open(storage, entry)
  assert.deepEqual(await readFacts(storage, entry), facts)
  const whole = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  let refused = 0
  for (let at = entry.describedAt; at < entry.bytes; at++) {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8((bytes[at] as number) ^ 0x10, at)
    const copy = new MemoryStorage()
    await copy.makeFolder(SEGMENT_FOLDER)
    await copy.createIfAbsent(entry.file, bytes)
    const read = await readFacts(copy, entry).catch(error => {
      assert.equal(error.code, 'TIDEMARK_SEGMENT_DAMAGED', String(error))
      refused++
    })
    if (read !== undefined) assert.deepEqual(read, facts)
  }
  assert.equal(refused, entry.bytes - entry.describedAt - FRAME_HEADER_BYTES - filterBytes(entry.records), 'of the filter nothing is read')
})

/** Puts the file together anew, `changed` by what stands behind its blocks: frames with their kinds and payloads, then the header. */
async function described(
  entry: SegmentEntry,
  whole: Buffer,
  changed: {
    readonly kind?: number
    readonly filter?: Buffer
    readonly gap?: Buffer
    readonly facts?: Buffer
    readonly behind?: Buffer
    readonly describedAt?: number
  },
): Promise<[MemoryStorage, SegmentEntry]> {
  const parts = [whole.subarray(0, entry.describedAt)]
  let at = entry.describedAt
  let from = at
  const end = entry.bytes - SEGMENT_HEADER_BYTES
  for (const kind of [SEGMENT_INDEX, SEGMENT_FILTER, SEGMENT_FACTS]) {
    const old = whole.subarray(from + FRAME_HEADER_BYTES, kind === SEGMENT_FACTS ? end : undefined)
    const length = kind === SEGMENT_FACTS ? old.length : whole.readUInt32LE(from + 12)
    from += FRAME_HEADER_BYTES + length
    const payload =
      (kind === SEGMENT_FILTER ? changed.filter : kind === SEGMENT_FACTS ? changed.facts : undefined) ?? old.subarray(0, length)
    const named = kind === SEGMENT_FILTER ? (changed.kind ?? kind) : kind
    const lengths = { rawLength: payload.length, storedLength: payload.length }
    const frame = { kind: named, compression: COMPRESSION_NONE, ...lengths, payloadCrc: crc32(payload) }
    const gap = (kind === SEGMENT_FILTER && changed.gap) || Buffer.alloc(0)
    parts.push(encodeHeaderOf(SEGMENT_FRAMES, frame, SALT, at), payload, gap)
    at += FRAME_HEADER_BYTES + payload.length + gap.length
  }
  const { describedAt } = { describedAt: entry.describedAt, ...changed }
  parts.push(changed.behind ?? Buffer.alloc(0), encodeSegmentHeader({ token: 1, sequence: 1, salt: SALT, describedAt }))
  const bytes = Buffer.concat(parts)
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  await storage.createIfAbsent(entry.file, bytes)
  return [storage, { ...entry, bytes: bytes.length }]
}

test('what describes a segment is as long as it should be, stands where it should, and is what the manifest says', async () => {
  const storage = new MemoryStorage()
  const list = Array.from(
    { length: 120 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(String(100 + at)), value: Buffer.alloc(9) }),
  )
  const entry = await write(storage, list)
  const whole = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const describe = async ([copy, named]: [MemoryStorage, SegmentEntry]): Promise<void> => (await Segment.open(copy, named)).describe()
  assert.equal(filterBytes(entry.records), 192)
  await describe(await described(entry, whole, {}))
  for (const wrong of [
    // With fewer blocks it would leave out what was put in.
    { filter: Buffer.alloc(128, 0xff), gap: Buffer.alloc(64) },
    { kind: SEGMENT_FACTS },
    { behind: Buffer.alloc(8) },
    { describedAt: entry.describedAt + 1 },
  ]) {
    const made = await described(entry, whole, wrong)
    await assert.rejects(describe(made), { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file }, Object.keys(wrong).join())
  }
  for (const name of ['from', 'through', 'tombstones', 'rawBytes', 'records'] as const) {
    await assert.rejects(readFacts(storage, { ...entry, [name]: entry[name] + 1 }), { code: 'TIDEMARK_SEGMENT_DAMAGED' }, name)
  }
  const other = { collection: 1, key: Buffer.from('150').toString('hex') }
  for (const name of ['first', 'last']) {
    await assert.rejects(readFacts(storage, { ...entry, [name]: other }), { code: 'TIDEMARK_SEGMENT_DAMAGED' }, name)
  }
})

test('what describes a segment is checked in pieces, all of it', async () => {
  const storage = new MemoryStorage()
  const entry = await write(storage, [{ collection: 1, key: Buffer.from('key'), value: Buffer.alloc(1) }])
  const whole = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const { facts } = await Segment.open(storage, entry)
  const collections = Array.from({ length: 30_000 }, (_, at) => ({ ...(facts.collections[0] as SegmentCollection), id: 1 + at }))
  const payload = encodeSegmentFacts({ ...facts, collections })
  assert.ok(payload.length > 300_000, `${payload.length} bytes`)
  const [copy, named] = await described(entry, whole, { facts: payload })
  assert.equal((await readFacts(copy, named)).collections.length, 30_000)
})
