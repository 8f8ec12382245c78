/**
 * The image of one moment: tables, young segments and the base as one layer, in which the newest word on a place counts.
 *
 * What: `find` asks from the newest to the oldest and ends at the first word; a cursor merges all of them in the order of places.
 * Owns: which layers have a say on a place. Does not own: the layers, their files, whether a collection is still alive.
 * Invariants: a young segment whose `through` is not above that of the base range of a place has no say there; a base layer has none outside
 * of its range; a cursor has at most one walk under way in each table, each young segment and the base as a whole; after damage it throws
 * again, so that a walk that broke off never looks like one that ended.
 */
import { assert } from '../base/errors.ts'
import { compareBytes, type Place, type SegmentEntry } from '../format/index.ts'
import type { Found, Layer, Range } from '../segment/index.ts'
import { MergeCursor, type Walks } from './merge.ts'

export type Bound = NonNullable<Range['from']>

/** A layer that a manifest names. */
export type SegmentLayer = Layer & { readonly entry: SegmentEntry }

/** A range of places, from `start` to the start of the next: all that was known up to epoch `through` lies in `layer`, or nothing. */
export interface BasePart {
  readonly start: Place
  readonly through: number
  readonly layer: Layer | null
  /** `start`, where who made the part has it already. */
  readonly bound?: Bound
}

export interface ImageParts {
  /** Newest first. */
  readonly tables: readonly Layer[]
  /** Newest first. */
  readonly young: readonly SegmentLayer[]
  /** In the order of places; the first starts before every place. */
  readonly base: readonly BasePart[]
}

export class Image implements Layer {
  readonly #tables: readonly Layer[]
  readonly #young: readonly SegmentLayer[]
  readonly #base: readonly BasePart[]
  /** Of each base range. */
  readonly #starts: readonly Bound[]

  constructor(parts: ImageParts) {
    this.#tables = parts.tables
    this.#young = parts.young
    this.#base = parts.base
    this.#starts = parts.base.map(({ start, bound }) => bound ?? boundOf(start))
    const first = this.#starts[0]
    assert(first !== undefined && first.collection === 0 && first.key.length === 0, 'a base starts before every place')
    assert(
      this.#starts.every((start, at) => at === 0 || compareBounds(this.#starts[at - 1] as Bound, start) < 0),
      'the ranges of a base stand in order',
    )
  }

  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    for (const table of this.#tables) {
      const found = table.find(collection, key, hash)
      if (found !== undefined) return found
    }
    const { through, layer } = this.#base[this.#rangeOf(collection, key)] as BasePart
    for (const segment of this.#young) {
      if (segment.entry.through <= through) continue
      const found = segment.find(collection, key, hash)
      if (found !== undefined) return found
    }
    return layer === null ? undefined : layer.find(collection, key, hash)
  }

  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    for (const table of this.#tables) if (table.mayHave(collection, key, hash)) return true
    const { through, layer } = this.#base[this.#rangeOf(collection, key)] as BasePart
    for (const segment of this.#young) if (segment.entry.through > through && segment.mayHave(collection, key, hash)) return true
    return layer?.mayHave(collection, key, hash) ?? false
  }

  /** Tombstones included. Layers are opened at the first step, or before it one by one; the base one range after another. */
  cursor(range: Range = {}): MergeCursor {
    if (range.from !== undefined && range.to !== undefined && compareBounds(range.to, range.from) <= 0) return new MergeCursor([])
    const walks: Walks[] = this.#tables.map(table => once(table, range))
    for (const segment of this.#young) walks.push(this.#youngWalks(segment, range))
    walks.push(this.#baseWalks(range))
    return new MergeCursor(walks)
  }

  /** The stretches of base ranges in which the segment has a say, each as long as it can be. */
  *#youngWalks(segment: SegmentLayer, range: Range): Walks {
    const hasSay = (at: number): boolean => (this.#base[at] as BasePart).through < segment.entry.through
    const last = this.#lastRange(range)
    for (let at = this.#firstRange(range); at <= last; at++) {
      if (!hasSay(at)) continue
      let end = at + 1
      while (end <= last && hasSay(end)) end++
      const part = this.#cut(range, at, end)
      if (part === undefined) return
      yield segment.cursor(part)
      at = end
    }
  }

  *#baseWalks(range: Range): Walks {
    for (let at = this.#firstRange(range); at < this.#base.length; at++) {
      const part = this.#cut(range, at, at + 1)
      if (part === undefined) return
      const { layer } = this.#base[at] as BasePart
      if (layer !== null) yield layer.cursor(part)
    }
  }

  /** What of `range` lies in the base ranges from `first` up to before `end`; undefined when it ends before them. */
  #cut({ from, to }: Range, first: number, end: number): Range | undefined {
    const start = this.#starts[first] as Bound
    if (to !== undefined && compareBounds(to, start) <= 0) return undefined
    const stop = this.#starts[end]
    const low = from !== undefined && compareBounds(from, start) > 0 ? from : start
    const high = stop === undefined || (to !== undefined && compareBounds(to, stop) < 0) ? to : stop
    return high === undefined ? { from: low } : { from: low, to: high }
  }

  #firstRange({ from }: Range): number {
    return from === undefined ? 0 : this.#rangeOf(from.collection, from.key)
  }

  #lastRange({ to }: Range): number {
    return to === undefined ? this.#base.length - 1 : this.#rangeOf(to.collection, to.key)
  }

  /** The last base range that does not start behind the place. */
  #rangeOf(collection: number, key: Uint8Array): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const start = this.#starts[middle] as Bound
      const difference = start.collection - collection || compareBytes(start.key, 0, start.key.length, key, 0, key.length)
      if (difference <= 0) low = middle
      else high = middle - 1
    }
    return low
  }
}

export function boundOf({ collection, key }: Place): Bound {
  return { collection, key: Buffer.from(key, 'hex') }
}

function* once(layer: Layer, range: Range): Walks {
  yield layer.cursor(range)
}

function compareBounds(a: Bound, b: Bound): number {
  return a.collection - b.collection || compareBytes(a.key, 0, a.key.length, b.key, 0, b.key.length)
}
