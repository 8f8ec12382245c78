import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import {
  appendRecord,
  type BaseRange,
  type CatalogueEntry,
  ChainDigest,
  COMPRESSION_NONE,
  compareBytes,
  countRecords,
  decodeCommit,
  decodeFrameHeader,
  decodeLogHeader,
  decodeManifest,
  decodeSeal,
  EMPTY_BASE,
  encodeCommit,
  encodeFrameHeader,
  encodeLogHeader,
  encodeManifest,
  encodeSeal,
  FIRST_PLACE,
  FRAME_BLOCK,
  FRAME_HEADER_BYTES,
  GENESIS_DIGEST,
  hashPlace,
  LOG_HEADER_BYTES,
  logName,
  logNumbers,
  type Manifest,
  manifestName,
  manifestNumber,
  RECORD_PUT,
  RecordCursor,
  type SegmentEntry,
  segmentName,
} from './index.ts'

/** Runs a decoder: a value or a typed error, never anything else. */
function attempt<T>(decode: () => T): T | TidemarkError {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TidemarkError && error.code !== 'TIDEMARK_BUG') return error
    throw error
  }
}

const anyCount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const anyHex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(raw => Buffer.from(raw).toString('hex'))
const anyCatalogue: fc.Arbitrary<CatalogueEntry[]> = fc.uniqueArray(
  fc.record(
    {
      id: fc.nat(0xffff_ffff),
      kind: fc.constantFrom('map' as const, 'value' as const),
      name: fc.string({ maxLength: 30, unit: 'grapheme' }),
      codec: fc.string({ maxLength: 10 }),
      entries: anyCount,
      bytes: anyCount,
    },
    { noNullPrototype: true },
  ),
  { maxLength: 5, selector: entry => entry.id },
)
const anyRecord = fc.tuple(
  fc.nat(0xffff_ffff),
  fc.uint8Array({ maxLength: 40 }),
  fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
)

test('records come back as they were appended', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 20 }), records => {
      const writer = new ByteWriter(16)
      for (const [collection, key, value] of records) appendRecord(writer, collection, key, value)
      const bytes = writer.view()
      const cursor = new RecordCursor(bytes)
      for (const [collection, key, value] of records) {
        assert.ok(cursor.next())
        assert.equal(cursor.collection, collection)
        assert.ok(bytes.subarray(cursor.keyStart, cursor.keyEnd).equals(key))
        assert.equal(cursor.kind === RECORD_PUT, value !== undefined)
        assert.ok(bytes.subarray(cursor.valueStart, cursor.valueEnd).equals(value ?? Buffer.alloc(0)))
      }
      assert.equal(cursor.next(), false)
      assert.equal(countRecords(bytes), records.length)
    }),
  )
})

test('a record of a later format is told from a damaged one', () => {
  const writer = new ByteWriter(16)
  appendRecord(writer, 3, Buffer.from('key'), Buffer.from('value'))
  const bytes = Buffer.from(writer.view())
  for (const flag of [0x10, 0x20, 0x40]) {
    bytes[0] = RECORD_PUT | flag
    assert.equal((attempt(() => countRecords(bytes)) as TidemarkError).code, 'TIDEMARK_FORMAT_NEWER')
  }
  for (const flags of [0, 3, 0x80 | RECORD_PUT, 0x04 | RECORD_PUT]) {
    bytes[0] = flags
    assert.equal((attempt(() => countRecords(bytes)) as TidemarkError).code, 'TIDEMARK_VALUE_DAMAGED')
  }
})

test('any bytes as records give records within bounds or a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
      const cursor = new RecordCursor(Buffer.from(bytes))
      attempt(() => {
        while (cursor.next()) assert.ok(cursor.keyStart <= cursor.keyEnd && cursor.keyEnd <= cursor.valueEnd && cursor.at <= bytes.length)
      })
    }),
    { numRuns: 2000 },
  )
})

test('a frame header holds at its place in its file, and nowhere else', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 50 }),
      fc.nat(0xffff_ffff),
      anyCount,
      anyCount,
      fc.nat(0xffff_ffff),
      (payload, salt, offset, other, otherSalt) => {
        const header = encodeFrameHeader(FRAME_BLOCK, COMPRESSION_NONE, payload.length, payload, salt, offset)
        const back = decodeFrameHeader(header, 0, salt, offset)
        assert.equal(back?.storedLength, payload.length)
        assert.equal(back?.payloadCrc, crc32(payload))
        if (other % 4294967296 !== offset % 4294967296 && Math.abs(other - offset) < 4294967296) {
          assert.equal(decodeFrameHeader(header, 0, salt, other), undefined)
        }
        if (otherSalt !== salt) assert.equal(decodeFrameHeader(header, 0, otherSalt, offset), undefined)
      },
    ),
  )
})

