/**
 * Shapes: the key lists of objects, remembered so that a list seen before costs a comparison. Bounded; forgetting one costs time only: of the
 * value being written those that lose their place are kept aside, so that its bytes do not tell what was written before it.
 */
import { SHAPE_BYTES_MAX, SHAPE_KEYS_MAX, SHAPES_IN_VALUE_MAX, SHAPES_PER_COUNT_MAX, SHAPES_READ_MAX } from '../base/limits.ts'
import { fast } from './text.ts'

/** A key list on the writing side. */
export interface Shape {
  readonly keys: readonly string[]
  /** The encoded keys, without their length. */
  readonly bytes: Buffer
  /** The same as a string, where it was needed. */
  text: string | undefined
  /** In which value it was written last so that it may be referred to, and as which of that value's shapes. */
  serial: number
  index: number
  /** The value in which it was put aside. */
  asideIn: number
}

/** The serial of no value. */
const NO_VALUE = -1

/** Shapes by their number of keys, those met lately first. */
export class WrittenShapes {
  private readonly byCount: Shape[][] = Array.from({ length: SHAPE_KEYS_MAX + 1 }, () => [])
  /** Of the value being written, those that lost their place to others of it, by encoded keys. */
  private aside: Map<string, Shape> | undefined = undefined

  find(keys: readonly string[]): Shape | undefined {
    const count = keys.length
    if (count > SHAPE_KEYS_MAX) return undefined
    const bucket = this.byCount[count] as Shape[]
    for (let place = 0; place < bucket.length; place++) {
      const shape = bucket[place] as Shape
      const known = shape.keys
      let index = 0
      while (index < count && known[index] === keys[index]) index++
      if (index < count) continue
      if (place > 0) {
        bucket[place] = bucket[place - 1] as Shape
        bucket[place - 1] = shape
      }
      return shape
    }
    return undefined
  }

  /**
   * For keys that `find` did not find, encoded in `[start, end)`: their list, if this value gave it and it lost its place since; otherwise
   * undefined, and they are remembered as the value's list `index`.
   */
  meet(keys: readonly string[], bytes: Buffer, start: number, end: number, serial: number, index: number): Shape | undefined {
    if (keys.length > SHAPE_KEYS_MAX || end - start > SHAPE_BYTES_MAX) return undefined
    const text = this.aside === undefined ? undefined : fast(bytes).latin1Slice(start, end)
    const known = text === undefined ? undefined : this.aside?.get(text)
    // What is left of a value that had no stack to `end` is none of this one's.
    if (known !== undefined && known.asideIn === serial) {
      this.place(known, serial)
      return known
    }
    const copy = Uint8Array.prototype.slice.call(bytes, start, end) as Buffer
    const shape: Shape = { keys, bytes: copy, text, serial: NO_VALUE, index, asideIn: NO_VALUE }
    this.given(shape, serial, index)
    this.place(shape, serial)
    return undefined
  }

  /** Takes a place, and puts aside what had it if this value has given that. */
  private place(shape: Shape, serial: number): void {
    const bucket = this.byCount[shape.keys.length] as Shape[]
    const at = Math.min(bucket.length, SHAPES_PER_COUNT_MAX - 1)
    const before = bucket[at]
    bucket[at] = shape
    if (before === undefined || before.serial !== serial || before.asideIn === serial) return
    before.asideIn = serial
    before.text ??= fast(before.bytes).latin1Slice(0, before.bytes.length)
    this.aside ??= new Map()
    this.aside.set(before.text, before)
  }

  /** The value `serial` gives the list as its list `index`. */
  given(shape: Shape, serial: number, index: number): void {
    shape.serial = index < SHAPES_IN_VALUE_MAX ? serial : NO_VALUE
    shape.index = index
  }

  /** A value ends. */
  end(): void {
    this.aside = undefined
  }
}

/** A key list on the reading side. */
export interface KeyList {
  readonly keys: readonly string[]
  /** Some key means something to `Object.prototype`: assignment would not do what a definition does. */
  readonly careful: boolean
}

interface Remembered extends KeyList {
  readonly bytes: Uint8Array
}

/** Key lists by their bytes: one place for each hash, the newer takes it. */
export class ReadShapes {
  private readonly places: (Remembered | undefined)[] = Array.from({ length: SHAPES_READ_MAX }, () => undefined)

  private place(bytes: Uint8Array, start: number, size: number): number {
    const middle = bytes[start + (size >> 1)] as number
    return (size * 31 + (bytes[start + 1] as number) * 7 + middle * 5 + (bytes[start + size - 1] as number)) % SHAPES_READ_MAX
  }

  find(bytes: Uint8Array, start: number, size: number): KeyList | undefined {
    if (size < 2) return undefined
    const entry = this.places[this.place(bytes, start, size)]
    if (entry === undefined) return undefined
    const known = entry.bytes
    if (known.length !== size) return undefined
    for (let index = 0; index < size; index++) if (known[index] !== bytes[start + index]) return undefined
    return entry
  }

  add(list: KeyList, bytes: Uint8Array, start: number, size: number): void {
    if (size < 2 || size > SHAPE_BYTES_MAX) return
    const copy = Uint8Array.prototype.slice.call(bytes, start, start + size)
    this.places[this.place(bytes, start, size)] = { keys: list.keys, careful: list.careful, bytes: copy }
  }
}
