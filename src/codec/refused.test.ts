import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { Encoder } from './encode.ts'
import { gaps } from './exact.test.ts'
import { tideCodec } from './index.ts'
import { showsElementsOnly } from './look.ts'

function refusal(value: unknown): TidemarkError {
  try {
    tideCodec.encodeInto(new ByteWriter(), value)
  } catch (error) {
    assert.ok(error instanceof TidemarkError, `not typed: ${String(error)}`)
    assert.equal(error.code, 'TIDEMARK_VALUE_REFUSED')
    assert.ok((error.hint ?? '').length > 0)
    return error
  }
  assert.fail('it was stored')
}

class Player {
  score = 1
}
class MyMap extends Map {}
class MyArray extends Array {}
class MyError extends Error {}

function never(): never {
  assert.fail('an accessor was called')
}

function having<T extends object>(target: T, key: PropertyKey, property: PropertyDescriptor): T {
  return Object.defineProperty(target, key, property)
}

test('each kind that cannot come back is refused by what it is', () => {
  const table: [string, unknown, RegExp][] = [
    ['function', () => 1, /a function/],
    ['class', Player, /a function/],
    ['symbol', Symbol('s'), /a symbol/],
    ['instance', new Player(), /an instance of Player/],
    ['nameless class', new (class {})(), /a class without a name/],
    ['nameless error', new (class extends TypeError {})(), /a class that extends TypeError/],
    ['subclass of Map', new MyMap(), /an instance of MyMap/],
    ['subclass of Array', new MyArray(), /an instance of MyArray/],
    ['subclass of Error', new MyError(), /an instance of MyError/],
    ['WeakMap', new WeakMap(), /WeakMap/],
    ['WeakSet', new WeakSet(), /WeakSet/],
    ['WeakRef', new WeakRef({}), /WeakRef/],
    ['Promise', Promise.resolve(), /Promise/],
    ['generator', (function* () {})(), /instance of/],
    ['SharedArrayBuffer', new SharedArrayBuffer(4), /SharedArrayBuffer/],
    ['view of shared memory', new Uint8Array(new SharedArrayBuffer(4)), /shared/],
    ['DataView of shared memory', new DataView(new SharedArrayBuffer(4)), /shared/],
    ['view of shared memory of another realm', new Uint8Array(runInNewContext('new SharedArrayBuffer(4)')), /shared/],
    ['view of memory of another realm', new Uint8Array(runInNewContext('new ArrayBuffer(4)')), /another class or realm/],
    ['DataView of memory of another realm', new DataView(runInNewContext('new ArrayBuffer(4)')), /another class or realm/],
    ['view of memory of a class of its own', new Uint8Array(new (class extends ArrayBuffer {})(4)), /another class or realm/],
    ['object of another realm', runInNewContext('({})'), /another Object/],
    ['Map of another realm', runInNewContext('new Map()'), /another Map/],
    ['boxed number', Object(1), /Number/],
    ['boxed string', Object('a'), /String/],
    ['boxed boolean', Object(false), /Boolean/],
    ['boxed bigint', Object(1n), /BigInt/],
    ['boxed symbol', Object(Symbol('s')), /Symbol/],
    ['URL', new URL('http://a'), /URL/],
    ['arguments', Function('return arguments')(1), /not enumerable|symbol/],
    ['getter', having({}, 'a', { get: never, enumerable: true }), /an accessor at \.a/],
    ['setter', having({}, 'a', { set: never, enumerable: true }), /an accessor at \.a/],
    ['hidden getter', having({}, 'a', { get: never }), /not enumerable at \.a/],
    ['hidden property', having({}, 'a', { value: 1 }), /not enumerable at \.a/],
    ['getter behind a property', having({ b: 1 }, 'a', { get: never, enumerable: true }), /an accessor at \.a/],
    ['setter between properties', { b: 1, set a(_: unknown) {}, c: 2 }, /an accessor at \.a/],
    ['hidden property between others', Object.assign(having({ b: 1 }, 'a', { value: 1 }), { c: 2 }), /not enumerable at \.a/],
    ['getter behind what is undefined', having({ b: undefined }, 'a', { get: never, enumerable: true }), /an accessor at \.a/],
    ['getter of __proto__', having({}, '__proto__', { get: never, enumerable: true }), /an accessor/],
    ['symbol key', { [Symbol('s')]: 1 }, /symbol/],
    ['getter on a null prototype', having(Object.create(null), 'a', { get: never, enumerable: true }), /accessor/],
    ['getter in an array', having([1, 2], 1, { get: never }), /./],
    ['enumerable getter in an array', having([1, 2], 1, { get: never, enumerable: true }), /an accessor at \[1\]/],
    ['setter in an array', having([1, 2], 1, { set: never, enumerable: true }), /an accessor at \[1\]/],
    ['getter in a sparse array', having(gaps([1, 0, 2], 1), 3, { get: never, enumerable: true }), /an accessor at \[3\]/],
    ['getter in a long array', having(new Array(1000).fill(0), 700, { get: never, enumerable: true }), /an accessor at \[700\]/],
    ['setter in a long array', having(new Array(1000).fill(0), 700, { set: never, enumerable: true }), /an accessor at \[700\]/],
    ['array with a property', Object.assign([1], { a: 1 }), /other properties/],
    ['holed array with a property', Object.assign(gaps([1, 0, 2], 1), { a: 1 }), /other properties/],
    ['array with a hole for each property', Object.assign(gaps([0, 2], 0), { a: 1 }), /other properties/],
    ['long array with a property', Object.assign(new Array(1000).fill(0), { a: 1 }), /other properties/],
    // Fractions are as canonical as indices, and below the length.
    ['holed array with a fraction', Object.assign(gaps(['x', 0, 0], 1, 2), { '1.5': 'y' }), /other properties.* at \["1\.5"\]/],
    ['array with a fraction for its last hole', Object.assign(gaps([1, 2, 0], 2), { '2.5': 9 }), /other properties/],
    ['array with nothing but a fraction', Object.assign(gaps([0, 0, 0], 0, 1, 2), { '0.5': 1 }), /other properties/],
    ['array with a tiny fraction', Object.assign(gaps([0, 1], 0), { '1e-7': 1 }), /other properties/],
    ['array with a fraction', Object.assign([1, 2, 3], { '1.5': 1 }), /other properties/],
    ['long array with a getter as a property', having(new Array(1000).fill(0), 'a', { get: never, enumerable: true }), /other properties/],
    ['match', 'ab'.match(/b/), /other properties/],
    ...[-1, 1.5, 2 ** 32, 2 ** 53, Number.NaN, '2', undefined].map((length): [string, unknown, RegExp] => [
      `proxy of an array of length ${String(length)}`,
      new Proxy([], { get: (target, key) => (key === 'length' ? length : Reflect.get(target, key)) }),
      /length is none/,
    ]),
    ...[128, 129].map((count): [string, unknown, RegExp] => [
      `proxy of ${count} elements that shows a property which its target lacks`,
      new Proxy(new Array(count).fill(0), {
        ownKeys: target => [...Reflect.ownKeys(target), 'a'],
        getOwnPropertyDescriptor: (target, key) =>
          key === 'a' ? { value: 1, enumerable: true, configurable: true, writable: true } : Reflect.getOwnPropertyDescriptor(target, key),
      }),
      /other properties/,
    ]),
    ['proxy of an array out of order', new Proxy([1, 2, 3], { ownKeys: () => ['2', '0', 'length'] }), /out of order/],
    ['array with a symbol', Object.assign([1], { [Symbol('s')]: 1 }), /symbol/],
    ['array with an almost index', Object.assign([1], { '4294967295': 1 }), /other properties/],
    ['Map with a property', Object.assign(new Map(), { a: 1 }), /Map with properties/],
    ['Set with a property', Object.assign(new Set(), { a: 1 }), /Set with properties/],
    ['Date with a property', Object.assign(new Date(), { a: 1 }), /Date with properties/],
    ['RegExp with a property', Object.assign(/a/, { a: 1 }), /RegExp with properties/],
    ['RegExp with a false flag', having(/a/, 'global', { get: never }), /RegExp with properties/],
    ['RegExp with an odd lastIndex', Object.assign(/a/g, { lastIndex: 'x' }), /lastIndex/],
    ['ArrayBuffer with a property', Object.assign(new ArrayBuffer(1), { a: 1 }), /ArrayBuffer with properties/],
    ['Uint8Array with a property', Object.assign(new Uint8Array(3), { a: 1 }), /Uint8Array with properties/],
    ['long Uint8Array with a property', Object.assign(new Uint8Array(300), { a: 1 }), /Uint8Array with properties/],
    ['empty typed array with a property', Object.assign(new Float64Array(0), { a: 1 }), /Float64Array with properties/],
    ['Buffer with a property', Object.assign(Buffer.alloc(3), { a: 1 }), /Buffer with properties/],
    ['long Buffer with a property', Object.assign(Buffer.alloc(300), { a: 1 }), /Buffer with properties/],
    ['Buffer with a symbol', Object.assign(Buffer.alloc(3), { [Symbol('s')]: 1 }), /Buffer with properties/],
    ['resizable', new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(1, { maxByteLength: 4 }), /resized/],
    ['false Map', Object.create(Map.prototype), /no Map/],
    ['false Set', Object.create(Set.prototype), /no Set/],
    ['false Date', Object.create(Date.prototype), /no Date/],
    ['false RegExp', Object.create(RegExp.prototype), /no RegExp/],
    ['false Error', Object.create(Error.prototype), /no Error/],
    ['false Array', Object.create(Array.prototype), /./],
    ['false Uint8Array', Object.create(Uint8Array.prototype), /no Uint8Array/],
    ['Float64Array as a Uint8Array', Object.setPrototypeOf(new Float64Array(2), Uint8Array.prototype), /no Uint8Array/],
    ['Uint8Array as a Float64Array', Object.setPrototypeOf(new Uint8Array(16), Float64Array.prototype), /no Float64Array/],
    ['Int8Array as a Buffer', Object.setPrototypeOf(new Int8Array(2), Buffer.prototype), /no Buffer/],
    ['Buffer as a Uint8ClampedArray', Object.setPrototypeOf(Buffer.alloc(2), Uint8ClampedArray.prototype), /no Uint8ClampedArray/],
    ['false Buffer', Object.create(Buffer.prototype), /no Buffer/],
    ...[
      (memory: ArrayBuffer) => memory,
      (memory: ArrayBuffer) => new Uint8Array(memory),
      (memory: ArrayBuffer) => new Float64Array(memory, 8),
      (memory: ArrayBuffer) => Buffer.from(memory),
      (memory: ArrayBuffer) => new DataView(memory),
    ].map((of): [string, unknown, RegExp] => {
      const memory = new ArrayBuffer(16)
      const value = of(memory)
      structuredClone(memory, { transfer: [memory] })
      return ['memory transferred away', { a: [value] }, /memory that was transferred away at \.a\[0\]/]
    }),
    ['false ArrayBuffer', Object.create(ArrayBuffer.prototype), /no ArrayBuffer/],
    ['false DataView', Object.create(DataView.prototype), /no DataView/],
    ['error with a getter', having(new Error('a'), 'x', { get: never, enumerable: true }), /accessor at \.x/],
    ['error with a getter for its message', having(new Error('a'), 'message', { get: never }), /accessor at \.message/],
    ['error with a getter for its name', having(new Error('a'), 'name', { get: never }), /accessor at \.name/],
    ['error with a getter for its class', having(new Error('a'), Symbol.toStringTag, { get: never, enumerable: true }), /symbol/],
    ['error with a getter for its stack', having(new Error('a'), 'stack', { get: never }), /accessor at \.stack/],
    ['error with a symbol', Object.assign(new Error('a'), { [Symbol('s')]: 1 }), /symbol/],
    ['error with a function', Object.assign(new Error('a'), { x: () => 1 }), /function at \.x/],
    [
      'proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
        },
      ),
      /throws/,
    ],
    ['proxy of a Map', new Proxy(new Map(), {}), /no Map/],
  ]
  for (const [name, value, message] of table) assert.match(refusal(value).message, message, name)
})

