/** What a later version wrote into a segment is told with its file, wherever it stands: a merge of it is not tried without end. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { ByteWriter } from '../base/bytes.ts'
import {
  appendRecord,
  COMPRESSION_NONE,
  COMPRESSION_ZSTD,
  encodeHeaderOf,
  encodeSegmentFacts,
  FRAME_HEADER_BYTES,
  hashPlace,
  openCompress,
  RecordCursor,
  SEGMENT_BLOCK,
  SEGMENT_FACTS,
  SEGMENT_FILTER,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_INDEX,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { filterBytes } from './filter.ts'
import { ReadAhead } from './read-ahead.ts'
import { readFacts } from './read-facts.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

const SALT = 5
const KEY = Buffer.from('key')
const BLOCK_AT = SEGMENT_HEADER_BYTES

/** One record. */
async function written(): Promise<{ entry: SegmentEntry; bytes: Buffer; facts: Buffer }> {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: SALT, compress: await openCompress('none') })
  const out = new ByteWriter(64)
  appendRecord(out, 1, KEY, Buffer.alloc(100))
  const record = new RecordCursor(out.view())
  assert.ok(record.next())
  const { keyStart, keyEnd, valueStart, valueEnd } = record
  writer.add({ collection: 1, put: true, bytes: out.view(), keyStart, keyEnd, start: valueStart, end: valueEnd })
  const entry = await writer.finish({ from: 0, through: 1 }, async () => {})
  const segment = await Segment.open(storage, entry)
  const { facts } = segment
  const bytes = await segment.read(0, entry.bytes)
  return { entry, bytes, facts: encodeSegmentFacts({ ...facts, collections: facts.collections.map(one => ({ ...one, schema: 1 })) }) }
}

/** Every way to it that is refused; the others have nothing to do with it. */
async function refusals(entry: SegmentEntry, bytes: Buffer): Promise<string[]> {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  await storage.createIfAbsent(entry.file, bytes)
  const named = { ...entry, sha256: createHash('sha256').update(bytes).digest('hex') }
  const ways: Record<string, (segment: Segment) => unknown> = {
    verify: () => verifySegment(storage, named, () => {}),
    facts: () => readFacts(storage, named),
    find: segment => segment.find(1, KEY, hashPlace(1, KEY)),
    walk: segment => segment.cursor().next(),
    ahead: async segment => {
      const ahead = new ReadAhead(segment)
      const cursor = ahead.cursor()
      await ahead.fill()
      cursor.next()
    },
    describe: segment => segment.describe(),
  }
  const refused: string[] = []
  for (const [way, go] of Object.entries(ways)) {
    const segment = await Segment.open(storage, named)
    try {
      await go(segment)
    } catch (error) {
      const { code, file, message, hint } = error as { code?: string; file?: string; message: string; hint?: string }
      assert.deepEqual({ code, file }, { code: 'TIDEMARK_FORMAT_NEWER', file: entry.file }, `${way}: ${message}`)
      assert.ok(message.includes(entry.file) && hint?.includes('version that wrote it'), message)
      refused.push(way)
    }
  }
  return refused
}

test('a record with fields of a later version', async () => {
  for (const bit of [0x10, 0x20, 0x40]) {
    const { entry, bytes } = await written()
    const at = BLOCK_AT + FRAME_HEADER_BYTES
    bytes.writeUInt8((bytes[at] as number) | bit, at)
    const payload = bytes.subarray(at, entry.describedAt)
    const frame = { kind: SEGMENT_BLOCK, compression: COMPRESSION_NONE, rawLength: payload.length, storedLength: payload.length }
    encodeHeaderOf(SEGMENT_FRAMES, { ...frame, payloadCrc: crc32(payload) }, SALT, BLOCK_AT).copy(bytes, BLOCK_AT)
    assert.deepEqual(await refusals(entry, bytes), ['verify', 'find', 'walk', 'ahead'])
  }
})

test('a frame of a later version', async () => {
  const { entry, bytes } = await written()
  const filterAt = entry.describedAt + FRAME_HEADER_BYTES + bytes.readUInt32LE(entry.describedAt + 12)
  const factsAt = filterAt + FRAME_HEADER_BYTES + filterBytes(entry.records)
  for (const [kind, at, refused] of [
    [SEGMENT_BLOCK, BLOCK_AT, ['verify', 'find', 'walk', 'ahead']],
    [SEGMENT_INDEX, entry.describedAt, ['verify', 'facts', 'find', 'walk', 'ahead', 'describe']],
    [SEGMENT_FACTS, factsAt, ['verify', 'facts', 'find', 'walk', 'ahead', 'describe']],
    [SEGMENT_FILTER, filterAt, ['verify', 'find', 'walk', 'describe']],
  ] as const) {
    const frame = {
      kind,
      compression: COMPRESSION_ZSTD + 1,
      rawLength: bytes.readUInt32LE(at + 8),
      storedLength: bytes.readUInt32LE(at + 12),
    }
    const changed = Buffer.from(bytes)
    encodeHeaderOf(SEGMENT_FRAMES, { ...frame, payloadCrc: bytes.readUInt32LE(at + 16) }, SALT, at).copy(changed, at)
    assert.deepEqual(await refusals(entry, changed), refused, `kind ${kind}`)
  }
})

test('a schema of a later version', async () => {
  const { entry, bytes, facts } = await written()
  const at = entry.bytes - SEGMENT_HEADER_BYTES - facts.length - FRAME_HEADER_BYTES
  facts.copy(bytes, at + FRAME_HEADER_BYTES)
  const frame = { kind: SEGMENT_FACTS, compression: COMPRESSION_NONE, rawLength: facts.length, storedLength: facts.length }
  encodeHeaderOf(SEGMENT_FRAMES, { ...frame, payloadCrc: crc32(facts) }, SALT, at).copy(bytes, at)
  assert.deepEqual(await refusals(entry, bytes), ['verify', 'facts'])
})
