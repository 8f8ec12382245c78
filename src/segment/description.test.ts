import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { hasCode, TidemarkError } from '../base/errors.ts'
import {
  appendRecord,
  FRAME_HEADER_BYTES,
  hashPlace,
  openCompress,
  RecordCursor,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage, type OpenMode, type StorageFile } from '../storage/index.ts'
import { filterBytes } from './filter.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'

const RECORDS = 60_000
const keyOf = (at: number): Buffer => Buffer.from(`key ${String(at).padStart(6, '0')}`)

function filterStart({ describedAt }: SegmentEntry, file: Buffer): number {
  return describedAt + FRAME_HEADER_BYTES + file.readUInt32LE(describedAt + 12)
}

function raise(error: Error): never {
  throw error
}

/** Says what was read of its files. */
class Watched extends MemoryStorage {
  /** A read of this byte fails. */
  failsAt = -1
  readonly reads: { readonly offset: number; readonly length: number }[] = []

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    const { reads } = this
    const failsAt = (): number => this.failsAt
    return new Proxy(file, {
      get(target, name) {
        const member = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (name === 'read' || name === 'readNow') {
            const [offset, length] = args as [number, number]
            reads.push({ offset, length })
            const failure = new TidemarkError('TIDEMARK_STORAGE', 'EIO')
            if (offset <= failsAt() && failsAt() < offset + length) return name === 'read' ? Promise.reject(failure) : raise(failure)
          }
          return member.apply(target, args)
        }
      },
    })
  }

  /** Bytes read since the last call. */
  taken(): number {
    return this.reads.splice(0).reduce((sum, { length }) => sum + length, 0)
  }
}

