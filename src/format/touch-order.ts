/**
 * The file of touched places: where the last run read and wrote. Byte table: docs/format/order.md.
 *
 * Does: encodes and checks it. Owns nothing. Invariants: no more than ORDER_PLACES_MAX places, of ORDER_KEY_BYTES_MAX bytes of the key each;
 * any bytes give the places that were written or TIDEMARK_VALUE_DAMAGED. Nothing rests on what it says but an order of reading.
 */
import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { ORDER_KEY_BYTES_MAX, ORDER_PLACES_MAX } from '../base/limits.ts'

export interface TouchedPlace {
  readonly collection: number
  /** Encoded; of a longer key the beginning. */
  readonly key: Uint8Array
  readonly cut: boolean
}

const MAGIC = Buffer.from('tideord\n')
const VERSION = 1
const HEADER_BYTES = 24
const CHECKSUM_AT = 20
const PLACE_BYTES = 5
const CUT = 0x80

export const ORDER_FILE_BYTES_MAX = HEADER_BYTES + ORDER_PLACES_MAX * (PLACE_BYTES + ORDER_KEY_BYTES_MAX)

export function encodeTouchOrder(places: readonly TouchedPlace[]): Buffer {
  const writer = new ByteWriter(HEADER_BYTES + places.length * 2 * PLACE_BYTES)
  writer.raw(MAGIC)
  writer.u16(VERSION)
  writer.u16(HEADER_BYTES)
  writer.u32(places.length)
  writer.u32(0)
  writer.u32(0)
  for (const { collection, key, cut } of places) {
    writer.u32(collection)
    writer.u8(key.length | (cut ? CUT : 0))
    writer.raw(key)
  }
  const bytes = writer.view()
  bytes.writeUInt32LE(bytes.length - HEADER_BYTES, CHECKSUM_AT - 4)
  bytes.writeUInt32LE(checksum(bytes), CHECKSUM_AT)
  return bytes
}

/** Throws TIDEMARK_VALUE_DAMAGED for anything that `encodeTouchOrder` does not write, a later version too. */
export function decodeTouchOrder(bytes: Buffer): readonly TouchedPlace[] {
  const reader = new ByteReader(bytes)
  const magic = reader.raw(MAGIC.length)
  if (!MAGIC.equals(magic) || reader.u16() !== VERSION || reader.u16() !== HEADER_BYTES) throw damaged('no order of version 1')
  const count = reader.u32()
  if (count > ORDER_PLACES_MAX) throw damaged(`${count} places`)
  if (reader.u32() !== bytes.length - HEADER_BYTES || reader.u32() !== checksum(bytes)) throw damaged('an order that does not verify')
  const places: TouchedPlace[] = []
  while (places.length < count) {
    const collection = reader.u32()
    const size = reader.u8()
    const length = size & ~CUT
    if (length > ORDER_KEY_BYTES_MAX) throw damaged(`${length} bytes of a key`)
    places.push({ collection, key: Buffer.from(reader.raw(length)), cut: (size & CUT) !== 0 })
  }
  if (reader.left !== 0) throw damaged(`${reader.left} bytes behind the places`)
  return places
}

/** Of all bytes but its own. */
function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CHECKSUM_AT)))
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', what)
}