test('the path inside the value is told', () => {
  const bad = () => 1
  const paths: [unknown, string][] = [
    [{ user: { tags: [1, 2, 3, bad] } }, '.user.tags[3]'],
    [{ 'a b': { '': bad } }, '["a b"][""]'],
    [new Map([['k', new Map([[{ a: bad }, 1]])]]), '.entries()[0][1].entries()[0][0].a'],
    [[new Set([1, [bad]])], '[0].values()[1][0]'],
    [new Error('a', { cause: { b: bad } }), '.cause.b'],
    [new AggregateError([1, bad]), '.errors[1]'],
    [{ a: gaps([0, 0, bad], 0, 1) }, '.a[2]'],
    [{ a: 1, b: 'x', c: bad }, '.c'],
    [{ before: { deep: { er: 1 } }, c: new Player() }, '.c'],
    [{ a: [1, { b: having({}, 'c', { get: never, enumerable: true }) }] }, '.a[1].b.c'],
    [bad, ''],
  ]
  for (const [value, path] of paths) assert.equal(refusal(value).info?.path, path)
  assert.match(refusal({ user: { tags: [bad] } }).message, /cannot store a function at \.user\.tags\[0\]$/)
})

test('an accessor is found on an object whose keys were seen before, and never called', () => {
  const writer = new ByteWriter()
  for (let round = 0; round < 2000; round++) tideCodec.encodeInto(writer, { a: round, b: 1 })
  refusal({
    a: 1,
    get b() {
      return never()
    },
  })
  refusal({
    get a() {
      return never()
    },
    b: 1,
  })
  refusal(having({ a: 1, b: 1 }, 'b', { enumerable: false }))
  refusal(Object.assign(new Player(), { a: 1, b: 2 }))
  refusal({ a: 1, b: 2, [Symbol('s')]: 1 })
})

