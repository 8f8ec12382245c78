/**
 * About how many bytes of the heap an entry takes: a key, its value, its place in a Map.
 *
 * What: adds up what V8 gives to each kind of value on a 64-bit machine without pointer compression; the shapes of objects are shared and not
 * counted. Owns nothing. Invariant: it looks at NODES_MAX values at most, and takes those it did not look at for what it saw so far.
 */
const NODES_MAX = 256
const WORD = 8
/** A Map's entry (key, value, link), its share of the buckets, and room to grow. */
const MAP_ENTRY = 6 * WORD
const OBJECT = 3 * WORD
const NUMBER = 2 * WORD
const STRING = 2 * WORD
/** Map, Set, Date, RegExp, typed array and the like: the object and its store. */
const EXOTIC = 12 * WORD
const SMI_MAX = 0x7fff_ffff
/** Characters looked at to tell one byte from two. */
const CHARACTERS = 32

/** Bytes. */
export function entryHeapBytes(key: unknown, value: unknown): number {
  const state = { left: NODES_MAX }
  return MAP_ENTRY + bytesOf(key, state) + bytesOf(value, state)
}

function bytesOf(value: unknown, state: { left: number }): number {
  state.left--
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) && Math.abs(value) <= SMI_MAX ? 0 : NUMBER
    case 'string':
      return STRING + value.length * (isWide(value) ? 2 : 1)
    case 'bigint':
      return STRING + WORD
    case 'object':
      return value === null ? 0 : objectBytes(value, state)
    default:
      return 0
  }
}

function objectBytes(value: object, state: { left: number }): number {
  if (ArrayBuffer.isView(value)) return EXOTIC + value.byteLength
  if (value instanceof ArrayBuffer) return EXOTIC + value.byteLength
  if (value instanceof Map)
    return EXOTIC + some([...first(value.entries(), state.left)].flat(), 2 * value.size, state) + value.size * MAP_ENTRY
  if (value instanceof Set) return EXOTIC + some([...first(value, state.left)], value.size, state) + value.size * MAP_ENTRY
  if (Array.isArray(value)) return OBJECT + WORD * (value.length + 2) + some(value, value.length, state)
  const values = Object.values(value)
  return (values.length === 0 ? EXOTIC : OBJECT) + WORD * values.length + some(values, values.length, state)
}

/** Of `count` values, by those that may still be looked at. */
function some(values: readonly unknown[], count: number, state: { left: number }): number {
  let sum = 0
  let seen = 0
  for (; seen < values.length && state.left > 0; seen++) sum += bytesOf(values[seen], state)
  return seen === 0 ? 0 : (sum * count) / seen
}

function* first<T>(values: Iterable<T>, count: number): Generator<T> {
  let left = count
  for (const value of values) {
    if (left-- <= 0) return
    yield value
  }
}

function isWide(text: string): boolean {
  for (let at = 0; at < Math.min(text.length, CHARACTERS); at++) if (text.charCodeAt(at) > 0xff) return true
  return false
}
