/**
 * The classes of the platform, one writer each, found by prototype. A prototype alone proves nothing, so each writer reads through an
 * intrinsic getter that throws for anything but the real thing. Properties of one's own on such an object are refused, not dropped.
 */
import { types } from 'node:util'
import { LISTED_ELEMENTS_MAX, showsElementsOnly } from './look.ts'
import type { Output } from './output.ts'
import {
  DateClass,
  ERROR_CLASSES,
  ERROR_PARTS,
  TAG_ARRAY_BUFFER,
  TAG_BUFFER,
  TAG_DATA_VIEW,
  TAG_DATE,
  TAG_ERROR,
  TAG_MAP,
  TAG_OBJECT,
  TAG_REGEXP,
  TAG_SET,
  TAG_TYPED_ARRAY,
  TYPED_ARRAY_CLASSES,
} from './tags.ts'

/** The encoder, as far as its exotic half needs it. */
export interface ExoticOutput extends Output {
  readonly membersMax: number
  properties(value: object, keys: readonly string[], tag: typeof TAG_OBJECT): void
  checkData(value: object, key: string | number): unknown
}

type Writer = (out: ExoticOutput, value: object) => void

const { getOwnPropertyDescriptor, getOwnPropertySymbols, getPrototypeOf, keys: enumerableKeys } = Object

const HINT_EXTRA = 'store an object that holds it and the further properties'

const HINT_COPY = 'store a copy: slice() of the view'

/** The intrinsic getter `name` of `prototype`, as a function of the object. */
function getterOf<T>(prototype: object, name: PropertyKey): (value: object) => T {
  const get = getOwnPropertyDescriptor(prototype, name)?.get
  return value => Reflect.apply(get as () => T, value, [])
}

const typedArrayPrototype = getPrototypeOf(Uint8Array.prototype) as object
const mapSize = getterOf<number>(Map.prototype, 'size')
const setSize = getterOf<number>(Set.prototype, 'size')
const regexpSource = getterOf<string>(RegExp.prototype, 'source')
const regexpFlags = getterOf<string>(RegExp.prototype, 'flags')
const bufferLength = getterOf<number>(ArrayBuffer.prototype, 'byteLength')
const bufferResizable = 'resizable' in ArrayBuffer.prototype ? getterOf<boolean>(ArrayBuffer.prototype, 'resizable') : () => false
const typedBuffer = getterOf<ArrayBufferLike>(typedArrayPrototype, 'buffer')
const typedLength = getterOf<number>(typedArrayPrototype, 'byteLength')
const typedOffset = getterOf<number>(typedArrayPrototype, 'byteOffset')
/** The name of the class that it was made with. */
const typedClass = getterOf<string | undefined>(typedArrayPrototype, Symbol.toStringTag)
const viewBuffer = getterOf<ArrayBufferLike>(DataView.prototype, 'buffer')
const viewLength = getterOf<number>(DataView.prototype, 'byteLength')
const viewOffset = getterOf<number>(DataView.prototype, 'byteOffset')
const dateTime = DateClass.prototype.getTime
const mapEach = Map.prototype.forEach
const setEach = Set.prototype.forEach
/** Newer engines keep the stack behind an accessor of their own, which calls no user code that reading it elsewhere would not. */
const stackGetter = getOwnPropertyDescriptor(new Error(), 'stack')?.get

/** What `read` gives for the real thing; refuses an object that only claims the prototype. */
function genuine<T>(out: Output, value: object, name: string, read: (value: object) => T): T {
  try {
    return read(value)
  } catch {
    return falseClaim(out, name)
  }
}

function falseClaim(out: Output, name: string): never {
  out.refuse(`an object that is no ${name} but has its prototype`, 'store plain data')
}

function noFurther(out: Output, value: object, name: string, allowed = 0): void {
  if (Reflect.ownKeys(value).length !== allowed) out.refuse(`a ${name} with properties of its own`, HINT_EXTRA)
}

