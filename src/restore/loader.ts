/**
 * Brings the entries of a store back from the committed epochs of its log.
 *
 * What: takes epochs in order, record by record, and holds the state after the last one; at the end puts keys in key-byte order.
 * Owns: the state being built. Does not own: reading or verifying the log (log/), which hands over committed epochs only.
 * Invariants: a record counts only if its collection is in the catalogue of its epoch; values of a codec that is not known yet stay
 * encoded and are kept as copies.
 */
import type { Key, ValueCodec } from '../codec/index.ts'
import { compareKeys } from '../codec/index.ts'

/** A value whose codec was not given at `open`. */
export class EncodedValue {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

export interface LoadedCollection {
  readonly id: number
  readonly name: string
  readonly kind: 'map' | 'value'
  readonly codec: string
  live: Map<Key, unknown>
  /** Entries are `EncodedValue`s. */
  readonly encoded: boolean
}

export interface EpochCatalogue {
  readonly id: number
  readonly name: string
  readonly kind: 'map' | 'value'
  readonly codec: string
}

/** Keys sorted at once; longer lists are merged in steps. */
const RUN_KEYS = 1024

export class Loader {
  readonly #codecs: ReadonlyMap<string, ValueCodec>
  #collections = new Map<number, LoadedCollection>()
  #current: LoadedCollection | undefined
  #codec: ValueCodec | undefined
  records = 0

  constructor(codecs: ReadonlyMap<string, ValueCodec>) {
    this.#codecs = codecs
  }

  /** The catalogue of the epoch whose records follow. */
  begin(catalogue: readonly EpochCatalogue[]): void {
    const next = new Map<number, LoadedCollection>()
    for (const { id, name, kind, codec } of catalogue) {
      next.set(id, this.#collections.get(id) ?? { id, name, kind, codec, live: new Map(), encoded: !this.#codecs.has(codec) })
    }
    this.#collections = next
    this.#current = undefined
  }

  put(id: number, key: Key, bytes: Buffer, start: number, end: number): void {
    const collection = this.#find(id)
    if (collection === undefined) return
    this.records++
    const codec = this.#codec
    collection.live.set(
      key,
      codec === undefined ? new EncodedValue(Buffer.from(bytes.subarray(start, end))) : codec.decode(bytes, start, end),
    )
  }

  remove(id: number, key: Key): void {
    this.records++
    this.#find(id)?.live.delete(key)
  }

  /** Records of a collection come in runs. */
  #find(id: number): LoadedCollection | undefined {
    if (this.#current?.id !== id) {
      this.#current = this.#collections.get(id)
      this.#codec = this.#current === undefined ? undefined : this.#codecs.get(this.#current.codec)
    }
    return this.#current
  }

  /** The collections, keys in key-byte order. Calls `pause` often; it may wait. */
  async finish(pause: () => Promise<void> | undefined): Promise<readonly LoadedCollection[]> {
    for (const collection of this.#collections.values()) {
      const keys = await sortKeys([...collection.live.keys()], pause)
      const ordered = new Map<Key, unknown>()
      for (let at = 0; at < keys.length; at++) {
        const key = keys[at] as Key
        ordered.set(key, collection.live.get(key))
        if (at % 512 === 511) await pause()
      }
      collection.live = ordered
    }
    return [...this.#collections.values()]
  }
}

/** Merge sort in steps (bottom-up), so that a million keys do not hold a turn. */
async function sortKeys(keys: Key[], pause: () => Promise<void> | undefined): Promise<Key[]> {
  for (let at = 0; at < keys.length; at += RUN_KEYS) {
    const run = keys.slice(at, at + RUN_KEYS).sort(compareKeys)
    for (let offset = 0; offset < run.length; offset++) keys[at + offset] = run[offset] as Key
    await pause()
  }
  let from = keys
  let to: Key[] = new Array(keys.length)
  for (let width = RUN_KEYS; width < keys.length; width *= 2) {
    for (let low = 0; low < keys.length; low += 2 * width) {
      const middle = Math.min(low + width, keys.length)
      const high = Math.min(low + 2 * width, keys.length)
      let left = low
      let right = middle
      for (let at = low; at < high; at++) {
        const takeLeft = left < middle && (right >= high || compareKeys(from[left] as Key, from[right] as Key) <= 0)
        to[at] = from[takeLeft ? left++ : right++] as Key
        if (at % 1024 === 1023) await pause()
      }
    }
    ;[from, to] = [to, from]
  }
  return from
}
