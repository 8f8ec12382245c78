/** What a merge reads of records of many kilobytes, and how much of it in one turn. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { SEGMENT_AHEAD_BYTES } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import { appendRecord, openCompress, RecordCursor, SEGMENT_FOLDER, type SegmentEntry, segmentName } from '../format/index.ts'
import type { Rhythm } from '../pace/index.ts'
import { Segment, SegmentWriter } from '../segment/index.ts'
import { MemoryStorage, type OpenMode, type StorageFile } from '../storage/index.ts'
import { mergeSegments, rangeOf } from './merge.ts'

const LARGE = 2 * SEGMENT_AHEAD_BYTES
const YOUNG = 10

/** Counts what is read, and what of it since a rest. */
class Watched extends MemoryStorage {
  reads = 0
  ahead = 0
  inTurn = 0
  mostInTurn = 0

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    const note = (name: string | symbol, bytes: number): void => {
      this.reads += bytes
      if (name === 'read') this.ahead = Math.max(this.ahead, bytes)
      else this.inTurn += bytes
      this.mostInTurn = Math.max(this.mostInTurn, this.inTurn)
    }
    return new Proxy(file, {
      get(target, name) {
        const member = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (name === 'read' || name === 'readNow') note(name, args[1] as number)
          return member.apply(target, args)
        }
      },
    })
  }
}

/** Records of collection 1, by key; a number is a value of so many bytes. */
type Records = Readonly<Record<string, number>>

async function write(storage: MemoryStorage, sequence: number, records: Records): Promise<SegmentEntry> {
  const writer = await SegmentWriter.create({
    storage,
    file: segmentName(1, sequence),
    salt: sequence,
    compress: await openCompress('none'),
  })
  for (const [key, size] of Object.entries(records).sort(([one], [other]) => (one < other ? -1 : 1))) {
    const out = new ByteWriter(64)
    appendRecord(out, 1, Buffer.from(key), randomBytes(size))
    const bytes = out.view()
    const record = new RecordCursor(bytes)
    assert.ok(record.next())
    const { keyStart, keyEnd, valueStart, valueEnd } = record
    writer.add({ collection: 1, put: true, bytes, keyStart, keyEnd, start: valueStart, end: valueEnd })
  }
  return await writer.finish({ from: sequence - 1, through: sequence }, async () => {})
}

interface Merged {
  readonly keys: string[]
  readonly reads: number
  /** The most that was read at once without holding the turn, and in one turn. */
  readonly ahead: number
  readonly mostInTurn: number
}

/** Merges as many young segments with a base range from 'mm' to before 'n'; the keys that come out, and what was read for them. */
async function merged(recordsOf: (at: number) => Records): Promise<Merged> {
  const storage = new Watched()
  await storage.makeFolder(SEGMENT_FOLDER)
  const base = await write(storage, 1, { mm: 10 })
  const young: SegmentEntry[] = []
  for (let at = 0; at < YOUNG; at++) young.unshift(await write(storage, 2 + at, recordsOf(at)))
  Object.assign(storage, { reads: 0, ahead: 0, inTurn: 0, mostInTurn: 0 })
  const place = (key: string) => ({ collection: 1, key: Buffer.from(key).toString('hex') })
  const request = {
    young,
    ranges: [{ start: place('mm'), through: 1, segment: base }],
    range: rangeOf(place('mm'), place('n')),
    from: 0,
    through: 1 + YOUNG,
    alive: [1],
    tombstones: false,
    cutBytes: Number.POSITIVE_INFINITY,
  }
  let number = 100
  const rhythm = {
    // A large block takes longer than a slice.
    get due(): boolean {
      return storage.inTurn >= LARGE
    },
    spent: true,
    done: () => {},
    wrote: () => {},
    stepped: () => {},
    rest: async () => void (storage.inTurn = 0),
  }
  const parts = { storage, random: systemRandom, compress: await openCompress('none'), newFile: () => segmentName(1, number++) }
  const outputs = await mergeSegments(parts, request, rhythm as unknown as Rhythm)
  // The output was read back.
  const { ahead, mostInTurn } = storage
  const reads = storage.reads - outputs.reduce((sum, entry) => sum + entry.bytes, 0)
  const keys: string[] = []
  for (const entry of outputs) {
    const cursor = (await Segment.open(storage, entry)).cursor()
    while (cursor.next()) keys.push(cursor.bytes.toString('latin1', cursor.keyStart, cursor.keyEnd))
  }
  return { keys, reads, ahead, mostInTurn }
}

for (const [where, records] of [
  ['first of all', { a: LARGE, z: 10 }],
  ['before the range', { a: 10, b: LARGE, z: 10 }],
  ['behind the range', { a: 10, z: LARGE }],
] as const) {
  test(`large records outside of the range are not read: ${where}`, async () => {
    const { keys, reads } = await merged(() => records)
    assert.deepEqual(keys, ['mm'])
    assert.ok(reads < LARGE, `${reads} bytes`)
  })
}

test('large records that may lie in the range are read one in a turn, and none ahead', async () => {
  // Before the range, which the index does not tell: it knows the beginning of a key.
  const before = await merged(() => ({ a: 10, ma: LARGE, z: 10 }))
  const inside = await merged(at => ({ a: 10, [`mn${at}`]: LARGE, z: 10 }))
  assert.deepEqual(before.keys, ['mm'])
  assert.deepEqual(inside.keys, ['mm', ...Array.from({ length: YOUNG }, (_, at) => `mn${at}`)])
  for (const { ahead, mostInTurn } of [before, inside]) {
    assert.ok(ahead <= SEGMENT_AHEAD_BYTES, `${ahead} bytes ahead`)
    assert.ok(mostInTurn < 2 * LARGE, `${mostInTurn} bytes in a turn`)
  }
  assert.ok(inside.reads < (YOUNG + 1) * LARGE, `${inside.reads} bytes`)
})

test('a merge that ends between two files, or within one, leaves none of them, and those that it read stand', async () => {
  for (const [where, stopsAt, namesMax] of [
    ['between two files', Number.POSITIVE_INFINITY, 1],
    ['within the first', 1, 9],
    ['within the second', 4, 9],
  ] as const) {
    const storage = new MemoryStorage()
    await storage.makeFolder(SEGMENT_FOLDER)
    const young = [await write(storage, 2, { b: 20_000, d: 20_000 }), await write(storage, 1, { a: 20_000, c: 20_000, e: 20_000 })]
    const before = await storage.list(SEGMENT_FOLDER)
    const request = {
      ...{ young, ranges: [], range: rangeOf({ collection: 0, key: '' }, undefined), alive: [1], tombstones: true },
      ...{ from: 0, through: 2, cutBytes: 30_000 },
    }
    let steps = 0
    let names = 0
    const ended = new Error('ended')
    const rhythm = {
      get due(): boolean {
        return steps >= stopsAt
      },
      spent: true,
      done: () => void steps++,
      wrote: () => {},
      stepped: () => {},
      rest: async () => {
        if (steps >= stopsAt) throw ended
      },
    }
    const newFile = (): string => {
      if (names === namesMax) throw ended
      return segmentName(1, 100 + names++)
    }
    const parts = { storage, random: systemRandom, compress: await openCompress('none'), newFile }
    await assert.rejects(mergeSegments(parts, request, rhythm as unknown as Rhythm), ended, where)
    assert.equal(names, where === 'within the second' ? 2 : 1, where)
    assert.deepEqual(await storage.list(SEGMENT_FOLDER), before, where)
  }
})
