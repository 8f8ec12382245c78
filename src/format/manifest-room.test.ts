import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertRoom,
  type BaseRange,
  type CatalogueEntry,
  encodeManifest,
  FIRST_PLACE,
  type FoldPoint,
  logName,
  type Manifest,
  manifestBytesMost,
  type SegmentEnd,
  type SegmentEntry,
  STORE_FORMAT,
  segmentName,
} from './index.ts'

const things: CatalogueEntry = { id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 3, bytes: 100 }

const manifest: Manifest = {
  number: 12,
  storeId: 'ab'.repeat(16),
  lineage: [{ id: '01'.repeat(16), forkEpoch: 0 }],
  token: 3,
  writer: '03'.repeat(16),
  format: STORE_FORMAT,
  createdBy: 'tidemark 0.1.0',
  log: [{ file: logName(1, 1), end: null }],
  catalogue: { epoch: 5, collections: [things] },
  fold: { file: logName(1, 1), bytes: 1500, epoch: 9, digest: 'ce'.repeat(32), timeMs: 1, nextId: 2, catalogue: [things] },
  young: [segment(3)],
  base: [{ start: FIRST_PLACE, through: 5, segment: segment(2) }],
  retained: [],
}

function segment(sequence: number): SegmentEntry {
  const numbers = { bytes: 5000, describedAt: 4000, from: 5, through: 9, records: 10, tombstones: 1, rawBytes: 9000 }
  const [first, last] = ['3061', '3062'].map(key => ({ collection: 1, key })) as [SegmentEnd, SegmentEnd]
  return { file: segmentName(3, sequence), sha256: 'ef'.repeat(32), ...numbers, first, last }
}

test('a manifest that no reader would take is not encoded', () => {
  const young = manifest.young[0] as SegmentEntry
  const range = manifest.base[0] as BaseRange
  const collection = manifest.fold?.catalogue[0] as CatalogueEntry
  const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one)
  const long: Partial<Manifest>[] = [
    { lineage: times(65_537, { id: '01'.repeat(16), forkEpoch: 0 }) },
    { log: times(1_048_577, { file: 'log/00000001-00000001.log', end: null }) },
    { catalogue: { epoch: 1, collections: times(65_537, collection) } },
    { fold: { ...(manifest.fold as FoldPoint), catalogue: times(65_537, collection) } },
    { young: times(65_537, young) },
    { base: times(65_537, range) },
    { retained: times(65_537, { number: 1, epoch: 1, timeMs: 0 }) },
  ]
  for (const change of long) {
    const next = { ...manifest, ...change }
    const full = { code: 'TIDEMARK_MANIFEST_FULL', hint: /./ }
    assert.throws(() => encodeManifest(next), full, Object.keys(change)[0])
    assert.throws(() => assertRoom(manifest, next, Number.POSITIVE_INFINITY), full, Object.keys(change)[0])
  }
})

test('one that grows is refused beyond the bytes that it may have, one that becomes shorter never', () => {
  const { length } = encodeManifest(manifest)
  const longer = { ...manifest, young: [...manifest.young, ...manifest.young] }
  const full = { code: 'TIDEMARK_MANIFEST_FULL' }
  assertRoom(manifest, longer, encodeManifest(longer).length)
  assert.throws(() => assertRoom(manifest, longer, encodeManifest(longer).length - 1), full)
  assert.throws(() => assertRoom(manifest, longer, length), full)
  assertRoom(longer, manifest, 1)
  assertRoom(manifest, manifest, 1)
})

test('the bytes of a manifest are reckoned as no fewer than they are', () => {
  const most = Number.MAX_SAFE_INTEGER
  const name = '\u0001\ud800é"'.repeat(30)
  const key = 'ab'.repeat(500)
  const end = { collection: 0xffff_ffff, key, cut: true } as const
  const numbers = { bytes: most, describedAt: most, from: most, through: most, records: most, tombstones: most, rawBytes: most }
  const entry: SegmentEntry = { ...segment(3), ...numbers, first: end, last: end }
  const collections: CatalogueEntry[] = [{ id: most, kind: 'value', name, codec: name, entries: most, bytes: most, asOf: most }]
  const times = <T>(one: T): T[] => Array.from({ length: 50 }, () => one)
  const large: Manifest = {
    ...{ ...manifest, number: 0xffff_ffff, token: 0xffff_ffff, createdBy: '"'.repeat(100) },
    ...{ lineage: times({ id: '01'.repeat(16), forkEpoch: most }), retained: times({ number: most, epoch: most, timeMs: most }) },
    log: times({ file: logName(1, 1), end: { bytes: most, epoch: most, digest: 'cd'.repeat(32) } }),
    catalogue: { epoch: most, collections },
    fold: { ...(manifest.fold as FoldPoint), bytes: most, epoch: most, timeMs: most, nextId: most, catalogue: collections, refused: most },
    young: times(entry),
    base: times({ start: { collection: 0xffff_ffff, key }, through: most, segment: entry }),
  }
  const none = { lineage: [], retained: [], log: [], catalogue: null, young: [], base: [] }
  const alone = Object.keys(none).map(part => ({ ...large, ...none, [part]: large[part as keyof Manifest] }) as Manifest)
  for (const one of [manifest, large, { ...large, ...none }, ...alone]) {
    const { length } = encodeManifest(one)
    assert.ok(manifestBytesMost(one) >= length, `${manifestBytesMost(one)} of ${length} bytes`)
  }
  assert.ok(manifestBytesMost(large) < 1.5 * encodeManifest(large).length)
})
