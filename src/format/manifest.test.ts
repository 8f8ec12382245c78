import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attempt } from '../../test/support/attempt.ts'
import { manifest, segment } from '../../test/support/manifest.ts'
import type { TidemarkError } from '../base/errors.ts'
import {
  assertRoom,
  type BaseRange,
  type CatalogueEntry,
  decodeManifest,
  EMPTY_BASE,
  encodeManifest,
  FOLDED_FORMAT,
  type FoldPoint,
  logName,
  type Manifest,
  manifestBytesMost,
  type SegmentEntry,
  STORE_FORMAT,
  segmentName,
} from './index.ts'

test('a manifest of format 1 has nothing folded', () => {
  const old: Manifest = { ...manifest, format: 1, fold: null, young: [], base: EMPTY_BASE, retained: [] }
  const bytes = encodeManifest(old)
  assert.ok(!bytes.includes('"base"'))
  assert.deepEqual(decodeManifest(bytes, 'm', FOLDED_FORMAT), old)
})

test('a place whose key is longer than keys are is damage, however long', () => {
  const withKey = (bytes: number): Manifest => ({
    ...manifest,
    base: [manifest.base[0] as BaseRange, { start: { collection: 1, key: '61'.repeat(bytes) }, through: 0, segment: null }],
  })
  const longest = encodeManifest(withKey(65_536))
  assert.deepEqual(decodeManifest(longest, 'm', FOLDED_FORMAT), withKey(65_536))
  for (const bytes of [65_537, 5_000_000]) {
    assert.throws(() => decodeManifest(encodeManifest(withKey(bytes)), 'm', FOLDED_FORMAT), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
  }
})

test('an end of a segment that is cut says so, whole ones are as long as keys are, and no other mark is taken', () => {
  const young = manifest.young[0] as SegmentEntry
  const [whole, start] = [{ collection: 1, key: '61'.repeat(65_536) }, manifest.base[1] as BaseRange]
  const withEnds = (first: object, last: object): Manifest => ({ ...manifest, young: [{ ...young, first, last } as SegmentEntry] })
  const cut = { collection: 1, key: '61'.repeat(128), cut: true }
  for (const right of [withEnds(whole, whole), withEnds(cut, cut), withEnds({ ...cut, key: '30' }, { collection: 1, key: '31' })]) {
    assert.deepEqual(decodeManifest(encodeManifest(right), 'm', FOLDED_FORMAT), right)
  }
  const marked = { ...start, start: { ...start.start, cut: true } }
  const wrong = [withEnds({ ...cut, cut: false }, cut), withEnds(cut, { ...cut, cut: 1 }), withEnds(whole, cut)]
  for (const one of wrong) {
    assert.throws(() => decodeManifest(encodeManifest(one), 'm', FOLDED_FORMAT), { code: 'TIDEMARK_MANIFEST_DAMAGED' })
  }
  // A start is exact: it is written without the mark, and one that has it is not in the one spelling there is.
  const spelled = encodeManifest({ ...manifest, base: [manifest.base[0] as BaseRange, marked] })
  assert.ok(!spelled.includes('"cut"'))
})

test('what was refused at a fold point stands in it, and where nothing was no field does', () => {
  const { fold } = manifest
  assert.ok(fold !== null && !encodeManifest(manifest).includes('refused'))
  const refused: Manifest = { ...manifest, fold: { ...fold, refused: 7 } }
  assert.deepEqual(decodeManifest(encodeManifest(refused), 'm', FOLDED_FORMAT), refused)
  for (const wrong of [0, -1, 1.5]) {
    const bytes = encodeManifest({ ...manifest, fold: { ...fold, refused: wrong } })
    assert.equal((attempt(() => decodeManifest(bytes, 'm', FOLDED_FORMAT)) as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED')
  }
})

test('parts of a manifest that do not belong together are refused', () => {
  const [range, other] = manifest.base as [BaseRange, BaseRange]
  const young = manifest.young[0] as SegmentEntry
  const wrong: Partial<Manifest>[] = [
    { fold: null },
    { base: [] },
    { base: [other] },
    { base: [other, range] },
    { base: [{ ...range, through: 10 }] },
    { young: [segment(2, 9, 5)] },
    { young: [segment(4, 5, 0), young] },
    { young: [{ ...young, file: segmentName(4, 1) }] },
    { young: [{ ...young, tombstones: 11 }] },
    { young: [{ ...young, from: 9 }] },
    { young: [{ ...young, describedAt: 5000 }] },
    { log: [] },
    { retained: [{ number: 12, epoch: 5, timeMs: 0 }] },
    { retained: [{ number: 7, epoch: 10, timeMs: 0 }] },
  ]
  for (const change of wrong) {
    const result = attempt(() => decodeManifest(encodeManifest({ ...manifest, ...change }), 'm', FOLDED_FORMAT))
    assert.equal((result as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED', JSON.stringify(change))
  }
})

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
  const entry: SegmentEntry = { ...segment(3, 9, 5), ...numbers, first: end, last: end }
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

test('a manifest comes back as it was, and every flipped bit is seen', () => {
  const bytes = encodeManifest(manifest)
  assert.deepEqual(decodeManifest(bytes, 'm', FOLDED_FORMAT), manifest)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    const result = attempt(() => decodeManifest(changed, 'm', FOLDED_FORMAT))
    assert.equal((result as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED', `bit ${bit}`)
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(
      (attempt(() => decodeManifest(bytes.subarray(0, length), 'm', FOLDED_FORMAT)) as TidemarkError).code,
      'TIDEMARK_MANIFEST_DAMAGED',
    )
  }
  assert.equal(
    (attempt(() => decodeManifest(Buffer.concat([bytes, Buffer.from('\n')]), 'm', FOLDED_FORMAT)) as TidemarkError).code,
    'TIDEMARK_MANIFEST_DAMAGED',
  )
})

test('a manifest of a later format is not damage', () => {
  for (const [format, newest] of [
    [STORE_FORMAT + 1, undefined],
    [FOLDED_FORMAT + 1, FOLDED_FORMAT],
  ] as const) {
    const bytes = encodeManifest({ ...manifest, format })
    const error = attempt(() => decodeManifest(bytes, 'm', newest)) as TidemarkError
    assert.equal(error.code, 'TIDEMARK_FORMAT_NEWER')
    assert.match(error.hint ?? '', /tidemark 0\.1\.0/)
  }
})
