/**
 * Where a value is being written: bytes, and the way from the root to the value at hand.
 * Owns room, primitives and refusals; knows nothing of containers. Invariants: `limit - at` bytes may be written without asking;
 * `ancestors` and `steps` hold `depth` entries; nothing is allocated for a value that is accepted, but for the writer's own growth.
 */
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { CYCLE_CHECK_LEVELS, NESTING_MAX } from '../base/limits.ts'
import {
  SHORT_STRING_MAX,
  SMALL_INTEGER_MAX,
  TAG_ASCII,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_FLOAT32,
  TAG_FLOAT64,
  TAG_NEGATIVE,
  TAG_POSITIVE,
  TAG_SHORT_STRING,
  TAG_UINT48,
  TAG_UTF8,
  TAG_UTF16,
} from './tags.ts'
import { fast, isWellFormed, writeUtf8 } from './text.ts'

const float = new Float64Array(1)
const float32 = new Float32Array(float.buffer, 0, 1)
const octets = new Uint8Array(float.buffer)
const NAN_OCTETS = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]

/** Text of so many units has a length in UTF-8 that takes one byte; for short text a loop is faster than a call into the engine. */
const SHORT_UTF8_UNITS_MAX = 42

const NO_WRITER = new ByteWriter(0)

/** The way into a child: a property, an index, or the place in a Map (two a pair, key first) or Set. */
export type Step = string | number

export abstract class Output {
  bytes: Buffer = NO_WRITER.bytes
  at = 0
  limit = 0
  /** Containers being written, outermost first, and the step each is about to take. */
  depth = 0
  readonly ancestors: unknown[] = []
  readonly steps: Step[] = []
  private writer = NO_WRITER
  private start = 0
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Writes any value. */
  abstract any(value: unknown): void

  attach(writer: ByteWriter): void {
    this.writer = writer
    this.start = writer.length
    this.at = writer.length
    this.depth = 0
    this.take()
  }

  /** Holds nothing any longer. */
  detach(): void {
    this.writer = NO_WRITER
    this.bytes = NO_WRITER.bytes
  }

  /** Makes the bytes the writer's. */
  finish(): void {
    this.writer.length = this.at
  }

  private take(): void {
    this.bytes = this.writer.bytes
    this.limit = Math.min(this.bytes.length, this.start + this.bytesMax)
  }

  ensure(count: number): void {
    if (this.limit - this.at < count) this.grow(count)
  }

  private grow(count: number): void {
    if (this.at + count - this.start > this.bytesMax) {
      this.refuse(`more than ${this.bytesMax} bytes`, 'store it in parts; an object that is shared is written once for each place')
    }
    this.writer.length = this.at
    this.writer.reserve(count)
    // What is copied is counted; what is written is not the writer's before the value is whole.
    this.writer.length = this.start
    this.take()
  }

  /** Of the container at hand, for what it holds beyond what can be read back in one piece. */
  refuseMore(what: string, most: number, members: string): never {
    this.refuse(`${what} more than ${most} ${members}`, 'store it in parts, under keys of their own; numbers also as a typed array')
  }

  /** Before the first child of a container. */
  enter(container: object): void {
    const depth = this.depth
    if (depth % CYCLE_CHECK_LEVELS === CYCLE_CHECK_LEVELS - 1) this.checkCycle(container)
    if (depth >= NESTING_MAX) this.refuse(`nesting over ${NESTING_MAX} levels`, 'store the parts under keys of their own')
    this.ancestors[depth] = container
    this.steps[depth] = ''
    this.depth = depth + 1
  }

  leave(): void {
    this.ancestors[--this.depth] = undefined
  }

  private checkCycle(container: object): void {
    const first = this.ancestors.indexOf(container)
    if (first < 0 || first >= this.depth) return
    const again = this.ancestors.indexOf(container, first + 1)
    // The way in and once round.
    if (again > 0 && again < this.depth) this.depth = again
    this.refuse('a cycle', 'store a key or an id instead of the object itself')
  }

  byte(value: number): void {
    if (this.at === this.limit) this.grow(1)
    this.bytes[this.at++] = value
  }

