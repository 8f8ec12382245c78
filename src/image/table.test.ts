import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { appendRecord, hashPlace } from '../format/index.ts'
import type { LayerCursor, Range } from '../segment/index.ts'
import { RecordTable } from './table.ts'

interface Write {
  readonly collection: number
  readonly key: string
  readonly value: string | undefined
}

function block(writes: readonly Write[]): Buffer {
  const writer = new ByteWriter(64)
  for (const { collection, key, value } of writes) {
    appendRecord(writer, collection, Buffer.from(key), value === undefined ? undefined : Buffer.from(value))
  }
  return writer.view()
}

function walk(cursor: LayerCursor): Write[] {
  const writes: Write[] = []
  while (cursor.next()) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    writes.push({
      collection,
      key: bytes.toString('latin1', keyStart, keyEnd),
      value: put ? bytes.toString('latin1', start, end) : undefined,
    })
  }
  return writes
}

function find(table: RecordTable, collection: number, key: string): string | false | undefined {
  const bytes = Buffer.from(key)
  const found = table.find(collection, bytes, hashPlace(collection, bytes))
  assert.equal(table.mayHave(collection, bytes, hashPlace(collection, bytes)), found !== undefined)
  return found === undefined ? undefined : found.put && found.bytes.toString('latin1', found.start, found.end)
}

const byPlace = (a: Write, b: Write): number => a.collection - b.collection || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
const key = fc.stringMatching(/^[ab]{1,5}$/)
const write = fc.record({
  collection: fc.integer({ min: 1, max: 3 }),
  key,
  value: fc.option(fc.string({ maxLength: 3, unit: 'binary-ascii' })),
})

for (const bulk of [false, true]) {
  test(`a table holds the last word on every place, in order${bulk ? ', added in bulk' : ''}`, () => {
    const place = fc.option(fc.record({ collection: fc.integer({ min: 0, max: 4 }), key: fc.stringMatching(/^[ab]{0,5}$/) }))
    fc.assert(
      fc.property(fc.array(fc.array(write, { maxLength: 30 }), { maxLength: 8 }), place, place, fc.nat(400), (blocks, from, to, moves) => {
        const table = new RecordTable({ bulk })
        const model = new Map<string, Write>()
        let rawBytes = 0
        for (const given of blocks) {
          const writes = given.map(one => ({ ...one, value: one.value ?? undefined }))
          const bytes = block(writes)
          table.add(bytes)
          // A sort that was begun and is overtaken by more records must not be gone on with.
          table.sortSome(moves)
          rawBytes += bytes.length
          for (const one of writes) model.set(`${one.collection} ${one.key}`, one)
        }
        const expected = [...model.values()].sort(byPlace)
        assert.equal(table.records, expected.length)
        assert.equal(table.tombstones, expected.filter(one => one.value === undefined).length)
        assert.equal(table.rawBytes, rawBytes)
        assert.deepEqual(walk(table.cursor()), expected)
        const range: Range = {
          ...(from === null ? {} : { from: { collection: from.collection, key: Buffer.from(from.key) } }),
          ...(to === null ? {} : { to: { collection: to.collection, key: Buffer.from(to.key) } }),
        }
        const inside = (one: Write): boolean =>
          (from === null || byPlace(one, { ...from, value: '' }) >= 0) && (to === null || byPlace(one, { ...to, value: '' }) < 0)
        assert.deepEqual(walk(table.cursor(range)), expected.filter(inside))
        for (const one of expected) assert.equal(find(table, one.collection, one.key), one.value ?? false)
        assert.equal(find(table, 4, 'a'), undefined)
        assert.equal(find(table, 1, 'c'), undefined)
      }),
      { numRuns: 300 },
    )
  })
}

