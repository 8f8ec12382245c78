/**
 * A segment file to be read: look-ups, walks, and blocks that come to stay. Byte table: docs/format/segment.md.
 *
 * Owns: the descriptor, what describes the blocks once it was read, the blocks at home. Does not own: which segments count, the cache.
 * Invariants: no byte is trusted before its checksum held at its offset in this file; what describes the file agrees with the manifest's
 * entry; after the last block came home the file is not read any more.
 */
import type { SegmentEntry } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import type { BlockCache } from './block-cache.ts'
import type { Found, Layer, LayerCursor, Range } from './layer.ts'

export interface SegmentOptions {
  /** Raw blocks read last, shared by as many segments as like; default one of its own. */
  readonly cache?: BlockCache
}

/** Satisfies `ColdSegment` (src/cold) and `SegmentLayer` (src/image). Damage throws TIDEMARK_SEGMENT_DAMAGED, a failing disk TIDEMARK_STORAGE. */
export declare class Segment implements Layer {
  private constructor()

  /** Opens the descriptor; no byte is read. From then on the name may go. */
  static open(storage: Storage, entry: SegmentEntry, options?: SegmentOptions): Promise<Segment>

  readonly entry: SegmentEntry
  /** Reads what describes the blocks, once. A synchronous call that comes earlier reads it itself, holding the turn. */
  describe(): Promise<void>
  get blocks(): number
  get atHome(): boolean
  storedRange(block: number): { readonly offset: number; readonly length: number }
  read(offset: number, length: number): Promise<Buffer>
  unpack(block: number, stored: Buffer): Buffer
  keep(block: number, raw: Buffer): void
  close(): Promise<void>

  /** Reads a block at most. The bytes found stay good as long as they are held. */
  find(collection: number, key: Uint8Array, hash: number): Found | undefined
  /** By the filter alone. */
  mayHave(collection: number, key: Uint8Array, hash: number): boolean
  /** Reads block by block, each when the walk comes to it; a merge takes a ReadAhead instead. */
  cursor(range?: Range): LayerCursor
}
