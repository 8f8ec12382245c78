/** What verify holds a whole segment to beyond its checksums: walks count on it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { ByteWriter } from '../base/bytes.ts'
import { SEGMENT_AHEAD_BYTES, SEGMENT_BLOCK_RAW_BYTES_MAX } from '../base/limits.ts'
import {
  appendRecord,
  COMPRESSION_NONE,
  decodeHeaderOf,
  encodeHeaderOf,
  FRAME_HEADER_BYTES,
  openCompress,
  RecordCursor,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { filterBytes } from './filter.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

const SALT = 5
const LARGE = SEGMENT_AHEAD_BYTES + 1000

async function write(
  keys: readonly string[],
  valueBytes: number,
  blockBytes?: number,
  firstBytes = valueBytes,
): Promise<[MemoryStorage, SegmentEntry]> {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  const start = { storage, file: segmentName(1, 1), salt: SALT, compress: await openCompress('none') }
  const writer = await SegmentWriter.create(blockBytes === undefined ? start : { ...start, blockBytes })
  for (const [at, key] of keys.entries()) {
    const out = new ByteWriter(64)
    appendRecord(out, 2, Buffer.from(key), Buffer.alloc(at === 0 ? firstBytes : valueBytes, 7))
    const bytes = out.view()
    const record = new RecordCursor(bytes)
    assert.ok(record.next())
    const { keyStart, keyEnd, valueStart, valueEnd } = record
    writer.add({ collection: 2, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
  }
  return [storage, await writer.finish({ from: 0, through: 1 }, async () => {})]
}

/** The same segment with the payload of the frame at `at` changed, whole in every checksum and in the hash that the manifest names. */
async function changed(
  [storage, entry]: [MemoryStorage, SegmentEntry],
  at: number,
  change: (payload: Buffer) => void,
): Promise<[MemoryStorage, SegmentEntry]> {
  const bytes = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const header = decodeHeaderOf(SEGMENT_FRAMES, bytes, at, SALT, at)
  assert.ok(header !== undefined && header.compression === COMPRESSION_NONE)
  const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + header.storedLength)
  change(payload)
  encodeHeaderOf(SEGMENT_FRAMES, { ...header, payloadCrc: crc32(payload) }, SALT, at).copy(bytes, at)
  const copy = new MemoryStorage()
  await copy.makeFolder(SEGMENT_FOLDER)
  await copy.createIfAbsent(entry.file, bytes)
  return [copy, { ...entry, sha256: createHash('sha256').update(bytes).digest('hex') }]
}

const verify = ([storage, entry]: [MemoryStorage, SegmentEntry]): Promise<void> => verifySegment(storage, entry, () => {})

async function walkedFrom([storage, entry]: [MemoryStorage, SegmentEntry], key: string): Promise<number> {
  const segment = await Segment.open(storage, entry)
  const cursor = segment.cursor({ from: { collection: 2, key: Buffer.from(key) } })
  let count = 0
  while (cursor.next()) count++
  await segment.close()
  return count
}

const damaged = (message: RegExp) => ({ code: 'TIDEMARK_SEGMENT_DAMAGED', message })

test('a block holds no more bytes than a block may, or one record', async () => {
  const keys = Array.from({ length: 40 }, (_, at) => String(100 + at))
  await verify(await write(keys, 1000, SEGMENT_BLOCK_RAW_BYTES_MAX))
  await verify(await write(keys.slice(0, 3), LARGE))
  await assert.rejects(
    verify(await write(keys, 1000, SEGMENT_BLOCK_RAW_BYTES_MAX + 1024)),
    damaged(/block 0 of \d+ bytes holds several records/),
  )
  // What walks make of it: they pass over a large block whose first key is before them.
  const large = await write(['a', 'c'], LARGE, 2 * LARGE, 10)
  assert.equal(await walkedFrom(large, 'b'), 0)
  await assert.rejects(verify(large), damaged(/holds several records/))
})

test('a place of the index is a beginning of the first key of its block', async () => {
  const whole = await write(['a', 'c'], LARGE)
  await verify(whole)
  assert.equal(await walkedFrom(whole, 'c'), 1)
  const other = await changed(whole, whole[1].describedAt, index => {
    const at = index.lastIndexOf('c')
    assert.equal(at, index.length - 1)
    index.write('b', at)
  })
  assert.equal(await walkedFrom(other, 'c'), 0)
  await assert.rejects(verify(other), damaged(/the index does not say how block 1 begins/))
})

test('the ends that a manifest names are the first and the last record', async () => {
  const whole = await write(['b', 'd', 'f'], LARGE)
  const [, { describedAt, first, last }] = whole
  const index = decodeHeaderOf(
    SEGMENT_FRAMES,
    await (await whole[0].open(whole[1].file, 'read')).read(describedAt, FRAME_HEADER_BYTES),
    0,
    SALT,
    describedAt,
  )
  const factsAt = describedAt + FRAME_HEADER_BYTES + (index?.storedLength ?? 0) + FRAME_HEADER_BYTES + filterBytes(3)
  const named = async (from: string, to: string): Promise<[MemoryStorage, SegmentEntry]> => {
    const [storage, entry] = await changed(whole, factsAt, facts => {
      // Behind five numbers of eight bytes, collection and length.
      facts.write(from, 48)
      facts.write(to, 57)
    })
    const hex = (key: string): string => Buffer.from(key).toString('hex')
    return [storage, { ...entry, first: { ...first, key: hex(from) }, last: { ...last, key: hex(to) } }]
  }
  await verify(await named('b', 'f'))
  assert.equal(await walkedFrom(await named('a', 'f'), 'aa'), 2)
  await assert.rejects(verify(await named('a', 'f')), damaged(/its first record is another/))
  await assert.rejects(verify(await named('b', 'g')), damaged(/its last record is another/))
})
