/**
 * Which places the service reads and writes: a sample of them, for the next restart to bring home first.
 *
 * What: a window is opened now and then; while it is open every access goes the guarded way, where it is noted, until the window's number
 * of accesses was seen. With no window open an access costs nothing: it does not even look here.
 * Owns: the last ORDER_PLACES_MAX places noted. Does not own: when a window opens, the file (cold/touch-order.ts).
 * Invariants: a note takes the same few bytes whatever the key; what cannot be a key is not noted; nothing is thrown.
 */
import { ByteWriter } from '../base/bytes.ts'
import { ORDER_KEY_BYTES_MAX, ORDER_PLACES_MAX } from '../base/limits.ts'
import { encodeKeyInto, type Key } from '../codec/index.ts'
import type { TouchedPlace } from '../format/index.ts'

/** A bigint of more bits is longer than what is kept of a key, and takes long to encode. */
const BIGINT_MAX = 1n << BigInt(8 * ORDER_KEY_BYTES_MAX)

export interface Note {
  readonly collection: number
  /** A character for each byte: less memory than a Buffer. */
  readonly key: string
  readonly cut: boolean
}

export class Touches {
  /** Accesses that the open window still takes. */
  left = 0
  /** Noted since the start. */
  count = 0
  readonly #notes: Note[] = []
  readonly #writer = new ByteWriter(4 * ORDER_KEY_BYTES_MAX)

  note(collection: number, key: Key): void {
    this.left--
    const short = typeof key === 'string' && key.length > ORDER_KEY_BYTES_MAX ? key.slice(0, ORDER_KEY_BYTES_MAX) : key
    if (typeof short === 'bigint' && (short > BIGINT_MAX || short < -BIGINT_MAX)) return
    const writer = this.#writer
    writer.reset()
    try {
      encodeKeyInto(writer, short)
    } catch {
      return
    }
    const length = Math.min(writer.length, ORDER_KEY_BYTES_MAX)
    const note = { collection, key: writer.bytes.toString('latin1', 0, length), cut: short !== key || length < writer.length }
    this.#notes[this.count++ % ORDER_PLACES_MAX] = note
  }

  /** What was noted last, the earlier first. */
  notes(): readonly Note[] {
    const at = this.count % ORDER_PLACES_MAX
    return this.count <= ORDER_PLACES_MAX ? this.#notes.slice() : [...this.#notes.slice(at), ...this.#notes.slice(0, at)]
  }
}

export function placeOf({ collection, key, cut }: Note): TouchedPlace {
  return { collection, key: Buffer.from(key, 'latin1'), cut }
}
