import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { HYDRATION_AWAY_RAW_MAX, HYDRATION_RAW_BYTES } from '../base/limits.ts'
import { appendRecord, openCompress, RECORD_PUT, RecordCursor, SEGMENT_FOLDER, type SegmentEntry, segmentName } from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { type RawBlocks, unpackBlocks } from './unpack.ts'

const idle = async (): Promise<void> => {}
const goesOn = (): undefined => undefined

/** Of entries that compress, and one in a block of its own. */
function written(storage: MemoryStorage, compression: 'zstd' | 'none'): Promise<SegmentEntry> {
  const contentOf = (at: number): Buffer => (at === 700 ? Buffer.alloc(300_000, 'a long one ') : Buffer.from(`value ${at} `.repeat(4)))
  return writtenOf(
    storage,
    compression,
    Array.from({ length: 2000 }, (_, at) => contentOf(at)),
  )
}

async function writtenOf(storage: MemoryStorage, compression: 'zstd' | 'none', values: readonly Buffer[]): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const compress = await openCompress(compression)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 77, compress })
  for (const [at, value] of values.entries()) {
    const bytes = new ByteWriter(64)
    appendRecord(bytes, 1, Buffer.from(String(at).padStart(5, '0')), value)
    const cursor = new RecordCursor(bytes.view())
    assert.ok(cursor.next())
    const { keyStart, keyEnd, valueStart: start, valueEnd: end } = cursor
    writer.add({ collection: 1, put: cursor.kind === RECORD_PUT, bytes: bytes.view(), keyStart, keyEnd, start, end })
    if (writer.pendingBytes > 20_000) await writer.flush()
  }
  return await writer.finish({ from: 1, through: 2 }, idle)
}

function split({ bytes, ends }: RawBlocks): Uint8Array[] {
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end))
}

for (const compression of ['zstd', 'none'] as const) {
  test(`blocks that are unpacked elsewhere are those that a look-up reads, ${compression}`, async () => {
    const storage = new MemoryStorage()
    const segment = await Segment.open(storage, await written(storage, compression))
    assert.ok(segment.blocks > 10)
    const all = [...Array(segment.blocks).keys()]
    for (const blocks of [all, [0], [3], [1, 4, 5], [0, segment.blocks - 1]]) {
      const raw = await unpackBlocks(storage, structuredClone(segment.wanted(blocks)), goesOn)
      assert.ok(raw !== undefined)
      assert.equal(raw.bytes.byteLength, raw.bytes.buffer.byteLength, 'memory that holds nothing else')
      assert.deepEqual(
        split(raw).map(bytes => Buffer.from(bytes)),
        blocks.map(block => Buffer.from(segment.readBlock(block))),
      )
    }
    await segment.close()
  })
}

test('no more is given at once than a bound and one block more, and the rest when it is asked for', async () => {
  const storage = new MemoryStorage()
  const values = Array.from({ length: 30 }, (_, at) => Buffer.alloc(1_000_000, String(at)))
  const segment = await Segment.open(storage, await writtenOf(storage, 'zstd', values))
  let left = [...Array(segment.blocks).keys()]
  const given: Buffer[] = []
  for (let times = 0; left.length > 0; times++) {
    assert.ok(times < 20)
    const raw = await unpackBlocks(storage, segment.wanted(left), goesOn)
    assert.ok(raw !== undefined)
    assert.ok(raw.bytes.length < HYDRATION_RAW_BYTES + 1_100_000, `${raw.bytes.length} bytes`)
    given.push(...split(raw).map(bytes => Buffer.from(bytes)))
    left = left.slice(raw.ends.length)
  }
  assert.ok(given.length > 10)
  for (const [block, raw] of given.entries()) assert.ok(raw.equals(segment.readBlock(block)))
})

test('a block that is very large when unpacked is not given, and those before it are', async () => {
  const storage = new MemoryStorage()
  const values = [Buffer.from('small'), Buffer.alloc(HYDRATION_AWAY_RAW_MAX + 1000, 'a'), Buffer.from('small')]
  const segment = await Segment.open(storage, await writtenOf(storage, 'zstd', values))
  assert.equal(segment.blocks, 3)
  assert.equal((await unpackBlocks(storage, segment.wanted([0, 1, 2]), goesOn))?.ends.length, 1)
  assert.equal(await unpackBlocks(storage, segment.wanted([1]), goesOn), undefined)
  assert.equal((await unpackBlocks(storage, segment.wanted([2]), goesOn))?.ends.length, 1)
})

test('it pauses before each block', async () => {
  const storage = new MemoryStorage()
  const segment = await Segment.open(storage, await written(storage, 'zstd'))
  let pauses = 0
  const pause = async (): Promise<void> => void pauses++
  await unpackBlocks(storage, segment.wanted([0, 1, 2]), pause)
  assert.equal(pauses, 3)
})

test('what cannot be had is not given: damage, another file, none, one that is shorter', async () => {
  const storage = new MemoryStorage()
  const entry = await written(storage, 'zstd')
  const segment = await Segment.open(storage, entry)
  const wanted = segment.wanted([0, 1, 2])
  assert.ok((await unpackBlocks(storage, wanted, goesOn)) !== undefined)
  assert.equal(await unpackBlocks(storage, { ...wanted, salt: wanted.salt + 1 }, goesOn), undefined)
  assert.equal(await unpackBlocks(storage, { ...wanted, file: segmentName(1, 2) }, goesOn), undefined)
  const beyond = Float64Array.of(entry.bytes - 10, 500)
  assert.equal(await unpackBlocks(storage, { ...wanted, ranges: beyond }, goesOn), undefined)
  const file = await storage.open(entry.file, 'append')
  const { offset, length } = segment.storedRange(1)
  await file.overwrite(offset + length - 1, Buffer.of(0xff ^ ((await file.read(offset + length - 1, 1))[0] as number)))
  await file.close()
  // Those before it are.
  assert.equal((await unpackBlocks(storage, wanted, goesOn))?.ends.length, 1)
  assert.equal(await unpackBlocks(storage, segment.wanted([1, 2]), goesOn), undefined)
  assert.equal((await unpackBlocks(storage, segment.wanted([0, 2]), goesOn))?.ends.length, 2)
})
