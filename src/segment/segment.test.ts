import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { hasCode, TidemarkError } from '../base/errors.ts'
import { SEGMENT_AHEAD_BYTES } from '../base/limits.ts'
import {
  appendRecord,
  type Compress,
  hashPlace,
  openCompress,
  RECORD_PUT,
  RecordCursor,
  recordBytes,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import type { SegmentRecord } from './block-builder.ts'
import { BlockCache } from './block-cache.ts'
import type { LayerCursor } from './layer.ts'
import { ReadAhead } from './read-ahead.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

interface Write {
  readonly collection: number
  readonly key: Buffer
  /** undefined: a tombstone. */
  readonly value: Buffer | undefined
}

let compress: Compress
before(async () => {
  compress = await openCompress('deflate')
})

const order = (a: Write, b: Write): number => a.collection - b.collection || Buffer.compare(a.key, b.key)
const idle = async (): Promise<void> => {}

function record({ collection, key, value }: Write): SegmentRecord {
  const writer = new ByteWriter(64)
  appendRecord(writer, collection, key, value)
  const bytes = writer.view()
  const cursor = new RecordCursor(bytes)
  assert.ok(cursor.next())
  const { keyStart, keyEnd, valueStart, valueEnd } = cursor
  return { collection, put: cursor.kind === RECORD_PUT, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd }
}

async function write(storage: MemoryStorage, writes: readonly Write[], sequence = 1): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, sequence), salt: 77 + sequence, compress })
  for (const one of writes) {
    writer.add(record(one))
    if (writer.pendingBytes > 20_000) await writer.flush()
  }
  return await writer.finish({ from: 3, through: 9 }, idle)
}

function walk(cursor: LayerCursor): Write[] {
  const found: Write[] = []
  while (cursor.next()) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    found.push({
      collection,
      key: Buffer.from(bytes.subarray(keyStart, keyEnd)),
      value: put ? Buffer.from(bytes.subarray(start, end)) : undefined,
    })
  }
  return found
}

function ask(segment: Segment, { collection, key }: Pick<Write, 'collection' | 'key'>): Buffer | undefined | null {
  const found = segment.find(collection, key, hashPlace(collection, key))
  if (found === undefined) return null
  return found.put ? Buffer.from(found.bytes.subarray(found.start, found.end)) : undefined
}

const key = fc.oneof(
  fc.uint8Array({ maxLength: 3 }).map(bytes => Buffer.from(bytes)),
  fc.nat(400).map(number => Buffer.from(`a common prefix/${number}`)),
)
const value = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 60_000 }).map(size => Buffer.alloc(size, 'some value ')),
  fc.integer({ min: 300, max: 3000 }).map(size => Buffer.alloc(size, String(size))),
)
const place = fc.record({ collection: fc.integer({ min: 0, max: 4 }), key })
const writes = fc
  .array(fc.record({ collection: fc.constantFrom(1, 2, 3, 0xffff_ffff), key, value }), { minLength: 1, maxLength: 60 })
  .map(list => list.map(({ collection, key, value }): Write => ({ collection, key, value })))
  .map(list => [...new Map(list.map(one => [`${one.collection} ${one.key.toString('hex')}`, one])).values()].sort(order))

test('what was written is found, walked in any range, and verifies', async () => {
  await fc.assert(
    fc.asyncProperty(writes, fc.array(place, { maxLength: 10 }), async (list, others) => {
      const storage = new MemoryStorage()
      const entry = await write(storage, list)
      assert.equal(entry.records, list.length)
      assert.equal(entry.tombstones, list.filter(one => one.value === undefined).length)
      await verifySegment(storage, entry, () => {})
      const segment = await Segment.open(storage, entry)
      const check = (): void => {
        for (const one of list) assert.deepEqual(ask(segment, one), one.value)
        for (const one of others) {
          const known = list.find(other => order(other, { ...one, value: undefined }) === 0)
          assert.deepEqual(ask(segment, one), known === undefined ? null : known.value)
        }
        assert.deepEqual(walk(segment.cursor()), list)
        for (const from of [undefined, ...others]) {
          for (const to of [undefined, ...others, { collection: 4294967296, key: Buffer.alloc(0) }]) {
            const inside = list.filter(
              one => (!from || order(one, { ...from, value: undefined }) >= 0) && (!to || order(one, { ...to, value: undefined }) < 0),
            )
            assert.deepEqual(walk(segment.cursor({ ...(from && { from }), ...(to && { to }) })), inside)
          }
        }
      }
      check()
      // Read ahead as a merge does it, in two walks that follow each other.
      const middle = others[0] ?? { collection: 2, key: Buffer.alloc(0) }
      const ahead = new ReadAhead(segment)
      await ahead.fill()
      const first = walk(ahead.cursor({ to: middle }))
      await ahead.fill()
      assert.deepEqual([...first, ...walk(ahead.cursor({ from: middle }))], list)
      for (let block = 0; block < segment.blocks; block++) {
        const { offset, length } = segment.storedRange(block)
        assert.equal(segment.atHome, false)
        segment.keep(block, segment.unpack(block, await segment.read(offset, length)))
      }
      assert.equal(segment.atHome, true)
      await segment.close()
      check()
    }),
    { numRuns: 60 },
  )
})

