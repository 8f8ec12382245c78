/** The first byte of every encoded value. Format, never to be renumbered: docs/format/value.md. */

/** 0x00-0x7f: the integer itself. */
export const SMALL_INTEGER_MAX = 0x7f
/** 0x80-0xbf: an ASCII string of 0-63 characters. */
export const TAG_SHORT_STRING = 0x80
export const SHORT_STRING_MAX = 63

export const TAG_UNDEFINED = 0xc0
export const TAG_NULL = 0xc1
export const TAG_FALSE = 0xc2
export const TAG_TRUE = 0xc3
export const TAG_POSITIVE = 0xc4
export const TAG_NEGATIVE = 0xc5
export const TAG_UINT48 = 0xc6
export const TAG_FLOAT32 = 0xc7
export const TAG_FLOAT64 = 0xc8
export const TAG_BIGINT = 0xc9
export const TAG_BIGINT_NEGATIVE = 0xca
export const TAG_ASCII = 0xcb
export const TAG_UTF8 = 0xcc
export const TAG_UTF16 = 0xcd
export const TAG_ARRAY = 0xd0
export const TAG_ARRAY_SPARSE = 0xd1
export const TAG_OBJECT = 0xd2
export const TAG_OBJECT_AGAIN = 0xd3
export const TAG_BARE = 0xd4
export const TAG_BARE_AGAIN = 0xd5
export const TAG_MAP = 0xd6
export const TAG_SET = 0xd7
export const TAG_DATE = 0xd8
export const TAG_REGEXP = 0xd9
export const TAG_ERROR = 0xda
export const TAG_ARRAY_BUFFER = 0xdb
export const TAG_DATA_VIEW = 0xdc
export const TAG_BUFFER = 0xdd
export const TAG_TYPED_ARRAY = 0xde

/** The platform's own: the global one may be a subclass of it for a while, as libraries for tests make one that fakes the time. */
export const DateClass = baseOf(Date)

function baseOf(type: DateConstructor): DateConstructor {
  let prototype: object | null = type.prototype
  while (prototype !== null) {
    const parent: object | null = Object.getPrototypeOf(prototype)
    if (parent === Object.prototype) return prototype.constructor as DateConstructor
    prototype = parent
  }
  return type
}

/** The class byte of an error: its place in this list. */
export const ERROR_CLASSES = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError] as const

/** The own, not enumerable properties an error may have, by bit. */
export const ERROR_PARTS = ['message', 'name', 'stack', 'cause', 'errors'] as const

/** What all typed array classes share, as far as the codec needs it. */
export type TypedArrayClass = {
  new (buffer: ArrayBuffer): ArrayBufferView
  readonly prototype: object
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
}

/** The kind byte of a typed array: its place in this list. Undefined: this runtime does not have the class. */
export const TYPED_ARRAY_CLASSES: readonly (TypedArrayClass | undefined)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  (globalThis as { Float16Array?: TypedArrayClass }).Float16Array,
]
