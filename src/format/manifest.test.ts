import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { attempt } from '../../test/support/attempt.ts'
import { TidemarkError } from '../base/errors.ts'
import {
  type BaseRange,
  type CatalogueEntry,
  decodeManifest,
  EMPTY_BASE,
  encodeManifest,
  FIRST_PLACE,
  FOLDED_FORMAT,
  logName,
  type Manifest,
  type SegmentEntry,
  STORE_FORMAT,
  segmentName,
} from './index.ts'

const manifest: Manifest = {
  number: 12,
  storeId: 'ab'.repeat(16),
  lineage: [
    { id: '01'.repeat(16), forkEpoch: 0 },
    { id: '02'.repeat(16), forkEpoch: 5 },
  ],
  token: 3,
  writer: '03'.repeat(16),
  format: FOLDED_FORMAT,
  createdBy: 'tidemark 0.1.0',
  log: [
    { file: logName(1, 1), end: { bytes: 1024, epoch: 5, digest: 'cd'.repeat(32) } },
    { file: logName(3, 2), end: null },
  ],
  catalogue: { epoch: 5, collections: [{ id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 3, bytes: 100 }] },
  fold: {
    file: logName(3, 2),
    bytes: 1500,
    epoch: 9,
    digest: 'ce'.repeat(32),
    timeMs: 1_700_000_000_000,
    nextId: 2,
    catalogue: [{ id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 4, bytes: 10 }],
  },
  young: [segment(3, 9, 5)],
  base: [
    { start: FIRST_PLACE, through: 5, segment: segment(2, 5, 0) },
    { start: { collection: 1, key: '3062' }, through: 0, segment: null },
  ],
  retained: [{ number: 7, epoch: 5, timeMs: 1_600_000_000_000 }],
}

function segment(sequence: number, through: number, from: number): SegmentEntry {
  return {
    file: segmentName(3, sequence),
    bytes: 5000,
    sha256: 'ef'.repeat(32),
    describedAt: 4000,
    from,
    through,
    records: 10,
    tombstones: 1,
    rawBytes: 9000,
    first: { collection: 1, key: '3061' },
    last: { collection: 1, key: '306162' },
  }
}

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

