/** What `stats()` says about one collection. Owns nothing. */
import type { Collection, CollectionClass, CollectionKind, Spared } from '../capture/index.ts'

export interface CollectionStats {
  readonly kind: CollectionKind
  readonly codec: string
  readonly class: CollectionClass
  /** Upper bound: a key that was set while its entry was on disk alone may count twice until its epoch is durable. `size` of a map is exact. */
  readonly entries: number
  /** Upper bound of the entries written since the last barrier. */
  readonly dirtyMax: number
  /** Keys whose newest change was not significant and waits. */
  readonly insignificant: number
  /**
   * Keys that were set and not written, because their encoding is that of their last record, since `open`; and the bytes that this spared.
   * What an attempt that failed had spared, or a cut that moved, is taken back: it may go down.
   */
  readonly redundant: Spared
  /** Calls of `set` with the primitive that was there, since `open`: they changed nothing, and no record was made. */
  readonly unchanged: number
}

export function collectionStats(collection: Collection): CollectionStats {
  const { kind, codec, class: of, sizeMax, dirtyKeysMax, significance, redundancy } = collection
  return {
    kind,
    codec: codec.name,
    class: of,
    entries: sizeMax,
    dirtyMax: dirtyKeysMax,
    insignificant: significance?.size ?? 0,
    redundant: { ...redundancy.spared },
    unchanged: redundancy.unchanged,
  }
}
