import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FIRST_PLACE, type SegmentEntry } from '../format/index.ts'
import { MemoryStorage, type StorageFile } from '../storage/index.ts'
import { openSegments } from './open.ts'

/** Counts the files that are open, and fails at one. */
class Counting extends MemoryStorage {
  readonly #fails: string | undefined
  readonly opened: string[] = []
  openNow = 0

  constructor(fails?: string) {
    super()
    this.#fails = fails
  }

  override async open(path: string): Promise<StorageFile> {
    this.opened.push(path)
    if (path === this.#fails) throw new Error(`no ${path}`)
    this.openNow++
    return { path, close: async () => void this.openNow-- } as unknown as StorageFile
  }
}

const entry = (at: number): SegmentEntry => {
  const ends = { first: FIRST_PLACE, last: FIRST_PLACE }
  const none = { bytes: 0, sha256: '0'.repeat(64), describedAt: 0, from: 0, through: 0, records: 0, tombstones: 0, rawBytes: 0 }
  return { file: `segment/1-${at}.seg`, ...none, ...ends }
}

const named = {
  young: Array.from({ length: 40 }, (_, at) => entry(100 + at)),
  base: [null, entry(1), entry(2), null, entry(3)].map((segment, at) => ({
    start: { collection: at, key: '' },
    through: 0,
    segment,
  })),
}

test('segments come in the order in which they are named, young before base; what is open already is not opened again', async () => {
  const storage = new Counting()
  const first = await openSegments(storage, { young: named.young.slice(3), base: named.base.slice(0, 3) })
  assert.equal(storage.openNow, 39)
  const all = await openSegments(storage, named, first)
  assert.deepEqual(
    all.segments.map(({ entry }) => entry.file),
    [...named.young, entry(1), entry(2), entry(3)].map(({ file }) => file),
  )
  assert.deepEqual(all.young, all.segments.slice(0, 40))
  assert.deepEqual(
    all.base.map(({ layer }) => layer?.entry.file),
    [undefined, entry(1).file, entry(2).file, undefined, entry(3).file],
  )
  assert.equal(new Set(storage.opened).size, storage.opened.length)
  assert.equal(all.segments[3], first.segments[0])
})

test('where one cannot be opened none stays open, but for those that were', async () => {
  const storage = new Counting(entry(120).file)
  const first = await openSegments(storage, { young: named.young.slice(0, 5), base: [] })
  await assert.rejects(openSegments(storage, named, first), /no segment\/1-120/)
  assert.equal(storage.openNow, 5)
})