test('cycles are named as cycles', () => {
  const self: Record<string, unknown> = {}
  self.me = self
  assert.equal(refusal(self).message, 'cannot store a cycle at .me')
  const list: unknown[] = [1]
  const ring = { a: { b: [0, { c: list }] } }
  list.push(ring)
  assert.equal(refusal({ x: ring }).message, 'cannot store a cycle at .x.a.b[1].c[1]')
  const map = new Map<string, unknown>()
  map.set('m', { map })
  assert.match(refusal(map).message, /a cycle/)
  const error = new Error('a')
  error.cause = error
  assert.match(refusal(error).message, /a cycle/)
  // Wide as well: found before it unfolds.
  const wide: Record<string, unknown> = {}
  for (let index = 0; index < 30; index++) wide[`k${index}`] = wide
  assert.match(refusal(wide).message, /a cycle/)
  // A long way round.
  const long: Record<string, unknown> = {}
  let tail = long
  for (let level = 0; level < 700; level++) tail = tail.next = {}
  tail.next = long
  assert.match(refusal(long).message, /a cycle/)
})

test('nesting over 1,000 is refused, however deep', () => {
  for (const depth of [1001, 1_000_000]) {
    for (const wrap of [(v: unknown) => ({ v }), (v: unknown) => [v], (v: unknown) => new Map([[1, v]]), (v: unknown) => new Set([v])]) {
      let value: unknown = 1
      for (let level = 0; level < depth; level++) value = wrap(value)
      assert.match(refusal(value).message, /nesting over 1000/)
    }
  }
})

