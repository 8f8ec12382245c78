/**
 * About how many bytes an entry takes: its key, its value, its place in the Map.
 *
 * What: adds up what V8 (of Node.js 20, 64 bits, no pointer compression) gives to each kind of value once it was decoded; bytes outside of the
 * heap that a value owns count like those in it. Measured: test/larger-than-memory.test.ts. Not counted: names of fields and shapes, which objects
 * share, so that objects with names of their own, `{ [id]: … }`, take up to seven times as much.
 * Owns: what it found of large objects, weakly. Invariants: it looks at NODES_MAX values at most, and at as many inside of a large object, and takes
 * those it did not look at for what it saw so far, at a few levels; it lists the fields of one large object at most, and of large ones that lie in it, and seldom
 * of the same, because that takes time by their number; it throws nothing; and it calls no code of a value, which might come back for the very entry
 * that is about to be live: no accessor, method or iterator, and of a proxy, which it takes for an empty object, no trap.
 */
import { types } from 'node:util'
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
export const MAP_SLOT = 3.5 * WORD
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

const { getOwnPropertyDescriptor, getPrototypeOf, hasOwn } = Object
const viewLength = getterOf<number>(DataView.prototype, 'byteLength')
const typedLength = getterOf<number>(getPrototypeOf(Uint8Array.prototype) as object, 'byteLength')
const bufferLength = getterOf<number>(ArrayBuffer.prototype, 'byteLength')
const mapSize = getterOf<number>(Map.prototype, 'size')
const setSize = getterOf<number>(Set.prototype, 'size')
const regexpSource = getterOf<string>(RegExp.prototype, 'source')
const mapEntries = Map.prototype.entries
const setValues = Set.prototype.values

/** The getter that the language has of this name, whatever an object has in its place. */
function getterOf<T>(prototype: object, name: string): (value: object) => T {
  const get = getOwnPropertyDescriptor(prototype, name)?.get
  return value => Reflect.apply(get as () => T, value, [])
}

/** Of the values of an object, the one in this place. */
type ValueAt = (at: number) => unknown

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
  if (types.isProxy(value)) return OBJECT
  if (ArrayBuffer.isView(value)) return VIEW + (types.isDataView(value) ? viewLength(value) : typedLength(value))
  if (types.isArrayBuffer(value)) return BUFFER + bufferLength(value)
  const known = large.get(value)
  if (known !== undefined && known.looks-- > 0) return known.bytes
  if (Array.isArray(value)) return arrayBytes(value, looked)
  if (types.isMap(value)) {
    const size = mapSize(value)
    const seen = [...first(mapEntries.call(value), looked.left)].flat()
    return COLLECTION + roomFor(size) * MAP_SLOT + some(2 * size, at => seen[at], looked)
  }
  if (types.isSet(value)) {
    const size = setSize(value)
    const seen = [...first(setValues.call(value), looked.left)]
    return COLLECTION + roomFor(size) * SET_SLOT + some(size, at => seen[at], looked)
  }
  if (types.isDate(value)) return DATE
  if (types.isRegExp(value)) return REGEXP + bytesOf(regexpSource(value), looked)
  if (types.isNativeError(value)) return errorBytes(value, looked)
  const keys = Object.keys(value)
  return listedBytes(value, fieldBytes(keys.length, getPrototypeOf(value) === null), keys.length, fieldsOf(value, keys), looked)
}

/** Its stack is never read: it would be made then, by code of the service's perhaps. */
function errorBytes(error: Error, looked: Looked): number {
  let own = ERROR
  // Each by itself: a chain of causes would be multiplied at each of its links.
  for (const part of ['message', 'errors', 'cause']) if (looked.left > 0) own += bytesOf(fieldOf(error, part), looked)
  const keys = Object.keys(error).filter(key => key !== 'stack')
  return keys.length === 0 ? own : listedBytes(error, own + fieldBytes(keys.length, false), keys.length, fieldsOf(error, keys), looked)
}

/** Of an object that was listed: `own` bytes, and its values, of which there are `count`. */
function listedBytes(object: object, own: number, count: number, valueAt: ValueAt, looked: Looked): number {
  if (count <= NODES_MAX || looked.inLarge === true) return own + some(count, valueAt, looked)
  const known = { bytes: own, looks: count }
  large.set(object, known)
  known.bytes += some(count, valueAt, { left: NODES_MAX, stretched: 0, inLarge: true })
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
      // V8 gives up the table for places where it takes more than these.
      const own = Math.min(TABLE + roomFor(count * 1.5) * TABLE_SLOT, ELEMENTS + value.length * WORD)
      return listedBytes(value, ARRAY + own, count, fieldsOf(value, keys), looked)
    }
  }
  let room = 0
  while (room < value.length) room += (room >>> 1) + 16 + 1
  const own = ARRAY + (room === 0 ? 0 : ELEMENTS + room * WORD)
  const valueAt = (at: number): unknown => fieldOf(value, at)
  return isListed ? listedBytes(value, own, value.length, valueAt, looked) : own + some(value.length, valueAt, looked)
}

/** By some of its places: to list them all takes long. */
function isDense(value: readonly unknown[]): boolean {
  for (let probe = 0; probe < PROBES; probe++) {
    if (!hasOwn(value, Math.floor(((probe + 0.5) / PROBES) * value.length))) return false
  }
  return true
}

function fieldsOf(object: object, keys: readonly string[]): ValueAt {
  return at => fieldOf(object, keys[at] as string)
}

/** Undefined for an accessor and for what is not there: it is not looked for in a prototype, which may be a proxy. */
function fieldOf(object: object, key: PropertyKey): unknown {
  return getOwnPropertyDescriptor(object, key)?.value
}

/** Of `count` values, by the first ones, as many as may still be looked at. */
function some(count: number, valueAt: ValueAt, looked: Looked): number {
  let sum = 0
  let seen = 0
  for (; seen < count && looked.left > 0; seen++) sum += bytesOf(valueAt(seen), looked)
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