test('a table grows, and sorts in steps to the same order as at once', () => {
  const [stepwise, atOnce] = [new RecordTable(), new RecordTable()]
  const count = 5000
  for (let at = 0; at < count; at += 500) {
    const bytes = block(
      Array.from({ length: 500 }, (_, one) => ({ collection: 1, key: `k${((at + one) * 7919) % count}`, value: `${at + one}` })),
    )
    stepwise.add(bytes)
    atOnce.add(bytes)
  }
  let steps = 1
  while (!stepwise.sortSome(128)) steps++
  // Two looks at every record, the short runs, and ten rounds of merging, at most 128 records a step.
  assert.ok(steps >= Math.floor((13 * count) / 128), `${steps} steps`)
  const walked = walk(stepwise.cursor())
  assert.deepEqual(walked, walk(atOnce.cursor()))
  assert.equal(walked.length, count)
  for (let at = 0; at < count; at++) assert.equal(find(atOnce, 1, `k${(at * 7919) % count}`), `${at}`)
})

test('room made beforehand changes nothing, and the highest id is that of a put', () => {
  const writes = Array.from({ length: 3000 }, (_, at) => ({
    collection: 1 + (at % 5),
    key: `k${at % 2000}`,
    value: at % 7 === 0 ? undefined : `${at}`,
  }))
  const table = new RecordTable()
  const expecting = new RecordTable()
  for (let at = 0; at < writes.length; at += 500) {
    table.add(block(writes.slice(at, at + 500)))
    // More than will come, less, and none.
    expecting.expect([5000, 10, 0][(at / 500) % 3] as number)
    expecting.add(block(writes.slice(at, at + 500)))
  }
  assert.deepEqual(walk(expecting.cursor()), walk(table.cursor()))
  for (const { collection, key } of writes) assert.equal(find(expecting, collection, key), find(table, collection, key))
  assert.deepEqual([expecting.records, expecting.tombstones, expecting.rawBytes], [table.records, table.tombstones, table.rawBytes])
  assert.equal(expecting.highestId, 5)
  expecting.add(block([{ collection: 9, key: 'gone', value: undefined }]))
  assert.equal(expecting.highestId, 5)
})

test('bytes that are no records are refused', () => {
  const table = new RecordTable()
  assert.throws(() => table.add(Buffer.from([1, 1, 200, 0, 0, 0])), { code: 'TIDEMARK_VALUE_DAMAGED' })
})

for (const bulk of [false, true]) {
  test(`a block for which there was no memory, and that comes again, counts once${bulk ? ', added in bulk' : ''}`, () => {
    const table = new RecordTable({ bulk })
    const writes = Array.from({ length: 2000 }, (_, at) => ({
      collection: 1,
      key: `k${at % 1900}`,
      value: at % 7 === 0 ? undefined : `${at}`,
    }))
    const bytes = block(writes)
    const Words = globalThis.Uint32Array
    const lists: { push(...given: unknown[]): number } = Array.prototype
    const { push } = lists
    let kept = 0
    try {
      lists.push = function (this: unknown[], ...given) {
        if (given[0] === bytes) kept++
        return push.apply(this, given)
      }
      globalThis.Uint32Array = class extends Words {
        constructor() {
          super()
          throw new RangeError('Array buffer allocation failed')
        }
      } as never
      for (let at = 0; at < 3; at++) {
        assert.throws(() => table.add(bytes), RangeError)
        assert.equal(table.rawBytes, 0)
      }
      globalThis.Uint32Array = Words
      table.add(bytes)
    } finally {
      lists.push = push
      globalThis.Uint32Array = Words
    }
    assert.equal(kept, 1)
    const plain = new RecordTable()
    plain.add(bytes)
    assert.deepEqual([table.records, table.tombstones, table.rawBytes], [plain.records, plain.tombstones, plain.rawBytes])
    assert.deepEqual(walk(table.cursor()), walk(plain.cursor()))
  })
}

test('a table in which the stack ended while it grew is as it was', () => {
  const before = Array.from({ length: 20 }, (_, at) => ({ collection: 1, key: `k${at}`, value: `${at}` }))
  const behind = Array.from({ length: 20 }, (_, at) => ({
    collection: 1,
    key: `k${10 + at}`,
    value: at % 3 === 0 ? undefined : `new ${at}`,
  }))
  const columns: { set(this: unknown, ...given: unknown[]): void } = Object.getPrototypeOf(Uint8Array.prototype)
  const { set } = columns
  let ended = 0
  for (let last = 0; ended === last; last++) {
    const [plain, table] = [new RecordTable(), new RecordTable({ bulk: true })]
    for (const one of [plain, table]) one.add(block(before))
    let calls = 0
    try {
      columns.set = function (...given) {
        if (calls++ === last) throw new RangeError('Maximum call stack size exceeded')
        set.apply(this, given)
      }
      table.expect(100_000)
    } catch (error) {
      assert.ok(error instanceof RangeError)
      ended++
    } finally {
      columns.set = set
    }
    for (const one of [plain, table]) one.add(block(behind))
    assert.deepEqual(walk(table.cursor()), walk(plain.cursor()))
    for (const { key } of [...before, ...behind]) assert.equal(find(table, 1, key), find(plain, 1, key))
  }
  assert.equal(ended, 6)
})

