import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { anyValue, gaps } from './exact.test.ts'
import { tideCodec } from './index.ts'

function encode(value: unknown): Buffer {
  const writer = new ByteWriter()
  tideCodec.encodeInto(writer, value)
  return Buffer.from(writer.view())
}

/** A value or a typed error; true for a value. */
function survives(bytes: Buffer): boolean {
  try {
    tideCodec.decode(bytes, 0, bytes.length)
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'TIDEMARK_VALUE_DAMAGED')
      throw new Error(`untyped on ${bytes.toString('hex')}`, { cause: error })
    return false
  }
}

const corpus: unknown[] = [
  { id: 123, v: 4, name: 'user123', score: 5512, at: 1700000000123, active: true },
  [{ a: 1 }, { a: 2 }, Object.assign(Object.create(null), { a: 'é\ud800' })],
  [undefined, null, -0, 1.5, 0.1, -1000, 2n ** 100n, -5n, 'x'.repeat(70), 'é'.repeat(40), '\ud800'],
  new Map<unknown, unknown>([
    [1, new Set(['a', Number.NaN])],
    ['k', new Date(5)],
  ]),
  [/a+/g, new Uint8Array([1, 2, 3]), Buffer.from('abc'), new Float64Array([1]), new DataView(new ArrayBuffer(2)), new ArrayBuffer(3)],
  gaps([0, 1, 0, 2], 0, 2),
  JSON.parse('{"__proto__":1,"toString":2}'),
  Object.assign(new TypeError('m', { cause: [1] }), { stack: 's', code: 'E' }),
]

test('every single flipped bit and every cut gives a value or a typed error', () => {
  for (const value of corpus) {
    const bytes = encode(value)
    assert.ok(survives(bytes))
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      survives(flipped)
    }
    for (let length = 0; length < bytes.length; length++) assert.ok(!survives(bytes.subarray(0, length)), 'a cut value is no value')
    assert.ok(!survives(Buffer.concat([bytes, Buffer.from([0])])), 'bytes are left over')
  }
  assert.equal(({} as { a?: unknown }).a, undefined)
})

test('any bytes give a value or a typed error, in bounded time and memory', () => {
  const before = process.memoryUsage().rss
  const start = performance.now()
  // Tags are far more likely than chance would have them.
  const byte = fc.oneof(fc.integer({ min: 0xc0, max: 0xdf }), fc.integer({ min: 0, max: 255 }), fc.constantFrom(0xff, 0x0f, 0x00, 0x01))
  fc.assert(
    fc.property(fc.array(byte, { minLength: 0, maxLength: 60 }), bytes => void survives(Buffer.from(bytes))),
    { numRuns: 20_000 },
  )
  fc.assert(
    fc.property(anyValue, fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 3 }), (value, changes) => {
      const bytes = encode(value)
      for (const [at, to] of changes) bytes[at % bytes.length] = to
      survives(bytes)
    }),
    { numRuns: 1000 },
  )
  assert.ok(performance.now() - start < 60_000)
  assert.ok(process.memoryUsage().rss - before < 300e6)
})

test('what another Node.js may have written is told apart from bytes that nobody wrote', () => {
  const other = /another Node\.js.*open the store with that one.*restore an earlier point/
  const text = (of: string): string => `${(0x80 + of.length).toString(16)}${Buffer.from(of).toString('hex')}`
  const refusal = (hex: string): { hint?: string; message: string } => {
    try {
      return assert.fail(String(tideCodec.decode(Buffer.from(hex, 'hex'), 0, hex.length / 2)))
    } catch (error) {
      return error as Error
    }
  }
  // A source, or flags, that this runtime refuses: a later one may know them.
  for (const [source, flags] of [
    ['(?', ''],
    ['a', 'Z'],
  ] as const) {
    const { message, hint } = refusal(`d9${text(source)}${text(flags)}00`)
    assert.match(message, /^damaged value: a RegExp/)
    assert.match(hint ?? '', other)
  }
  for (const hex of [`d9${text('a')}${text('')}${text('0')}`, 'df', 'cb']) assert.doesNotMatch(refusal(hex).hint ?? '', other)
})