  /** LEB128, below 2^32. */
  varint(value: number): void {
    this.ensure(5)
    const bytes = this.bytes
    let at = this.at
    let rest = value
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  raw(source: Uint8Array): void {
    this.varint(source.length)
    this.ensure(source.length)
    this.bytes.set(source, this.at)
    this.at += source.length
  }

  number(value: number): void {
    this.ensure(9)
    const integer = value | 0
    if (integer === value && (integer !== 0 || !Object.is(value, -0))) {
      if (integer >= 0) {
        if (integer <= SMALL_INTEGER_MAX) {
          this.bytes[this.at++] = integer
          return
        }
        this.bytes[this.at++] = TAG_POSITIVE
        this.varint(integer)
        return
      }
      this.bytes[this.at++] = TAG_NEGATIVE
      this.varint(~integer)
      return
    }
    if (value > 0 && value < 281474976710656 && Math.floor(value) === value) {
      const bytes = this.bytes
      const at = this.at
      const low = value >>> 0
      const high = (value - low) / 4294967296
      bytes[at] = TAG_UINT48
      bytes[at + 1] = low
      bytes[at + 2] = low >>> 8
      bytes[at + 3] = low >>> 16
      bytes[at + 4] = low >>> 24
      bytes[at + 5] = high
      bytes[at + 6] = high >>> 8
      this.at = at + 7
      return
    }
    this.float(value)
  }

  private float(value: number): void {
    if (Math.fround(value) !== value) {
      this.bytes[this.at++] = TAG_FLOAT64
      this.float64(value)
      return
    }
    float32[0] = value
    const bytes = this.bytes
    const at = this.at
    bytes[at] = TAG_FLOAT32
    bytes[at + 1] = octets[0] as number
    bytes[at + 2] = octets[1] as number
    bytes[at + 3] = octets[2] as number
    bytes[at + 4] = octets[3] as number
    this.at = at + 5
  }

  /** Eight bytes, little-endian; one NaN, whatever bits this one had. */
  float64(value: number): void {
    this.ensure(8)
    float[0] = value
    if (Number.isNaN(value)) octets.set(NAN_OCTETS)
    const bytes = this.bytes
    const at = this.at
    bytes[at] = octets[0] as number
    bytes[at + 1] = octets[1] as number
    bytes[at + 2] = octets[2] as number
    bytes[at + 3] = octets[3] as number
    bytes[at + 4] = octets[4] as number
    bytes[at + 5] = octets[5] as number
    bytes[at + 6] = octets[6] as number
    bytes[at + 7] = octets[7] as number
    this.at = at + 8
  }

  string(value: string): void {
    const count = value.length
    if (count > SHORT_STRING_MAX) {
      this.longString(value)
      return
    }
    this.ensure(1 + count)
    const bytes = this.bytes
    let at = this.at
    bytes[at++] = TAG_SHORT_STRING | count
    for (let index = 0; index < count; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) {
        if (count > SHORT_UTF8_UNITS_MAX || !this.shortUtf8(value)) this.longString(value)
        return
      }
      bytes[at++] = unit
    }
    this.at = at
  }

  /** As UTF-8 whose length takes one byte; false, and nothing written, when there is none. */
  private shortUtf8(value: string): boolean {
    this.ensure(2 + value.length * 3)
    const end = writeUtf8(this.bytes, this.at + 2, value)
    if (end < 0) return false
    this.bytes[this.at] = TAG_UTF8
    this.bytes[this.at + 1] = end - this.at - 2
    this.at = end
    return true
  }

  private longString(value: string): void {
    const size = Buffer.byteLength(value)
    if (size === value.length) {
      this.byte(TAG_ASCII)
      this.varint(size)
      this.ensure(size)
      this.at += fast(this.bytes).latin1Write(value, this.at, size)
    } else if (isWellFormed(value)) {
      this.byte(TAG_UTF8)
      this.varint(size)
      this.ensure(size)
      this.at += fast(this.bytes).utf8Write(value, this.at, size)
    } else {
      this.byte(TAG_UTF16)
      this.varint(value.length * 2)
      this.ensure(value.length * 2)
      this.at += fast(this.bytes).ucs2Write(value, this.at, value.length * 2)
    }
  }

  bigint(value: bigint): void {
    const negative = value < 0n
    // ~value: the magnitude less one, so that there is no negative zero to refuse when reading.
    const magnitude = negative ? ~value : value
    this.byte(negative ? TAG_BIGINT_NEGATIVE : TAG_BIGINT)
    if (BigInt.asUintN(64, magnitude) === magnitude) {
      this.ensure(9)
      const size = bytesOf(Number(magnitude >> 32n)) + 4
      const low = Number(magnitude & 0xffffffffn)
      const used = size > 4 ? size : bytesOf(low)
      this.bytes[this.at] = used
      this.bytes.writeBigUInt64LE(magnitude, this.at + 1)
      this.at += 1 + used
      return
    }
    const digits = magnitude.toString(16)
    const hex = digits.length % 2 === 0 ? digits : `0${digits}`
    this.varint(hex.length / 2)
    this.ensure(hex.length / 2)
    const target = this.bytes.subarray(this.at, this.at + hex.length / 2)
    target.write(hex, 'hex')
    target.reverse()
    this.at += target.length
  }

  /** Throws: `what` stands at `step` of the container at hand, or where its parent was going. */
  refuse(what: string, hint: string, step?: Step): never {
    if (step !== undefined) this.steps[this.depth - 1] = step
    const path = this.path()
    throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `cannot store ${what}${path === '' ? '' : ` at ${path}`}`, { hint, info: { path } })
  }

  /** Where the value at hand stands inside the value being written, as an expression: `.user.tags[3]`. */
  private path(): string {
    const parts: string[] = []
    for (let level = 0; level < this.depth; level++) {
      if (level === 12 && this.depth > 24) {
        parts.push('…')
        level = this.depth - 12
      }
      parts.push(stepText(this.ancestors[level], this.steps[level] as Step))
    }
    return parts.join('')
  }
}

function bytesOf(value: number): number {
  return value === 0 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x1000000 ? 3 : 4
}

function stepText(container: unknown, step: Step): string {
  if (typeof step === 'string') {
    if (/^[A-Za-z_$][\w$]{0,63}$/.test(step)) return `.${step}`
    return step === '' && !isKeyed(container) ? '' : `[${JSON.stringify(step.length > 64 ? `${step.slice(0, 64)}…` : step)}]`
  }
  if (Object.prototype.toString.call(container) === '[object Map]') return `.entries()[${step >> 1}][${step & 1}]`
  if (Object.prototype.toString.call(container) === '[object Set]') return `.values()[${step}]`
  return `[${step}]`
}

function isKeyed(container: unknown): boolean {
  return typeof container === 'object' && container !== null && Object.hasOwn(container, '')
}
