import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SegmentBlockReader } from '../format/index.ts'
import { BlockBuilder, type ClosedBlock } from './block-builder.ts'

test('a large record takes its block alone, once: it is not copied into twice the room for the offsets behind it', () => {
  const valueBytes = 8 * 1024 * 1024
  const bytes = Buffer.alloc(2 + valueBytes, 'value')
  const record = { collection: 0xffff_ffff, put: true, bytes, keyStart: 0, keyEnd: 2, start: 2, end: bytes.length }
  const builder = new BlockBuilder()
  bytes.write('k0')
  assert.equal(builder.add({ ...record, end: 7 }), undefined)
  const closed: (ClosedBlock | undefined)[] = []
  for (const key of ['k1', 'k2']) {
    bytes.write(key)
    closed.push(builder.add(record))
  }
  closed.push(builder.end())
  for (const [at, block] of closed.entries()) {
    assert.ok(block)
    const reader = new SegmentBlockReader(block.raw)
    const found = reader.find(record.collection, Buffer.from(`k${at}`))
    assert.ok(found)
    assert.equal(found.valueEnd - found.valueStart, at === 0 ? 5 : valueBytes)
    if (at > 0)
      assert.ok(block.raw.buffer.byteLength < block.raw.length + 100, `${block.raw.buffer.byteLength} bytes for ${block.raw.length}`)
  }
})

test('keys that are long, and alike for most of it, are told apart by all of it', () => {
  const record = (key: string) => {
    const bytes = Buffer.from(`${key}${'v'.repeat(500)}`)
    return { collection: 1, put: true, bytes, keyStart: 0, keyEnd: key.length, start: key.length, end: bytes.length }
  }
  const alike = 'k'.repeat(700)
  const builder = new BlockBuilder(1200)
  assert.equal(builder.add(record(`${alike}a`)), undefined)
  const between: (string | undefined)[] = []
  const note = (closed: ClosedBlock | undefined): void => void between.push(closed?.between.toString('latin1', 0, closed.betweenEnd))
  note(builder.add(record(`${alike}bb`)))
  assert.throws(() => builder.add(record(`${alike}ba`)), { code: 'TIDEMARK_BUG' })
  note(builder.add(record(`${alike}c`)))
  note(builder.end())
  assert.deepEqual(between, ['', `${alike}b`, `${alike}c`])
  const { first, last } = builder.facts()
  assert.deepEqual(
    [first.key, last.key].map(key => Buffer.from(key, 'hex').toString('latin1')),
    [`${alike}a`, `${alike}c`],
  )
})
