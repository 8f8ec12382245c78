/**
 * What is stored and not in the heap, for all collections of a store together: one image, and the files under it.
 *
 * Owns: which view counts now, and the segments of it until `close`, behind which it is one of nothing. Does not own: what was written since (capture/), bringing blocks home
 * (hydration.ts), when a later view is due.
 * Invariants: a view is exchanged whole, in one turn; `version` rises with each exchange, and with nothing else; `atHome` is true only when
 * every segment of the view is in memory, so it is never true of a view in which a look-up still reads the disk.
 */
import { Histogram } from '../base/histogram.ts'
import { sharedMemoryLeft } from '../base/shared-memory.ts'
import { EMPTY_BASE, type TouchedPlace } from '../format/index.ts'
import { Image, type SegmentLayer } from '../image/index.ts'
import type { BlocksWanted, Layer, StoredRange } from '../segment/index.ts'

/** A segment file as the cold side needs it, beside what it answers. */
export interface ColdSegment extends SegmentLayer {
  /**
   * Reads what describes the blocks, once, without holding the turn; the members below stand on it. `pause` is awaited between pieces of the
   * work. Where the filter alone cannot be read it throws, and all members stand but `blockOf`.
   * @throws TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_STORAGE
   */
  describe(pause?: () => Promise<void>): Promise<void>
  /** The same without the filter. */
  describeBlocks(): Promise<void>
  /** How many blocks it holds. */
  readonly blocks: number
  /** Every block is in memory, and the file is not read any more. */
  readonly atHome: boolean
  /** Of the blocks in memory: what lies in memory that threads share. */
  readonly sharedBytes: number
  /** Blocks that look-ups read stay in memory: they would come home anyway. */
  comesHome: boolean
  /** The block is in memory. */
  has(block: number): boolean
  /** The only block that may hold the place, without reading one; -1: none does. */
  blockOf(place: TouchedPlace): number
  /** Where the block lies in the file; blocks lie in their order. */
  storedRange(block: number): StoredRange
  /** Reads without holding the turn, from the descriptor that was opened with the segment: the name may be gone. */
  read(offset: number, length: number): Promise<Buffer>
  /** The raw block of its stored bytes, checked. @throws TIDEMARK_SEGMENT_DAMAGED */
  unpack(block: number, stored: Buffer): Buffer
  /** What it takes to unpack the blocks elsewhere; in their order. */
  wanted(blocks: readonly number[]): BlocksWanted
  /** Look-ups find the block here from now on. `together`: the memory around it is that of others that are kept, too. */
  keep(block: number, raw: Buffer, together?: boolean): void
  /** Gives the descriptor back; safe to call twice. What is at home goes on answering. */
  close(): Promise<void>
}

export interface ColdView {
  /** Tables and segments as one. */
  readonly image: Layer
  /** Every segment in it, newest first. */
  readonly segments: readonly ColdSegment[]
}

export class ColdState {
  /** Look-ups made while a block might have to be read. */
  readonly reads = new Histogram()
  readonly #now: () => number
  #view: ColdView
  #version = 0
  #atHome: boolean

  /** `now`: milliseconds for `reads`. */
  constructor(view: ColdView, now: () => number) {
    this.#view = view
    this.#now = now
    this.#atHome = allAtHome(view)
  }

  get image(): Layer {
    return this.#view.image
  }

  get segments(): readonly ColdSegment[] {
    return this.#view.segments
  }

  get version(): number {
    return this.#version
  }

  get atHome(): boolean {
    return this.#atHome
  }

  /** A segment's last block came home: looks whether it was the last of all. */
  cameHome(): void {
    this.#atHome = allAtHome(this.#view)
  }

  /** Puts a later view in place. Returns the segments that are no part of it, for the caller to close. */
  exchange(view: ColdView): readonly ColdSegment[] {
    const kept = new Set(view.segments)
    const left = this.#view.segments.filter(segment => !kept.has(segment))
    this.#view = view
    this.#version++
    this.#atHome = allAtHome(view)
    return left
  }

  /** Makes one look-up and counts its time while the disk may be in it. */
  timed<T>(look: () => T): T {
    if (this.#atHome) return look()
    const begin = this.#now()
    try {
      return look()
    } finally {
      this.reads.record(this.#now() - begin)
    }
  }

  /** Gives every descriptor back; rejects with the first error after all were tried. Whoever keeps a closed store keeps nothing of its state. */
  async close(): Promise<void> {
    // Said once nothing here holds it.
    const bytes = this.#view.segments.reduce((sum, { sharedBytes }) => sum + sharedBytes, 0)
    const results = await Promise.allSettled(this.exchange(nothing()).map(segment => segment.close()))
    sharedMemoryLeft(bytes)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

function nothing(): ColdView {
  const base = EMPTY_BASE.map(({ start, through }) => ({ start, through, layer: null }))
  return { image: new Image({ tables: [], young: [], base }), segments: [] }
}

function allAtHome(view: ColdView): boolean {
  return view.segments.every(segment => segment.atHome)
}
