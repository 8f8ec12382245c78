/**
 * Growing byte buffer and bounded reader, little-endian unless said otherwise.
 * Invariant of the reader: nothing is read, and nothing allocated, beyond `end`.
 */
import { TidemarkError } from './errors.ts'

/** So many bytes are copied one by one: a view of them costs more, and is garbage. */
const LOOP_BYTES_MAX = 128

export class ByteWriter {
  bytes: Buffer
  length = 0

  constructor(capacityBytes = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(capacityBytes)
  }

  /** Makes room for `more` bytes after `length`. */
  reserve(more: number): void {
    const need = this.length + more
    if (need <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(need, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.length = this.bytes.writeUInt16LE(value, this.length)
  }

  u32(value: number): void {
    this.reserve(4)
    this.length = this.bytes.writeUInt32LE(value, this.length)
  }

  /** A safe integer >= 0 as eight bytes. */
  u64(value: number): void {
    this.reserve(8)
    this.bytes.writeUInt32LE(value % 4294967296, this.length)
    this.length = this.bytes.writeUInt32LE(Math.floor(value / 4294967296), this.length + 4)
  }

  f64(value: number): void {
    this.reserve(8)
    this.length = this.bytes.writeDoubleLE(value, this.length)
  }

  /** LEB128, a safe integer >= 0, at most 8 bytes. */
  varint(value: number): void {
    this.reserve(8)
    const bytes = this.bytes
    let at = this.length
    let rest = value
    while (rest >= 0x80) {
      bytes[at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    bytes[at++] = rest
    this.length = at
  }

  raw(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start
    this.reserve(count)
    if (count <= LOOP_BYTES_MAX) {
      const { bytes } = this
      for (let from = start, at = this.length; from < end; from++, at++) bytes[at] = source[from] as number
      this.length += count
      return
    }
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length)
    this.length += count
  }

  /** The bytes written so far; a view, valid until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  reset(): void {
    this.length = 0
  }
}

export class ByteReader {
  readonly bytes: Buffer
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  need(count: number): void {
    if (count > this.end - this.at)
      throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', `bytes end early: ${count} wanted, ${this.end - this.at} left`)
  }

  u8(): number {
    this.need(1)
    return this.bytes[this.at++] as number
  }

  u16(): number {
    this.need(2)
    this.at += 2
    return this.bytes.readUInt16LE(this.at - 2)
  }

  u32(): number {
    this.need(4)
    this.at += 4
    return this.bytes.readUInt32LE(this.at - 4)
  }

  u64(): number {
    const low = this.u32()
    const high = this.u32()
    const value = high * 4294967296 + low
    if (!Number.isSafeInteger(value)) throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', 'integer beyond 2^53')
    return value
  }

  f64(): number {
    this.need(8)
    this.at += 8
    return this.bytes.readDoubleLE(this.at - 8)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 128
    }
    throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', 'variable-length integer too long')
  }

  /** A view of the next `count` bytes; copy it to keep it. */
  raw(count: number): Buffer {
    this.need(count)
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }
}
