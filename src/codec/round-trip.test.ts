import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { anyValue, assertExact, gaps } from './exact.test.ts'
import { forgetShapes, tideCodec } from './index.ts'

function encode(value: unknown): Buffer {
  const writer = new ByteWriter(2)
  tideCodec.encodeInto(writer, value)
  return Buffer.from(writer.view())
}

/** There and back, with other bytes around. */
function back<T>(value: T): T {
  const bytes = encode(value)
  return tideCodec.decode(Buffer.concat([Buffer.from([1, 2]), bytes, Buffer.from([3])]), 2, 2 + bytes.length) as T
}

test('any value comes back exactly, whether its shapes were seen before or not', () => {
  fc.assert(
    fc.property(anyValue, value => {
      assertExact(back(value), value)
      const warm = encode(value)
      forgetShapes()
      assert.deepEqual(encode(value), warm)
      assertExact(tideCodec.decode(warm, 0, warm.length), value)
    }),
    { numRuns: 1000 },
  )
})

test('what the contract names comes back exactly', () => {
  const nan = new Float64Array([Number.NaN])
  const regexp = /a+/gy
  regexp.lastIndex = 7
  const values: unknown[] = [
    undefined,
    null,
    true,
    -0,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 53,
    -(2 ** 53),
    0.1,
    1.5,
    2n ** 4000n,
    -(2n ** 4000n),
    -1n,
    0n,
    2n ** 64n,
    -(2n ** 64n),
    new Date(0),
    new Date(Number.NaN),
    new Date(-8.64e15),
    regexp,
    /\//,
    /\n/,
    /[/]/dgimsuy,
    new Map<unknown, unknown>([[{ a: 1 }, new Set([new Map([[Number.NaN, -0]])])]]),
    new Set([0, Number.NaN, '0']),
    '\ud800',
    'a\udc00b'.repeat(50),
    { '\ud800': 1, '\udfff\ud800': '\udfff' },
    'é'.repeat(1000),
    '\u{1f600}'.repeat(100),
    'x'.repeat(100_000),
    '\0',
    '',
    JSON.parse('{"__proto__":{"polluted":true},"a":1}'),
    JSON.parse('{"constructor":1,"toString":2,"hasOwnProperty":3,"__defineGetter__":4}'),
    Object.assign(Object.create(null), { a: 1, b: Object.create(null) }),
    { b: 1, a: 2, 10: 3, 9: 4, '-1': 5, '01': 6 },
    {},
    [],
    [undefined],
    gaps([0], 0),
    gaps([0, 1, 0, undefined, 0], 0, 2, 4),
    new Array(1000),
    [[[]]],
    Object.freeze([1, 2]),
    Object.freeze({ a: 1 }),
    nan,
    new Float32Array([0, -0, Infinity]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new Uint8ClampedArray(3),
    new Uint16Array(0),
    Buffer.from('hello'),
    new Uint8Array([1, 2]),
    Buffer.alloc(0),
    new ArrayBuffer(0),
    new ArrayBuffer(9),
    new DataView(new ArrayBuffer(3)),
    Buffer.alloc(1000, 7),
    new Float64Array(1000).fill(1.5),
  ]
  for (const value of values) if (!Object.isFrozen(value) || Object(value) !== value) assertExact(back(value), value)
  assert.deepEqual(back(Object.freeze([1, { a: 2 }])), [1, { a: 2 }])
  const both = { plain: values.slice(0, 20), again: values.slice(0, 20) }
  assertExact(back(both), both)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('Float16Array comes back where the runtime has it, and is named where it has not', () => {
  const type = (globalThis as unknown as { Float16Array?: new (values: number[]) => ArrayBufferView }).Float16Array
  if (type !== undefined) assertExact(back(new type([1.5, -0])), new type([1.5, -0]))
  else
    assert.throws(() => tideCodec.decode(Buffer.from('de0b020000', 'hex'), 0, 5), {
      code: 'TIDEMARK_VALUE_DAMAGED',
      message: /Float16Array/,
    })
})

test('errors keep class, message, stack, cause, errors and properties, and are real errors', () => {
  const cause = Object.assign(new RangeError('inner'), { code: 'EINNER', at: [1] })
  const bare = new Error()
  delete (bare as { stack?: string }).stack
  const named = new TypeError('m')
  named.name = 'Renamed'
  const hiddenName = new Error('m')
  Object.defineProperty(hiddenName, 'name', { value: 'Hidden', writable: true, configurable: true })
  const assigned = new Error()
  assigned.message = 'by assignment'
  const noStack = new Error('a')
  noStack.stack = undefined as unknown as string
  for (const error of [
    new Error('a', { cause }),
    new TypeError(''),
    bare,
    named,
    hiddenName,
    assigned,
    noStack,
    new AggregateError([cause, 1, new AggregateError([])], 'm', { cause: undefined }),
    Object.assign(new Error('x'), { cause: 'enumerable' }),
    new EvalError('e'),
    new URIError('u'),
    new ReferenceError('r'),
    new SyntaxError('s'),
  ]) {
    const copy = back(error)
    assertExact(copy, error)
    assert.ok(copy instanceof Error)
    assert.equal(Object.prototype.toString.call(copy), '[object Error]')
    assert.equal(String(copy), String(error))
  }
})

test('an error of the system is kept; properties of errors that nobody sees are not', () => {
  let error: unknown
  try {
    process.chdir('/no/such/folder')
  } catch (thrown) {
    error = thrown
  }
  const copy = back(error) as NodeJS.ErrnoException
  assert.equal(copy.code, 'ENOENT')
  assertExact(copy, error)
  const hidden = new Error('a')
  Object.defineProperty(hidden, 'secret', { value: () => 1 })
  Object.defineProperty(hidden, Symbol('s'), { value: 1 })
  assert.deepEqual(Reflect.ownKeys(back(hidden)).sort(), ['message', 'stack'])
})

test('views keep the bytes they show, and no others', () => {
  const large = Buffer.alloc(1000, 1)
  for (const view of [
    large.subarray(10, 13),
    new Uint16Array(large.buffer, large.byteOffset, 4),
    new DataView(large.buffer, large.byteOffset, 5),
  ]) {
    const copy = back(view)
    assert.equal(copy.byteOffset, 0)
    assert.equal(copy.buffer.byteLength, view.byteLength)
    assert.deepEqual(copy, view)
  }
})

test('a shared object comes back as separate copies', () => {
  const shared = { a: [1] }
  const copy = back([shared, shared])
  assert.notEqual(copy[0], copy[1])
  assert.deepEqual(copy, [shared, shared])
})

test('a huge sparse array takes no room', () => {
  const array: number[] = []
  array[4_000_000_000] = 1
  array[5] = 2
  const bytes = encode(array)
  assert.ok(bytes.length < 30)
  const before = process.memoryUsage().rss
  for (let round = 0; round < 20; round++) assertExact(tideCodec.decode(bytes, 0, bytes.length), array)
  const far: unknown[] = []
  far[4_000_000_000] = 1
  far.length = 30_000_000
  const empty = back(far)
  assert.equal(empty.length, 30_000_000)
  assert.ok(process.memoryUsage().rss - before < 50e6)
  assert.deepEqual(Object.keys(back(array)), ['5', '4000000000'])
})

test('a sparse array of the greatest length has no element that was not there', () => {
  const longest: number[] = []
  longest.length = 2 ** 32 - 1
  assert.deepEqual(Object.keys(back(longest)), [])
  assert.equal(back(longest).length, 2 ** 32 - 1)
  longest[7] = 1
  assert.deepEqual(Object.keys(back(longest)), ['7'])
  longest[2 ** 32 - 2] = 2
  assertExact(back(longest), longest)
})

test('long arrays: dense, holed, with a setter, with a property', () => {
  const dense = Array.from({ length: 1000 }, (_, index) => index)
  assertExact(back(dense), dense)
  const holed = dense.slice()
  delete holed[500]
  assertExact(back(holed), holed)
  const last = dense.slice()
  last.length = 1001
  assertExact(back(last), last)
})

test('nesting of 1,000 levels is kept', () => {
  for (const wrap of [
    (v: unknown) => ({ v }),
    (v: unknown) => [v],
    (v: unknown) => new Map([[v, 1]]),
    (v: unknown) => new Error('e', { cause: v }),
  ]) {
    let value: unknown = []
    for (let level = 1; level < 1000; level++) value = wrap(value)
    const bytes = encode(value)
    assert.deepEqual(encode(tideCodec.decode(bytes, 0, bytes.length)), bytes)
  }
})

test('properties come back in their order, with undefined among them, and whatever is to be seen on their prototype', () => {
  const own = (): object[] => [
    { b: 1, a: undefined, c: 'x', 7: 1, 3: undefined, d: { e: undefined } },
    JSON.parse('{"b":1,"__proto__":{"a":2},"c":3}'),
    Object.assign(Object.create(null), { b: undefined, a: [1, { c: undefined }] }),
    {},
  ]
  const plain = own().map(encode)
  const prototype = Object.prototype as Record<string, unknown>
  // Of names that come before, among and behind those of the objects.
  for (const name of ['aa', 'b', 'zz']) {
    try {
      Object.defineProperty(prototype, name, { value: 1, enumerable: true, configurable: true, writable: true })
      assert.deepEqual(own().map(encode), plain)
    } finally {
      delete prototype[name]
    }
  }
  for (const value of own()) assertExact(back(value), value)
})

test('an object met again takes two bytes for its keys', () => {
  const one = encode([{ someKey: 1, otherKey: 2 }]).length
  const two = encode([
    { someKey: 1, otherKey: 2 },
    { someKey: 1, otherKey: 2 },
  ]).length
  assert.equal(two - one, 4)
})

test('more shapes than are remembered', () => {
  const many = Array.from({ length: 2000 }, (_, index) => ({ [`key${index}`]: index, b: 1, ...(index % 3 === 0 ? { c: 2 } : {}) }))
  const twice = [...many, ...many.toReversed()]
  assertExact(back(twice), twice)
  const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index]))
  assertExact(back([wide, wide]), [wide, { ...wide }])
})

test('the writer keeps what it had, and its length when a value is refused', () => {
  const writer = new ByteWriter(4)
  writer.raw(Buffer.from('before'))
  tideCodec.encodeInto(writer, { a: 'x'.repeat(100) })
  assert.equal(writer.view().subarray(0, 6).toString(), 'before')
  const length = writer.length
  assert.throws(() => tideCodec.encodeInto(writer, { a: 'x'.repeat(100_000), b: () => 1 }), { code: 'TIDEMARK_VALUE_REFUSED' })
  assert.equal(writer.length, length)
})
