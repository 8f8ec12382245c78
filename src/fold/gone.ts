/**
 * What the base holds of collections that are gone, in files that it shares with those that live: of such a collection no tombstone tells.
 *
 * Does: reads what a segment says of its collections, where ids in its range are not alive. Owns: what was read. Does not own: what is made of
 * it (`planGone` in policy.ts).
 * Invariants: each file is read once in a run; one that is damaged is let be, as if nothing of it was gone: whoever merges it finds out. So is for a
 * while one that cannot be read, for a mount that was away may be back: then it is asked for again, and on a store at rest, too.
 */
import { TidemarkError } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { Manifest, SegmentCollection, SegmentEntry } from '../format/index.ts'
import { readFacts } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'
import { aliveIn, type MergeLimits, type MergePlan, planGone, type Stuck } from './policy.ts'
import { UNREAD_MS } from './unreadable.ts'

export interface GoneParts {
  readonly storage: Storage
  readonly scheduler: Scheduler
  /** Awaited before each file that is read; rejects when it is time to end. */
  readonly pause: () => Promise<void>
  /** Something that could not be read is to be asked for again. */
  readonly again: () => void
}

export class Gone {
  readonly #parts: GoneParts
  #known = new Map<string, readonly SegmentCollection[]>()
  readonly #unread = new Set<string>()
  #cancel: Cancel | undefined

  constructor(parts: GoneParts) {
    this.#parts = parts
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Undefined: no range is worth it. Rejects as `pause` does. */
  async plan(manifest: Manifest, limits: MergeLimits, stuck: Stuck): Promise<MergePlan | undefined> {
    const ids = aliveIn(manifest)
    const alive = new Set(ids)
    const shares = new Map<string, number>()
    const known = new Map<string, readonly SegmentCollection[]>()
    for (const { segment } of manifest.base) {
      if (segment === null || !mayHoldOthers(segment, ids)) continue
      if (this.#unread.has(segment.file)) continue
      const collections = this.#known.get(segment.file) ?? (await this.#read(segment))
      if (collections === undefined) continue
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

  /** Undefined: it could not be read. */
  async #read(segment: SegmentEntry): Promise<readonly SegmentCollection[] | undefined> {
    const { storage, scheduler, pause, again } = this.#parts
    await pause()
    try {
      return (await readFacts(storage, segment)).collections
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      if (error.kind === 'damage') return []
    }
    this.#unread.add(segment.file)
    this.#cancel ??= scheduler.after(UNREAD_MS, () => {
      this.#cancel = undefined
      this.#unread.clear()
      again()
    })
    return undefined
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
