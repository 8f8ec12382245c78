/**
 * Bytes to values (docs/format/value.md). Any bytes give a value or TIDEMARK_VALUE_DAMAGED, in time and memory bounded by their number:
 * no declared count is believed beyond the bytes that are left, nor beyond what the runtime holds in one piece. Owns the key lists it remembers; the values share no memory with the bytes.
 */
import { TidemarkError } from '../base/errors.ts'
import { HOLES_MAX, NESTING_MAX, VALUE_ELEMENTS_MAX, VALUE_MEMBERS_MAX } from '../base/limits.ts'
import { emptyError } from './empty-error.ts'
import type { KeyList, ReadShapes } from './shapes.ts'
import {
  DateClass,
  ERROR_CLASSES,
  ERROR_PARTS,
  SHORT_STRING_MAX,
  SMALL_INTEGER_MAX,
  TAG_ARRAY,
  TAG_ARRAY_BUFFER,
  TAG_ARRAY_SPARSE,
  TAG_ASCII,
  TAG_BARE,
  TAG_BARE_AGAIN,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_BUFFER,
  TAG_DATA_VIEW,
  TAG_DATE,
  TAG_ERROR,
  TAG_FALSE,
  TAG_FLOAT32,
  TAG_FLOAT64,
  TAG_MAP,
  TAG_NEGATIVE,
  TAG_NULL,
  TAG_OBJECT,
  TAG_OBJECT_AGAIN,
  TAG_POSITIVE,
  TAG_REGEXP,
  TAG_SET,
  TAG_SHORT_STRING,
  TAG_TRUE,
  TAG_TYPED_ARRAY,
  TAG_UINT48,
  TAG_UNDEFINED,
  TAG_UTF8,
  TAG_UTF16,
  TYPED_ARRAY_CLASSES,
} from './tags.ts'
import { fast, readUtf8 } from './text.ts'

const float = new Float64Array(1)
const float32 = new Float32Array(float.buffer, 0, 1)
const octets = new Uint8Array(float.buffer)

const { defineProperty } = Object

/** Where the bytes may be those that were written: going back to an earlier point would give up what came since for nothing. */
const HINT_RUNTIME =
  'another Node.js, most likely a newer one, may have written it: open the store with that one; if none did, these bytes are not what was written: restore an earlier point'

export class Decoder {
  private readonly bytes: Buffer
  private at: number
  private readonly end: number
  private readonly shapes: ReadShapes
  /** The key lists of this value, in order. */
  private lists: KeyList[] | undefined = undefined
  private depth = 0

