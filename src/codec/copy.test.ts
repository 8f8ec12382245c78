import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyPlain } from './copy.ts'
import { plainTideCodec } from './index.ts'

const shared = { a: 1 }
const ownProto = JSON.parse('{"__proto__":1,"b":2}') as object
const simple: readonly [string, object][] = [
  ['nothing', {}],
  ['an empty array', []],
  ['every primitive', { a: 1, b: 'x', c: true, d: null, e: undefined, f: -0, g: Number.NaN, h: 10n ** 30n, i: '' }],
  ['objects in objects', { departures: { n: 1, m: 2 }, arrivals: { n: 3, deep: { deeper: [1, [2, { x: 3 }]] } } }],
  ['names like indices, and their order', { b: 1, 2: 'two', a: 3, 1: 'one' }],
  ['an array in an object with undefined', { list: [undefined, null, 'x', [[]]] }],
  ['one object twice', { first: shared, second: shared, third: [shared] }],
  ['many properties', Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`p${i}`, i]))],
]

for (const [name, value] of simple) {
  test(`a copy is what encoding and decoding gives: ${name}`, () => {
    const copy = copyPlain(value)
    assert.ok(copy)
    const decoded = plainTideCodec.decode(plainTideCodec.encode(value)) as object
    assert.deepStrictEqual(copy, decoded)
    assert.deepStrictEqual(Object.keys(copy), Object.keys(decoded))
    assertApart(value, copy)
  })
}

const never = (): never => assert.fail('it was called')
const having = <T extends object>(object: T, name: PropertyKey, property: PropertyDescriptor): T =>
  Object.defineProperty(object, name, property)

test('what is not simple takes bytes, and nothing of it is called', () => {
  const loop: { self?: object } = {}
  loop.self = loop
  const withHole: unknown[] = [1, 2, 3]
  delete withHole[1]
  class Own {
    a = 1
  }
  const refusing = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('no')
      },
    },
  )
  const others: readonly object[] = [
    new Date(0),
    new Map(),
    new Set(),
    new Uint8Array(2),
    Object.create(null) as object,
    new Own(),
    /x/,
    loop,
    refusing,
    ownProto,
    Object.assign([1], { [Symbol('s')]: 2 }),
    having([1], Symbol('hidden'), { value: 2 }),
    JSON.parse('{"__proto__":{"a":1}}') as object,
    never,
    withHole,
    Array.from({ length: 100 }, (_, i) => i),
    Object.assign([1], { more: true }),
    having({ b: 1 }, 'a', { get: never, enumerable: true }),
    having({ b: 1 }, 'a', { get: never }),
    having({ b: 1 }, 'a', { set: never, enumerable: true }),
    having({ b: 1 }, 'a', { value: 1 }),
    having([1, 2], 1, { get: never, enumerable: true }),
    having([1, 2], 1, { set: never, enumerable: true }),
  ]
  for (const other of others) {
    assert.equal(copyPlain(other), undefined)
    assert.equal(copyPlain({ a: [other] }), undefined)
  }
  assert.equal(copyPlain({ a: Symbol('a') }), undefined)
  assert.equal(copyPlain([Symbol('a')]), undefined)
})

test('what unfolds to very much, because objects in it are shared, takes bytes', () => {
  let list: unknown[] = [1]
  let record: object = { a: 1 }
  for (let level = 0; level < 8; level++) {
    list = new Array<unknown>(32).fill(list)
    record = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, record]))
    // What was looked at before counts for nothing.
    assert.equal(copyPlain(list) !== undefined, level < 3)
    assert.equal(copyPlain(record) !== undefined, level < 3)
  }
  assert.ok(copyPlain({ a: 1 }))
})

test('what cannot be stored because of a symbol cannot be stored as a copy either', () => {
  const value = { a: 1, [Symbol('b')]: 2 }
  const copy = copyPlain(value)
  assert.throws(() => plainTideCodec.encode(value), { code: 'TIDEMARK_VALUE_REFUSED' })
  assert.throws(() => plainTideCodec.encode(copy), { code: 'TIDEMARK_VALUE_REFUSED' })
})

test('what all objects inherit is no part of a copy', () => {
  having(Object.prototype, 'everywhere', { value: { nested: true }, enumerable: true, configurable: true, writable: true })
  try {
    assert.equal(copyPlain({ a: { b: 1 } }), undefined)
  } finally {
    delete (Object.prototype as { everywhere?: object }).everywhere
  }
})

/** Nothing in `b` is in `a`. */
function assertApart(a: object, b: object): void {
  const seen = new Set<object>()
  const walk = (value: unknown, visit: (object: object) => void): void => {
    if (typeof value !== 'object' || value === null) return
    visit(value)
    for (const child of Object.values(value)) walk(child, visit)
  }
  walk(a, object => seen.add(object))
  walk(b, object => assert.ok(!seen.has(object)))
}