test('a manifest that is whole and impossible is refused, field by field, for what it is', () => {
  const { fold, young, base, retained } = JSON.parse(content()) as Record<string, unknown>
  const things = manifest.fold?.catalogue[0] as CatalogueEntry
  const alike = [things, { ...things, id: 7 }]
  const falling = [{ ...things, id: 7, name: 'others' }, things]
  assert.deepEqual(decodeManifest(changed('fold.bytes', 1501), 'm', FOLDED_FORMAT).fold?.bytes, 1501)
  const segment = (at: string): [string, unknown, string][] => [
    [at, 5, 'a segment'],
    [at, [], 'a segment'],
    [`${at}.file`, 'segment/3-1.seg', 'a segment file name'],
    [`${at}.file`, `../${segmentName(3, 1)}`, 'a segment file name'],
    [`${at}.bytes`, 0, 'the length of a segment'],
    [`${at}.sha256`, 'EF'.repeat(32), 'the sum of a segment'],
    [`${at}.describedAt`, -1, 'the description of a segment'],
    [`${at}.from`, -1, 'an epoch of a segment'],
    [`${at}.through`, 0, 'an epoch of a segment'],
    [`${at}.records`, 0, 'the records of a segment'],
    [`${at}.tombstones`, -1, 'the tombstones of a segment'],
    [`${at}.rawBytes`, 0, 'the raw bytes of a segment'],
    [`${at}.first`, null, 'a place'],
    [`${at}.first.cut`, false, 'the mark of a place'],
    [`${at}.first.collection`, -1, 'a place'],
    [`${at}.last.collection`, 2 ** 32, 'a place'],
    [`${at}.last.key`, 'zz', 'a place'],
    [`${at}.last.key`, '7', 'a place'],
    [`${at}.last.key`, 31, 'a place'],
  ]
  const rows: [path: string, value: unknown, what: string][] = [
    ['number', 0, 'the number'],
    ['number', 1.5, 'the number'],
    ['number', '12', 'the number'],
    ['number', 2 ** 32, 'the number'],
    ['storeId', 'AB'.repeat(16), 'the store id'],
    ['storeId', 'ab', 'the store id'],
    ['lineage', {}, 'the lineage'],
    ['lineage', [], 'the lineage'],
    ['lineage.0', 5, 'a lineage entry'],
    ['lineage.0.id', 'x', 'a lineage id'],
    ['lineage.0.forkEpoch', -1, 'a fork epoch'],
    ['lineage.0.forkEpoch', 1, 'the lineage'],
    ['token', 0, 'the token'],
    ['token', 2 ** 32, 'the token'],
    ['token', 2, 'the token of a segment'],
    ['writer', '', 'the writer'],
    ['format', 0, 'the format'],
    ['format', '2', 'the format'],
    ['createdBy', '', 'the creator'],
    ['createdBy', 'a\nb', 'the creator'],
    ['log', {}, 'the log'],
    ['log.0', 5, 'a log entry'],
    ['log.0.file', '../escape', 'a log file name'],
    ['log.0.file', logName(4, 1), 'the token of a log file'],
    ['log.0.file', logName(3, 2), 'a log file named twice'],
    ['log.0.end', null, 'an open file before the last'],
    ['log.0.end', 5, 'an end'],
    ['log.0.end.bytes', -1, 'an end'],
    ['log.0.end.epoch', -1, 'an end epoch'],
    ['log.0.end.digest', 'cd', 'an end digest'],
    ['log.1.end', { ...manifest.log[0]?.end, epoch: 4 }, 'the order of epochs'],
    ['catalogue', 5, 'the catalogue'],
    ['catalogue.epoch', -1, 'the epoch of the catalogue'],
    ['catalogue.collections.0.kind', 'list', 'a collection kind'],
    ['catalogue.collections', falling, 'the order of collections'],
    ['catalogue.collections', alike, 'a collection named twice'],
    ['catalogue.collections.0.asOf', 5, 'the epoch of a collection'],
    ['fold', 5, 'the fold point'],
    ['fold', [fold], 'the fold point'],
    ['fold.file', '../escape', 'the file of the fold point'],
    ['fold.bytes', -1, 'the fold point'],
    ['fold.epoch', 0, 'the epoch of the fold point'],
    ['fold.digest', 'cd', 'the digest of the fold point'],
    ['fold.timeMs', -1, 'the time of the fold point'],
    ['fold.timeMs', 8.64e15 + 1, 'the time of the fold point'],
    ['fold.nextId', 2 ** 32 + 1, 'the next id'],
    ['fold.nextId', 1, 'the next id'],
    ['fold.nextId', -1, 'the next id'],
    ['fold.catalogue', {}, 'the collections'],
    ['fold.catalogue', falling, 'the order of collections'],
    ['fold.catalogue', [things, { ...things, name: 'others' }], 'the order of collections'],
    ['fold.catalogue', alike, 'a collection named twice'],
    ['fold.catalogue.0.asOf', 9, 'the epoch of a collection'],
    ['fold.catalogue.0', null, 'a collection'],
    ['fold.catalogue.0.id', 2 ** 32, 'a collection id'],
    ['fold.catalogue.0.kind', 'maps', 'a collection kind'],
    ['fold.catalogue.0.name', 5, 'a collection name'],
    ['fold.catalogue.0.codec', null, 'a codec name'],
    ['fold.catalogue.0.entries', -1, 'a number of entries'],
    ['fold.catalogue.0.bytes', 0.5, 'a number of bytes'],
    ['fold.catalogue.0.asOf', 0, 'the epoch of a collection'],
    ['fold.refused', 0, 'what was refused at the fold point'],
    ['young', { ...(young as object) }, 'the young segments'],
    ...segment('young.0'),
    ['base', { ...(base as object) }, 'the base'],
    ['base.1', 5, 'a range'],
    ['base.0.start', 5, 'a place'],
    ['base.1.start.key', 'ZZ', 'a place'],
    ['base.1.through', -1, 'the epoch of a range'],
    ['base.2', manifest.base[1], 'the order of the base'],
    ...segment('base.0.segment'),
    ['retained', { ...(retained as object) }, 'the retained points'],
    ['retained.0', 7, 'a retained point'],
    ['retained.0.number', 0, 'a retained manifest'],
    ['retained.0.epoch', -1, 'the epoch of a retained point'],
    ['retained.0.timeMs', -1, 'the time of a retained point'],
    ['retained.0.timeMs', 8.64e15 + 1, 'the time of a retained point'],
    ['retained.1', manifest.retained[0], 'the order of retained points'],
    ['retained.1', { number: 8, epoch: 4, timeMs: 0 }, 'the order of retained points'],
  ]
  assert.throws(() => decodeManifest(sealed('[]\n'), 'm', FOLDED_FORMAT), { message: 'm: the content is impossible' })
  for (const [path, value, what] of rows) {
    const result = attempt(() => decodeManifest(changed(path, value), 'm', FOLDED_FORMAT)) as TidemarkError
    assert.equal(result.message, `m: ${what} is impossible`, `${path}: ${JSON.stringify(value)}`)
    assert.equal(result.code, 'TIDEMARK_MANIFEST_DAMAGED')
  }
})

