/**
 * Records: what capture makes and everything else carries. Byte table: docs/format/record.md.
 *
 * Does: writes a record in one pass, straight into the block being filled, and walks the records of a block.
 * Owns: the layout. Does not own: keys and values (codec), blocks (frame.ts).
 * Invariants: lengths are fixed-width, so that key and value are encoded in place and the length is filled in behind them; a cursor
 * reads nothing beyond `end` and refuses every bit it does not know.
 */
import type { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { COLLECTION_ID_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { encodeKeyInto } from '../codec/index.ts'

export const RECORD_PUT = 1
export const RECORD_TOMBSTONE = 2
export type RecordKind = typeof RECORD_PUT | typeof RECORD_TOMBSTONE

const KIND_MASK = 0x03
/** Expiry, schema version, key id: laid out in the byte table, written by no version 1. */
const RESERVED_MASK = 0x70
const LENGTH_BYTES = 4

/** Flags, collection and room for the key's length; the key's bytes come next. Returns where the key starts. */
export function beginRecord(writer: ByteWriter, kind: RecordKind, collection: number): number {
  writer.u8(kind)
  writer.varint(collection)
  writer.u32(0)
  return writer.length
}

/** Fills in the key's length. For a put: makes room for the value's length and returns where the value starts. */
export function endKey(writer: ByteWriter, keyStart: number, kind: RecordKind): number {
  writer.bytes.writeUInt32LE(writer.length - keyStart, keyStart - 4)
  if (kind === RECORD_PUT) writer.u32(0)
  return writer.length
}

/** Fills in the value's length. */
export function endValue(writer: ByteWriter, valueStart: number): void {
  writer.bytes.writeUInt32LE(writer.length - valueStart, valueStart - 4)
}

/** Appends a put. When the key or the value cannot be encoded it throws; the caller puts `writer.length` back. */
export function appendPut(writer: ByteWriter, collection: number, key: Key, value: unknown, codec: ValueCodec): void {
  const keyStart = beginRecord(writer, RECORD_PUT, collection)
  encodeKeyInto(writer, key)
  const valueStart = endKey(writer, keyStart, RECORD_PUT)
  codec.encodeInto(writer, value)
  if (writer.length - valueStart > VALUE_BYTES_MAX) {
    throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `a value has at most ${VALUE_BYTES_MAX} encoded bytes`, { key })
  }
  endValue(writer, valueStart)
}

export function appendTombstone(writer: ByteWriter, collection: number, key: Key): void {
  const keyStart = beginRecord(writer, RECORD_TOMBSTONE, collection)
  encodeKeyInto(writer, key)
  endKey(writer, keyStart, RECORD_TOMBSTONE)
}

/** Appends a record whose key, and value for a put, are bytes already. */
export function appendRecord(writer: ByteWriter, collection: number, key: Uint8Array, value: Uint8Array | undefined): void {
  const kind = value === undefined ? RECORD_TOMBSTONE : RECORD_PUT
  const keyStart = beginRecord(writer, kind, collection)
  writer.raw(key)
  const valueStart = endKey(writer, keyStart, kind)
  if (value === undefined) return
  writer.raw(value)
  endValue(writer, valueStart)
}

/** Bytes of a record with a key and, for a put, a value of so many bytes. */
export function recordBytes(collection: number, keyBytes: number, valueBytes: number | undefined): number {
  let head = 1 + LENGTH_BYTES + 1
  for (let rest = collection; rest >= 0x80; rest = Math.floor(rest / 128)) head++
  return head + keyBytes + (valueBytes === undefined ? 0 : LENGTH_BYTES + valueBytes)
}

/**
 * Walks the records of a block without making objects: after `next()` returned true the fields describe one record, as offsets into
 * `bytes`. Bytes that are no whole records throw TIDEMARK_VALUE_DAMAGED.
 */
export class RecordCursor {
  readonly bytes: Buffer
  readonly end: number
  /** Where the next record starts. */
  at: number
  kind: RecordKind = RECORD_TOMBSTONE
  collection = 0
  keyStart = 0
  keyEnd = 0
  /** Empty for a tombstone. */
  valueStart = 0
  valueEnd = 0

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  next(): boolean {
    let at = this.at
    if (at >= this.end) return false
    const flags = this.bytes[at++] as number
    const kind = flags & KIND_MASK
    if ((flags & ~KIND_MASK) !== 0) throw unknownFlags(flags)
    if (kind !== RECORD_PUT && kind !== RECORD_TOMBSTONE) throw damaged(`record kind ${kind}`)
    at = this.#collection(at)
    const keyLength = this.#length(at, KEY_BYTES_MAX, 'key')
    this.keyStart = at + 4
    at = this.keyEnd = this.keyStart + keyLength
    if (kind === RECORD_PUT) {
      const valueLength = this.#length(at, VALUE_BYTES_MAX, 'value')
      this.valueStart = at + 4
      at = this.valueEnd = this.valueStart + valueLength
    } else {
      this.valueStart = this.valueEnd = at
    }
    this.kind = kind
    this.at = at
    return true
  }

  #collection(start: number): number {
    let at = start
    let value = 0
    for (let scale = 1; at < this.end && at - start < 5; scale *= 128) {
      const byte = this.bytes[at++] as number
      value += (byte & 0x7f) * scale
      if (byte >= 0x80) continue
      if (value > COLLECTION_ID_MAX || (byte === 0 && at - start > 1)) break
      this.collection = value
      return at
    }
    throw damaged('a collection id is impossible')
  }

  #length(at: number, most: number, of: string): number {
    if (at + 4 > this.end) throw damaged('a record ends early')
    const { bytes } = this
    // A restart walks thousands of records with code that was never run before: a call is what it feels.
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
    const length = low + (bytes[at + 3] as number) * 0x1000000
    if (length > most || length > this.end - at - 4) throw damaged(`a ${of} of ${length} bytes does not fit`)
    return length
  }
}

/** Counts the records of a batch, checking the layout of each. */
export function countRecords(bytes: Buffer): number {
  const cursor = new RecordCursor(bytes)
  let count = 0
  while (cursor.next()) count++
  return count
}

function unknownFlags(flags: number): TidemarkError {
  if ((flags & ~KIND_MASK & ~RESERVED_MASK) !== 0) return damaged(`record flags ${flags}`)
  return new TidemarkError('TIDEMARK_FORMAT_NEWER', `a record carries fields of a later format (flags ${flags})`, {
    hint: 'open this store with the version that wrote it',
  })
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', what)
}