test('a walk goes on over records added meanwhile, and every record it gives is whole', () => {
  const numbered = (from: number, count: number, value: string): Write[] =>
    Array.from({ length: count }, (_, at) => ({ collection: 1, key: `k${String(from + at).padStart(6, '0')}`, value }))
  const table = new RecordTable()
  table.add(block(numbered(0, 10, 'old')))
  const cursor = table.cursor()
  assert.ok(cursor.next())
  // The first makes the table grow; the second replaces records at other offsets.
  table.add(block(numbered(100, 3000, 'x')))
  table.add(block(numbered(3, 7, 'newer value')))
  assert.deepEqual(walk(cursor), [...numbered(1, 2, 'old'), ...numbered(3, 7, 'newer value')])
  assert.deepEqual(walk(table.cursor()), [...numbered(0, 3, 'old'), ...numbered(3, 7, 'newer value'), ...numbered(100, 3000, 'x')])
})

test('places of one hash are told apart', () => {
  const pairs: [Write, Write][] = [
    ['k8217', 'k60169'],
    ['k6017', 'k82169'],
    ['k125188', 'k131163'],
  ].map(([one, other]) => [
    { collection: 1, key: one as string, value: 'one' },
    { collection: 1, key: other as string, value: 'other' },
  ])
  pairs.push([
    { collection: 1, key: 'k112487', value: 'one' },
    { collection: 2, key: 'k156307', value: 'other' },
  ])
  for (const [one, other] of pairs) {
    const hashOf = (write: Write): number => hashPlace(write.collection, Buffer.from(write.key))
    assert.equal(hashOf(one), hashOf(other))
    const table = new RecordTable()
    table.add(block([one]))
    assert.equal(find(table, other.collection, other.key), undefined)
    table.add(block([other, { ...one, value: undefined }]))
    assert.equal(find(table, one.collection, one.key), false)
    assert.equal(find(table, other.collection, other.key), 'other')
    assert.equal(table.records, 2)
  }
})