test('text in a manifest that is not UTF-8 is damage', () => {
  const [before] = content().split('things', 1) as [string]
  const named = (name: Buffer): Buffer =>
    sealed(Buffer.concat([Buffer.from(before), name, Buffer.from(content().slice(before.length + 6))]))
  assert.equal(decodeManifest(named(Buffer.from('\ufffd')), 'm').catalogue?.collections[0]?.name, '\ufffd')
  // What a decoder of text puts in the place of these is as long as they are, or longer.
  for (const hex of ['ff', 'f09f98', 'eda080']) {
    assert.throws(() => decodeManifest(named(Buffer.from(hex, 'hex')), 'm'), { code: 'TIDEMARK_MANIFEST_DAMAGED' }, hex)
  }
})

test('any bytes as a manifest give a typed error, and any content under a right checksum that or what is written so', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), raw => {
      assert.ok(attempt(() => decodeManifest(Buffer.from(raw), 'm', FOLDED_FORMAT)) instanceof TidemarkError)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.json(), text => {
      assert.ok(attempt(() => decodeManifest(sealed(text), 'm', FOLDED_FORMAT)) instanceof TidemarkError)
    }),
    { numRuns: 500 },
  )
  const number = fc.constantFrom(-1, -0, 0, 1, 9, 12, 1.5, 2 ** 32, 2 ** 53, 1e300)
  const value = fc.oneof(fc.jsonValue(), number, fc.constantFrom('', '../escape', 'ab'.repeat(32)), fc.constantFrom([], {}, null))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...pathsOf(JSON.parse(content()))), value), { minLength: 1, maxLength: 2 }), changes => {
      let text = content()
      for (const [path, to] of changes) text = withField(text, path, to)
      const bytes = sealed(text)
      const result = attempt(() => decodeManifest(bytes, 'm', FOLDED_FORMAT))
      if (!(result instanceof TidemarkError)) assert.ok(encodeManifest(result).equals(bytes))
    }),
    { numRuns: 2000 },
  )
})

/** The manifest of these tests as it is written, without its header line. */
function content(): string {
  const bytes = encodeManifest(manifest)
  return bytes.toString('utf8', bytes.indexOf(10) + 1)
}

/** Content under a right checksum. */
function sealed(text: string | Buffer): Buffer {
  const body = Buffer.from(text)
  const sum = createHash('sha256').update(`tidemark-manifest 1 ${body.length}\n`).update(body).digest('hex')
  return Buffer.concat([Buffer.from(`tidemark-manifest 1 ${sum} ${body.length}\n`), body])
}

/** The content with another value at a path of names and places; as it is where an earlier change took that away. */
function withField(text: string, path: string, value: unknown): string {
  const root = JSON.parse(text) as Record<string, unknown>
  const names = path.split('.')
  let at: unknown = root
  for (const name of names.slice(0, -1)) at = (at as Record<string, unknown> | null | undefined)?.[name]
  if (typeof at === 'object' && at !== null) (at as Record<string, unknown>)[names.at(-1) as string] = value
  return `${JSON.stringify(root)}\n`
}

const changed = (path: string, value: unknown): Buffer => sealed(withField(content(), path, value))

function pathsOf(value: unknown, before = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => [`${before}${name}`, ...pathsOf(one, `${before}${name}.`)])
}
