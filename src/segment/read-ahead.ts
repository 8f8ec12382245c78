/**
 * Reads a segment ahead of one walk, in large pieces and without holding the turn: for merges.
 *
 * Contract: `await fill()`, then walk for a slice, then fill again. A walk that outruns what was read reads a block itself, holding the turn:
 * slower, never wrong; `waits` counts those. A merge that looks at `ready` about once a block has none, but for blocks that are larger than what
 * may be held: the walk reads each when it comes to it. Of each segment that is merged there is then one in memory, the one that its walk stands
 * in, and not those behind it.
 * Owns: stored bytes of blocks ahead of the walk, at most SEGMENT_AHEAD_BYTES of them. Does not own: the segment.
 */
import { SEGMENT_AHEAD_BYTES } from '../base/limits.ts'
import type { SegmentEntry } from '../format/index.ts'
import type { Found, Layer, LayerCursor, Range } from './layer.ts'
import type { Segment } from './segment.ts'
import { SegmentCursor } from './segment-cursor.ts'

export class ReadAhead implements Layer {
  readonly entry: SegmentEntry
  /** Blocks that a walk read itself. */
  waits = 0
  readonly #segment: Segment
  readonly #range: Range
  readonly #held = new Map<number, Buffer>()
  #heldBytes = 0
  /** The first block that was neither walked nor read; -1: not known yet. */
  #next = -1
  #end = Number.POSITIVE_INFINITY

  /**
   * For walks inside `range`, one at a time, each beginning where the one before ended or later. Described first, or the first `fill` does it, but for
   * the filter, which no walk needs.
   */
  constructor(segment: Segment, range: Range = {}) {
    this.entry = segment.entry
    this.#segment = segment
    this.#range = range
  }

  /** A walk over it, or a fill, has begun. */
  get begun(): boolean {
    return this.#next >= 0
  }

  /** Half of what it holds is ahead of the walk, or the end of the range. */
  get ready(): boolean {
    return this.#next >= this.#end || (this.#next >= 0 && this.#heldBytes >= SEGMENT_AHEAD_BYTES / 2)
  }

  /** Reads on until it holds what it may. One call at a time. */
  async fill(): Promise<void> {
    if (this.ready) return
    const segment = this.#segment
    await segment.describeBlocks()
    this.#begin()
    const first = this.#next
    let end = first
    let bytes = 0
    while (end < this.#end) {
      const { length } = segment.storedRange(end)
      if (this.#heldBytes + bytes + length > SEGMENT_AHEAD_BYTES) break
      bytes += length
      end++
    }
    if (end === first) return
    const { offset } = segment.storedRange(first)
    const read = await segment.read(offset, bytes)
    for (let block = first; block < end; block++) {
      const range = segment.storedRange(block)
      this.#held.set(block, read.subarray(range.offset - offset, range.offset - offset + range.length))
    }
    this.#heldBytes += bytes
    this.#next = end
  }

  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    return this.#segment.find(collection, key, hash)
  }

  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    return this.#segment.mayHave(collection, key, hash)
  }

  cursor(range: Range = {}): LayerCursor {
    const segment = this.#segment
    const source = {
      get index() {
        return segment.index
      },
      endsBefore: (block: number, place: NonNullable<Range['from']>) => segment.endsBefore(block, place),
      raw: (block: number) => this.#take(block),
      failed: (block: number, error: unknown) => segment.failed(block, error),
    }
    return new SegmentCursor(source, range)
  }

  #begin(): void {
    if (this.#next >= 0) return
    const { from, to } = this.#range
    const { index } = this.#segment
    const first = from === undefined ? 0 : Math.max(0, index.find(from.collection, from.key))
    this.#next = from !== undefined && this.#segment.endsBefore(first, from) ? first + 1 : first
    this.#end = to === undefined ? index.count : index.find(to.collection, to.key) + 1
  }

  /** The walk has come to this block; those before it are not needed any more. */
  #take(block: number): Buffer {
    this.#begin()
    const stored = this.#held.get(block)
    for (const [held, bytes] of this.#held) {
      if (held > block) break
      this.#held.delete(held)
      this.#heldBytes -= bytes.length
    }
    if (stored !== undefined) return this.#segment.unpack(block, stored)
    // A walk that begins where one ended comes to its last block twice: that one is not counted among those ahead.
    this.waits++
    this.#next = Math.max(this.#next, block + 1)
    return this.#segment.readBlock(block)
  }
}