test('the order is that of the bytes, wherever keys of a collection begin to differ', () => {
  const part = fc.uint8Array({ maxLength: 10 }).map(bytes => Buffer.from(bytes.map(byte => [0, 1, 127, 128, 255][byte % 5] as number)))
  const shared = fc.array(part, { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(shared, fc.array(fc.tuple(fc.nat(2), part), { maxLength: 60 }), (begins, given) => {
      const writer = new ByteWriter(64)
      const expected = new Map<string, { id: number; key: Buffer }>()
      for (const [id, end] of given) {
        const key = Buffer.concat([begins[id] as Buffer, end])
        appendRecord(writer, id, key, Buffer.alloc(0))
        expected.set(`${id} ${key.toString('hex')}`, { id, key })
      }
      const table = new RecordTable()
      table.add(writer.view())
      const cursor = table.cursor()
      const walked: string[] = []
      while (cursor.next()) walked.push(`${cursor.collection} ${cursor.bytes.toString('hex', cursor.keyStart, cursor.keyEnd)}`)
      const order = [...expected].sort(([, a], [, b]) => a.id - b.id || Buffer.compare(a.key, b.key))
      assert.deepEqual(
        walked,
        order.map(([name]) => name),
      )
    }),
    { numRuns: 300 },
  )
})

const rotated = (word: number, by: number): number => (word << by) | (word >>> (32 - by))
const [ONE, TWO] = [0xcc9e2d51, 0x1b873593]
const scramble = (word: number): number => Math.imul(rotated(Math.imul(word, ONE), 15), TWO)

/** What scramble makes `word` of. */
function unscramble(word: number): number {
  const inverse = (of: number): number => {
    let found = of
    for (let step = 0; step < 5; step++) found = Math.imul(found, 2 - Math.imul(of, found))
    return found
  }
  return Math.imul(rotated(Math.imul(word, inverse(TWO)), 17), inverse(ONE))
}

/** 2^stages keys of one hash in collection 1: each stage has two ways from one state of the hash to the next. */
function colliding(stages: number): Buffer[] {
  const step = (state: number, word: number): number => (Math.imul(rotated(state ^ scramble(word), 13), 5) + 0xe6546b64) | 0
  let keys = [Buffer.alloc(0)]
  let state = Math.imul(1, 0x9e3779b1) | 0
  for (let stage = 0; stage < stages; stage++) {
    const [one, other] = [step(state, 1), step(state, 2)]
    const ways = [
      [1, 7],
      [2, unscramble(one ^ other ^ scramble(7))],
    ].map(words => Buffer.from(Int32Array.from(words).buffer))
    keys = keys.flatMap(key => ways.map(way => Buffer.concat([key, way])))
    state = step(one, 7)
  }
  return keys
}

/** Blocks of so many records, written by `write` one by one. */
function* blocksOf(keys: readonly Buffer[], records: number, textOf: (at: number) => string | undefined): Generator<Buffer> {
  for (let from = 0; from < keys.length; from += records) {
    const writer = new ByteWriter(64)
    for (const [at, key] of keys.slice(from, from + records).entries()) {
      const value = textOf(from + at)
      appendRecord(writer, 1, key, value === undefined ? undefined : Buffer.from(value))
    }
    yield writer.view()
  }
}

for (const bulk of [false, true]) {
  test(`keys that were chosen to collide are found in a Map, and all is as it was${bulk ? ', added in bulk' : ''}`, () => {
    const keys = colliding(13)
    assert.equal(new Set(keys.map(key => hashPlace(1, key))).size, 1)
    const table = new RecordTable({ bulk })
    const asked = keys.slice(0, 4096)
    for (const bytes of blocksOf(asked, 100, at => `${at}`)) table.add(bytes)
    assert.ok(table.crowded)
    for (const bytes of blocksOf(asked, 500, at => (at % 3 === 0 ? undefined : at % 3 === 1 ? `new ${at}` : `${at}`))) table.add(bytes)
    assert.deepEqual([table.records, table.tombstones], [4096, 1366])
    const said = (key: Buffer): string | false | undefined => {
      const found = table.find(1, key, hashPlace(1, key))
      assert.equal(table.mayHave(1, key, hashPlace(1, key)), found !== undefined)
      return found === undefined ? undefined : found.put && found.bytes.toString('latin1', found.start, found.end)
    }
    for (const [at, key] of keys.entries()) {
      assert.equal(said(key), at >= 4096 ? undefined : at % 3 === 0 ? false : at % 3 === 1 ? `new ${at}` : `${at}`)
    }
    assert.equal(table.find(2, keys[1] as Buffer, hashPlace(1, keys[1] as Buffer)), undefined)
    const order = asked.toSorted(Buffer.compare)
    let walked = 0
    for (const cursor = table.cursor(); cursor.next(); walked++) {
      assert.ok(order[walked]?.equals(cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd)))
    }
    assert.equal(walked, 4096)
  })

  test(`a few keys of one hash, and many of any, need no Map${bulk ? ', added in bulk' : ''}`, () => {
    const table = new RecordTable({ bulk })
    const keys = [...colliding(4), ...Array.from({ length: 200_000 }, (_, at) => Buffer.from(`user ${at}`))]
    for (const bytes of blocksOf(keys, 2000, at => `${at}`)) table.add(bytes)
    assert.equal(table.records, keys.length)
    assert.ok(!table.crowded)
    for (const key of colliding(5)) assert.equal(table.find(1, key, hashPlace(1, key)), undefined)
    for (const [at, key] of keys.entries()) {
      if (at % 97 !== 0) continue
      const found = table.find(1, key, hashPlace(1, key))
      assert.equal(found?.bytes.toString('latin1', found.start, found.end), `${at}`)
    }
  })
}
