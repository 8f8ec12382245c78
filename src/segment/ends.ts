/**
 * Between which places a segment lies, as the manifest says: known before any byte of it is read. Owns: the places, decoded at the first use.
 */
import { compareBytes, type SegmentEntry } from '../format/index.ts'
import type { Range } from './layer.ts'

export type Place = NonNullable<Range['from']>

export class Ends {
  readonly #entry: SegmentEntry
  #places: { readonly first: Place; readonly last: Place } | undefined

  constructor(entry: SegmentEntry) {
    this.#entry = entry
  }

  exclude(collection: number, key: Uint8Array): boolean {
    const { first, last } = this.#decoded()
    return compareTo(collection, key, first) < 0 || compareTo(collection, key, last) > 0
  }

  /** The first place is before this one. */
  beginBefore(collection: number, key: Uint8Array): boolean {
    return compareTo(collection, key, this.#decoded().first) > 0
  }

  #decoded(): { readonly first: Place; readonly last: Place } {
    const { first, last } = this.#entry
    this.#places ??= {
      first: { collection: first.collection, key: Buffer.from(first.key, 'hex') },
      last: { collection: last.collection, key: Buffer.from(last.key, 'hex') },
    }
    return this.#places
  }
}

function compareTo(collection: number, key: Uint8Array, other: Place): number {
  return collection - other.collection || compareBytes(key, 0, key.length, other.key, 0, other.key.length)
}
