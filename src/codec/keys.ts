/**
 * Keys as bytes that sort. Owns the key format (docs/format/key.md) and the order of keys; knows nothing of values.
 * Invariants: byte order of the encodings = `compareKeys`; equal keys, and only they, have equal bytes; numbers < bigints < strings.
 */
import type { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { KEY_BYTES_MAX } from '../base/limits.ts'
import type { Key } from './contract.ts'
import { fast } from './text.ts'

const TAG_NUMBER = 0x10
const TAG_BIGINT = 0x20
const TAG_STRING = 0x30

/** After TAG_BIGINT. Length and magnitude of negative ones are stored inverted, so that the longer sorts first. */
const SIGN_NEGATIVE = 0x00
const SIGN_POSITIVE = 0x01
const BIGINT_HEAD_BYTES = 5
/** Of the bytes of a bigint, those beside its magnitude: tag, sign and size. */
export const BIGINT_KEY_HEAD_BYTES = 1 + BIGINT_HEAD_BYTES

const float = new Float64Array(1)
const word = new Uint32Array(float.buffer)

/** Appends the key's bytes. Throws TIDEMARK_KEY for what is no key, or is too long. */
export function encodeKeyInto(writer: ByteWriter, key: Key): void {
  if (typeof key === 'string') encodeString(writer, key)
  else if (typeof key === 'number') encodeNumber(writer, key)
  else if (typeof key === 'bigint') encodeBigint(writer, key)
  else throw notAKey(key)
}

function encodeNumber(writer: ByteWriter, key: number): void {
  writer.reserve(9)
  // + 0 makes -0 the key 0; every NaN is written with the same bits.
  float[0] = key + 0
  let low = word[0] as number
  let high = word[1] as number
  if (Number.isNaN(key)) {
    high = 0x7ff80000
    low = 0
  }
  if (high >= 0x80000000) {
    high = ~high
    low = ~low
  } else high |= 0x80000000
  const { bytes, length: at } = writer
  bytes[at] = TAG_NUMBER
  bytes[at + 1] = high >>> 24
  bytes[at + 2] = high >>> 16
  bytes[at + 3] = high >>> 8
  bytes[at + 4] = high
  bytes[at + 5] = low >>> 24
  bytes[at + 6] = low >>> 16
  bytes[at + 7] = low >>> 8
  bytes[at + 8] = low
  writer.length = at + 9
}

function encodeString(writer: ByteWriter, key: string): void {
  const count = key.length
  if (count >= KEY_BYTES_MAX) throw tooLong()
  // Three bytes cover any one UTF-16 unit.
  writer.reserve(1 + count * 3)
  const { bytes, length: start } = writer
  let at = start
  bytes[at++] = TAG_STRING
  for (let index = 0; index < count; index++) {
    const unit = key.charCodeAt(index)
    if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      const point = unit >= 0xd800 && unit < 0xdc00 ? (key.codePointAt(index) as number) : unit
      if (point > 0xffff) {
        index++
        bytes[at++] = 0xf0 | (point >> 18)
        bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      } else bytes[at++] = 0xe0 | (point >> 12)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  if (at - start > KEY_BYTES_MAX) throw tooLong()
  writer.length = at
}

function encodeBigint(writer: ByteWriter, key: bigint): void {
  const negative = key < 0n
  const magnitude = negative ? -key : key
  // Before the digits of something huge are made.
  if (BigInt.asUintN(KEY_BYTES_MAX * 8, magnitude) !== magnitude) throw tooLong()
  const digits = magnitude.toString(16)
  const size = (digits.length + 1) >> 1
  if (BIGINT_KEY_HEAD_BYTES + size > KEY_BYTES_MAX) throw tooLong()
  const flip = negative ? 0xff : 0
  writer.u8(TAG_BIGINT)
  writer.u8(negative ? SIGN_NEGATIVE : SIGN_POSITIVE)
  for (let shift = 24; shift >= 0; shift -= 8) writer.u8(((size >>> shift) & 0xff) ^ flip)
  writer.reserve(size)
  let at = writer.length
  const padded = digits.length % 2 === 0 ? digits : `0${digits}`
  for (let index = 0; index < padded.length; index += 2) writer.bytes[at++] = Number.parseInt(padded.slice(index, index + 2), 16) ^ flip
  writer.length = at
}

/** The key whose bytes fill `[start, end)`. Throws TIDEMARK_VALUE_DAMAGED for bytes no key has. */
export function decodeKey(bytes: Buffer, start: number, end: number): Key {
  if (end > bytes.length || start >= end || end - start > KEY_BYTES_MAX) throw damaged('its length is impossible')
  switch (bytes[start]) {
    case TAG_STRING:
      return decodeString(bytes, start + 1, end)
    case TAG_NUMBER:
      return decodeNumber(bytes, start + 1, end)
    case TAG_BIGINT:
      return decodeBigint(bytes, start + 1, end)
    default:
      throw damaged('its type is unknown')
  }
}

function decodeNumber(bytes: Buffer, start: number, end: number): number {
  if (end - start !== 8) throw damaged('a number of other than 8 bytes')
  let high = bytes.readUInt32BE(start)
  let low = bytes.readUInt32BE(start + 4)
  if (high >= 0x80000000) high &= 0x7fffffff
  else {
    high = ~high
    low = ~low
  }
  word[0] = low
  word[1] = high
  const key = float[0] as number
  if (Object.is(key, -0) || (Number.isNaN(key) && (low !== 0 || high !== 0x7ff80000))) throw damaged('a number that is never written')
  return key
}

function decodeBigint(bytes: Buffer, start: number, end: number): bigint {
  const size = end - start - BIGINT_HEAD_BYTES
  const sign = bytes[start]
  if (size < 1 || (sign !== SIGN_NEGATIVE && sign !== SIGN_POSITIVE)) throw damaged('a bigint without a head')
  const flip = sign === SIGN_NEGATIVE ? 0xff : 0
  const stored = bytes.readUInt32BE(start + 1)
  if ((flip === 0 ? stored : ~stored >>> 0) !== size) throw damaged('a bigint of another length')
  const magnitude = Buffer.allocUnsafe(size)
  for (let index = 0; index < size; index++) magnitude[index] = (bytes[start + BIGINT_HEAD_BYTES + index] as number) ^ flip
  if (magnitude[0] === 0 && (size > 1 || flip !== 0)) throw damaged('a bigint that is never written')
  const value = BigInt(`0x${magnitude.toString('hex')}`)
  return flip === 0 ? value : -value
}

function decodeString(bytes: Buffer, start: number, end: number): string {
  let at = start
  while (at < end && (bytes[at] as number) < 0x80) at++
  if (at === end) return fast(bytes).latin1Slice(start, end)
  const units: number[] = []
  let text = fast(bytes).latin1Slice(start, at)
  let leadBefore = false
  while (at < end) {
    const first = bytes[at] as number
    const size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
    if (size === 0 || at + size > end) throw damaged('text that is never written')
    let point = size === 1 ? first : first & (0xff >> (size + 1))
    for (let index = 1; index < size; index++) {
      const byte = bytes[at + index] as number
      if ((byte & 0xc0) !== 0x80) throw damaged('text that is never written')
      point = (point << 6) | (byte & 0x3f)
    }
    // Too long a form, beyond Unicode, or a pair of surrogates that is written as one character.
    if ((size === 3 && point < 0x800) || (size === 4 && (point < 0x10000 || point > 0x10ffff)) || (leadBefore && isTrail(point))) {
      throw damaged('text that is never written')
    }
    leadBefore = isLead(point)
    if (point > 0xffff) units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff))
    else units.push(point)
    at += size
    if (units.length >= 4096 || at === end) {
      text += String.fromCharCode(...units)
      units.length = 0
    }
  }
  return text
}

