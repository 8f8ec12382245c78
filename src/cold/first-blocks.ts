/**
 * Which blocks come home first: those that hold most of what the last run touched.
 *
 * What: looks each touched place up in the indexes, and counts. Places, not blocks, are what is known of the last run, because merges write
 * blocks again. Owns: the counts. Does not own: when a slice ends, reading.
 */
import { HYDRATION_FIRST_BLOCKS } from '../base/limits.ts'
import type { TouchedPlace } from '../format/index.ts'
import type { ColdSegment } from './cold-state.ts'

export interface FirstBlock {
  readonly segment: ColdSegment
  readonly block: number
}

interface Counted extends FirstBlock {
  touches: number
}

export class FirstBlocks {
  readonly #segments: readonly ColdSegment[]
  readonly #blocks = new Map<ColdSegment, Map<number, Counted>>()

  /** Described ones. */
  constructor(segments: readonly ColdSegment[]) {
    this.#segments = segments
  }

  add(place: TouchedPlace): void {
    for (const segment of this.#segments) {
      const block = segment.blockOf(place)
      if (block < 0) continue
      let blocks = this.#blocks.get(segment)
      if (blocks === undefined) {
        blocks = new Map()
        this.#blocks.set(segment, blocks)
      }
      const counted = blocks.get(block)
      if (counted === undefined) blocks.set(block, { segment, block, touches: 1 })
      else counted.touches++
    }
  }

  /**
   * Most touched first; of those touched alike, by segment, which was touched first. Blocks that were touched once are no better than others, and
   * each costs a read of its own, so there are few of them.
   */
  list(): readonly FirstBlock[] {
    const byTouches: Counted[][] = []
    for (const blocks of this.#blocks.values()) {
      for (const counted of blocks.values()) {
        byTouches[counted.touches] ??= []
        byTouches[counted.touches]?.push(counted)
      }
    }
    return byTouches
      .reverse()
      .flat()
      .filter(({ touches }, at) => touches > 1 || at < HYDRATION_FIRST_BLOCKS)
  }
}
