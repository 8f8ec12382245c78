/**
 * Reads a segment ahead of one walk, in large pieces and without holding the turn: for merges.
 *
 * Contract: `await fill()`, then walk for a slice, then fill again. A walk that outruns what was read reads a block itself, holding the turn:
 * slower, never wrong; `waits` counts those. A merge that looks at `ready` about once a block has none.
 * Owns: stored bytes of blocks ahead of the walk, SEGMENT_AHEAD_BYTES of them or one block that is larger. Does not own: the segment.
 */
import type { SegmentEntry } from '../format/index.ts'
import type { Found, Layer, LayerCursor, Range } from './layer.ts'
import type { Segment } from './segment.ts'

export declare class ReadAhead implements Layer {
  /** For walks inside `range`, one at a time, each beginning where the one before ended or later. Described first, or the first `fill` does it. */
  constructor(segment: Segment, range?: Range)

  readonly entry: SegmentEntry
  /** Blocks that a walk read itself. */
  get waits(): number
  /** Half of what it holds is ahead of the walk, or the end of the range. */
  get ready(): boolean
  /** Reads on until it holds what it may. One call at a time. */
  fill(): Promise<void>

  find(collection: number, key: Uint8Array, hash: number): Found | undefined
  mayHave(collection: number, key: Uint8Array, hash: number): boolean
  cursor(range?: Range): LayerCursor
}
