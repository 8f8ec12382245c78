/**
 * Layers: what can be asked for a record and walked in the order of places. Tables and segments are layers, and so is an image of many.
 *
 * Key bytes are encoded keys (docs/format/key.md). Every call is synchronous; one that needs the disk reads a block at most, beside what
 * describes a segment the first time. Damage throws, naming file and offset: never a wrong answer.
 */

/** What was found: offsets into `bytes`, good until the next call of whoever gave it. `put` false: the newest word is that it is deleted. */
export interface Found {
  readonly put: boolean
  readonly bytes: Buffer
  /** The value's bytes; empty for a tombstone. */
  readonly start: number
  readonly end: number
}

/** Walks records in the order of places. After `next()` returned true the fields describe one record. */
export interface LayerCursor {
  next(): boolean
  readonly collection: number
  readonly put: boolean
  /** Of key and value alike; good until the next step. */
  readonly bytes: Buffer
  readonly keyStart: number
  readonly keyEnd: number
  readonly start: number
  readonly end: number
}

/** Where a walk begins and ends: places with `from` <= place < `to`; a key of no bytes comes before every key of its collection. */
export interface Range {
  readonly from?: { readonly collection: number; readonly key: Uint8Array }
  readonly to?: { readonly collection: number; readonly key: Uint8Array }
}

export interface Layer {
  /** The layer's word on a place; undefined when it has none. `hash` is `hashPlace(collection, key)`, the same for all layers. */
  find(collection: number, key: Uint8Array, hash: number): Found | undefined
  /** False: it has no word on it for certain, said without reading a block. */
  mayHave(collection: number, key: Uint8Array, hash: number): boolean
  cursor(range?: Range): LayerCursor
}
