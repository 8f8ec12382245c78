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

test('a table holds the last word on every place, in order', () => {
  const place = fc.option(fc.record({ collection: fc.integer({ min: 0, max: 4 }), key: fc.stringMatching(/^[ab]{0,5}$/) }))
  fc.assert(
    fc.property(fc.array(fc.array(write, { maxLength: 30 }), { maxLength: 8 }), place, place, fc.nat(400), (blocks, from, to, moves) => {
      const table = new RecordTable()
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
  assert.ok(steps > 50, `${steps} steps`)
  const walked = walk(stepwise.cursor())
  assert.deepEqual(walked, walk(atOnce.cursor()))
  assert.equal(walked.length, count)
  for (let at = 0; at < count; at++) assert.equal(find(atOnce, 1, `k${(at * 7919) % count}`), `${at}`)
})

test('bytes that are no records are refused', () => {
  const table = new RecordTable()
  assert.throws(() => table.add(Buffer.from([1, 1, 200, 0, 0, 0])), { code: 'TIDEMARK_VALUE_DAMAGED' })
})
