/** Where the service's own recursion ends the stack inside a read, and is caught, later reads find what is there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../src/base/bytes.ts'
import { loadPrebuiltZstd, openCompress, openDecompress } from '../src/format/compress.ts'
import { COMPRESSION_ZSTD } from '../src/format/frame.ts'
import { appendRecord, hashPlace } from '../src/format/index.ts'
import { decodeZstdBlock } from '../src/format/zstd-block.ts'
import { RecordTable } from '../src/image/table.ts'
import { TailTable } from '../src/image/tail-table.ts'
import type { Layer } from '../src/segment/index.ts'
import { atStackEnd } from './support/stack-end.ts'

interface Write {
  readonly key: string
  readonly value: string | undefined
}

function block(writes: readonly Write[]): Buffer {
  const writer = new ByteWriter(64)
  for (const { key, value } of writes) appendRecord(writer, 1, Buffer.from(key), value === undefined ? undefined : Buffer.from(value))
  return writer.view()
}

function walked(table: Layer): Write[] {
  const all: Write[] = []
  for (const cursor = table.cursor(); cursor.next(); ) {
    const { put, bytes, keyStart, keyEnd, start, end } = cursor
    all.push({ key: bytes.toString('latin1', keyStart, keyEnd), value: put ? bytes.toString('latin1', start, end) : undefined })
  }
  return all
}

function look(table: Layer, key: string): string | undefined {
  const found = table.find(1, Buffer.from(key), hashPlace(1, Buffer.from(key)))
  return found?.bytes.toString('latin1', found.start, found.end)
}

test('where the stack ends in the look for the addon, it is not told as one that is not there', () => {
  let [ended, missing] = [0, 0]
  atStackEnd(() => {
    try {
      if (loadPrebuiltZstd() === undefined) missing++
    } catch (error) {
      ended++
      throw error
    }
  }, 2)
  assert.ok(ended > 0)
  assert.equal(missing, 0)
})

test('where the stack ends in the decoder of zstd, that is thrown, and the frame is not told as damaged', async () => {
  const raw = Buffer.from(Array.from({ length: 2000 }, (_, at) => `${at % 977} of ${at}`).join())
  const { id, payload } = (await openCompress('zstd'))(raw)
  assert.equal(id, COMPRESSION_ZSTD)
  const decompress = await openDecompress(id)
  const judged: unknown[] = []
  let ended = 0
  for (const decode of [decodeZstdBlock, decompress]) {
    atStackEnd(() => {
      try {
        const back = decode(payload as Buffer, raw.length)
        if (typeof back === 'string') judged.push(back)
      } catch (error) {
        if ((error as Error).name === 'RangeError') ended++
        else judged.push(error)
        throw error
      }
    }, 4)
    assert.ok(decompress(payload as Buffer, raw.length).equals(raw))
  }
  assert.ok(ended > 0)
  assert.deepEqual(judged, [])
})

test('a block of the tail of the log in which the stack ended goes on waiting, and nothing of it is lost or counted twice', () => {
  const [plain, table] = [new RecordTable(), new TailTable()]
  for (let at = 0; at < 2000; at++) {
    // The last of each is looked up in the block before.
    const bytes = block([
      { key: `key ${at}`, value: `${at}` },
      { key: `gone ${at}`, value: undefined },
      { key: 'key', value: `${at}` },
    ])
    for (const one of [plain, table]) one.add(bytes)
  }
  let ended = 0
  atStackEnd(() => {
    try {
      table.settleSome()
    } catch (error) {
      ended++
      throw error
    }
  }, 6)
  assert.ok(ended > 0)
  assert.equal(table.records, plain.records)
  assert.equal(table.rawBytes, plain.rawBytes)
  assert.deepEqual(walked(table), walked(plain))
  for (let at = 0; at < 2000; at++) assert.deepEqual(look(table, `key ${at}`), look(plain, `key ${at}`))
})

test('a sort of a table in which the stack ended is begun anew', () => {
  const writes = Array.from({ length: 20 }, (_, at) => ({ key: `k${(at * 7) % 20}`, value: `${at}` }))
  const bytes = block(writes)
  const tables = Array.from({ length: 1000 }, () => new RecordTable())
  for (const table of tables) table.add(bytes)
  let [at, ended] = [0, 0]
  atStackEnd(() => {
    try {
      tables[at++]?.sortSome(1000)
    } catch (error) {
      ended++
      throw error
    }
  }, 2)
  assert.ok(ended > 0)
  const expected = writes.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  for (const table of tables) assert.deepEqual(walked(table), expected)
})
