import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from '../base/errors.ts'
import { ORDER_KEY_BYTES_MAX, ORDER_PLACES_MAX } from '../base/limits.ts'
import { decodeTouchOrder, ORDER_FILE_BYTES_MAX, type TouchedPlace, TouchOrderEncoder } from './touch-order.ts'

const place = fc.record({
  collection: fc.nat(0xffffffff),
  key: fc.uint8Array({ maxLength: ORDER_KEY_BYTES_MAX }),
  cut: fc.boolean(),
})

/** What is decoded is what was encoded, or the damage is told; nothing else is thrown. */
function decodes(bytes: Buffer): readonly TouchedPlace[] | undefined {
  try {
    return [...decodeTouchOrder(bytes)]
  } catch (error) {
    assert.ok(hasCode(error, 'TIDEMARK_VALUE_DAMAGED'), String(error))
    return undefined
  }
}

function encodeTouchOrder(places: readonly TouchedPlace[]): Buffer {
  const encoder = new TouchOrderEncoder()
  for (const one of places) encoder.add(one)
  return Buffer.from(encoder.end())
}

const plain = (places: readonly TouchedPlace[]): unknown => places.map(one => ({ ...one, key: [...one.key] }))

test('an order is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(place, { maxLength: 40 }), places => {
      assert.deepEqual(plain([...decodeTouchOrder(encodeTouchOrder(places))]), plain(places))
    }),
  )
})

test('the largest order has the largest size', () => {
  const largest = { collection: 1, key: new Uint8Array(ORDER_KEY_BYTES_MAX).fill(7), cut: true }
  const bytes = encodeTouchOrder(Array(ORDER_PLACES_MAX).fill(largest))
  assert.equal(bytes.length, ORDER_FILE_BYTES_MAX)
  assert.equal([...decodeTouchOrder(bytes)].length, ORDER_PLACES_MAX)
  assert.throws(() => encodeTouchOrder(Array(ORDER_PLACES_MAX + 1).fill(largest)), { code: 'TIDEMARK_BUG' })
})

test('the bytes are these', () => {
  const bytes = encodeTouchOrder([
    { collection: 3, key: Buffer.from('0a'), cut: false },
    { collection: 258, key: Buffer.from('b'), cut: true },
  ])
  assert.equal(bytes.toString('hex', 0, 20), `746964656f72640a${'0100'}${'1800'}${'02000000'}${'0d000000'}`)
  assert.equal(bytes.toString('hex', 24), `${'03000000'}${'02'}${'3061'}${'02010000'}${'81'}${'62'}`)
})

test('any bit that flips, any end that is missing and any bytes behind are damage', () => {
  const bytes = encodeTouchOrder([
    { collection: 1, key: Buffer.from('one'), cut: false },
    { collection: 2, key: Buffer.from('other'), cut: true },
  ])
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(decodes(flipped), undefined, `bit ${bit}`)
  }
  for (let length = 0; length < bytes.length; length++) assert.equal(decodes(bytes.subarray(0, length)), undefined)
  assert.equal(decodes(Buffer.concat([bytes, Buffer.alloc(1)])), undefined)
})

test('any bytes are places or damage', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodes(Buffer.from(bytes))))
  const whole = encodeTouchOrder([{ collection: 1, key: Buffer.from('one'), cut: false }])
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.uint8Array({ maxLength: 20 }), (at, bytes) => {
      const changed = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at)])
      const places = decodes(changed)
      if (places !== undefined) assert.ok(changed.equals(encodeTouchOrder(places)))
    }),
  )
})