test('walks begin at the right record where blocks are so large that the index alone passes them over', async () => {
  const large = randomBytes(SEGMENT_AHEAD_BYTES + 1)
  const list = [1, 3].flatMap(collection =>
    ['', 'a', 'ab', 'abc', 'b', 'ba'].map((key): Write => ({ collection, key: Buffer.from(key), value: large })),
  )
  const storage = new MemoryStorage()
  const entry = await write(storage, list)
  const segment = await Segment.open(storage, entry)
  assert.equal(segment.blocks, list.length)
  let passed = 0
  for (const collection of [0, 1, 2, 3, 4]) {
    for (const key of ['', 'a', 'aa', 'ab', 'aba', 'ac', 'b', 'bb', 'c'].map(text => Buffer.from(text))) {
      const from = { collection, key }
      if (segment.endsBefore(Math.max(0, segment.index.find(collection, key)), from)) passed++
      const behind = list.filter(one => order(one, { ...from, value: undefined }) >= 0)
      const first = segment.cursor({ from })
      assert.equal(first.next(), behind.length > 0)
      if (behind.length > 0)
        assert.deepEqual(
          [first.collection, first.bytes.toString('latin1', first.keyStart, first.keyEnd)],
          [behind[0]?.collection, `${behind[0]?.key}`],
        )
      const ahead = new ReadAhead(segment, { from })
      await ahead.fill()
      assert.equal(
        walk(ahead.cursor({ from, to: { collection: collection + 1, key: Buffer.alloc(0) } })).length,
        behind.filter(one => one.collection === collection).length,
      )
    }
  }
  assert.ok(passed > 10, `${passed}`)
})

test('where blocks are to come home the look-up that reads one brings it', async () => {
  const list = Array.from(
    { length: 300 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(String(1000 + at)), value: Buffer.alloc(70, `${at}`) }),
  )
  const storage = new MemoryStorage()
  const entry = await write(storage, list)
  const segment = await Segment.open(storage, entry)
  await segment.describe()
  assert.ok(segment.blocks > 2)
  const asked = (): void => {
    for (const { collection, key, value } of list) {
      const found = segment.find(collection, key, hashPlace(collection, key))
      assert.ok(found?.put && value !== undefined && found.bytes.subarray(found.start, found.end).equals(value))
    }
  }
  asked()
  assert.deepEqual([segment.has(0), segment.atHome], [false, false])
  const other = await Segment.open(storage, entry)
  other.comesHome = true
  for (const { collection, key } of list) other.find(collection, key, hashPlace(collection, key))
  assert.deepEqual([other.has(0), other.atHome], [true, true])
  await other.close()
  await segment.close()
  for (const { collection, key, value } of list) {
    const found = other.find(collection, key, hashPlace(collection, key))
    assert.ok(found?.put && value !== undefined && found.bytes.subarray(found.start, found.end).equals(value))
  }
})

test('a flipped bit anywhere is damage or harmless, never a wrong answer', async () => {
  const list = Array.from({ length: 300 }, (_, at): Write => {
    return {
      collection: 1 + (at > 200 ? 1 : 0),
      key: Buffer.from(String(1000 + at)),
      value: at % 9 === 0 ? undefined : Buffer.alloc(70, `value ${at} `),
    }
  })
  const storage = new MemoryStorage()
  const entry = await write(storage, list)
  const whole = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  let damaged = 0
  for (let at = 0; at < whole.length; at += 7) {
    const copy = Buffer.from(whole)
    copy[at] = (copy[at] as number) ^ (1 << (at % 8))
    const broken = new MemoryStorage()
    await broken.makeFolder(SEGMENT_FOLDER)
    await broken.createIfAbsent(entry.file, copy)
    await assert.rejects(
      verifySegment(broken, entry, () => {}),
      { code: /^TIDEMARK_(SEGMENT_DAMAGED|FORMAT_NEWER)$/ },
    )
    const segment = await Segment.open(broken, entry)
    try {
      assert.deepEqual(walk(segment.cursor()), list)
      for (const one of list) assert.deepEqual(ask(segment, one), one.value)
    } catch (error) {
      if ((error as { code?: string }).code !== 'TIDEMARK_SEGMENT_DAMAGED') throw error
      damaged++
    }
    await segment.close()
  }
  assert.ok(damaged > 50, `${damaged}`)
})