test('a graph of shared objects that multiplies is ended by the size', () => {
  let value: unknown = 1
  for (let level = 0; level < 100; level++) value = [value, value]
  const encoder = new Encoder(1_000_000)
  const writer = new ByteWriter(4_000_000)
  writer.raw(Buffer.alloc(2_000_000))
  assert.throws(() => encoder.encode(writer, value), { code: 'TIDEMARK_VALUE_REFUSED', message: /more than 1000000 bytes/ })
  assert.equal(writer.length, 2_000_000)
  encoder.encode(writer, [1])
  assert.throws(() => encoder.encode(new ByteWriter(), 'x'.repeat(1_000_001)), { code: 'TIDEMARK_VALUE_REFUSED', message: /bytes/ })
})

test('too little stack for the nesting is a typed error', () => {
  let value: unknown = 1
  for (let level = 0; level < 1000; level++) value = { value }
  const codes = new Set<unknown>()
  const dive = (): void => {
    try {
      tideCodec.encodeInto(new ByteWriter(), value)
      codes.add('stored')
    } catch (error) {
      codes.add((error as { code?: unknown }).code ?? error)
    }
    if (codes.size < 2) dive()
  }
  try {
    dive()
  } catch (error) {
    assert.ok(error instanceof RangeError)
  }
  for (const code of codes) assert.ok(code === 'stored' || code === 'TIDEMARK_VALUE_REFUSED' || code instanceof RangeError, String(code))
  tideCodec.encodeInto(new ByteWriter(), value)
})

