import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { hasCode } from '../base/errors.ts'
import { appendRecord, hashPlace } from '../format/index.ts'
import type { Found, Layer } from '../segment/index.ts'
import { RecordTable } from './table.ts'
import { TailTable } from './tail-table.ts'

interface Write {
  readonly collection: number
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

function block(writes: readonly Write[]): Buffer {
  const writer = new ByteWriter(64)
  for (const { collection, key, value } of writes) appendRecord(writer, collection, key, value)
  return writer.view()
}

function shown(found: Found | undefined): unknown {
  return found && [found.put, found.bytes.toString('hex', found.start, found.end)]
}

function walked(table: Layer): string[] {
  const all: string[] = []
  for (const cursor = table.cursor(); cursor.next(); ) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    all.push([collection, put, bytes.toString('hex', keyStart, keyEnd), bytes.toString('hex', start, end)].join())
  }
  return all
}

// Few bytes, so that places stand in values, too, and keys in keys.
const bytes = (maxLength: number) => fc.array(fc.constantFrom(0, 1, 2), { maxLength }).map(list => Uint8Array.from(list))
const write: fc.Arbitrary<Write> = fc.record({
  collection: fc.constantFrom(0, 1, 2, 300),
  key: bytes(3),
  value: fc.option(bytes(24), { nil: undefined }),
})
/** With a record that makes it too large to be checked by compiled code. */
const LARGE: Write = { collection: 2, key: Uint8Array.from([2, 2]), value: Buffer.alloc(200_000, 7) }
type Step = { readonly add: readonly Write[] } | { readonly look: Write } | 'settle' | 'sort'
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.array(write, { maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.array(write, { maxLength: 3 }).map(list => ({ add: [LARGE, ...list] })) },
  { weight: 4, arbitrary: fc.record({ look: write }) },
  { weight: 4, arbitrary: fc.constantFrom<Step>('settle', 'sort') },
)

test('it answers at every moment as a table that holds all at once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const [plain, late] = [new RecordTable(), new TailTable()]
      for (const one of steps) {
        if (one === 'settle') late.settleSome()
        else if (one === 'sort') late.sortSome(1)
        else if ('add' in one) for (const table of [plain, late]) table.add(block(one.add))
        else {
          const { collection, key } = one.look
          const hash = hashPlace(collection, key)
          assert.deepEqual(shown(late.find(collection, key, hash)), shown(plain.find(collection, key, hash)))
          assert.equal(late.mayHave(collection, key, hash), plain.mayHave(collection, key, hash))
        }
        assert.equal(late.isEmpty, plain.records === 0)
        assert.equal(late.rawBytes, plain.rawBytes)
        assert.equal(late.highestId, plain.highestId)
      }
      const counts = [new Map<number, number>(), new Map<number, number>()] as const
      plain.countPuts(counts[0])
      late.countPuts(counts[1])
      assert.deepEqual(counts[1], counts[0])
      assert.equal(late.records, plain.records)
      assert.deepEqual(walked(late), walked(plain))
    }),
    { numRuns: 600 },
  )
})

const put = (key: string, value: string): Write => ({ collection: 1, key: Buffer.from(key), value: Buffer.from(value) })
const look = (table: Layer, key: string): unknown => shown(table.find(1, Buffer.from(key), hashPlace(1, Buffer.from(key))))

test('blocks wait for a few look-ups, then all of them are in the table', () => {
  const table = new TailTable()
  for (let at = 0; at < 5; at++) table.add(block([put(`key ${at}`, 'one'), put('key', `${at}`)]))
  for (let at = 0; at < 4; at++) assert.deepEqual(look(table, 'key'), [true, Buffer.from('4').toString('hex')])
  // Five wait: the first of these steps takes one of them.
  assert.equal(table.settleSome(), false)
  assert.deepEqual(look(table, 'key'), [true, Buffer.from('4').toString('hex')])
  assert.equal(table.settleSome(), true)
  assert.equal(table.records, 6)
})

test('no more waits than a look-up can search', () => {
  const table = new TailTable()
  const large = 'x'.repeat(100_000)
  for (let at = 0; at < 200; at++) table.add(block([put(`key ${at}`, large)]))
  let steps = 1
  while (!table.settleSome()) steps++
  assert.ok(steps < 90, `${steps} blocks of 100 kB waited`)
  assert.equal(table.records, 200)
  const small = new TailTable()
  for (let at = 0; at < 100; at++) small.add(block(Array.from({ length: 2000 }, (_, one) => put(`${at} ${one}`, ''))))
  for (steps = 1; !small.settleSome(); ) steps++
  assert.ok(steps <= 40, `${steps} blocks of 2,000 records waited`)
  assert.equal(small.records, 200_000)
})

test('a block that is too large to wait comes behind those that wait', () => {
  const table = new TailTable()
  const long = 'x'.repeat(200_000)
  table.add(block([put('k', 'old'), put('other', '1')]))
  table.add(block([put('k', long)]))
  table.add(block([put('other', '2')]))
  assert.deepEqual(look(table, 'k'), [true, Buffer.from(long).toString('hex')])
  assert.deepEqual(look(table, 'other'), [true, '32'])
})

test('a block for which there is no memory goes on waiting', t => {
  const table = new TailTable()
  table.add(block([put('a', '1')]))
  const add = t.mock.method(RecordTable.prototype, 'add', () => {
    throw new RangeError('Array buffer allocation failed')
  })
  assert.throws(() => table.settleSome(), RangeError)
  assert.deepEqual(look(table, 'a'), [true, '31'])
  add.mock.restore()
  assert.equal(table.settleSome(), true)
  assert.deepEqual(look(table, 'a'), [true, '31'])
  assert.equal(table.records, 1)
})

test('while there is no memory, or no stack, to put what waits into the table it is searched, and each look-up tries again', t => {
  const table = new TailTable()
  table.add(block([put('a', '1'), put('b', '1')]))
  table.add(block([put('a', '2')]))
  for (let at = 0; at < 4; at++) look(table, 'a')
  let failure: Error = new RangeError('Array buffer allocation failed')
  const add = t.mock.method(RecordTable.prototype, 'add', () => {
    throw failure
  })
  const found = (): unknown[] => [look(table, 'a'), look(table, 'b'), look(table, 'c')]
  assert.deepEqual(found(), [[true, '32'], [true, '31'], undefined])
  assert.equal(table.mayHave(1, Buffer.from('b'), hashPlace(1, Buffer.from('b'))), true)
  failure = new RangeError('Maximum call stack size exceeded')
  assert.deepEqual(found(), [[true, '32'], [true, '31'], undefined])
  assert.equal(add.mock.callCount(), 7)
  failure = new TypeError('a defect')
  assert.throws(() => look(table, 'a'), failure)
  add.mock.restore()
  assert.deepEqual(found(), [[true, '32'], [true, '31'], undefined])
  assert.equal(table.settleSome(), true)
})

test('what is no record is refused when it comes, and what came before it stays', () => {
  const table = new TailTable()
  table.add(block([put('a', '1')]))
  const bytes = block([put('b', '2'), put('c', '3')])
  bytes[bytes.length - 2] = 200
  const damaged = Buffer.concat([bytes, Buffer.from([7])])
  assert.throws(
    () => table.add(damaged),
    error => hasCode(error, 'TIDEMARK_VALUE_DAMAGED') || hasCode(error, 'TIDEMARK_FORMAT_NEWER'),
  )
  assert.deepEqual(look(table, 'a'), [true, '31'])
})