function writeMap(out: ExoticOutput, value: object): void {
  const size = genuine(out, value, 'Map', mapSize)
  noFurther(out, value, 'Map')
  if (size > out.membersMax) out.refuseMore('a Map of', out.membersMax, 'entries')
  out.byte(TAG_MAP)
  out.varint(size)
  const level = out.depth - 1
  let step = 0
  mapEach.call(value as Map<unknown, unknown>, (child, key) => {
    out.steps[level] = step++
    out.any(key)
    out.steps[level] = step++
    out.any(child)
  })
  unchanged(out, step, size * 2)
}

function writeSet(out: ExoticOutput, value: object): void {
  const size = genuine(out, value, 'Set', setSize)
  noFurther(out, value, 'Set')
  if (size > out.membersMax) out.refuseMore('a Set of', out.membersMax, 'members')
  out.byte(TAG_SET)
  out.varint(size)
  const level = out.depth - 1
  let step = 0
  setEach.call(value as Set<unknown>, child => {
    out.steps[level] = step++
    out.any(child)
  })
  unchanged(out, step, size)
}

/** A proxy's trap may have added or taken members; the count is written already. */
function unchanged(out: Output, met: number, declared: number): void {
  if (met !== declared) out.refuse('what changes while it is looked at', 'see the traps of the proxy in it')
}

function writeDate(out: ExoticOutput, value: object): void {
  const time = genuine(out, value, 'Date', date => dateTime.call(date as Date))
  noFurther(out, value, 'Date')
  out.byte(TAG_DATE)
  out.float64(time)
}

function writeRegexp(out: ExoticOutput, value: object): void {
  const source = genuine(out, value, 'RegExp', regexpSource)
  noFurther(out, value, 'RegExp', 1)
  const lastIndex = out.checkData(value, 'lastIndex')
  if (typeof lastIndex !== 'number') out.refuse('a RegExp whose lastIndex is no number', 'set it to a number', 'lastIndex')
  out.byte(TAG_REGEXP)
  out.string(source)
  out.string(regexpFlags(value))
  out.number(lastIndex)
}

function writeArrayBuffer(out: ExoticOutput, value: object): void {
  genuine(out, value, 'ArrayBuffer', bufferLength)
  noFurther(out, value, 'ArrayBuffer')
  notResizable(out, value)
  const source = memoryOf(out, value as ArrayBuffer, value, () => 0, bufferLength)
  out.byte(TAG_ARRAY_BUFFER)
  out.raw(source)
}

function writeDataView(out: ExoticOutput, value: object): void {
  const buffer = genuine(out, value, 'DataView', viewBuffer)
  noFurther(out, value, 'DataView')
  plainMemory(out, buffer)
  const source = memoryOf(out, buffer, value, viewOffset, viewLength)
  out.byte(TAG_DATA_VIEW)
  out.raw(source)
}

function writeBuffer(out: ExoticOutput, value: object): void {
  const source = viewedBytes(out, value, 'Buffer', 1)
  out.byte(TAG_BUFFER)
  out.raw(source)
}

function typedArrayWriter(kind: number, name: string, bytesEach: number): Writer {
  return (out, value) => {
    const source = viewedBytes(out, value, name, bytesEach)
    out.byte(TAG_TYPED_ARRAY)
    out.byte(kind)
    out.raw(source)
  }
}

function viewedBytes(out: Output, value: object, name: string, bytesEach: number): Uint8Array {
  const size = genuine(out, value, name, typedLength)
  // Of another class its bytes would mean other elements.
  if (typedClass(value) !== (name === 'Buffer' ? 'Uint8Array' : name)) falseClaim(out, name)
  if (getOwnPropertySymbols(value).length !== 0) out.refuse(`a ${name} with properties of its own`, HINT_EXTRA)
  // The names of the elements are listed too, so a long array is asked in a way that does not.
  const count = size / bytesEach
  const further = (count <= LISTED_ELEMENTS_MAX || !showsElementsOnly(value, count)) && enumerableKeys(value).length > count
  if (further) out.refuse(`a ${name} with properties of its own`, HINT_EXTRA)
  const buffer = typedBuffer(value)
  plainMemory(out, buffer)
  return memoryOf(out, buffer, value, typedOffset, typedLength)
}

type Measure = (value: object) => number

