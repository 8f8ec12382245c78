/**
 * Values to bytes (docs/format/value.md). Owns the walk over plain objects and arrays; classes of the platform are in exotic.ts.
 * Invariants: no getter, setter or method of a value is ever called; what would not come back the same is refused, with its path;
 * the writer's length moves only when the whole value is written.
 */
import { types } from 'node:util'
import type { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { VALUE_BYTES_MAX, VALUE_ELEMENTS_MAX, VALUE_MEMBERS_MAX } from '../base/limits.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import { writeExotic } from './exotic.ts'
import { firstHole, hasMoreElements, LISTED_ELEMENTS_MAX, showsElementsOnly, showsFurther } from './look.ts'
import { Output } from './output.ts'
import { WrittenShapes } from './shapes.ts'
import {
  TAG_ARRAY,
  TAG_ARRAY_SPARSE,
  TAG_BARE,
  TAG_BARE_AGAIN,
  TAG_FALSE,
  TAG_NULL,
  TAG_OBJECT,
  TAG_OBJECT_AGAIN,
  TAG_TRUE,
  TAG_UNDEFINED,
} from './tags.ts'

const { getOwnPropertyDescriptor, getOwnPropertyNames, getOwnPropertySymbols, getPrototypeOf, keys: enumerableKeys } = Object
const objectPrototype = Object.prototype
const arrayPrototype = Array.prototype
/** Of all questions about an accessor that do not call it, the cheapest; allocates nothing. */
const lookupGetter = (Object.prototype as unknown as { __lookupGetter__(this: object, key: string | number): unknown }).__lookupGetter__

/** What a number takes, and text beside its units, and each of these. */
const NUMBER_BYTES_MAX = 9
const STRING_BYTES_MAX = 6
const UNIT_BYTES_MAX = 3

const HINT_ACCESSOR = 'store the value it gives, as a data property'
const HINT_SYMBOL = 'symbols have no identity outside this process: use a string'
const HINT_HIDDEN = 'make the property enumerable, or keep it out of the stored object'
const HINT_PROXY = 'see the traps of the proxy in it'
const HINT_ARRAY = 'store an object that holds the array and the further properties'
const FURTHER = 'an array that has other properties than its elements'
const HOLED = 'an array with holes and'

export class Encoder extends Output {
  busy = false
  private readonly shapes = new WrittenShapes()
  /** One for each value written, and the number of key lists in this one so far. */
  private serial = 0
  private shapeCount = 0

  readonly membersMax: number
  private readonly elementsMax: number

  constructor(bytesMax = VALUE_BYTES_MAX, elementsMax = VALUE_ELEMENTS_MAX, membersMax = VALUE_MEMBERS_MAX) {
    super(bytesMax)
    this.elementsMax = elementsMax
    this.membersMax = membersMax
  }

  encode(writer: ByteWriter, value: unknown): void {
    // All of it in here: the service's recursion may leave no stack for any of these calls.
    try {
      this.busy = true
      this.serial++
      this.shapeCount = 0
      this.attach(writer)
      this.any(value)
      this.finish()
    } catch (error) {
      throw this.explain(error)
    } finally {
      this.busy = false
      this.shapes.end()
      this.detach()
    }
  }

  /** Only a proxy's traps, a full stack and want of memory throw anything but a refusal; the last one says nothing of the value. */
  private explain(error: unknown): unknown {
    this.ancestors.fill(undefined)
    this.depth = 0
    if (isAllocationFailure(error) || (error instanceof TidemarkError && error.code === 'TIDEMARK_VALUE_REFUSED')) return error
    return new TidemarkError('TIDEMARK_VALUE_REFUSED', 'cannot store a value that throws when it is looked at', {
      hint: 'see the cause; a proxy, or too little stack left for the nesting of the value',
      cause: error,
    })
  }

  any(value: unknown): void {
    switch (typeof value) {
      case 'number':
        this.number(value)
        return
      case 'string':
        this.string(value)
        return
      case 'boolean':
        this.byte(value ? TAG_TRUE : TAG_FALSE)
        return
      case 'undefined':
        this.byte(TAG_UNDEFINED)
        return
      case 'bigint':
        this.bigint(value)
        return
      case 'object':
        if (value === null) this.byte(TAG_NULL)
        else this.object(value)
        return
      case 'symbol':
        this.refuse('a symbol', HINT_SYMBOL)
        return
      default:
        this.refuse('a function', 'store the name of what it does, and look the function up by it')
    }
  }

  private object(value: object): void {
    const prototype = getPrototypeOf(value)
    this.enter(value)
    if (prototype === objectPrototype) this.plain(value, TAG_OBJECT)
    else if (prototype === arrayPrototype && Array.isArray(value)) this.array(value)
    else if (prototype === null) this.plain(value, TAG_BARE)
    else writeExotic(this, value, prototype)
    this.leave()
  }

  /** Data properties that can be seen, and nothing else. `tag` names the prototype; the tag after it means the same with a known shape. */
  plain(value: object, tag: typeof TAG_OBJECT | typeof TAG_BARE): void {
    const keys = getOwnPropertyNames(value)
    if (getOwnPropertySymbols(value).length !== 0) this.refuse('a property with a symbol as its name', HINT_SYMBOL)
    this.properties(value, keys, tag)
  }

  /** The named own properties of `value`, which are all it has, or all that counts. */
  properties(value: object, keys: readonly string[], tag: typeof TAG_OBJECT | typeof TAG_BARE): void {
    this.keyList(keys, tag)
    const level = this.depth - 1
    let index = 0
    // What is listed here can be seen; as long as it is what `keys` has, in order, nothing hidden or inherited is among it.
    for (const key in value) {
      if (key !== keys[index] || lookupGetter.call(value, key) !== undefined) break
      const child = (value as Record<string, unknown>)[key]
      if (typeof child === 'number') this.numberAt(level, key, child)
      else if (typeof child === 'string') this.stringAt(level, key, child)
      // Also what a setter without a getter gives.
      else if (child === undefined) break
      else {
        this.steps[level] = key
        this.any(child)
      }
      index++
    }
    for (; index < keys.length; index++) {
      const key = keys[index] as string
      const property = getOwnPropertyDescriptor(value, key)
      if (property === undefined || !property.enumerable) this.refuse('a property that is not enumerable', HINT_HIDDEN, key)
      if (property.writable === undefined) this.refuse('an accessor', HINT_ACCESSOR, key)
      const child: unknown = property.value
      if (typeof child === 'number') this.numberAt(level, key, child)
      else if (typeof child === 'string') this.stringAt(level, key, child)
      else {
        this.steps[level] = key
        this.any(child)
      }
    }
  }

  /** A step is told where what comes may have no room: elsewhere no number and no text is refused, and telling it takes time. */
  private numberAt(level: number, step: string | number, value: number): void {
    if (this.limit - this.at < NUMBER_BYTES_MAX) this.steps[level] = step
    this.number(value)
  }

  private stringAt(level: number, step: string | number, value: string): void {
    if (this.limit - this.at < STRING_BYTES_MAX + value.length * UNIT_BYTES_MAX) this.steps[level] = step
    this.string(value)
  }

  private keyList(keys: readonly string[], tag: typeof TAG_OBJECT | typeof TAG_BARE): void {
    const shape = this.shapes.find(keys)
    if (shape === undefined) {
      this.newKeyList(keys, tag)
      return
    }
    if (shape.serial === this.serial) {
      this.again(shape.index, tag)
      return
    }
    this.shapes.given(shape, this.serial, this.shapeCount++)
    const source = shape.bytes
    const size = source.length
    this.ensure(6 + size)
    this.bytes[this.at++] = tag
    this.varint(size)
    const bytes = this.bytes
    let at = this.at
    if (size > 128) bytes.set(source, at)
    else for (let index = 0; index < size; index++) bytes[at + index] = source[index] as number
    at += size
    this.at = at
  }

  private again(index: number, tag: typeof TAG_OBJECT | typeof TAG_BARE): void {
    this.byte(tag === TAG_OBJECT ? TAG_OBJECT_AGAIN : TAG_BARE_AGAIN)
    this.varint(index)
  }

  private newKeyList(keys: readonly string[], tag: typeof TAG_OBJECT | typeof TAG_BARE): void {
    if (keys.length > this.membersMax) this.refuseMore('an object of', this.membersMax, 'properties')
    // The length goes before the keys but is known after them: written with room for the longest, then closed up.
    this.ensure(6)
    const start = this.at
    this.at += 6
    for (const key of keys) this.string(key)
    const end = this.at
    const size = end - start - 6
    const known = this.shapes.meet(keys, this.bytes, start + 6, end, this.serial, this.shapeCount)
    if (known !== undefined) {
      this.at = start
      this.again(known.index, tag)
      return
    }
    this.at = start
    this.byte(tag)
    this.varint(size)
    this.bytes.copyWithin(this.at, start + 6, end)
    this.at += size
    this.shapeCount++
  }

  private array(value: readonly unknown[]): void {
    const count = value.length
    if (count >>> 0 !== count) this.refuse('an array whose length is none', HINT_PROXY)
    if (getOwnPropertySymbols(value).length !== 0) this.refuse('an array that has a symbol as a property', HINT_ARRAY)
    if (!this.isDense(value, count)) {
      this.sparse(value, count)
      return
    }
    if (count > this.elementsMax) this.refuseMore('an array of', this.elementsMax, 'elements')
    this.byte(TAG_ARRAY)
    this.varint(count)
    const level = this.depth - 1
    for (let index = 0; index < count; index++) {
      if (lookupGetter.call(value, index) !== undefined) this.refuse('an accessor', HINT_ACCESSOR, index)
      const child = value[index]
      if (typeof child === 'number') this.numberAt(level, index, child)
      else if (typeof child === 'string') this.stringAt(level, index, child)
      else {
        this.steps[level] = index
        // Undefined may also be what a setter without a getter gives.
        if (child === undefined) this.checkData(value, index)
        this.any(child)
      }
    }
  }

  /** Every index below the length, and no other property that can be seen. Refuses what is known not to be storable before all names are listed. */
  private isDense(value: readonly unknown[], count: number): boolean {
    if (count > LISTED_ELEMENTS_MAX) {
      const elementsOnly = showsElementsOnly(value, count)
      const isTooLong = count > this.membersMax && !types.isProxy(value)
      if (elementsOnly || isTooLong) {
        const hole = firstHole(value, count)
        if (elementsOnly && hole === count) return true
        if (isTooLong) this.checkUnlisted(value, count, hole)
        if (elementsOnly) return false
      }
    }
    const keys = enumerableKeys(value)
    // Indices come first, in order: as many as elements, and the last one in its place, leave room for nothing else.
    return keys.length === count && (count === 0 || keys[count - 1] === String(count - 1))
  }

  /** The names of so many elements take more memory than the elements do. */
  private checkUnlisted(value: readonly unknown[], count: number, hole: number): void {
    if (hole < count) {
      if (hasMoreElements(value, count, this.membersMax)) this.refuseMore(HOLED, this.membersMax, 'elements')
    } else if (showsFurther(value, count)) this.refuse(FURTHER, HINT_ARRAY)
  }

  private sparse(value: readonly unknown[], count: number): void {
    const keys = enumerableKeys(value)
    if (keys.length > this.membersMax) {
      // What is no element is behind all that are.
      const last = keys[keys.length - 1] as string
      if (!isIndex(last, count)) this.refuse(FURTHER, HINT_ARRAY, last)
      this.refuseMore(HOLED, this.membersMax, 'elements')
    }
    this.byte(TAG_ARRAY_SPARSE)
    this.varint(count)
    this.varint(keys.length)
    let next = 0
    for (const key of keys) {
      if (!isIndex(key, count)) this.refuse(FURTHER, HINT_ARRAY, key)
      const index = Number(key)
      if (index < next) this.refuse('an array whose elements are out of order', HINT_PROXY, index)
      this.steps[this.depth - 1] = index
      this.varint(index - next)
      this.any(this.checkData(value, index))
      next = index + 1
    }
  }

  /** The value of a data property. */
  checkData(value: object, key: string | number): unknown {
    const property = getOwnPropertyDescriptor(value, key)
    if (property?.writable === undefined) this.refuse('an accessor', HINT_ACCESSOR, key)
    return property.value
  }
}

/** Of an array of `count` elements. Fractions say themselves in their own digits too. */
function isIndex(key: string, count: number): boolean {
  const index = Number(key)
  return index < count && index >>> 0 === index && String(index) === key
}