test('a file that is cut short, or stands in the place of another, is damage', async () => {
  const storage = new MemoryStorage()
  const list = Array.from(
    { length: 50 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(String(1000 + at)), value: Buffer.alloc(20) }),
  )
  const entry = await write(storage, list)
  const whole = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  for (const bytes of [whole.subarray(0, entry.bytes - 1), whole.subarray(0, 100), Buffer.alloc(0)]) {
    const broken = new MemoryStorage()
    await broken.makeFolder(SEGMENT_FOLDER)
    await broken.createIfAbsent(entry.file, bytes)
    const segment = await Segment.open(broken, entry)
    assert.throws(() => ask(segment, list[0] as Write), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
    await assert.rejects(segment.describe(), { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file })
  }
  for (const file of [segmentName(1, 2), segmentName(2, 1)]) {
    const swapped = new MemoryStorage()
    await swapped.makeFolder(SEGMENT_FOLDER)
    await swapped.createIfAbsent(file, whole)
    await assert.rejects((await Segment.open(swapped, { ...entry, file })).describe(), { code: 'TIDEMARK_SEGMENT_DAMAGED', file })
  }
})

test('places must rise, and an abandoned file is gone', async () => {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 1, compress })
  const one: Write = { collection: 1, key: Buffer.from('b'), value: Buffer.from('1') }
  writer.add(record(one))
  assert.throws(() => writer.add(record(one)), { code: 'TIDEMARK_BUG' })
  assert.throws(() => writer.add(record({ ...one, key: Buffer.from('a') })), { code: 'TIDEMARK_BUG' })
  await writer.abandon()
  assert.deepEqual(await storage.list(SEGMENT_FOLDER), [])
})

test('a walk whose read fails comes to the same block again', async () => {
  const list = Array.from(
    { length: 2000 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(String(10_000 + at)), value: Buffer.alloc(60, String(at)) }),
  )
  const storage = new MemoryStorage()
  const segment = await Segment.open(storage, await write(storage, list))
  await segment.describe()
  assert.ok(segment.blocks > 3)
  const read = segment.raw.bind(segment)
  let fails = 0
  segment.raw = block => {
    if (fails++ % 2 === 0) throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
    return read(block)
  }
  for (const from of [undefined, { collection: 1, key: Buffer.from('10500') }]) {
    const cursor = segment.cursor(from === undefined ? {} : { from })
    let seen = 0
    for (let more = true; more; ) {
      try {
        more = cursor.next()
        if (more) seen++
      } catch (error) {
        assert.ok(hasCode(error, 'TIDEMARK_STORAGE'))
      }
    }
    assert.equal(seen, from === undefined ? 2000 : 1500)
  }
  assert.ok(fails > 6)
})

test('the bytes of a record are said without writing it', () => {
  for (const collection of [0, 127, 128, 16_383, 16_384, 0xffff_ffff]) {
    for (const value of [undefined, Buffer.alloc(0), Buffer.alloc(300)]) {
      const writer = new ByteWriter(64)
      appendRecord(writer, collection, Buffer.from('key'), value)
      assert.equal(recordBytes(collection, 3, value?.length), writer.length, `${collection} ${value?.length}`)
    }
  }
})

test('a block at home keeps no memory but its own, and none of the cache', async () => {
  const storage = new MemoryStorage()
  await storage.makeFolder(SEGMENT_FOLDER)
  // Stored as it is: what is unpacked is a view into what was read.
  const none = await openCompress('none')
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 1, compress: none })
  const list = Array.from(
    { length: 2000 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(String(10_000 + at)), value: Buffer.alloc(60, 7) }),
  )
  for (const one of list) writer.add(record(one))
  const entry = await writer.finish({ from: 0, through: 1 }, idle)
  const cache = new BlockCache()
  const segment = await Segment.open(storage, entry, { cache })
  for (const one of list) ask(segment, one)
  assert.ok(cache.bytes > 0)
  const first = segment.storedRange(0).offset
  const read = await segment.read(first, entry.describedAt - first)
  assert.ok(segment.blocks > 4)
  for (let block = 0; block < segment.blocks; block++) {
    const { offset, length } = segment.storedRange(block)
    segment.keep(block, segment.unpack(block, read.subarray(offset - first, offset - first + length)))
    const kept = segment.raw(block)
    assert.ok(kept.buffer.byteLength <= 2 * kept.length, `${kept.length} bytes hold ${kept.buffer.byteLength}`)
  }
  assert.equal(segment.atHome, true)
  assert.equal(cache.bytes, 0)
  await segment.close()
  for (const one of list) assert.deepEqual(ask(segment, one), one.value)
})

test('what a look-up found stays good after the next, in blocks that are not compressed too', async () => {
  const storage = new MemoryStorage()
  const writes = Array.from(
    { length: 40 },
    (_, at): Write => ({ collection: 1, key: Buffer.from(`k${at}`.padEnd(4)), value: randomBytes(3000) }),
  ).sort(order)
  const entry = await write(storage, writes)
  const segment = await Segment.open(storage, entry)
  const found = writes.map(({ collection, key }) => segment.find(collection, key, hashPlace(collection, key)))
  assert.ok(segment.blocks > 3)
  assert.deepEqual(
    found.map(one => one?.bytes.subarray(one.start, one.end)),
    writes.map(one => one.value),
  )
  await segment.close()
})
