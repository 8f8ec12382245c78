import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { hasCode } from '../base/errors.ts'
import { appendRecord, hashPlace } from '../format/index.ts'
import { ADD_BLOCK } from './add-block.ts'
import { BulkColumns } from './bulk-columns.ts'
import { RecordTable } from './table.ts'

interface Write {
  readonly collection: number
  readonly key: Uint8Array
  readonly valueBytes: number | undefined
}

function block(writes: readonly Write[]): Buffer {
  const writer = new ByteWriter(64)
  for (const { collection, key, valueBytes } of writes) {
    appendRecord(writer, collection, key, valueBytes === undefined ? undefined : Buffer.alloc(valueBytes, collection))
  }
  return writer.view()
}

/** All that a table says of itself and of these places. */
function said(table: RecordTable, writes: readonly Write[]): unknown {
  const walked: string[] = []
  for (const cursor = table.cursor(); cursor.next(); ) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    walked.push([collection, put, bytes.toString('hex', keyStart, keyEnd), bytes.toString('hex', start, end)].join())
  }
  const found = writes.map(({ collection, key }) => {
    const one = table.find(collection, key, hashPlace(collection, key))
    return one && [one.put, one.bytes.toString('hex', one.start, one.end)]
  })
  const { records, tombstones, rawBytes, highestId } = table
  return { records, tombstones, rawBytes, highestId, walked, found }
}

function addTo(table: RecordTable, bytes: Buffer): unknown {
  try {
    table.add(bytes)
    return undefined
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_VALUE_DAMAGED') || hasCode(error, 'TIDEMARK_FORMAT_NEWER')) return (error as Error).message
    throw error
  }
}

const write = fc.record({
  collection: fc.constantFrom(0, 1, 2, 127, 128, 16384, 0x0fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  key: fc.uint8Array({ maxLength: 9, max: 2 }),
  valueBytes: fc.option(fc.constantFrom(0, 1, 5, 300), { nil: undefined }),
})
const blocks = fc.array(fc.array(write, { maxLength: 40 }), { maxLength: 5 })

test('here the columns are those of compiled code, or the tests below would show nothing', () => {
  assert.equal(BulkColumns.open(1024, () => false)?.room, 1024)
})

test('what is added in bulk is what is added one by one', () => {
  fc.assert(
    fc.property(blocks, fc.nat(60), (lists, expected) => {
      const [plain, bulk] = [new RecordTable(), new RecordTable({ bulk: true })]
      bulk.expect(expected)
      for (const list of lists) for (const table of [plain, bulk]) table.add(block(list))
      assert.deepEqual(said(bulk, lists.flat()), said(plain, lists.flat()))
    }),
    { numRuns: 500 },
  )
})

test('bytes that are damaged anywhere are refused alike, and what came before them is there', () => {
  fc.assert(
    fc.property(blocks, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }), fc.boolean(), (lists, flips, cut) => {
      const [plain, bulk] = [new RecordTable(), new RecordTable({ bulk: true })]
      for (const [at, list] of lists.entries()) {
        let bytes = block(list)
        if (at === lists.length - 2 && bytes.length > 0) {
          for (const [place, value] of flips) bytes[place % bytes.length] = value
          if (cut) bytes = bytes.subarray(0, (flips[0] as [number, number])[0] % bytes.length)
        }
        assert.deepEqual(addTo(bulk, bytes), addTo(plain, bytes))
      }
      const all = lists.flat()
      assert.deepEqual(said(bulk, all), said(plain, all))
    }),
    { numRuns: 2000 },
  )
})

test('what is in the columns is counted, too, where adding a block threw', () => {
  let throws = true
  const columns = BulkColumns.open(1024, () => {
    if (throws) throw new RangeError('Maximum call stack size exceeded')
    return true
  })
  assert.ok(columns)
  const tally = { records: 0, tombstones: 0, highestId: 0 }
  const [a, b, gone] = ['a', 'b', 'gone'].map(key => Buffer.from(key)) as [Buffer, Buffer, Buffer]
  assert.ok(columns.add(block([{ collection: 1, key: a, valueBytes: 1 }]), 0, tally, 128))
  const second = block([
    { collection: 3, key: b, valueBytes: 1 },
    { collection: 1, key: gone, valueBytes: undefined },
    { collection: 1, key: a, valueBytes: undefined },
  ])
  assert.throws(() => columns.add(second, 1, tally, 128), RangeError)
  assert.deepEqual(tally, { records: 3, tombstones: 1, highestId: 3 })
  throws = false
  assert.ok(columns.add(second, 2, tally, 128))
  assert.deepEqual(tally, { records: 3, tombstones: 2, highestId: 3 })
})

test('it grows with what comes, small records and blocks too large for it among them', () => {
  const lists: Write[][] = Array.from({ length: 30 }, (_, at) => {
    const count = at % 7 === 3 ? 3 : 3000
    return Array.from({ length: count }, (_, one) => ({
      collection: 1 + (one % 3),
      key: Buffer.from(`${(at * 2500 + one * 7) % 40_000}`),
      valueBytes: one % 11 === 0 ? undefined : count === 3 ? 60_000 : one % 40,
    }))
  })
  const [plain, bulk] = [new RecordTable(), new RecordTable({ bulk: true })]
  for (const list of lists) for (const table of [plain, bulk]) table.add(block(list))
  assert.ok(plain.records > 20_000)
  assert.deepEqual(said(bulk, lists.flat()), said(plain, lists.flat()))
})

test('where there is no WebAssembly it is the same', async () => {
  const code = `
    import { RecordTable } from ${JSON.stringify(join(import.meta.dirname, 'table.js'))}
    const table = new RecordTable({ bulk: true })
    table.expect(5)
    table.add(Buffer.from(${JSON.stringify([...block([{ collection: 7, key: Buffer.from('k'), valueBytes: 3 }])])}))
    console.log(typeof WebAssembly, table.records, table.highestId)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--jitless', '--no-warnings', '--input-type=module', '-e', code])
  assert.equal(stdout.trim(), 'undefined 1 7')
})

test('the code is what its text says', async () => {
  const { watModule } = (await import(join(import.meta.dirname, '..', '..', '..', 'scripts', 'wat.mjs'))) as {
    watModule(name: string): Promise<string>
  }
  assert.equal(/\[([^\]]*)\]/.exec(await watModule('ADD_BLOCK'))?.[1]?.replace(/[\s',]/g, ''), ADD_BLOCK)
})
