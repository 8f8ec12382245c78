/**
 * What falls due on a store at rest, where no commit and no job would begin it: a fold for what was dropped, a look at points that age.
 *
 * Owns: the timers of that, what is alive by the last epoch. Does not own: the fold and the look themselves.
 * Invariants: what was dropped is looked for behind each epoch, and behind each fold, which may bring into segments what was dropped while it was
 * under way; a fold is asked for no sooner than REPEAT_MS behind the last manifest; after `stop` nothing is asked for.
 */
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { type CatalogueEntry, type Manifest, segmentsOf } from '../format/index.ts'
import { ageLookMs, type Retention } from '../manifest/index.ts'

/** Nothing was published for so long: the newest manifest is written once more, where the one before it keeps files from going. */
export const REPEAT_MS = 30_000

export interface AtRestParts {
  readonly scheduler: Scheduler
  readonly monotonic: () => number
  readonly manifest: () => Manifest
  readonly retention: Retention
  /** When the newest manifest was published. */
  readonly publishedAt: () => number
  /** Segments hold what was dropped. */
  readonly dropped: () => void
  /** Points may be too old. */
  readonly aged: () => void
}

export class AtRest {
  readonly #parts: AtRestParts
  #alive: readonly CatalogueEntry[] = []
  /** The collections that segments of this manifest begin or end with, for each epoch may ask. */
  #held: { readonly number: number; readonly ids: ReadonlySet<number> } | undefined
  #fold: Cancel | undefined
  #look: Cancel | undefined
  #stopped = false

  constructor(parts: AtRestParts) {
    this.#parts = parts
  }

  /** `alive`: after the last epoch. */
  committed(alive: readonly CatalogueEntry[]): void {
    this.#alive = alive
    this.#lookDropped()
  }

  folded(): void {
    this.#lookDropped()
    this.#lookOld()
  }

  /** A fold for what was dropped is waited for. */
  get asks(): boolean {
    return this.#fold !== undefined
  }

  stop(): void {
    this.#stopped = true
    this.#fold?.()
    this.#look?.()
    this.#fold = undefined
    this.#look = undefined
  }

  /** Segments of collections that are gone go after a fold alone, and nothing else may ever be written: so one is asked for, but not each epoch. */
  #lookDropped(): void {
    const { monotonic, manifest, scheduler, publishedAt, dropped } = this.#parts
    if (this.#stopped || this.#fold !== undefined || !this.#isMissing(manifest())) return
    const ask = (): void => {
      this.#fold = undefined
      dropped()
    }
    this.#fold = scheduler.after(Math.max(0, publishedAt() + REPEAT_MS - monotonic()), ask)
  }

  /** What was emptied entry by entry before it was dropped has no entry, but whole segments where it was large: each has a record of it at an end. */
  #isMissing(manifest: Manifest): boolean {
    const { number, fold } = manifest
    const isHeld = (id: number): boolean => {
      if (this.#held?.number !== number) {
        this.#held = { number, ids: new Set(segmentsOf(manifest).flatMap(({ first, last }) => [first.collection, last.collection])) }
      }
      return this.#held.ids.has(id)
    }
    return isMissing(fold?.catalogue ?? [], this.#alive, isHeld)
  }

  /** While nothing is folded points age, too; those that are kept for their number are not looked at. */
  #lookOld(): void {
    const { manifest, scheduler, retention, aged } = this.#parts
    if (this.#stopped || this.#look !== undefined || manifest().retained.length < retention.keepLast) return
    const look = (): void => {
      this.#look = undefined
      aged()
      this.#lookOld()
    }
    this.#look = scheduler.after(ageLookMs(retention), look)
  }
}

/** Whether something is not alive any more that has entries, or of which there are records all the same (`held`); both are in the order of ids. */
function isMissing(before: readonly CatalogueEntry[], alive: readonly CatalogueEntry[], held: (collection: number) => boolean): boolean {
  let at = 0
  for (const { id, entries } of before) {
    while ((alive[at]?.id ?? Number.POSITIVE_INFINITY) < id) at++
    if (alive[at]?.id !== id && (entries > 0 || held(id))) return true
  }
  return false
}
