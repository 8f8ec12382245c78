/**
 * The file of touched places: where the last run read and wrote. Byte table: docs/format/order.md.
 *
 * Does: encodes and checks it. Owns nothing. Invariants: no more than ORDER_PLACES_MAX places, of ORDER_KEY_BYTES_MAX bytes of the key each;
 * any bytes give the places that were written or TIDEMARK_VALUE_DAMAGED. Nothing rests on what it says but an order of reading.
 */
import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { assert, TidemarkError } from '../base/errors.ts'
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
const COUNT_AT = 12
const CHECKSUM_AT = 20
const PLACE_BYTES = 5
const CUT = 0x80

export const ORDER_FILE_BYTES_MAX = HEADER_BYTES + ORDER_PLACES_MAX * (PLACE_BYTES + ORDER_KEY_BYTES_MAX)

/** Place by place, so that it can be done in slices. */
export class TouchOrderEncoder {
  readonly #writer = new ByteWriter(ORDER_FILE_BYTES_MAX)
  #count = 0

  constructor() {
    this.#writer.raw(MAGIC)
    this.#writer.u16(VERSION)
    this.#writer.u16(HEADER_BYTES)
    this.#writer.length = HEADER_BYTES
  }

  get full(): boolean {
    return this.#count === ORDER_PLACES_MAX
  }

  add({ collection, key, cut }: TouchedPlace): void {
    assert(!this.full && key.length <= ORDER_KEY_BYTES_MAX, 'places within their bounds')
    this.#writer.u32(collection)
    this.#writer.u8(key.length | (cut ? CUT : 0))
    this.#writer.raw(key)
    this.#count++
  }

  /** Once, after the last place. */
  end(): Buffer {
    const bytes = this.#writer.view()
    bytes.writeUInt32LE(this.#count, COUNT_AT)
    bytes.writeUInt32LE(bytes.length - HEADER_BYTES, COUNT_AT + 4)
    bytes.writeUInt32LE(checksum(bytes), CHECKSUM_AT)
    return bytes
  }
}

/**
 * The places, one at a time as they are asked for. Checked whole at once: throws TIDEMARK_VALUE_DAMAGED for anything that the encoder does not
 * write, a later version too.
 */
export function decodeTouchOrder(bytes: Buffer): Iterable<TouchedPlace> {
  const reader = new ByteReader(bytes)
  const magic = reader.raw(MAGIC.length)
  if (!MAGIC.equals(magic) || reader.u16() !== VERSION || reader.u16() !== HEADER_BYTES) throw damaged('no order of version 1')
  const count = reader.u32()
  if (count > ORDER_PLACES_MAX) throw damaged(`${count} places`)
  if (reader.u32() !== bytes.length - HEADER_BYTES || reader.u32() !== checksum(bytes)) throw damaged('an order that does not verify')
  let at = HEADER_BYTES
  for (let left = count; left > 0; left--) {
    const length = (bytes[at + PLACE_BYTES - 1] ?? 0) & ~CUT
    if (length > ORDER_KEY_BYTES_MAX) throw damaged(`${length} bytes of a key`)
    at += PLACE_BYTES + length
  }
  if (at !== bytes.length) throw damaged('places that end elsewhere')
  return { [Symbol.iterator]: () => placesOf(bytes) }
}

function* placesOf(bytes: Buffer): Generator<TouchedPlace> {
  const reader = new ByteReader(bytes, HEADER_BYTES)
  while (reader.left > 0) {
    const collection = reader.u32()
    const size = reader.u8()
    yield { collection, key: reader.raw(size & ~CUT), cut: (size & CUT) !== 0 }
  }
}

/** Of all bytes but its own. */
function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CHECKSUM_AT)))
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', what)
}