test('a declared count is not believed', () => {
  const huge = 'ffffffff0f'
  for (const tag of ['cb', 'cc', 'cd', 'c9', 'ca', 'd0', 'd2', 'd4', 'd6', 'd7', 'db', 'dc', 'dd', 'de00', 'de08']) {
    const bytes = Buffer.from(tag + huge + '00'.repeat(20), 'hex')
    const before = process.memoryUsage()
    assert.ok(!survives(bytes))
    const after = process.memoryUsage()
    assert.ok(after.rss - before.rss < 50e6, tag)
    // What was reserved and never touched.
    assert.ok(after.arrayBuffers - before.arrayBuffers < 50e6, tag)
  }
  // A length without elements is a value, and takes no room.
  const before = process.memoryUsage().rss
  for (const length of [huge, '80808008', '80a8d60e']) assert.ok(survives(Buffer.from(`d1${length}00`, 'hex')))
  assert.ok(process.memoryUsage().rss - before < 50e6)
})

test('lengths without elements take no room, however many there are', () => {
  const arrays = 20_000
  const bytes = Buffer.from(`d0a09c01${'d1800800'.repeat(arrays)}`, 'hex')
  const before = process.memoryUsage().heapUsed
  const value = tideCodec.decode(bytes, 0, bytes.length) as unknown[][]
  assert.ok(process.memoryUsage().heapUsed - before < 20e6)
  assert.equal(value.length, arrays)
  assert.equal(value[arrays - 1]?.length, 1024)
})

test('nesting in the bytes is bounded too', () => {
  for (const opening of ['d001', 'd701', 'd2028161']) {
    assert.ok(survives(Buffer.from(`${opening.repeat(1000)}00`, 'hex')))
    assert.ok(!survives(Buffer.from(`${opening.repeat(1001)}00`, 'hex')))
    assert.ok(!survives(Buffer.from(opening.repeat(1_000_000), 'hex')))
  }
})

test('ranges that are none', () => {
  const bytes = encode(1)
  for (const [start, end] of [
    [0, 0],
    [1, 1],
    [0, 2],
    [1, 0],
    [-1, 1],
    [Number.NaN, 1],
  ] as const) {
    assert.throws(() => tideCodec.decode(bytes, start, end), { code: 'TIDEMARK_VALUE_DAMAGED' })
  }
})

// Last of all: these leave a lot of garbage, which those that measure memory would see go.
test('more elements or members than the runtime holds in one piece give a typed error before they are read', () => {
  // The members that follow, each of so many bytes; a varint of 2^26 + 1 or 2^24 + 1 before them.
  for (const [opening, bytes] of [
    ['d081808020', 2 ** 26 + 1],
    ['d1ffffffff0f81808008', (2 ** 24 + 1) * 2],
    ['d681808008', (2 ** 24 + 1) * 2],
    ['d781808008', 2 ** 24 + 1],
  ] as const) {
    const whole = Buffer.concat([Buffer.from(opening, 'hex'), Buffer.alloc(bytes)])
    const message = /more (elements|entries|members) than/
    assert.throws(() => tideCodec.decode(whole, 0, whole.length), { code: 'TIDEMARK_VALUE_DAMAGED', message }, opening)
  }
  // As many empty names.
  const names = Buffer.concat([Buffer.from('d281808008', 'hex'), Buffer.alloc(2 ** 24 + 1, 0x80)])
  assert.throws(() => tideCodec.decode(names, 0, names.length), { code: 'TIDEMARK_VALUE_DAMAGED', message: /more properties than/ })
})

test('a negative bigint whose complement would be larger than the runtime holds gives a typed error', () => {
  const size = 2 ** 27
  const bytes = Buffer.alloc(5 + size, 0xff)
  bytes.writeUInt8(0xca)
  // 2^27 as a varint.
  bytes.set([0x80, 0x80, 0x80, 0x40], 1)
  assert.throws(() => tideCodec.decode(bytes, 0, bytes.length), { code: 'TIDEMARK_VALUE_DAMAGED', hint: /another Node\.js/ })
})
