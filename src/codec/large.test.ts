import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { Encoder } from './encode.ts'
import { gaps } from './exact.test.ts'
import { tideCodec } from './index.ts'

const accessor = { get: (): never => assert.fail('an accessor was called'), enumerable: true }

test('more elements or members than can be read back in one piece are refused', () => {
  const encoder = new Encoder(1_000_000, 300, 200)
  const store = (value: unknown) => encoder.encode(new ByteWriter(), value)
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
  const named = (count: number) => Object.fromEntries(numbers(count).map(index => [`k${index}`, 0]))
  const table: [(count: number) => unknown, number, RegExp][] = [
    [numbers, 300, /an array of more than 300 elements at \.a$/],
    [count => gaps(numbers(count + 1), 1), 200, /an array with holes and more than 200 elements at \.a$/],
    [count => new Map(numbers(count).map(index => [index, 0])), 200, /a Map of more than 200 entries at \.a$/],
    [count => new Set(numbers(count)), 200, /a Set of more than 200 members at \.a$/],
    [named, 200, /an object of more than 200 properties at \.a$/],
    [count => Object.assign(Object.create(null), named(count)), 200, /an object of more than 200 properties at \.a$/],
    [count => Object.assign(new Error('e'), named(count)), 200, /an object of more than 200 properties at \.a$/],
  ]
  for (const [make, most, message] of table) {
    store({ a: make(most) })
    assert.throws(() => store({ a: make(most + 1) }), { code: 'TIDEMARK_VALUE_REFUSED', message, hint: /in parts/ })
  }
  // Neither holes nor bytes are counted.
  store([new Array(100_000), new Uint8Array(1000)])
})

test('what a large array is refused for is what is wrong with it, also where its elements are too many to be listed', () => {
  const encoder = new Encoder(1_000_000, 300, 200)
  const zeros = (count: number) => new Array(count).fill(0)
  const table: [object, RegExp][] = [
    [Object.assign(zeros(199), { tag: 1, other: 2 }), /other properties than its elements at \.a\.other$/],
    [Object.assign(zeros(200), { tag: 1 }), /other properties than its elements at \.a\.tag$/],
    [Object.assign(zeros(250), { tag: 1 }), /other properties than its elements at \.a$/],
    [Object.assign(zeros(250), { tag: new Error('of more than one line') }), /other properties than its elements at \.a$/],
    [Object.assign(zeros(350), { tag: 1 }), /other properties than its elements at \.a$/],
    [Object.defineProperty(zeros(250), 'a', accessor), /other properties than its elements at \.a$/],
    [Object.defineProperty(zeros(250), 'constructor', accessor), /other properties than its elements at \.a\.constructor$/],
    [Object.assign(gaps(zeros(202), 0), { tag: 1 }), /an array with holes and more than 200 elements at \.a$/],
    [Object.assign(gaps(zeros(201), 0), { tag: 1 }), /other properties than its elements at \.a\.tag$/],
    [Object.assign(new Array(4e9), { tag: 1 }), /other properties than its elements at \.a\.tag$/],
    [gaps(zeros(5000), ...zeros(2500).map((_, index) => 2 * index)), /an array with holes and more than 200 elements at \.a$/],
  ]
  for (const [a, message] of table)
    assert.throws(() => encoder.encode(new ByteWriter(), { a }), { code: 'TIDEMARK_VALUE_REFUSED', message })
  // A hidden name is not kept, and a length says nothing of the elements.
  const few = Object.assign(new Array(4e9), { 3999999999: 1, 7: 2 })
  const hidden = ['constructor', 'tag'].map(name => Object.defineProperty(zeros(250), name, { ...accessor, enumerable: false }))
  for (const a of [...hidden, few]) encoder.encode(new ByteWriter(), { a })
})

test('where a value is too large, the path leads to what has no room, text and numbers too', () => {
  const encoder = new Encoder(200)
  const long = 'x'.repeat(300)
  const short = 'x'.repeat(60)
  const table: [object, RegExp][] = [
    [{ first: {}, text: long, last: {} }, /more than 200 bytes at \.text$/],
    [{ first: [], hidden: undefined, text: long }, /more than 200 bytes at \.text$/],
    [[[], 1, long], /more than 200 bytes at \[2\]$/],
    [{ first: [], a: short, b: short, c: short, d: short }, /more than 200 bytes at \.c$/],
    [[{}, short, '\u00e9'.repeat(40), short, short], /more than 200 bytes at \[3\]$/],
    [[{}, short, short, short, ...new Array(30).fill(0.1)], /more than 200 bytes at \[5\]$/],
    [{ first: [], a: short, b: short, c: short.slice(17), n: 0.1, m: 0.1 }, /more than 200 bytes at \.m$/],
  ]
  for (const [value, message] of table)
    for (const room of [0, 1000])
      assert.throws(() => encoder.encode(new ByteWriter(room), value), { code: 'TIDEMARK_VALUE_REFUSED', message })
})

test('an element that is not enumerable is a hole to a short array and to one with holes, and kept by a long one without', () => {
  const back = (length: number, ...holes: number[]): boolean => {
    const value = Object.defineProperty(gaps(new Array(length).fill(0), ...holes), 1, { enumerable: false })
    const writer = new ByteWriter()
    new Encoder().encode(writer, value)
    return 1 in (tideCodec.decode(writer.bytes, 0, writer.length) as object)
  }
  assert.deepEqual([back(128), back(129), back(129, 0)], [false, true, false])
})
