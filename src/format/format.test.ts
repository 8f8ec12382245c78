import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { attempt } from '../../test/support/attempt.ts'
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { TIME_MS_MAX } from '../base/limits.ts'
import {
  appendRecord,
  type CatalogueEntry,
  ChainDigest,
  COMPRESSION_NONE,
  compareBytes,
  countRecords,
  decodeCommit,
  decodeFrameHeader,
  decodeLogHeader,
  decodeSeal,
  encodeCommit,
  encodeFrameHeader,
  encodeLogHeader,
  encodeSeal,
  FRAME_BLOCK,
  FRAME_HEADER_BYTES,
  GENESIS_DIGEST,
  hashPlace,
  LOG_HEADER_BYTES,
  logName,
  logNumbers,
  manifestName,
  manifestNumber,
  RECORD_PUT,
  RecordCursor,
} from './index.ts'

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
  { maxLength: 5, comparator: (a, b) => a.id === b.id || a.name === b.name },
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
      timeMs: fc.integer({ min: 0, max: TIME_MS_MAX }),
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

test('a commit says which collections its epoch left out, in these bytes', () => {
  const catalogue: CatalogueEntry[] = [
    { id: 1, kind: 'map', name: 'a', codec: 't', entries: 3, bytes: 9 },
    { id: 2, kind: 'map', name: 'b', codec: 't', entries: 5, bytes: 0, asOf: 7 },
    { id: 3, kind: 'value', name: 'c', codec: 't', entries: 1, bytes: 0, asOf: 8 },
  ]
  const facts = { epoch: 9, timeMs: 1, blocks: 0, records: 0, rawBytes: 0, blockBytes: 0, refused: 0, catalogue }
  const { payload, digest } = encodeCommit(facts, new ChainDigest(GENESIS_DIGEST))
  assert.deepEqual(decodeCommit(payload), { ...facts, digest })
  const entries = payload.subarray(48, -32).toString('hex')
  assert.equal(
    entries,
    [
      '03000000',
      '01000000 01 0100 61 0100 74 0300000000000000 0900000000000000',
      '02000000 81 0100 62 0100 74 0500000000000000 0000000000000000 0700000000000000',
      '03000000 82 0100 63 0100 74 0100000000000000 0000000000000000 0800000000000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
  for (const [asOf, bytes] of [
    [9, 0],
    [10, 0],
    [0, 0],
    [7, 1],
  ] as const) {
    const impossible = { ...facts, catalogue: [{ ...(catalogue[1] as CatalogueEntry), asOf, bytes }] }
    const { payload: wrong } = encodeCommit(impossible, new ChainDigest(GENESIS_DIGEST))
    assert.throws(() => decodeCommit(wrong), { code: 'TIDEMARK_VALUE_DAMAGED' }, `as of ${asOf}, ${bytes} bytes`)
  }
})

test('a commit that names two collections alike is damage', () => {
  const named = (name: string) => {
    const catalogue = [first, { ...first, id: 7, name }]
    const facts = { epoch: 9, timeMs: 1, blocks: 0, records: 0, rawBytes: 0, blockBytes: 0, refused: 0, catalogue }
    return encodeCommit(facts, new ChainDigest(GENESIS_DIGEST)).payload
  }
  const first: CatalogueEntry = { id: 4, kind: 'map', name: 'a', codec: 't', entries: 3, bytes: 9 }
  assert.equal(decodeCommit(named('b')).catalogue.length, 2)
  assert.throws(() => decodeCommit(named('a')), { code: 'TIDEMARK_VALUE_DAMAGED', message: /two collections named 'a'/ })
})

test('a commit of a time that no Date has is damage', () => {
  const at = (timeMs: number): Buffer => {
    const facts = { epoch: 9, timeMs, blocks: 0, records: 0, rawBytes: 0, blockBytes: 0, refused: 0, catalogue: [] }
    return encodeCommit(facts, new ChainDigest(GENESIS_DIGEST)).payload
  }
  assert.equal(new Date(decodeCommit(at(TIME_MS_MAX)).timeMs).toISOString(), '+275760-09-13T00:00:00.000Z')
  assert.throws(() => decodeCommit(at(TIME_MS_MAX + 1)), { code: 'TIDEMARK_VALUE_DAMAGED' })
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
  const header = { storeId: 'ab'.repeat(16), token: 1, sequence: 1, baseEpoch: 0, baseDigest: GENESIS_DIGEST, salt: 1 }
  // The version, and what is zero in this one.
  for (const at of [8, 12, 15, 84, 87, 88, 91]) {
    const bytes = encodeLogHeader(header)
    bytes.writeUInt8(2, at)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92)
    assert.equal((attempt(() => decodeLogHeader(bytes, 'log/x.log')) as TidemarkError).code, 'TIDEMARK_FORMAT_NEWER', `byte ${at}`)
  }
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