test('a frame header of a later format is told from one with impossible lengths', () => {
  const payload = Buffer.from('payload')
  const header = (kind: number, compression: number, rawLength: number): Buffer => {
    return encodeFrameHeader(kind as typeof FRAME_BLOCK, compression, rawLength, payload, 1, 2)
  }
  for (const [kind, compression] of [
    [5, 0],
    [0, 0],
    [FRAME_BLOCK, 3],
  ] as const) {
    const error = attempt(() => decodeFrameHeader(header(kind, compression, 100), 0, 1, 2))
    assert.ok(error instanceof TidemarkError && error.code === 'TIDEMARK_FORMAT_NEWER')
  }
  for (const rawLength of [0, 6, 8, 2 ** 31])
    assert.equal(decodeFrameHeader(header(FRAME_BLOCK, COMPRESSION_NONE, rawLength), 0, 1, 2), undefined)
  for (const rawLength of [0, 7, 2 ** 30 + 1]) assert.equal(decodeFrameHeader(header(FRAME_BLOCK, 1, rawLength), 0, 1, 2), undefined)
  assert.notEqual(decodeFrameHeader(header(FRAME_BLOCK, 1, 2 ** 30), 0, 1, 2), undefined)
})

test('a commit comes back as it was encoded, and any change of a byte is a typed error or another digest', () => {
  const facts = fc.record(
    {
      epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      timeMs: anyCount,
      blocks: fc.nat(0xffff_ffff),
      records: anyCount,
      rawBytes: anyCount,
      blockBytes: anyCount,
      refused: fc.nat(0xffff_ffff),
      catalogue: anyCatalogue,
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(facts, anyHex(32), fc.nat(), fc.integer({ min: 1, max: 255 }), (commit, previous, at, flip) => {
      const { payload, digest } = encodeCommit(commit, new ChainDigest(previous))
      const catalogue = commit.catalogue.toSorted((a, b) => a.id - b.id)
      assert.deepEqual(decodeCommit(payload), { ...commit, catalogue, digest })
      const changed = Buffer.from(payload)
      changed[at % payload.length] = (changed[at % payload.length] as number) ^ flip
      const result = attempt(() => decodeCommit(changed))
      if (result instanceof TidemarkError) assert.equal(result.code, 'TIDEMARK_VALUE_DAMAGED')
      else assert.notDeepEqual(result, decodeCommit(payload))
      attempt(() => decodeCommit(payload.subarray(0, at % payload.length)))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => void attempt(() => decodeCommit(Buffer.from(bytes)))),
    { numRuns: 1000 },
  )
})

test('the chain tells order, content and the commit before apart', () => {
  const end = (previous: string, blocks: readonly string[]): string => {
    const chain = new ChainDigest(previous)
    for (const block of blocks) chain.block(Buffer.alloc(FRAME_HEADER_BYTES, block.length), Buffer.from(block))
    return chain.finish(Buffer.from('commit')).toString('hex')
  }
  const base = end(GENESIS_DIGEST, ['one', 'two'])
  for (const other of [
    end(base, ['one', 'two']),
    end(GENESIS_DIGEST, ['two', 'one']),
    end(GENESIS_DIGEST, ['one']),
    end(GENESIS_DIGEST, ['onetwo']),
  ]) {
    assert.notEqual(other, base)
  }
})

test('a log header is healed by its second copy, and refused without one', () => {
  const header = { storeId: 'ab'.repeat(16), token: 7, sequence: 9, baseEpoch: 2 ** 40, baseDigest: 'cd'.repeat(32), salt: 0xfedcba98 }
  const bytes = encodeLogHeader(header)
  assert.equal(bytes.length, LOG_HEADER_BYTES)
  assert.deepEqual(decodeLogHeader(bytes, 'log/x.log'), { header, healed: false })
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.deepEqual(decodeLogHeader(changed, 'log/x.log'), { header, healed: true })
    const both = Buffer.from(changed)
    both[(bit >> 3) % 96] = (both[(bit >> 3) % 96] as number) ^ 4
    both[512 + ((bit >> 3) % 96)] = (both[512 + ((bit >> 3) % 96)] as number) ^ 2
    const result = attempt(() => decodeLogHeader(both, 'log/x.log'))
    if (!(result instanceof TidemarkError)) assert.deepEqual(result.header, header)
  }
  const two = Buffer.concat([bytes.subarray(0, 512), encodeLogHeader({ ...header, token: 8 }).subarray(512)])
  assert.equal((attempt(() => decodeLogHeader(two, 'log/x.log')) as TidemarkError).code, 'TIDEMARK_LOG_DAMAGED')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1100 }), raw => void attempt(() => decodeLogHeader(Buffer.from(raw), 'log/x.log'))),
    { numRuns: 300 },
  )
})

test('a log of a later format is not damage', () => {
  const bytes = encodeLogHeader({ storeId: 'ab'.repeat(16), token: 1, sequence: 1, baseEpoch: 0, baseDigest: GENESIS_DIGEST, salt: 1 })
  bytes.writeUInt16LE(2, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92)
  assert.equal((attempt(() => decodeLogHeader(bytes, 'log/x.log')) as TidemarkError).code, 'TIDEMARK_FORMAT_NEWER')
})