test('an encoder that had no stack left for its first steps is not taken for one that is at work', () => {
  const encoder = new Encoder()
  const endless = Object.defineProperty(new ByteWriter(), 'length', {
    get: () => {
      throw new RangeError('Maximum call stack size exceeded')
    },
  })
  assert.throws(() => encoder.encode(endless, 1), { code: 'TIDEMARK_VALUE_REFUSED' })
  assert.equal(encoder.busy, false)
})

test('a trap that comes back in does no harm', () => {
  const writer = new ByteWriter()
  const proxy = new Proxy(
    { a: 1 },
    {
      ownKeys(target) {
        tideCodec.encodeInto(new ByteWriter(), { other: [1, 2, { three: 3 }] })
        return Reflect.ownKeys(target)
      },
    },
  )
  tideCodec.encodeInto(writer, [{ x: 1 }, proxy, { x: 2 }])
  assert.deepEqual(tideCodec.decode(writer.view(), 0, writer.length), [{ x: 1 }, { a: 1 }, { x: 2 }])
})

test('whatever a trap throws, the value is what is refused', () => {
  for (const thrown of [new TidemarkError('TIDEMARK_CLOSED', 'closed'), 'text', undefined, null]) {
    const proxy = new Proxy(
      {},
      {
        getPrototypeOf() {
          throw thrown
        },
      },
    )
    assert.equal(refusal([proxy]).cause, thrown)
  }
})

test('a Map or Set that a trap changes on the way is refused, not written wrong', () => {
  const map = new Map<unknown, unknown>()
  const set = new Set<unknown>()
  const traps = {
    ownKeys() {
      map.set('more', 1)
      set.add('more')
      return []
    },
  }
  map.set('proxy', new Proxy({}, traps))
  assert.match(refusal(map).message, /changes/)
  set.delete('more')
  set.add(new Proxy({}, traps))
  assert.match(refusal(set).message, /changes/)
})

test('long arrays are looked at without their elements, also when the words of inspect change', () => {
  const long = new Array(1000).fill(0)
  for (const plain of [long, Buffer.alloc(1000), new Float64Array(1000), new Uint8Array(1000)]) {
    assert.ok(showsElementsOnly(plain, 1000))
    assert.ok(!showsElementsOnly(plain, 999))
    assert.ok(!showsElementsOnly(Object.assign(plain.slice(), { a: 1 }), 1000))
    assert.ok(!showsElementsOnly(having(plain.slice(), 'a', { get: never, enumerable: true }), 1000))
    assert.ok(!showsElementsOnly(Object.assign(plain.slice(), { '... 1000 more items': 1 }), 1000))
  }
})

test('of a long array nothing is called, whatever hidden or symbol-keyed accessors it has', () => {
  const named = having(class {}, 'name', { get: never })
  for (const make of [() => new Uint8Array(300), () => Buffer.alloc(300), () => new Float64Array(300), () => new Array(300).fill(0)]) {
    for (const symbol of [Symbol.toStringTag, Symbol.iterator, Symbol('s')])
      assert.match(refusal(having(make(), symbol, { get: never })).message, /symbol|properties of its own/)
    // What is hidden is not kept, nor looked at.
    const hidden = having(having(make(), 'constructor', { value: named }), 'toString', { get: never })
    if (!Array.isArray(hidden)) having(hidden, 'length', { get: never })
    tideCodec.encodeInto(new ByteWriter(), hidden)
    assert.match(
      refusal(having(make(), 'constructor', { value: named, enumerable: true })).message,
      /other properties|properties of its own/,
    )
  }
})