/** The bytes that `value` shows of `buffer`: looking at them throws where they are no longer this thread's. */
function memoryOf(out: Output, buffer: ArrayBufferLike, value: object, offset: Measure, length: Measure): Uint8Array {
  try {
    return new Uint8Array(buffer, offset(value), length(value))
  } catch {
    out.refuse('memory that was transferred away', 'store a copy that was made before: slice()')
  }
}

function plainMemory(out: Output, buffer: ArrayBufferLike): void {
  if (types.isSharedArrayBuffer(buffer)) out.refuse('memory that is shared between threads', HINT_COPY)
  if (getPrototypeOf(buffer) !== ArrayBuffer.prototype) out.refuse('a view of an ArrayBuffer of another class or realm', HINT_COPY)
  notResizable(out, buffer)
}

function notResizable(out: Output, buffer: object): void {
  if (bufferResizable(buffer)) out.refuse('an ArrayBuffer that can be resized', 'store a copy of fixed length: slice()')
}

function errorWriter(kind: number, name: string): Writer {
  return (out, value) => {
    if (!types.isNativeError(value)) falseClaim(out, name)
    for (const symbol of getOwnPropertySymbols(value)) {
      if (getOwnPropertyDescriptor(value, symbol)?.enumerable) out.refuse('an error with a symbol as a property', HINT_EXTRA)
    }
    let present = 0
    ERROR_PARTS.forEach((part, bit) => {
      // The stack is made when it is first looked at, from name and message: those are known to be data by then.
      const property = getOwnPropertyDescriptor(value, part)
      if (property === undefined) return
      const isEngineStack = part === 'stack' && stackGetter !== undefined && property.get === stackGetter
      if (property.writable === undefined && !isEngineStack) out.refuse('an accessor', 'store an error with data properties', part)
      if (!property.enumerable) present |= 1 << bit
    })
    out.byte(TAG_ERROR)
    out.byte(kind)
    out.byte(present)
    ERROR_PARTS.forEach((part, bit) => {
      if ((present & (1 << bit)) === 0) return
      out.steps[out.depth - 1] = part
      out.any((value as unknown as Record<string, unknown>)[part])
    })
    out.steps[out.depth - 1] = ''
    out.properties(value, enumerableKeys(value), TAG_OBJECT)
  }
}

const WRITERS = new Map<object, Writer>([
  [Map.prototype, writeMap],
  [Set.prototype, writeSet],
  [DateClass.prototype, writeDate],
  [RegExp.prototype, writeRegexp],
  [ArrayBuffer.prototype, writeArrayBuffer],
  [DataView.prototype, writeDataView],
  [Buffer.prototype, writeBuffer],
])
TYPED_ARRAY_CLASSES.forEach((type, kind) => {
  if (type !== undefined) WRITERS.set(type.prototype, typedArrayWriter(kind, type.name, type.BYTES_PER_ELEMENT))
})
ERROR_CLASSES.forEach((type, kind) => {
  WRITERS.set(type.prototype, errorWriter(kind, type.name))
})

/** Names of classes that are known, when they are ours. */
const KNOWN = new Set(['Object', 'Array', ...[...WRITERS.keys()].map(prototype => className(prototype))])

/** Writes an object that is neither plain nor an array, or refuses it by name. */
export function writeExotic(out: ExoticOutput, value: object, prototype: object): void {
  const writer = WRITERS.get(prototype)
  if (writer === undefined) {
    const name = className(prototype)
    if (KNOWN.has(name))
      out.refuse(`an instance of another ${name}`, 'it comes from another realm, such as a vm context: copy it into plain data')
    out.refuse(`an instance of ${name}`, 'store plain data, or give the collection a codec that knows the class')
  }
  writer(out, value)
}

/** The name of the class, without calling anything of it. */
function className(prototype: object, depth = 0): string {
  const type: unknown = getOwnPropertyDescriptor(prototype, 'constructor')?.value
  const name: unknown = typeof type === 'function' ? getOwnPropertyDescriptor(type, 'name')?.value : undefined
  if (typeof name === 'string' && name !== '') return name.slice(0, 64)
  const parent: object | null = getPrototypeOf(prototype)
  return parent === null || parent === Object.prototype || depth > 8
    ? 'a class without a name'
    : `a class that extends ${className(parent, depth + 1)}`
}
