/** A stricter equality than `assert.deepStrictEqual`, for the codec's tests, and the generator of values of every kind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'

/** The property; an error's stack, which newer engines keep behind an accessor of their own, as the data it stands for. */
function dataOf(object: object, key: string | symbol): PropertyDescriptor {
  const property = Object.getOwnPropertyDescriptor(object, key) as PropertyDescriptor
  if (!(object instanceof Error) || key !== 'stack' || property.get === undefined) return property
  return { value: object.stack, writable: true, enumerable: property.enumerable === true }
}

/** Why the two differ, or undefined. Prototypes, holes, property order and attributes, -0, views and errors count. */
export function difference(a: unknown, b: unknown, path = 'value'): string | undefined {
  if (Object.is(a, b) && (typeof a !== 'object' || a === null)) return undefined
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return `${path}: ${String(a)} is not ${String(b)}`
  if (a === b) return `${path}: the same object`
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: another prototype`
  if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return `${path}: another class`
  const tell = inner(a, b, path)
  if (tell !== undefined) return tell
  const keys = Reflect.ownKeys(a)
  const others = Reflect.ownKeys(b)
  // The order of an error's hidden properties is the engine's affair.
  if (a instanceof Error) {
    keys.sort()
    others.sort()
  }
  if (keys.length !== others.length) return `${path}: ${keys.length} properties, ${others.length}`
  for (const [index, key] of keys.entries()) {
    if (key !== others[index]) return `${path}: property ${String(key)} is not ${String(others[index])}`
    const left = dataOf(a, key)
    const right = dataOf(b, key)
    if (left.enumerable !== right.enumerable || left.writable !== right.writable) return `${path}.${String(key)}: other attributes`
    const child = difference(left.value, right.value, `${path}.${String(key)}`)
    if (child !== undefined) return child
  }
  return undefined
}

function inner(a: object, b: object, path: string): string | undefined {
  if (a instanceof Map && b instanceof Map) return difference([...a], [...b], `${path} entries`)
  if (a instanceof Set && b instanceof Set) return difference([...a], [...b], `${path} members`)
  if (a instanceof Date && b instanceof Date) return difference(a.getTime(), b.getTime(), path)
  if (a instanceof RegExp && b instanceof RegExp) return difference(`${a}`, `${b}`, path)
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer)
    return Buffer.from(a).equals(Buffer.from(b)) ? undefined : `${path}: other bytes`
  if (a instanceof DataView && b instanceof DataView) {
    return bytesOf(a).equals(bytesOf(b)) ? undefined : `${path}: other bytes`
  }
  return undefined
}

function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
}

/** The array with holes at these indices. */
export function gaps(array: unknown[], ...indices: number[]): unknown[] {
  for (const index of indices) delete array[index]
  return array
}

export function assertExact(actual: unknown, expected: unknown): void {
  assert.equal(difference(actual, expected), undefined)
}

const text = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map(units => String.fromCharCode(...units)),
  fc.array(fc.constantFrom('\ud800', '\udc00', '\udbff', '\udfff', 'a', '\uffff'), { maxLength: 8 }).map(parts => parts.join('')),
  fc.constantFrom('', '__proto__', 'constructor', 'toString', 'length', '0', '4294967295', 'x'.repeat(63), 'x'.repeat(64), 'é'.repeat(63)),
)

export const anyText = text

const number = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.float(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    127,
    128,
    -1,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 48 - 1,
    2 ** 48,
    2 ** 53,
    5e-324,
    1e308,
  ),
)

const bytes = fc.uint8Array({ maxLength: 40 })

const typedArray = fc.oneof(
  bytes,
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
  bytes.map(content => Buffer.from(content)),
  bytes.map(content => new DataView(content.slice().buffer)),
  bytes.map(content => content.slice().buffer),
  // A part of something larger: only the part is kept, at offset 0.
)

const errorClass = fc.constantFrom<ErrorConstructor>(Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError)

/** Values of every kind the codec keeps, nested. */
export const anyValue = fc.letrec<{ value: unknown; leaf: unknown }>(tie => ({
  leaf: fc.oneof(
    number,
    text,
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
    fc.date({ noInvalidDate: false }),
    typedArray,
    fc.constantFrom(/a/, /[/\]\n]+/giu, /(?:)/, /\ud800/y),
  ),
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    { weight: 3, arbitrary: tie('leaf') },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 6 }) },
    {
      weight: 4,
      arbitrary: fc.array(fc.tuple(text, tie('value')), { maxLength: 6 }).chain(entries =>
        fc.boolean().map(bare => {
          const object = bare ? Object.create(null) : {}
          for (const [key, value] of entries)
            Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
          return object
        }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.array(fc.tuple(fc.nat({ max: 50 }), tie('value')), { maxLength: 4 }).map(entries => {
        const array: unknown[] = []
        for (const [index, value] of entries) array[index] = value
        array.length += entries.length
        return array
      }),
    },
    { weight: 1, arbitrary: fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)) },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 4 }).map(members => new Set(members)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(errorClass, text, tie('value'), tie('value'))
        .map(([type, message, cause, extra]) => Object.assign(new type(message, { cause }), { extra })),
    },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 3 }).map(errors => new AggregateError(errors, 'several')) },
  ),
})).value

test('the equality tells apart what assert does not', () => {
  const bare = Object.create(null)
  const pairs: [unknown, unknown][] = [
    [0, -0],
    [[undefined], new Array(1)],
    [{}, bare],
    [Buffer.from('a'), new Uint8Array([97])],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [new Map([[1, 0]]), new Map([[1, -0]])],
    [new Date(0), new Date(1)],
    [/a/g, /a/],
    [new Error('a'), new TypeError('a')],
    [1, 1n],
    [
      new Map([
        [1, 1],
        [2, 2],
      ]),
      new Map([
        [2, 2],
        [1, 1],
      ]),
    ],
    [{ a: undefined }, {}],
    [Number.NaN, undefined],
    [new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
    ['\ud800', '\ufffd'],
  ]
  for (const [left, right] of pairs) assert.notEqual(difference(left, right), undefined)
  assertExact({ a: gaps([Number.NaN, 0, 1], 1) }, { a: gaps([Number.NaN, 5, 1], 1) })
})
