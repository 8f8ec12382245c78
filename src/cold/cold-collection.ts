/**
 * The cold side of one collection: keys and values over the stored bytes.
 *
 * Owns: a buffer for the key that is asked for, the mean bytes of the values that were read. Does not own: the image (cold-state.ts), what is live,
 * hidden or dirty (capture/).
 * Invariants: what no record can have as a key is stored nowhere, and is said so without a look; a value is decoded before anything else is
 * asked, because its bytes are good only until then; a cursor is refused once the view was exchanged.
 */
import { ByteWriter } from '../base/bytes.ts'
import { assert, hasCode } from '../base/errors.ts'
import { ABSENT, type Cold, type ColdCursor, NONE_YET } from '../capture/index.ts'
import { decodeKey, encodeKeyInto, type Key, type ValueCodec } from '../codec/index.ts'
import { hashPlace } from '../format/index.ts'
import { type LiveCursor, liveCursor } from '../image/index.ts'
import type { Found } from '../segment/index.ts'
import type { ColdState } from './cold-state.ts'

const SCRATCH_BYTES = 256
/** Tombstones that a step of a walk passes; a queue has hundreds of thousands beside each other. */
const STEP_PASSED_MAX = 64
/** A value that was read moves the mean of their bytes by so much at least: it follows what changes. */
const WEIGHT = 1 / 512

export class ColdCollection implements Cold {
  /** Given at `open`, or later by `store.map(name, { codec })`; asked for the first time when a value is read. */
  codec: ValueCodec
  readonly #state: ColdState
  readonly #id: number
  readonly #key = new ByteWriter(SCRATCH_BYTES)
  #meanBytes = 0
  #samples = 0

  /** `id`: of the incarnation that is stored. */
  constructor(state: ColdState, id: number, codec: ValueCodec) {
    this.#state = state
    this.#id = id
    this.codec = codec
  }

  get atHome(): boolean {
    return this.#state.atHome
  }

  get version(): number {
    return this.#state.version
  }

  read(key: Key): unknown {
    const found = this.#find(key)
    return found?.put === true ? this.decode(found.bytes, found.start, found.end) : ABSENT
  }

  decode(bytes: Buffer, start: number, end: number): unknown {
    const weight = Math.max(1 / ++this.#samples, WEIGHT)
    this.#meanBytes += (end - start - this.#meanBytes) * weight
    return this.codec.decode(bytes, start, end)
  }

  get meanBytes(): number {
    return this.#meanBytes
  }

  has(key: Key): boolean {
    return this.#find(key)?.put === true
  }

  /** At home it costs no more to know for certain, so a tombstone counts as absent there. */
  mayHave(key: Key): boolean {
    if (this.#state.atHome) return this.has(key)
    if (!this.#encode(key)) return false
    const bytes = this.#key.view()
    return this.#state.image.mayHave(this.#id, bytes, hashPlace(this.#id, bytes))
  }

  keys(from?: Key, behind = false): ColdCursor {
    const state = this.#state
    if (from !== undefined) assert(this.#encode(from), 'a walk begins at a key')
    const cursor = liveCursor(state.image, this.#id, from === undefined ? undefined : this.#key.view(), behind)
    return new Walk(this, cursor)
  }

  #find(key: Key): Found | undefined {
    if (!this.#encode(key)) return undefined
    const bytes = this.#key.view()
    return this.#state.timed(() => this.#state.image.find(this.#id, bytes, hashPlace(this.#id, bytes)))
  }

  /** False for what cannot be a key: a Map may be asked for anything. */
  #encode(key: Key): boolean {
    this.#key.reset()
    try {
      encodeKeyInto(this.#key, key)
      return true
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_KEY')) return false
      throw error
    }
  }
}

class Walk implements ColdCursor {
  readonly #collection: ColdCollection
  readonly #cursor: LiveCursor
  readonly #version: number

  constructor(collection: ColdCollection, cursor: LiveCursor) {
    this.#collection = collection
    this.#cursor = cursor
    this.#version = collection.version
  }

  next(): Key | undefined {
    this.#assertGood()
    return this.#cursor.next() ? this.#key() : undefined
  }

  step(): Key | typeof NONE_YET | undefined {
    this.#assertGood()
    const found = this.#cursor.step(STEP_PASSED_MAX)
    if (found === undefined) return NONE_YET
    return found ? this.#key() : undefined
  }

  read(): unknown {
    this.#assertGood()
    const { bytes, start, end } = this.#cursor
    return this.#collection.decode(bytes, start, end)
  }

  #key(): Key {
    const { bytes, keyStart, keyEnd } = this.#cursor
    return decodeKey(bytes, keyStart, keyEnd)
  }

  #assertGood(): void {
    assert(this.#collection.version === this.#version, 'a walk ends with the view it walks')
  }
}
