/** The bytes of a value follow from the value alone, whatever was encoded before it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { Encoder } from './encode.ts'
import { assertExact } from './exact.test.ts'
import { forgetShapes, plainTideCodec } from './index.ts'

const encode = (value: unknown): Buffer => Buffer.from(plainTideCodec.encode(value))

/** As many lists of two keys as are remembered, and one that is not. */
function fillMemory(): void {
  forgetShapes()
  for (let index = 0; index < 8; index++) encode({ [`p${index}`]: 1, q: 1 })
}

test('a list of keys that comes again within a value is written as one, also when others took its place', () => {
  const value = [
    { a: 1, b: 1 },
    { c: 1, d: 1 },
    { a: 1, b: 1 },
  ]
  fillMemory()
  const first = encode(value)
  assert.deepEqual(encode(value), first)
  forgetShapes()
  assert.deepEqual(encode(value), first)
  assertExact(plainTideCodec.decode(first), value)
})

test('values of many lists of keys have the same bytes at any time', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'é', '\ud800', '0', '__proto__', 'x'.repeat(70))
  const pair = fc.tuple(name, name).map(
    ([first, second]) =>
      Object.fromEntries([
        [first, 1],
        [second, { [first]: 2 }],
      ]) as object,
  )
  const many = fc.array(pair, { maxLength: 60, size: 'max' })
  fc.assert(
    fc.property(many, many, (before, value) => {
      forgetShapes()
      const bytes = encode(value)
      encode(before)
      assert.deepEqual(encode(value), bytes)
      assert.deepEqual(encode(value), bytes)
      assertExact(plainTideCodec.decode(bytes), value)
    }),
    { numRuns: 300 },
  )
})

test('of very many lists in one value the later ones are written out each time', () => {
  const value: object[] = Array.from({ length: 65_600 }, (_, index) => ({ [`k${index}`]: 0 }))
  const twice = [...value, ...value.slice(0, 9), ...value.slice(-9), ...value.slice(-9)]
  fillMemory()
  const bytes = encode(twice)
  assert.deepEqual(encode(twice), bytes)
  assertExact(plainTideCodec.decode(bytes), twice)
  assert.equal(bytes.length - encode(value).length, 9 * 'd3 index 0'.split(' ').length + 18 * 'd2 size 86 k 6 5 5 9 9 0'.split(' ').length)
})

test('a value that had no stack left at its end leaves no lists of keys to the next', () => {
  const encoder = new Encoder()
  const encoded = (value: unknown): Buffer => {
    const writer = new ByteWriter()
    encoder.encode(writer, value)
    return Buffer.from(writer.bytes.subarray(0, writer.length))
  }
  const many = Array.from({ length: 20 }, (_, index) => ({ [`a${index}`]: 1, b: 1 }))
  const { shapes } = encoder as unknown as { shapes: { end?: () => void } }
  shapes.end = () => {
    throw new RangeError('Maximum call stack size exceeded')
  }
  assert.throws(() => encoded(many), RangeError)
  Reflect.deleteProperty(shapes, 'end')
  const value = [{ x: 1 }, { a10: 1, b: 1 }]
  assert.deepEqual(encoded(value), encode(value))
})
