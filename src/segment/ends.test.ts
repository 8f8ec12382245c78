/** What a segment says by its ends alone, where a manifest names only the beginning of their keys. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { MANIFEST_KEY_BYTES_MAX, SEGMENT_AHEAD_BYTES } from '../base/limits.ts'
import {
  appendRecord,
  cutEnds,
  hashPlace,
  openCompress,
  RecordCursor,
  SEGMENT_FOLDER,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { Ends } from './ends.ts'
import { readFacts } from './read-facts.ts'
import { Segment } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

const ALIKE = 'm'.repeat(MANIFEST_KEY_BYTES_MAX)

async function written(storage: MemoryStorage, keys: readonly string[], valueBytes = 10): Promise<SegmentEntry> {
  await storage.makeFolder(SEGMENT_FOLDER)
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 1, compress: await openCompress('none') })
  for (const key of keys) {
    const out = new ByteWriter(64)
    appendRecord(out, 2, Buffer.from(key), Buffer.alloc(valueBytes, 7))
    const bytes = out.view()
    const record = new RecordCursor(bytes)
    assert.ok(record.next())
    const { keyStart, keyEnd, valueStart, valueEnd } = record
    writer.add({ collection: 2, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
  }
  return await writer.finish({ from: 0, through: 1 }, async () => {})
}

test('a key is excluded where it lies before or behind all that begins as an end that is cut, and nowhere else', () => {
  const cut = { collection: 2, key: Buffer.from(ALIKE).toString('hex'), cut: true } as const
  const ends = new Ends({ first: cut, last: cut } as unknown as SegmentEntry)
  const excludes = (key: string, collection = 2): boolean => ends.exclude(collection, Buffer.from(key))
  const less = ALIKE.slice(1)
  assert.deepEqual(
    ['', 'a', less, `${less}l`, `${less}lz`].map(key => excludes(key)),
    Array(5).fill(true),
  )
  assert.deepEqual(
    [ALIKE, `${ALIKE}\0`, `${ALIKE}zzz`].map(key => excludes(key)),
    [false, false, false],
  )
  assert.deepEqual(
    [`${less}n`, `${less}n\0`, 'n'].map(key => excludes(key)),
    [true, true, true],
  )
  assert.deepEqual([excludes(ALIKE, 1), excludes(ALIKE, 3)], [true, true])
  const before = (key: string, collection = 2): boolean => ends.beginBefore(collection, Buffer.from(key))
  assert.deepEqual(
    ['a', ALIKE, `${ALIKE}zzz`, `${less}n`].map(key => before(key)),
    [false, false, false, true],
  )
  assert.deepEqual([before('', 3), before('z', 1)], [true, false])
})

test('a segment whose ends are cut gives what it holds, and one of other keys is not taken for it', async () => {
  const storage = new MemoryStorage()
  const keys = [`${ALIKE}a`, `${ALIKE}a\0`, `${ALIKE}m`.padEnd(500, 'm'), `${ALIKE}z`]
  const whole = await written(storage, keys)
  const entry = cutEnds(whole)
  assert.deepEqual([entry.first.cut, entry.last.cut], [true, true])
  for (const one of [whole, entry]) {
    await verifySegment(storage, one, () => {})
    assert.equal((await readFacts(storage, one)).last.key, whole.last.key)
    const segment = await Segment.open(storage, one)
    for (const key of keys) assert.ok(segment.find(2, Buffer.from(key), hashPlace(2, Buffer.from(key)))?.put)
    for (const key of [ALIKE, `${ALIKE}0`, `${ALIKE}zz`, 'a', 'z']) {
      assert.equal(segment.find(2, Buffer.from(key), hashPlace(2, Buffer.from(key))), undefined)
    }
    await segment.close()
  }
  const other = { ...entry.last, key: Buffer.from(`${ALIKE.slice(1)}n`).toString('hex') }
  const exact = { collection: 2, key: entry.last.key }
  for (const wrong of [
    { ...entry, last: other },
    { ...entry, last: exact },
    { ...entry, last: { ...entry.last, collection: 3 } },
  ]) {
    await assert.rejects(readFacts(storage, wrong), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
  }
})

test('a walk passes over a large first record only where it lies before all that its end may be', async () => {
  const storage = new MemoryStorage()
  const keys = [`${ALIKE}k`, `${ALIKE}p`, `${ALIKE}q`]
  const entry = cutEnds(await written(storage, keys, 2 * SEGMENT_AHEAD_BYTES))
  const segment = await Segment.open(storage, entry)
  for (const from of ['a', ALIKE, `${ALIKE}j`, `${ALIKE}k`, `${ALIKE}k\0`, `${ALIKE}p`, `${ALIKE}z`, 'n']) {
    const cursor = segment.cursor({ from: { collection: 2, key: Buffer.from(from) } })
    const walked: string[] = []
    while (cursor.next()) walked.push(cursor.bytes.toString('latin1', cursor.keyStart, cursor.keyEnd))
    assert.deepEqual(
      walked,
      keys.filter(key => key >= from),
    )
  }
  await segment.close()
})
