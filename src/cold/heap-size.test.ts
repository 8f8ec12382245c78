import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { entryHeapBytes } from './heap-size.ts'

test('an array of holes takes what its elements take, not its length', () => {
  const sparse: unknown[] = []
  sparse[5] = 'x'.repeat(5000)
  sparse[4_000_000_000] = 1
  const bytes = entryHeapBytes(1, sparse)
  assert.ok(bytes > 5000 && bytes < 10_000, `${bytes}`)
  const longest: unknown[] = []
  longest.length = 2 ** 32 - 1
  assert.ok(entryHeapBytes(1, longest) < 1000)
  const many: unknown[] = []
  for (let index = 0; index < 3000; index++) many[index * 1_000_000] = 'x'.repeat(1000)
  const manyBytes = entryHeapBytes(1, many)
  assert.ok(manyBytes > 3_000_000 && manyBytes < 4_000_000, `${manyBytes}`)
})

test('a short array of holes takes what its elements take, too: that is how it is read', () => {
  const short: unknown[] = []
  short[1000] = 1.5
  const bytes = entryHeapBytes(1, short)
  assert.ok(bytes > 100 && bytes < 500, `${bytes}`)
  // A table of so many would take more than all of the places.
  const many: unknown[] = new Array(1000)
  for (let index = 0; index < 400; index++) many[Math.floor(index * 2.5)] = true
  const manyBytes = entryHeapBytes(1, many)
  assert.ok(manyBytes > 7000 && manyBytes < 10_000, `${manyBytes}`)
})

test('an array of few holes takes its length, and a full one is not listed', t => {
  const full = Array.from({ length: 100_000 }, (_, index) => index)
  const holed = full.slice()
  for (let index = 0; index < 100_000; index += 3) delete holed[index]
  for (const array of [full, holed]) {
    const bytes = entryHeapBytes(1, array)
    assert.ok(bytes > 800_000 && bytes < 1_300_000, `${bytes}`)
  }
  const listed = countLists(t, full)
  assert.ok(entryHeapBytes(1, full) > 800_000)
  assert.equal(listed(), 0)
})

/** Counts how often all fields of any of them are listed. */
function countLists(t: TestContext, ...objects: object[]): () => number {
  const { keys } = Object
  let listed = 0
  t.mock.method(Object, 'keys', (value: object) => {
    if (objects.includes(value)) listed++
    return keys(value)
  })
  return () => listed
}

const fields = (count: number): Record<string, unknown> => Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, 1.5]))

test('the fields of a large object are not listed each time, and one that grew is seen', t => {
  const sparse: unknown[] = []
  for (let index = 0; index < 1000; index++) sparse[index * 1_000_000] = 1.5
  for (const [value, grow] of [
    [fields(1000), (large: object) => Object.assign(large, fields(4000))],
    [sparse, (large: object) => Object.assign(large, Object.fromEntries(Array.from({ length: 4000 }, (_, at) => [at * 1_000_001, 1.5])))],
  ] as const) {
    const listed = countLists(t, value)
    const inside = { value }
    const bytes = entryHeapBytes(1, inside)
    for (let look = 0; look < 500; look++) assert.equal(entryHeapBytes(1, inside), bytes)
    assert.equal(listed(), 1)
    grow(value)
    for (let look = 0; look < 600; look++) entryHeapBytes(1, inside)
    assert.equal(listed(), 2)
    const grown = entryHeapBytes(1, inside)
    assert.ok(grown > 3 * bytes && grown < 6 * bytes, `${grown}, ${bytes} before`)
  }
})

test('nor are the places of a large array with holes, one that takes its length too', t => {
  const holed = Array.from({ length: 3000 }, () => 1.5)
  for (let index = 1; index < 3000; index += 2) delete holed[index]
  const listed = countLists(t, holed)
  const bytes = entryHeapBytes(1, holed)
  for (let look = 0; look < 100; look++) assert.equal(entryHeapBytes(1, holed), bytes)
  assert.equal(listed(), 1)
})

test('of many large objects in one value, one is listed at a time', t => {
  const value = Array.from({ length: 20 }, () => fields(1000))
  const listed = countLists(t, ...value)
  const bytes = entryHeapBytes(1, value)
  assert.equal(listed(), 1)
  const again = entryHeapBytes(1, value)
  assert.equal(listed(), 2)
  assert.ok(Math.abs(again / bytes - 1) < 0.01, `${again}, ${bytes} before`)
})