/** Negative, zero or positive: the order of the keys' bytes, found without making them. */
export function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'string') return typeof b === 'string' ? compareStrings(a, b) : 1
  if (typeof b === 'string') return -1
  if (typeof a === 'number') return typeof b === 'number' ? compareNumbers(a, b) : -1
  if (typeof b === 'number') return 1
  return a < b ? -1 : a > b ? 1 : 0
}

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return 0
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const count = Math.min(a.length, b.length)
  let index = 0
  while (index < count && a.charCodeAt(index) === b.charCodeAt(index)) index++
  if (index === count) return a.length - b.length
  const left = a.charCodeAt(index)
  const right = b.charCodeAt(index)
  // Below the surrogates the order of UTF-16 units is the order of code points.
  if (left < 0xd800 || right < 0xd800) return left - right
  // Behind a shared lead surrogate: with a trail it is one character above U+FFFF, without it a lone surrogate.
  if (index > 0 && isLead(a.charCodeAt(index - 1)) && isTrail(left) !== isTrail(right)) return isTrail(left) ? 1 : -1
  return (a.codePointAt(index) as number) - (b.codePointAt(index) as number)
}

function isLead(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isTrail(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}

function notAKey(key: unknown): TidemarkError {
  const type = key === null ? 'null' : typeof key
  return new TidemarkError('TIDEMARK_KEY', `a key is a string, a number or a bigint, not ${type}`, {
    hint: 'turn it into a string, for example with String() or JSON.stringify()',
    info: { type },
  })
}

function tooLong(): TidemarkError {
  return new TidemarkError('TIDEMARK_KEY', `a key has at most ${KEY_BYTES_MAX} bytes`, {
    hint: 'use a digest of it as the key and keep the long text in the value',
    info: { bytesMax: KEY_BYTES_MAX },
  })
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', `damaged key: ${what}`)
}
