import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from '../base/errors.ts'
import { SegmentIndex, SegmentIndexWriter } from './segment-description.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

const BLOCK_BYTES = 100
const COUNT = 20
const END = SEGMENT_HEADER_BYTES + COUNT * BLOCK_BYTES

function indexBytes(): Buffer {
  const writer = new SegmentIndexWriter()
  for (let at = 0; at < COUNT; at++) {
    const key = Buffer.from(`key ${at + 10}`)
    writer.add(SEGMENT_HEADER_BYTES + at * BLOCK_BYTES, 1, key, key.length)
  }
  return writer.encode()
}

test('an index finds the block of a place', () => {
  const index = new SegmentIndex(indexBytes(), END)
  index.check()
  for (let at = 0; at < COUNT; at++) {
    assert.equal(index.find(1, Buffer.from(`key ${at + 10}x`)), at)
    assert.equal(index.length(at), BLOCK_BYTES)
  }
  assert.equal(index.find(0, Buffer.from('key 10')), -1)
})

test('an index that is out of order or of bounds is said to be damaged as a whole, and where it is used', () => {
  const isDamage = (error: unknown): boolean => hasCode(error, 'TIDEMARK_VALUE_DAMAGED')
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff), fc.nat(COUNT - 1), (where, value, block) => {
      const bytes = indexBytes()
      // Behind the count and the first entry, which says where all begins.
      const words = 2 * COUNT - 2
      bytes.writeUInt32LE(value, 12 + 4 * (where % words))
      const index = new SegmentIndex(bytes, END)
      assert.throws(() => index.check(), isDamage)
      const use = (fn: () => unknown): void => {
        try {
          fn()
        } catch (error) {
          if (!isDamage(error)) throw error
        }
      }
      use(() => index.find(1, Buffer.from(`key ${block + 10}`)))
      use(() => {
        const length = index.length(block)
        assert.ok(length > 0 && index.offset(block) >= SEGMENT_HEADER_BYTES && index.offset(block) + length <= END)
      })
    }),
  )
})
