/**
 * About how many bytes an entry takes: its key, its value, its place in the Map.
 *
 * What: adds up what V8 (of Node.js 20, 64 bits, no pointer compression) gives to each kind of value once it was decoded; bytes outside of the
 * heap that a value owns count like those in it. Measured: test/larger-than-memory.test.ts. Not counted: names of fields and shapes, which objects
 * share, so that objects with names of their own, `{ [id]: … }`, take up to seven times as much.
 * Owns: what it found of large objects, weakly. Invariants: it looks at NODES_MAX values at most, and at as many inside of a large object, and takes
 * those it did not look at for what it saw so far, at a few levels; it lists the fields of one large object at most, and of large ones that lie in it, and seldom
 * of the same, because that takes time by their number; it throws nothing, whatever a proxy in a value does.
 */
import { HOLES_MAX } from '../base/limits.ts'

const NODES_MAX = 256
/** Levels of a value at which what was left out is taken for what was seen. */
const STRETCHED_MAX = 4
const WORD = 8
const NUMBER = 2 * WORD
const STRING = 2 * WORD
const BIGINT = 2 * WORD
const ARRAY = 4 * WORD
/** Where something lies: its header. */
const ELEMENTS = 2 * WORD
const DATE = 12 * WORD
const REGEXP = 10 * WORD
/** With the text of its stack. */
const ERROR = 128 * WORD
const BUFFER = 11 * WORD
/** The view and its buffer. */
const VIEW = 23 * WORD
/** A decoded object has room for four fields, then for three more at a time; beyond sixteen it may become a table, and is taken for one. */
const OBJECT = 7 * WORD
const FIELDS = 4
const MORE_FIELDS = 3
const MORE = 2 * WORD
const FIELDS_MAX = 16
const TABLE = 11 * WORD
const TABLE_SLOT = 3 * WORD
/** A Map or Set, then a slot and half a bucket for each entry it has room for. */
const COLLECTION = 9 * WORD
const MAP_SLOT = 3.5 * WORD
const SET_SLOT = 2.5 * WORD
const COLLECTION_ROOM_MIN = 4
const SMI_MAX = 0x7fff_ffff
const PROBES = 16
/** A text with any of these takes two bytes for each of its characters. Looked for in so many of them, of a longer text at PROBES places. */
const WIDE = /[^\0-\xff]/
const CHARACTERS = 4096
const CHARACTERS_EACH = CHARACTERS / PROBES

/** A key in a KeySet. */
export const KEY_KEPT_BYTES = 4 * WORD

interface Looked {
  left: number
  /** Levels at which what was left out was taken for what was seen. */
  stretched: number
  /** Inside of a large object. */
  readonly inLarge?: boolean
}

/** Objects of more than NODES_MAX fields, by whoever has them. Each is listed again after as many looks as it had fields: it may have grown. */
const large = new WeakMap<object, { bytes: number; looks: number }>()

/** Bytes of key and value. */
export function entryHeapBytes(key: unknown, value: unknown): number {
  const looked = { left: NODES_MAX, stretched: 0 }
  try {
    return bytesOf(key, looked) + bytesOf(value, looked)
  } catch {
    return 0
  }
}

/**
 * Entries for which a Map has room that grows and shrinks as entries come and go at its two ends; `room`: what it had before. It shrinks below
 * a quarter; and places of entries that left count until it is made anew, so that it comes to twice what is in it.
 */
export function mapRoom(size: number, room: number): number {
  let next = Math.max(room, COLLECTION_ROOM_MIN)
  while (next < 2 * size) next *= 2
  while (next > COLLECTION_ROOM_MIN && size < next / 4) next /= 2
  return next
}

export function mapHeapBytes(room: number): number {
  return COLLECTION + room * MAP_SLOT
}

function bytesOf(value: unknown, looked: Looked): number {
  looked.left--
  switch (typeof value) {
    case 'number':
      return isSmall(value) ? 0 : NUMBER
    case 'string':
      return value.length < 2 ? 0 : STRING + aligned(value.length * (isWide(value) ? 2 : 1))
    case 'bigint':
      return BIGINT + (BigInt.asIntN(64, value) === value ? WORD : aligned(value.toString(16).length / 2))
    case 'object':
      return value === null ? 0 : objectBytes(value, looked)
    default:
      return 0
  }
}

