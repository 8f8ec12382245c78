/**
 * Shapes: the key lists of objects, remembered so that a list seen before costs a comparison. Bounded; forgetting one costs time only.
 */
import { SHAPE_BYTES_MAX, SHAPE_KEYS_MAX, SHAPES_PER_COUNT_MAX, SHAPES_READ_MAX } from '../base/limits.ts'

/** A key list on the writing side. */
export interface Shape {
  readonly keys: readonly string[]
  /** The encoded keys, without their length. */
  readonly bytes: Uint8Array
  /** In which value it was written last, and as which of that value's shapes. */
  serial: number
  index: number
}

/** Shapes by their number of keys, those met lately first. */
export class WrittenShapes {
  private readonly byCount: Shape[][] = Array.from({ length: SHAPE_KEYS_MAX + 1 }, () => [])

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

  add(keys: readonly string[], bytes: Uint8Array, serial: number, index: number): void {
    if (keys.length > SHAPE_KEYS_MAX || bytes.length > SHAPE_BYTES_MAX) return
    const bucket = this.byCount[keys.length] as Shape[]
    const place = Math.min(bucket.length, SHAPES_PER_COUNT_MAX - 1)
    bucket[place] = { keys, bytes: Uint8Array.prototype.slice.call(bytes), serial, index }
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