test('an error takes what it holds as well, and its stack is not read', () => {
  const text = 'y'.repeat(100_000)
  const read = new Error('x')
  Object.defineProperty(read, 'stack', { enumerable: true, configurable: true, get: () => assert.fail('it was read') })
  for (const error of [
    new Error(text),
    new Error('x', { cause: { body: text } }),
    new AggregateError([new TypeError(text)]),
    Object.assign(new Error('x'), { body: text }),
    Object.assign(read, { body: text }),
  ]) {
    const bytes = entryHeapBytes(1, error)
    assert.ok(bytes > 100_000 && bytes < 110_000, `${bytes}`)
  }
  const own = Object.assign(new Error('x'), fields(1000))
  assert.ok(entryHeapBytes(1, own) > entryHeapBytes(1, fields(1000)))
  const cyclic = new Error('x')
  cyclic.cause = cyclic
  assert.ok(entryHeapBytes(1, cyclic) < 1_000_000)
})

test('a wide character anywhere makes a text wide, in a long one at some places', () => {
  const wide = (text: string): boolean => entryHeapBytes(1, text) > 1.5 * text.length
  assert.ok(entryHeapBytes(1, `${'a'.repeat(5000)}€`) > 10_000)
  assert.ok(wide(`${'a'.repeat(50)}€`))
  assert.ok(wide(`${'a'.repeat(2000)}€${'a'.repeat(2000)}`))
  assert.ok(wide(`${'a'.repeat(500)}€`.repeat(200)))
  assert.ok(wide(`${'a'.repeat(100_000)}€`))
  assert.ok(!wide('é'.repeat(100_000)))
})

test('a long chain takes what its links take: what is left out is not multiplied at each of them', () => {
  const links = [
    (next: unknown, at: number): unknown => ({ next, at }),
    (next: unknown, at: number): unknown => ({ next, data: { at: at + 0.5 } }),
    (next: unknown, at: number): unknown => [next, at, at, at, at],
  ]
  for (const link of links) {
    let chain: unknown = null
    for (let at = 0; at < 900; at++) chain = link(chain, at)
    const bytes = entryHeapBytes(1, chain)
    assert.ok(bytes > 10_000 && bytes < 500_000, `${bytes}`)
  }
  const nested = Array.from({ length: 10 }, (_, at) => ({
    list: Array.from({ length: 10 }, () => ({ numbers: new Array(1000).fill(at + 0.5) })),
  }))
  const bytes = entryHeapBytes(1, nested)
  assert.ok(bytes > 2_000_000 && bytes < 5_000_000, `${bytes}`)
})

test('no code of a value is called: no accessor, method, iterator or trap', () => {
  const fail = (): never => assert.fail('it was called')
  const trapped = (target: object): object => new Proxy(target, new Proxy({}, { get: fail }))
  const accessor = { get: fail, enumerable: true }
  const hidden = (value: object, ...names: PropertyKey[]): object => {
    for (const name of names) Object.defineProperty(value, name, { get: fail })
    return value
  }
  const text = 'x'.repeat(10_000)
  const holed = [text, text, 1]
  delete holed[1]
  const values: [object, number][] = [
    [Object.defineProperty({ text }, 'own', accessor), 10_000],
    [Object.defineProperty([text], 1, accessor), 10_000],
    [Object.setPrototypeOf(holed, trapped([])), 10_000],
    [Object.create(trapped({}), { text: { value: text, enumerable: true } }), 10_000],
    [Object.defineProperty([text], 200, accessor), 10_000],
    [hidden(new Map([[1, text]]), 'size', 'entries', 'forEach', Symbol.iterator), 10_000],
    [hidden(new Set([text]), 'size', 'values', 'forEach', Symbol.iterator), 10_000],
    [hidden(new Date(), 'getTime'), 0],
    [hidden(/x/, 'source', 'flags'), 0],
    [hidden(new Uint8Array(10_000), 'byteLength', 'length', Symbol.iterator), 10_000],
    [hidden(new DataView(new ArrayBuffer(10_000)), 'byteLength'), 10_000],
    [hidden(new ArrayBuffer(10_000), 'byteLength'), 10_000],
    [hidden(Object.assign(new Error(text), { text }), 'cause', 'errors', 'stack'), 20_000],
    [Object.defineProperty(Object.assign(new Error('x'), { text }), 'own', accessor), 10_000],
    [trapped({}), 0],
    [trapped([text]), 0],
    [trapped(new Map()), 0],
    [{ text, inside: [trapped({ text })] }, 10_000],
  ]
  for (const [at, [value, least]] of values.entries()) {
    const bytes = entryHeapBytes(1, value)
    assert.ok(bytes > least && bytes < least + 2500, `${bytes} of value ${at}`)
  }
})