  constructor(shapes: ReadShapes, bytes: Buffer, start: number, end: number) {
    this.shapes = shapes
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** The one value that fills the range. */
  whole(): unknown {
    if (!(this.at >= 0 && this.at < this.end && this.end <= this.bytes.length)) throw damaged('no bytes')
    const value = this.any()
    if (this.at !== this.end) throw damaged(`${this.end - this.at} bytes after its end`)
    return value
  }

  private any(): unknown {
    const tag = this.u8()
    if (tag <= SMALL_INTEGER_MAX) return tag
    if (tag <= TAG_SHORT_STRING + SHORT_STRING_MAX) return this.ascii(tag - TAG_SHORT_STRING)
    switch (tag) {
      case TAG_UNDEFINED:
        return undefined
      case TAG_NULL:
        return null
      case TAG_FALSE:
        return false
      case TAG_TRUE:
        return true
      case TAG_POSITIVE:
        return this.varint()
      case TAG_NEGATIVE:
        return -1 - this.varint()
      case TAG_UINT48: {
        const at = this.skip(6)
        const bytes = this.bytes
        const low =
          (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
        return (low >>> 0) + ((bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8)) * 4294967296
      }
      case TAG_FLOAT32: {
        const at = this.skip(4)
        for (let index = 0; index < 4; index++) octets[index] = this.bytes[at + index] as number
        return float32[0]
      }
      case TAG_FLOAT64:
        return this.float64()
      case TAG_BIGINT:
        return this.bigint(false)
      case TAG_BIGINT_NEGATIVE:
        return this.bigint(true)
      case TAG_ASCII:
      case TAG_UTF8:
      case TAG_UTF16:
        return this.text(tag)
      default:
        return this.nested(tag)
    }
  }

  private nested(tag: number): unknown {
    if (this.depth >= NESTING_MAX) throw damaged(`nesting over ${NESTING_MAX} levels`)
    this.depth++
    const value = this.container(tag)
    this.depth--
    return value
  }

  private container(tag: number): unknown {
    switch (tag) {
      case TAG_OBJECT:
        return this.fill({}, this.keyList())
      case TAG_OBJECT_AGAIN:
        return this.fill({}, this.knownKeyList())
      case TAG_BARE:
        return this.fill(Object.create(null), this.keyList())
      case TAG_BARE_AGAIN:
        return this.fill(Object.create(null), this.knownKeyList())
      case TAG_ARRAY:
        return this.array()
      case TAG_ARRAY_SPARSE:
        return this.sparse()
      case TAG_MAP: {
        const map = new Map<unknown, unknown>()
        for (let left = this.count(2, VALUE_MEMBERS_MAX, 'entries'); left > 0; left--) {
          const key = this.any()
          map.set(key, this.any())
        }
        return map
      }
      case TAG_SET: {
        const set = new Set<unknown>()
        for (let left = this.count(1, VALUE_MEMBERS_MAX, 'members'); left > 0; left--) set.add(this.any())
        return set
      }
      case TAG_DATE:
        return new DateClass(this.float64())
      case TAG_REGEXP:
        return this.regexp()
      case TAG_ERROR:
        return this.error()
      case TAG_ARRAY_BUFFER:
        return this.memory()
      case TAG_DATA_VIEW:
        return new DataView(this.memory())
      case TAG_BUFFER:
        return Buffer.from(this.memory())
      case TAG_TYPED_ARRAY:
        return this.typedArray()
      default:
        throw damaged(`unknown tag 0x${tag.toString(16)}`)
    }
  }

  private u8(): number {
    if (this.at >= this.end) throw damaged('ends early')
    return this.bytes[this.at++] as number
  }

  /** Where the next `count` bytes start. */
  private skip(count: number): number {
    const at = this.at
    if (count > this.end - at) throw damaged('ends early')
    this.at = at + count
    return at
  }

  /** Below 2^32. */
  private varint(): number {
    let value = this.u8()
    if (value < 0x80) return value
    value &= 0x7f
    for (let scale = 128; scale <= 268435456; scale *= 128) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > 0xffffffff) break
        return value
      }
    }
    throw damaged('a count beyond 2^32')
  }

  /** How many follow, each of at least so many bytes. */
  private count(bytesEachMin: number, most: number, members: string): number {
    const count = this.varint()
    if (count * bytesEachMin > this.end - this.at) throw damaged('a count beyond its bytes')
    if (count > most) throw damaged(`more ${members} than ${most} in one piece`)
    return count
  }

  private float64(): number {
    const at = this.skip(8)
    const bytes = this.bytes
    octets[0] = bytes[at] as number
    octets[1] = bytes[at + 1] as number
    octets[2] = bytes[at + 2] as number
    octets[3] = bytes[at + 3] as number
    octets[4] = bytes[at + 4] as number
    octets[5] = bytes[at + 5] as number
    octets[6] = bytes[at + 6] as number
    octets[7] = bytes[at + 7] as number
    return float[0] as number
  }

  private ascii(size: number): string {
    const at = this.skip(size)
    return size === 0 ? '' : fast(this.bytes).latin1Slice(at, at + size)
  }

  private text(tag: number): string {
    const size = this.varint()
    const at = this.skip(size)
    try {
      if (tag === TAG_ASCII) return fast(this.bytes).latin1Slice(at, at + size)
      if (tag === TAG_UTF8) return readUtf8(this.bytes, at, at + size)
      if (size % 2 === 0) return fast(this.bytes).ucs2Slice(at, at + size)
    } catch (error) {
      throw damaged('text longer than a string can be', error, HINT_RUNTIME)
    }
    throw damaged('text of half a unit')
  }

  /** Text with any tag that text may have. */
  private anyText(): string {
    const tag = this.u8()
    if (tag >= TAG_SHORT_STRING && tag <= TAG_SHORT_STRING + SHORT_STRING_MAX) return this.ascii(tag - TAG_SHORT_STRING)
    if (tag !== TAG_ASCII && tag !== TAG_UTF8 && tag !== TAG_UTF16) throw damaged('no text where text must be')
    return this.text(tag)
  }

  /** `negative`: the bytes are those of its complement. */
  private bigint(negative: boolean): bigint {
    const size = this.varint()
    const at = this.skip(size)
    if (size === 0) return negative ? -1n : 0n
    const magnitude = Buffer.from(this.bytes.subarray(at, at + size)).reverse()
    try {
      const value = BigInt(`0x${magnitude.toString('hex')}`)
      return negative ? ~value : value
    } catch (error) {
      throw damaged('a bigint larger than this runtime holds', error, HINT_RUNTIME)
    }
  }

  private keyList(): KeyList {
    const size = this.varint()
    const start = this.skip(size)
    let list = this.shapes.find(this.bytes, start, size)
    if (list === undefined) {
      const end = this.at
      this.at = start
      const keys: string[] = []
      while (this.at < end) {
        if (keys.length === VALUE_MEMBERS_MAX) throw damaged(`more properties than ${VALUE_MEMBERS_MAX} in one piece`)
        keys.push(this.anyText())
      }
      if (this.at !== end) throw damaged('a key beyond the list of keys')
      if (new Set(keys).size !== keys.length) throw damaged('a key twice in one object')
      list = { keys, careful: keys.some(key => key in Object.prototype) }
      this.shapes.add(list, this.bytes, start, size)
    }
    if (this.lists === undefined) this.lists = [list]
    else this.lists.push(list)
    return list
  }

  private knownKeyList(): KeyList {
    const list = this.lists?.[this.varint()]
    if (list === undefined) throw damaged('a key list that was not given')
    return list
  }

  private fill(target: Record<string, unknown>, list: KeyList): Record<string, unknown> {
    const { keys, careful } = list
    if (keys.length > this.end - this.at) throw damaged('ends early')
    if (careful) {
      for (const key of keys) define(target, key, this.any(), true)
    } else for (let index = 0; index < keys.length; index++) target[keys[index] as string] = this.any()
    return target
  }

  private array(): unknown[] {
    const count = this.count(1, VALUE_ELEMENTS_MAX, 'elements')
    const array: unknown[] = []
    for (let index = 0; index < count; index++) array.push(this.any())
    return array
  }

  private sparse(): unknown[] {
    const length = this.varint()
    const count = this.count(2, VALUE_MEMBERS_MAX, 'elements')
    const array: unknown[] = []
    // An element out at the end makes the engine keep the elements by number, so that holes take no memory.
    if (length > HOLES_MAX + count * 2) array[0xfffffffe] = 0
    // It may be within the length.
    array.length = 0
    array.length = length
    let next = 0
    for (let left = count; left > 0; left--) {
      const index = next + this.varint()
      if (index >= length) throw damaged('an element beyond its array')
      array[index] = this.any()
      next = index + 1
    }
    return array
  }

  private regexp(): RegExp {
    const source = this.anyText()
    const flags = this.anyText()
    const lastIndex = this.any()
    if (typeof lastIndex !== 'number') throw damaged('a RegExp whose lastIndex is no number')
    try {
      const regexp = new RegExp(source, flags)
      regexp.lastIndex = lastIndex
      return regexp
    } catch (error) {
      throw damaged('a RegExp that this runtime does not take', error, HINT_RUNTIME)
    }
  }

  private error(): Error {
    const type = ERROR_CLASSES[this.u8()]
    const present = this.u8()
    if (type === undefined || present >= 1 << ERROR_PARTS.length) throw damaged('an error of unknown class')
    const error = emptyError(type)
    for (const part of ERROR_PARTS) Reflect.deleteProperty(error, part)
    ERROR_PARTS.forEach((part, bit) => {
      if ((present & (1 << bit)) !== 0) define(error, part, this.any(), false)
    })
    const tag = this.u8()
    if (tag !== TAG_OBJECT && tag !== TAG_OBJECT_AGAIN) throw damaged('an error without properties')
    const { keys } = tag === TAG_OBJECT ? this.keyList() : this.knownKeyList()
    for (const key of keys) define(error, key, this.any(), true)
    return error
  }

  /** The next counted bytes, as memory of their own. */
  private memory(): ArrayBuffer {
    const size = this.varint()
    const at = this.skip(size)
    const copy = new ArrayBuffer(size)
    new Uint8Array(copy).set(this.bytes.subarray(at, at + size))
    return copy
  }

  private typedArray(): ArrayBufferView {
    const kind = this.u8()
    const type = TYPED_ARRAY_CLASSES[kind]
    if (type === undefined) {
      if (kind < TYPED_ARRAY_CLASSES.length)
        throw damaged('a Float16Array, which this version of Node.js lacks', undefined, 'use a newer one')
      throw damaged('a typed array of unknown kind')
    }
    const memory = this.memory()
    if (memory.byteLength % type.BYTES_PER_ELEMENT !== 0) throw damaged('a typed array with part of an element')
    return new type(memory)
  }
}

function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}

function damaged(what: string, cause?: unknown, hint = 'these bytes are not what was written: restore an earlier point'): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', `damaged value: ${what}`, { hint, cause })
}