/** A segment of every second key, whose filter is a large part of what describes it. */
async function large(storage: MemoryStorage, records = RECORDS): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const compress = await openCompress('deflate')
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 5, compress })
  for (let at = 0; at < 2 * records; at += 2) {
    const out = new ByteWriter(64)
    appendRecord(out, 1, keyOf(at), Buffer.from(`value ${at}`))
    const bytes = out.view()
    const { keyStart, keyEnd, valueStart, valueEnd } = only(bytes)
    writer.add({ collection: 1, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
    if (writer.pendingBytes > 20_000) await writer.flush()
  }
  return await writer.finish({ from: 1, through: 2 }, async () => {})
}

function only(bytes: Buffer): RecordCursor {
  const cursor = new RecordCursor(bytes)
  assert.ok(cursor.next())
  return cursor
}

function ask(segment: Segment, at: number): string | undefined {
  const found = segment.find(1, keyOf(at), hashPlace(1, keyOf(at)))
  return found?.bytes.toString('latin1', found.start, found.end)
}

const said = (at: number): string | undefined => (at % 2 === 0 ? `value ${at}` : undefined)

test('the first look-ups after a restart do without the filter, the later ones do not', async () => {
  const storage = new Watched()
  const entry = await large(storage)
  const segment = await Segment.open(storage, entry)
  storage.taken()
  assert.equal(ask(segment, 40_000), 'value 40000')
  const first = storage.taken()
  assert.ok(first < entry.bytes - entry.describedAt - filterBytes(RECORDS) + 16_384, `${first} bytes`)
  for (let at = 0; at < 2000; at++) assert.equal(ask(segment, at * 59), said(at * 59))
  assert.equal(storage.reads.filter(({ length }) => length === filterBytes(RECORDS)).length, 1)
  storage.taken()
  await segment.describe()
  assert.equal(storage.taken(), 0, 'all that describes it is known')
})

test('what a look-up has read is not read again behind it', async () => {
  const storage = new Watched()
  const segment = await Segment.open(storage, await large(storage))
  ask(segment, 1)
  storage.taken()
  await segment.describe()
  assert.equal(storage.taken(), FRAME_HEADER_BYTES + filterBytes(RECORDS))
  ask(segment, 2)
  storage.taken()
  // Absent, as the filter says of nearly all.
  let reads = 0
  for (let at = 1; at < 400; at += 2) {
    assert.equal(ask(segment, at), undefined)
    reads += storage.reads.splice(0).length
  }
  assert.ok(reads < 20, `${reads} blocks`)
})

test('look-ups that come while the description is being read answer rightly', async () => {
  const storage = new MemoryStorage()
  const entry = await large(storage)
  for (let before = 0; before < 4; before++) {
    const segment = await Segment.open(storage, entry)
    let pauses = 0
    await segment.describe(async () => {
      if (pauses++ === before) for (let at = 0; at < 40; at++) assert.equal(ask(segment, at), said(at))
    })
    assert.ok(pauses > before)
    for (let at = 0; at < 100; at++) assert.equal(ask(segment, at), said(at))
    assert.equal(segment.facts.records, RECORDS)
  }
})

test('a damaged filter is told, and look-ups do without it', async () => {
  const storage = new MemoryStorage()
  const entry = await large(storage)
  const bytes = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const whole = Buffer.from(bytes)
  for (const [described, at] of [
    [false, entry.bytes - filterBytes(RECORDS)],
    [true, entry.bytes - filterBytes(RECORDS)],
    [false, filterStart(entry, whole) + 20],
  ] as const) {
    whole.copy(bytes)
    bytes[at] = (bytes[at] as number) ^ 1
    const broken = new MemoryStorage()
    await broken.makeFolder(SEGMENT_FOLDER)
    await broken.createIfAbsent(entry.file, bytes)
    const segment = await Segment.open(broken, entry)
    if (described) await assert.rejects(segment.describe(), { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file })
    if (!described) for (let key = 0; key < 200; key++) assert.equal(ask(segment, key), said(key))
    for (let key = 0; key < 200; key++) assert.ok(segment.mayHave(1, keyOf(key), hashPlace(1, keyOf(key))))
    assert.equal(segment.mayHave(2, keyOf(0), hashPlace(2, keyOf(0))), false)
    await segment.describeBlocks()
    await assert.rejects(segment.describe(), { code: 'TIDEMARK_SEGMENT_DAMAGED', file: entry.file })
    for (let key = 0; key < 200; key++) assert.equal(ask(segment, key), said(key))
    assert.equal(segment.atHome, false)
  }
})

for (const records of [RECORDS, 10_000]) {
  test(`a filter for ${records} that the device does not give back is asked for now and then, and calls do without it`, async () => {
    const storage = new Watched()
    const entry = await large(storage, records)
    const file = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
    const value = (at: number): string | undefined => (at < 2 * records ? said(at) : undefined)
    for (const call of ['find', 'mayHave'] as const) {
      const segment = await Segment.open(storage, entry)
      storage.failsAt = filterStart(entry, file)
      storage.taken()
      for (let at = 0; at < 400; at++) {
        if (call === 'find') assert.equal(ask(segment, at * 7), value(at * 7))
        else assert.ok(segment.mayHave(1, keyOf(at), hashPlace(1, keyOf(at))))
      }
      const tried = storage.reads.filter(({ offset }) => offset === storage.failsAt).length
      assert.ok(tried > 5 && tried < 40, `${call}: ${tried}`)
      // Asked for, it is tried at once.
      await assert.rejects(segment.describe(), { code: 'TIDEMARK_STORAGE' })
      storage.failsAt = -1
      for (let at = 0; at < 400; at++) assert.equal(ask(segment, at * 7), value(at * 7))
      await segment.describe()
      let absent = 0
      for (let at = 1; at < 400; at += 2) if (!segment.mayHave(1, keyOf(at), hashPlace(1, keyOf(at)))) absent++
      assert.ok(absent > 180, `${absent}`)
    }
  })
}

test('calls of which each finds a damaged block ask a bad filter no more often', async () => {
  const storage = new Watched()
  const entry = await large(storage)
  const file = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const segment = await Segment.open(storage, entry)
  await segment.describeBlocks()
  const block = segment.index.find(1, keyOf(60_000))
  segment.unpack = () => {
    throw segment.damaged(block)
  }
  storage.failsAt = filterStart(entry, file)
  storage.taken()
  for (let at = 0; at < 400; at++) assert.throws(() => ask(segment, 60_000), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
  const tried = storage.reads.filter(({ offset }) => offset === storage.failsAt).length
  assert.ok(tried > 5 && tried < 60, `${tried}`)
})

test('beside a filter that the device does not give back the rest is described, and no byte of it is read for that', async () => {
  const storage = new Watched()
  const entry = await large(storage)
  const file = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const filterAt = filterStart(entry, file)
  storage.failsAt = filterAt + filterBytes(RECORDS) / 2
  const segment = await Segment.open(storage, entry)
  storage.taken()
  await segment.describeBlocks()
  assert.ok(storage.reads.every(({ offset, length }) => offset + length <= filterAt || offset > storage.failsAt))
  storage.taken()
  assert.deepEqual([segment.facts.records, segment.blocks], [RECORDS, segment.index.count])
  assert.equal(storage.taken(), 0, 'what a walk needs is known')
  const other = await Segment.open(storage, entry)
  await assert.rejects(other.describe(), { code: 'TIDEMARK_STORAGE' })
  storage.taken()
  assert.equal(other.facts.records, RECORDS)
  assert.equal(storage.taken(), 0, 'who asked for the filter too has the rest')
  storage.failsAt = -1
  await other.describe()
  assert.equal(storage.taken(), FRAME_HEADER_BYTES + filterBytes(RECORDS))
})

test('the first look-up in a small file brings all that describes it in one read, and a bad sector there costs parts', async () => {
  const storage = new Watched()
  const entry = await large(storage, 10_000)
  const file = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  const described = { offset: entry.describedAt, length: entry.bytes - entry.describedAt }
  const segment = await Segment.open(storage, entry)
  storage.taken()
  assert.equal(ask(segment, 4000), said(4000))
  assert.deepEqual(storage.reads[0], described)
  assert.equal(storage.reads.length, 2, 'with the block')
  storage.taken()
  for (let at = 0; at < 100; at++) assert.equal(segment.mayHave(1, keyOf(2 * at), hashPlace(1, keyOf(2 * at))), true)
  await segment.describe()
  assert.equal(storage.taken(), 0)
  // In the filter it is done without that, and not read as a whole again; in the index nothing is there.
  storage.failsAt = filterStart(entry, file)
  const unfiltered = await Segment.open(storage, entry)
  assert.equal(ask(unfiltered, 4000), said(4000))
  assert.deepEqual(storage.reads[0], described)
  storage.failsAt = described.offset + 100
  const unread = await Segment.open(storage, entry)
  storage.taken()
  for (let at = 0; at < 20; at++) assert.throws(() => ask(unread, 4000), { code: 'TIDEMARK_STORAGE' })
  assert.equal(storage.reads.filter(({ length }) => length === described.length).length, 1)
  storage.failsAt = -1
  assert.equal(ask(unread, 4000), said(4000))
})

test('a damaged block is no reason to refuse what the filter says is elsewhere', async () => {
  const storage = new MemoryStorage()
  const entry = await large(storage)
  const probe = await Segment.open(storage, entry)
  const block = probe.index.find(1, keyOf(60_000))
  const { offset } = probe.storedRange(block)
  const bytes = await (await storage.open(entry.file, 'read')).read(0, entry.bytes)
  bytes[offset + FRAME_HEADER_BYTES + 9] = (bytes[offset + FRAME_HEADER_BYTES + 9] as number) ^ 1
  const broken = new MemoryStorage()
  await broken.makeFolder(SEGMENT_FOLDER)
  await broken.createIfAbsent(entry.file, bytes)
  let refused = 0
  for (let at = 59_990; at < 60_010; at++) {
    const segment = await Segment.open(broken, entry)
    try {
      assert.equal(ask(segment, at), said(at))
    } catch (error) {
      assert.ok(hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED') && at % 2 === 0, String(error))
      refused++
    }
  }
  assert.ok(refused > 0)
})
