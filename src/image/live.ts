/**
 * Walks what a collection holds: its puts alone, in the order of keys.
 *
 * Owns nothing but the place of the walk. Does not own: decoding, and whether the collection is alive.
 */
import type { Layer, LayerCursor } from '../segment/index.ts'

/** After `next()` returned true the fields describe one entry, as offsets into `bytes`; good until the next step. */
export class LiveCursor {
  readonly #cursor: LayerCursor

  /** `cursor`: over the places of one collection. */
  constructor(cursor: LayerCursor) {
    this.#cursor = cursor
  }

  next(): boolean {
    while (this.#cursor.next()) if (this.#cursor.put) return true
    return false
  }

  /** As `next`, but passes `most` records at most that are no puts; undefined: these it passed, and there may be more. */
  step(most: number): boolean | undefined {
    for (let left = most; left > 0; left--) {
      if (!this.#cursor.next()) return false
      if (this.#cursor.put) return true
    }
    return undefined
  }

  get bytes(): Buffer {
    return this.#cursor.bytes
  }

  get keyStart(): number {
    return this.#cursor.keyStart
  }

  get keyEnd(): number {
    return this.#cursor.keyEnd
  }

  get start(): number {
    return this.#cursor.start
  }

  get end(): number {
    return this.#cursor.end
  }
}

/** Begins at the key `from`, which need not be there, or `behind` it, or at the first key. `image`: an Image, or a layer that is all there is. */
export function liveCursor(image: Layer, collection: number, from?: Uint8Array, behind = false): LiveCursor {
  // Behind: the key and a zero byte, nothing lies between the two.
  const key = new Uint8Array(from === undefined ? 0 : from.length + (behind ? 1 : 0))
  if (from !== undefined) key.set(from)
  return new LiveCursor(image.cursor({ from: { collection, key }, to: { collection: collection + 1, key: new Uint8Array(0) } }))
}
