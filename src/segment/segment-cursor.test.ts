import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { appendRecord, SEGMENT_OFFSET_BYTES, type SegmentIndex } from '../format/index.ts'
import { SegmentCursor } from './segment-cursor.ts'

test('a walk that met a damaged record meets it again at the next step', () => {
  const writer = new ByteWriter()
  const offsets = ['a', 'b', 'c'].map(key => {
    const at = writer.length
    appendRecord(writer, 1, Buffer.from(key), Buffer.from('value'))
    return at
  })
  // The second record begins where the offsets do.
  offsets[1] = writer.length
  const tail = Buffer.alloc(offsets.length * SEGMENT_OFFSET_BYTES + 2)
  offsets.forEach((offset, index) => void tail.writeUInt16LE(offset, index * SEGMENT_OFFSET_BYTES))
  tail.writeUInt16LE(offsets.length, tail.length - 2)
  const raw = Buffer.concat([writer.view(), tail])
  const damage = new Error('damaged')
  const cursor = new SegmentCursor(
    { index: { count: 1 } as SegmentIndex, endsBefore: () => false, raw: () => raw, failed: () => damage },
    {},
  )
  assert.ok(cursor.next())
  for (let step = 0; step < 3; step++) assert.throws(() => cursor.next(), damage)
})
