/**
 * Between which places a segment lies, as far as the manifest says: known before any byte of it is read.
 * Owns: the ends, decoded at the first use. Invariant: of an end that was cut no place that begins so is said to be on either side.
 */
import { compareBytes, type SegmentEnd, type SegmentEntry } from '../format/index.ts'
import type { Range } from './layer.ts'

export type Place = NonNullable<Range['from']>

interface End extends Place {
  readonly cut: boolean
}

export class Ends {
  readonly #entry: SegmentEntry
  #places: { readonly first: End; readonly last: End } | undefined

  constructor(entry: SegmentEntry) {
    this.#entry = entry
  }

  exclude(collection: number, key: Uint8Array): boolean {
    const { first, last } = this.#decoded()
    return compareTo(collection, key, first) < 0 || compareTo(collection, key, last) > 0
  }

  /** The first place is before this one, for certain. */
  beginBefore(collection: number, key: Uint8Array): boolean {
    return compareTo(collection, key, this.#decoded().first) > 0
  }

  #decoded(): { readonly first: End; readonly last: End } {
    const { first, last } = this.#entry
    this.#places ??= { first: decoded(first), last: decoded(last) }
    return this.#places
  }
}

function decoded({ collection, key, cut }: SegmentEnd): End {
  return { collection, key: Buffer.from(key, 'hex'), cut: cut === true }
}

/** 0 too for a key that begins as an end that was cut. */
function compareTo(collection: number, key: Uint8Array, end: End): number {
  const length = end.cut ? Math.min(key.length, end.key.length) : key.length
  return collection - end.collection || compareBytes(key, 0, length, end.key, 0, end.key.length)
}
