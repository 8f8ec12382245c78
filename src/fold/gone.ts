/**
 * What the base holds of collections that are gone, in files that it shares with those that live: of such a collection no tombstone tells.
 *
 * Does: reads what a segment says of its collections, where ids in its range are not alive. Owns: what was read. Does not own: what is made of
 * it (`planGone` in policy.ts).
 * Invariants: each file is read once in a run; one that cannot be read is let be, as if nothing of it was gone: whoever merges it finds out.
 */
import { TidemarkError } from '../base/errors.ts'
import type { Manifest, SegmentCollection, SegmentEntry } from '../format/index.ts'
import { readFacts } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'
import { aliveIn, type MergeLimits, type MergePlan, planGone, type Stuck } from './policy.ts'

export class Gone {
  readonly #storage: Storage
  readonly #pause: () => Promise<void>
  #known = new Map<string, readonly SegmentCollection[]>()

  /** `pause`: awaited before each file that is read; rejects when it is time to end. */
  constructor(storage: Storage, pause: () => Promise<void>) {
    this.#storage = storage
    this.#pause = pause
  }

  /** Undefined: no range is worth it. Rejects as `pause` does. */
  async plan(manifest: Manifest, limits: MergeLimits, stuck: Stuck): Promise<MergePlan | undefined> {
    const ids = aliveIn(manifest)
    const alive = new Set(ids)
    const shares = new Map<string, number>()
    const known = new Map<string, readonly SegmentCollection[]>()
    for (const { segment } of manifest.base) {
      if (segment === null || !mayHoldOthers(segment, ids)) continue
      const collections = this.#known.get(segment.file) ?? (await this.#read(segment))
      // At once: a pass that is ended between two files is no loss.
      this.#known.set(segment.file, collections)
      known.set(segment.file, collections)
      let rawBytes = 0
      for (const one of collections) if (!alive.has(one.id)) rawBytes += one.rawBytes
      shares.set(segment.file, rawBytes / Math.max(1, segment.rawBytes))
    }
    this.#known = known
    return planGone(manifest, limits, stuck, segment => shares.get(segment.file) ?? 0)
  }

  async #read(segment: SegmentEntry): Promise<readonly SegmentCollection[]> {
    await this.#pause()
    try {
      return (await readFacts(this.#storage, segment)).collections
    } catch (error) {
      if (error instanceof TidemarkError) return []
      throw error
    }
  }
}

/** Not every id between its first and its last is alive. `alive`: in their order. */
function mayHoldOthers({ first, last }: SegmentEntry, alive: readonly number[]): boolean {
  return below(alive, last.collection + 1) - below(alive, first.collection) < last.collection + 1 - first.collection
}

/** How many of the ids are below `id`. */
function below(ids: readonly number[], id: number): number {
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ids[middle] as number) < id) low = middle + 1
    else high = middle
  }
  return low
}