const manifest: Manifest = {
  number: 12,
  storeId: 'ab'.repeat(16),
  lineage: [
    { id: '01'.repeat(16), forkEpoch: 0 },
    { id: '02'.repeat(16), forkEpoch: 5 },
  ],
  token: 3,
  writer: '03'.repeat(16),
  format: 2,
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
  assert.deepEqual(decodeManifest(bytes, 'm'), old)
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
    const result = attempt(() => decodeManifest(encodeManifest({ ...manifest, ...change }), 'm'))
    assert.equal((result as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED', JSON.stringify(change))
  }
})

test('a manifest comes back as it was, and every flipped bit is seen', () => {
  const bytes = encodeManifest(manifest)
  assert.deepEqual(decodeManifest(bytes, 'm'), manifest)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    const result = attempt(() => decodeManifest(changed, 'm'))
    assert.equal((result as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED', `bit ${bit}`)
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.equal((attempt(() => decodeManifest(bytes.subarray(0, length), 'm')) as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED')
  }
  assert.equal(
    (attempt(() => decodeManifest(Buffer.concat([bytes, Buffer.from('\n')]), 'm')) as TidemarkError).code,
    'TIDEMARK_MANIFEST_DAMAGED',
  )
})

test('a manifest that is whole and impossible is refused, field by field', () => {
  const entry = manifest.log[0]
  assert.ok(entry !== undefined)
  const impossible: Record<string, unknown>[] = [
    { number: 0 },
    { number: 1.5 },
    { number: '12' },
    { storeId: 'AB'.repeat(16) },
    { storeId: 'ab' },
    { lineage: [] },
    { lineage: [{ id: 'x', forkEpoch: 0 }] },
    { lineage: [{ id: '01'.repeat(16), forkEpoch: -1 }] },
    { token: 0 },
    { token: 2 },
    { writer: '' },
    { createdBy: '' },
    { createdBy: 'a\nb' },
    { log: [{ file: '../escape', end: null }] },
    { log: [{ file: 'log/0000000a-00000001.log', end: null }] },
    { log: [entry, entry] },
    { log: [{ file: entry.file, end: null }, manifest.log[1]] },
    { log: [{ file: entry.file, end: { bytes: -1, epoch: 5, digest: 'cd'.repeat(32) } }] },
    { catalogue: { epoch: 1, collections: [{ id: 1, kind: 'list', name: '', codec: '', entries: 0, bytes: 0 }] } },
  ]
  for (const change of impossible) {
    const bytes = encodeManifest({ ...manifest, ...change } as Manifest)
    const result = attempt(() => decodeManifest(bytes, 'm'))
    assert.equal((result as TidemarkError).code, 'TIDEMARK_MANIFEST_DAMAGED', JSON.stringify(change))
  }
})

test('a manifest of a later format is not damage', () => {
  const bytes = encodeManifest({ ...manifest, format: 2 })
  const error = attempt(() => decodeManifest(bytes, 'm')) as TidemarkError
  assert.equal(error.code, 'TIDEMARK_FORMAT_NEWER')
  assert.match(error.hint ?? '', /tidemark 0\.1\.0/)
})

test('any bytes as a manifest give a typed error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(Buffer.from)), raw => {
      assert.ok(attempt(() => decodeManifest(Buffer.from(raw), 'm')) instanceof TidemarkError)
    }),
    { numRuns: 500 },
  )
})

test('seals and names come back', () => {
  const seal = { epoch: 2 ** 45, digest: '12'.repeat(32) }
  assert.deepEqual(decodeSeal(encodeSeal(seal)), seal)
  assert.equal(decodeSeal(Buffer.alloc(39)), undefined)
  assert.equal(manifestNumber(manifestName(0xabcdef12).slice('manifest/'.length)), 0xabcdef12)
  assert.deepEqual(logNumbers(logName(3, 255).slice('log/'.length)), { token: 3, sequence: 255 })
  for (const name of ['x', '0000000g.manifest', '00000001.manifest.tmp', '00000001-00000001.log'])
    assert.equal(manifestNumber(name), undefined)
  assert.equal(logNumbers('00000001.log'), undefined)
})

test('the hash of a place is MurmurHash3, the same on every machine', () => {
  const of = (text: string, collection = 0) => hashPlace(collection, Buffer.from(text))
  // Published vectors, seed 0; one shifted inside a larger buffer.
  assert.equal(of(''), 0)
  assert.equal(of('test'), 0xba6bd213)
  assert.equal(of('Hello, world!'), 0xc0363e43)
  assert.equal(of('The quick brown fox jumps over the lazy dog'), 0x2e4ff723)
  assert.equal(hashPlace(0, Buffer.from('xxtestyy'), 2, 6), 0xba6bd213)
  assert.notEqual(of('test', 1), of('test', 2))
})

test('bytes are compared as memcmp does, a prefix first', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6, max: 3 }), fc.uint8Array({ maxLength: 6, max: 3 }), (a, b) => {
      assert.equal(Math.sign(compareBytes(a, 0, a.length, b, 0, b.length)), Buffer.compare(a, b))
    }),
  )
})
