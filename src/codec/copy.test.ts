import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyPlain } from './copy.ts'
import { plainTideCodec } from './index.ts'

const shared = { a: 1 }
const withHole: unknown[] = [1, 2, 3]
delete withHole[1]
const ownProto = JSON.parse('{"__proto__":1,"b":2}') as object
const simple: readonly [string, object][] = [
  ['nothing', {}],
  ['an empty array', []],
  ['every primitive', { a: 1, b: 'x', c: true, d: null, e: undefined, f: -0, g: Number.NaN, h: 10n ** 30n, i: '' }],
  ['objects in objects', { departures: { n: 1, m: 2 }, arrivals: { n: 3, deep: { deeper: [1, [2, { x: 3 }]] } } }],
  ['names like indices, and their order', { b: 1, 2: 'two', a: 3, 1: 'one' }],
  ['an array with a hole', withHole],
  ['an array in an object with undefined', { list: [undefined, null, 'x', [[]]] }],
  ['one object twice', { first: shared, second: shared, third: [shared] }],
  ['a property named __proto__', ownProto],
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

test('what is not simple takes bytes', () => {
  const loop: { self?: object } = {}
  loop.self = loop
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
  const inProto = JSON.parse('{"__proto__":{"a":1}}') as object
  const others = [
    new Date(0),
    new Map(),
    new Set(),
    new Uint8Array(2),
    Object.create(null),
    new Own(),
    /x/,
    loop,
    refusing,
    inProto,
    () => 1,
  ]
  for (const other of others as object[]) {
    assert.equal(copyPlain(other), undefined)
    assert.equal(copyPlain({ a: [other] }), undefined)
  }
  assert.equal(copyPlain({ a: Symbol('a') }), undefined)
  assert.equal(copyPlain([Symbol('a')]), undefined)
})

test('a getter that throws is no end of the world, and the prototype of all objects stays as it is', () => {
  assert.equal(
    copyPlain({
      get a(): number {
        throw new Error('no')
      },
    }),
    undefined,
  )
  const inherited = { nested: true }
  Object.defineProperty(Object.prototype, 'everywhere', { value: inherited, enumerable: true, configurable: true, writable: true })
  try {
    const copy = copyPlain({ a: { b: 1 } }) as { a: object }
    assert.deepEqual(Object.keys(copy), ['a'])
    assert.deepEqual(Object.keys(copy.a), ['b'])
    assert.equal((Object.prototype as unknown as { everywhere: object }).everywhere, inherited)
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