function objectBytes(value: object, looked: Looked): number {
  if (ArrayBuffer.isView(value)) return VIEW + value.byteLength
  if (value instanceof ArrayBuffer) return BUFFER + value.byteLength
  const known = large.get(value)
  if (known !== undefined && known.looks-- > 0) return known.bytes
  if (Array.isArray(value)) return arrayBytes(value, looked)
  if (value instanceof Map) {
    const seen = [...first(value.entries(), looked.left)].flat()
    return COLLECTION + roomFor(value.size) * MAP_SLOT + some(seen, 2 * value.size, looked)
  }
  if (value instanceof Set) return COLLECTION + roomFor(value.size) * SET_SLOT + some([...first(value, looked.left)], value.size, looked)
  if (value instanceof Date) return DATE
  if (value instanceof RegExp) return REGEXP + bytesOf(value.source, looked)
  if (value instanceof Error) return errorBytes(value, looked)
  const values = Object.values(value)
  return listedBytes(value, fieldBytes(values.length, Object.getPrototypeOf(value) === null), values, values.length, looked)
}

/** Its stack is never read: it would be made then, by code of the service's perhaps. */
function errorBytes(error: Error & { readonly errors?: unknown }, looked: Looked): number {
  let own = ERROR
  // Each by itself: a chain of causes would be multiplied at each of its links.
  for (const part of [error.message, error.errors, error.cause]) if (looked.left > 0) own += bytesOf(part, looked)
  const keys = Object.keys(error).filter(key => key !== 'stack')
  if (keys.length === 0) return own
  const values = keys.slice(0, NODES_MAX).map(key => (error as unknown as Record<string, unknown>)[key])
  return listedBytes(error, own + fieldBytes(keys.length, false), values, keys.length, looked)
}

/** Of an object that was listed: `own` bytes, and its values, of which there are `count`. */
function listedBytes(object: object, own: number, values: readonly unknown[], count: number, looked: Looked): number {
  if (count <= NODES_MAX || looked.inLarge === true) return own + some(values, count, looked)
  const known = { bytes: own, looks: count }
  large.set(object, known)
  known.bytes += some(values, count, { left: NODES_MAX, stretched: 0, inLarge: true })
  // Nothing else of the entry is listed now.
  looked.left = 0
  return known.bytes
}

function fieldBytes(count: number, noPrototype: boolean): number {
  if (noPrototype || count > FIELDS_MAX) return TABLE + roomFor(count * 1.5) * TABLE_SLOT
  const more = Math.ceil(Math.max(0, count - FIELDS) / MORE_FIELDS)
  return OBJECT + (more === 0 ? 0 : MORE + more * MORE_FIELDS * WORD)
}

/** A decoded array grew entry by entry; one that is mostly holes is a table of its elements. */
function arrayBytes(value: readonly unknown[], looked: Looked): number {
  const isListed = value.length > HOLES_MAX && !isDense(value)
  if (isListed) {
    const keys = Object.keys(value)
    const count = keys.length
    if (value.length > HOLES_MAX + count * 2) {
      const values = keys.slice(0, NODES_MAX).map(key => value[Number(key)])
      // V8 gives up the table for places where it takes more than these.
      const own = Math.min(TABLE + roomFor(count * 1.5) * TABLE_SLOT, ELEMENTS + value.length * WORD)
      return listedBytes(value, ARRAY + own, values, count, looked)
    }
  }
  let room = 0
  while (room < value.length) room += (room >>> 1) + 16 + 1
  const own = ARRAY + (room === 0 ? 0 : ELEMENTS + room * WORD)
  return isListed ? listedBytes(value, own, value, value.length, looked) : own + some(value, value.length, looked)
}

/** By some of its places: to list them all takes long. */
function isDense(value: readonly unknown[]): boolean {
  for (let probe = 0; probe < PROBES; probe++) {
    if (!Object.hasOwn(value, Math.floor(((probe + 0.5) / PROBES) * value.length))) return false
  }
  return true
}

/** Of `count` values, by those that may still be looked at. */
function some(values: readonly unknown[], count: number, looked: Looked): number {
  let sum = 0
  let seen = 0
  for (; seen < values.length && looked.left > 0; seen++) sum += bytesOf(values[seen], looked)
  if (seen === 0) return 0
  // Where the last one was not seen whole either, innermost first: a chain has very many levels, and would be multiplied at each.
  if (seen < count && looked.left <= 0 && looked.stretched++ >= STRETCHED_MAX) return sum
  return (sum * count) / seen
}

function* first<T>(values: Iterable<T>, count: number): Generator<T> {
  let left = count
  for (const value of values) {
    if (left-- <= 0) return
    yield value
  }
}

function roomFor(size: number): number {
  let room = COLLECTION_ROOM_MIN
  while (room < size) room *= 2
  return room
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / WORD) * WORD
}

function isSmall(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= SMI_MAX
}

/** A narrow text is told at once, however long; of a wide one each character up to the first wide one takes time. */
function isWide(text: string): boolean {
  if (text.length <= CHARACTERS) return WIDE.test(text)
  const step = (text.length - CHARACTERS_EACH) / (PROBES - 1)
  for (let probe = 0; probe < PROBES; probe++) {
    const at = Math.floor(probe * step)
    if (WIDE.test(text.slice(at, at + CHARACTERS_EACH))) return true
  }
  return false
}
