import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { anyText } from './exact.test.ts'
import { compareKeys, decodeKey, encodeKeyInto, type Key } from './index.ts'

function encode(key: Key): Buffer {
  const writer = new ByteWriter(4)
  encodeKeyInto(writer, key)
  return Buffer.from(writer.view())
}

function decode(bytes: Buffer): Key {
  const padded = Buffer.concat([Buffer.from('\xff\xff', 'latin1'), bytes, Buffer.from('\x80\x80', 'latin1')])
  return decodeKey(padded, 2, 2 + bytes.length)
}

const anyNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 5e-324, -5e-324, 2 ** 53, 2 ** 53 + 2),
)
const anyBigint = fc.oneof(fc.bigInt(), fc.bigInt({ min: -300n, max: 300n }), fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }))
const anyKey: fc.Arbitrary<Key> = fc.oneof(anyText, anyNumber, anyBigint)
/** Texts that agree for a while: where orders go wrong. */
const closeTexts = fc
  .tuple(
    ...[0, 1].map(() =>
      fc.array(fc.constantFrom('\ud800', '\udc00', '\udbff', '\udfff', '\ue000', '\uffff', 'a', '\u{10000}', 'é', '\ud7ff', ''), {
        maxLength: 5,
      }),
    ),
  )
  .map(pair => pair.map(parts => parts.join('')) as [string, string])

test('a key comes back as it went in, -0 as 0', () => {
  fc.assert(
    fc.property(anyKey, key => {
      assert.ok(Object.is(decode(encode(key)), key === 0 ? 0 : key))
    }),
    { numRuns: 1000 },
  )
})

test('the order of the bytes is the order of the keys, and equal bytes mean equal keys', () => {
  const check = (a: Key, b: Key) => {
    assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(encode(a), encode(b)))
    assert.equal(compareKeys(a, b) === 0, a === b || Object.is(a, b))
  }
  fc.assert(fc.property(anyKey, anyKey, check), { numRuns: 2000 })
  fc.assert(
    fc.property(closeTexts, ([a, b]) => check(a, b)),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(anyNumber, anyNumber, check), { numRuns: 1000 })
  fc.assert(fc.property(anyBigint, anyBigint, check), { numRuns: 1000 })
})

test('numbers, bigints, strings, each in its own order; text by code point', () => {
  const sorted: Key[] = [
    -Infinity,
    -1e308,
    -1,
    -5e-324,
    0,
    5e-324,
    0.5,
    1,
    255,
    256,
    1e308,
    Infinity,
    Number.NaN,
    -(2n ** 70n),
    -(2n ** 64n),
    -256n,
    -255n,
    -1n,
    0n,
    1n,
    255n,
    256n,
    2n ** 64n,
    2n ** 70n,
    '',
    '\0',
    '0',
    '1',
    '10',
    '2',
    'A',
    'a',
    'aa',
    'b',
    '\x7f',
    '\x80',
    'é',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ud800',
    '\ud800a',
    '\udc00',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  ]
  assert.deepEqual([...sorted].sort(compareKeys), sorted)
  assert.deepEqual(sorted.map(encode).sort(Buffer.compare).map(decode), sorted)
})

test('golden bytes of keys', () => {
  const golden: [Key, string][] = [
    [0, '108000000000000000'],
    [-0, '108000000000000000'],
    [1, '10bff0000000000000'],
    [-1, '10400fffffffffffff'],
    [Number.NaN, '10fff8000000000000'],
    [Infinity, '10fff0000000000000'],
    [1700000000123, '10c278bcfe5687b000'],
    [0n, '20010000000100'],
    [1n, '20010000000101'],
    [-1n, '2000fffffffefe'],
    [256n, '2001000000020100'],
    [-256n, '2000fffffffdfeff'],
    ['', '30'],
    ['ada', '30616461'],
    ['é€', '30c3a9e282ac'],
    ['😀', '30f09f9880'],
    ['\ud800', '30eda080'],
    ['\udc00\ud800', '30edb080eda080'],
  ]
  for (const [key, hex] of golden) {
    assert.equal(encode(key).toString('hex'), hex, `bytes of ${String(key)}`)
    assert.ok(Object.is(decode(Buffer.from(hex, 'hex')), key === 0 ? 0 : key))
  }
})

test('what is no key, or too long, is refused by type and with a hint; nothing is written', () => {
  const writer = new ByteWriter(4)
  const named: [unknown, string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'boolean'],
    [{}, 'object'],
    [Symbol('a'), 'symbol'],
    [() => 1, 'function'],
  ]
  for (const [key, type] of named) {
    assert.throws(() => encodeKeyInto(writer, key as Key), { code: 'TIDEMARK_KEY', message: new RegExp(type), hint: /./ })
  }
  for (const key of ['x'.repeat(65536), 'é'.repeat(32768), '\u{10000}'.repeat(16384), 1n << 524288n, -(1n << 600000n)]) {
    assert.throws(() => encodeKeyInto(writer, key), { code: 'TIDEMARK_KEY', hint: /./ })
  }
  assert.equal(writer.length, 0)
  for (const key of ['x'.repeat(65535), 'é'.repeat(32767), (1n << 524240n) - 1n, -(1n << 524239n)]) assert.equal(decode(encode(key)), key)
})

test('damaged key bytes give a key with these very bytes, or a typed error', () => {
  const check = (bytes: Buffer) => {
    let key: Key
    try {
      key = decode(bytes)
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'TIDEMARK_VALUE_DAMAGED')
      return
    }
    // One key, one encoding: nothing else decodes to it.
    assert.deepEqual(encode(key), bytes)
  }
  for (const key of [0, 1.5, -2, Number.NaN, 0n, -77n, 2n ** 70n, 'ada', 'é€😀', '\ud800x\udc00', '\udbff', '']) {
    const bytes = encode(key)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      check(flipped)
    }
    for (let length = 0; length < bytes.length; length++) check(bytes.subarray(0, length))
  }
  fc.assert(
    fc.property(fc.constantFrom(0x10, 0x20, 0x30), fc.uint8Array({ maxLength: 12 }), (tag, rest) => check(Buffer.from([tag, ...rest]))),
    {
      numRuns: 3000,
    },
  )
  const surrogateHeavy = fc.array(fc.constantFrom(0xed, 0xa0, 0x80, 0xb0, 0xbf, 0xf0, 0x90, 0xf4, 0x8f, 0xe0, 0xc2, 0x41), { maxLength: 8 })
  fc.assert(
    fc.property(surrogateHeavy, rest => check(Buffer.from([0x30, ...rest]))),
    { numRuns: 5000 },
  )
})
