import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
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

const HEADER_BYTES = 24
const COUNT_AT = 12
const LENGTH_AT = 16
const CHECKSUM_AT = 20

/** Its length and its checksum are right. */
function sealed(bytes: Buffer, count = bytes.readUInt32LE(COUNT_AT)): Buffer {
  bytes.writeUInt32LE(count, COUNT_AT)
  bytes.writeUInt32LE(bytes.length - HEADER_BYTES, LENGTH_AT)
  return withChecksum(bytes)
}

function withChecksum(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CHECKSUM_AT))), CHECKSUM_AT)
  return bytes
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

test('what is out of bounds under a right length and checksum is damage', () => {
  const places = encodeTouchOrder([
    { collection: 1, key: Buffer.from('one'), cut: false },
    { collection: 2, key: Buffer.alloc(ORDER_KEY_BYTES_MAX, 7), cut: true },
  ])
  const changed = (change: (bytes: Buffer) => Buffer | undefined): Buffer => {
    const bytes = Buffer.from(places)
    return sealed(change(bytes) ?? bytes)
  }
  assert.equal(decodes(changed(() => undefined))?.length, 2)
  const told = (bytes: Buffer, message: RegExp): void => {
    assert.throws(() => decodeTouchOrder(bytes), { code: 'TIDEMARK_VALUE_DAMAGED', message })
  }
  for (const [at, what] of [
    [0, 'magic'],
    [8, 'version'],
    [10, 'length of the header'],
  ] as const) {
    const bytes = changed(raw => void raw.writeUInt8((raw[at] as number) + 1, at))
    assert.throws(() => decodeTouchOrder(bytes), { message: 'no order of version 1' }, what)
  }
  const most = new Array<TouchedPlace>(ORDER_PLACES_MAX).fill({ collection: 1, key: new Uint8Array(), cut: false })
  const full = encodeTouchOrder(most)
  assert.equal(decodes(sealed(Buffer.from(full)))?.length, ORDER_PLACES_MAX)
  const more = Buffer.concat([full, Buffer.from([1, 0, 0, 0, 0])])
  more.writeUInt32LE(ORDER_PLACES_MAX + 1, COUNT_AT)
  told(sealed(more), new RegExp(`^${ORDER_PLACES_MAX + 1} places$`))
  // The second place begins behind the header, five bytes, and a key of three.
  const longer = changed(bytes => {
    bytes[24 + 8 + 4] = ORDER_KEY_BYTES_MAX + 1
    return Buffer.concat([bytes, Buffer.alloc(1)])
  })
  told(longer, new RegExp(`^${ORDER_KEY_BYTES_MAX + 1} bytes of a key$`))
  for (const count of [0, 1, 3, ORDER_PLACES_MAX])
    told(
      changed(bytes => void bytes.writeUInt32LE(count, COUNT_AT)),
      /end elsewhere/,
    )
  told(
    changed(bytes => bytes.subarray(0, -1)),
    /end elsewhere/,
  )
  told(
    changed(bytes => Buffer.concat([bytes, Buffer.alloc(1)])),
    /end elsewhere/,
  )
  const byLength = changed(() => undefined)
  byLength.writeUInt32LE(byLength.length, LENGTH_AT)
  told(withChecksum(byLength), /does not verify/)
})

test('any bytes are places or damage, also under a right length and checksum', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodes(Buffer.from(bytes))))
  const whole = encodeTouchOrder([
    { collection: 1, key: Buffer.from('one'), cut: false },
    { collection: 2, key: Buffer.from('other'), cut: true },
  ])
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(8), fc.uint8Array({ maxLength: 20 }), (at, gone, bytes) => {
      const changed = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + gone)])
      for (const one of changed.length < HEADER_BYTES ? [changed] : [changed, sealed(changed)]) {
        const places = decodes(one)
        if (places !== undefined) assert.ok(one.equals(encodeTouchOrder(places)))
      }
    }),
    { numRuns: 2000 },
  )
  const content = fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(content, ([count, bytes]) => {
      const order = sealed(Buffer.concat([whole.subarray(0, HEADER_BYTES), bytes]), count)
      const places = decodes(order)
      if (places !== undefined) assert.ok(order.equals(encodeTouchOrder(places)))
    }),
    { numRuns: 2000 },
  )
})
