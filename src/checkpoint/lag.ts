/**
 * Which rebuildable collections an epoch leaves out, under pressure.
 *
 * What: at a barrier it names those whose last committed state may stand a while longer, and gives their entries of the catalogue as that
 * commit had them. Says how old that is which was left out.
 * Owns: the last committed entry of each rebuildable collection, and when its cut fell; which of them were left out or waited for. Does not
 * own: whether there is pressure, what is captured, how long something may be left out (schedule/).
 * Invariants: what is left out has no record in the epoch, is named in its commit as of the epoch whose state stands, and was in a cut
 * less than `leftOutMsMax` ago; collections that a transaction changed together are in one cut; an epoch that moved its cut
 * leaves out nothing that its first cut took, because records of it are written; ages are upper bounds.
 */
import type { Clock } from '../base/clock.ts'
import { LAG_EPOCHS_MAX } from '../base/limits.ts'
import type { Collection, LinkGroup, Links } from '../capture/index.ts'
import type { CatalogueEntry } from '../format/index.ts'
import type { LagAges } from '../schedule/index.ts'

export interface LagParts {
  readonly clock: Clock
  /** Where there is no interval epochs count, not time. */
  readonly intervalMs: number
  /** What was in no cut for so long is taken. */
  readonly leftOutMsMax: () => number
  readonly links: Links
  /** Durability does not keep up. */
  readonly pressed: () => boolean
  /** Whether values of the collection are refused now: what is stored of it is not counted exactly. */
  readonly refuses: (collection: Collection) => boolean
  /** What listeners of the barrier that falls wrote to: it is in the epoch. */
  readonly letInto: ReadonlySet<Collection>
}

interface Stored {
  readonly entry: CatalogueEntry
  readonly epoch: number
  /** When its cut fell, by the monotonic clock. */
  readonly cutAt: number
}

export const NONE_LEFT: ReadonlySet<Collection> = new Set()
export const NO_LAG: LagAges = { laggingMs: 0, uncutMs: 0 }

export class Lag {
  readonly #parts: LagParts
  /** By incarnation. */
  #stored = new Map<number, Stored>()
  /** Rebuildable when the last cut fell: of these every transaction since is known. */
  #rebuildable: ReadonlySet<number> = new Set()
  /** Left out, or no barrier fell for their sake; and when that was last. */
  readonly #late = new Map<Collection, number>()
  /** The cut of the epoch under way: when it fell, and what it left out. */
  #cut: { readonly at: number; readonly left: ReadonlySet<Collection> } | undefined

  constructor(parts: LagParts) {
    this.#parts = parts
  }

  /** A barrier falls that ends this epoch: what it leaves out. `among`: nothing else; `whole`: nothing at all. */
  cut(collections: Iterable<Collection>, epoch: number, whole: boolean, among?: ReadonlySet<Collection>): ReadonlySet<Collection> {
    const rebuildable = [...collections].filter(collection => collection.class === 'rebuildable')
    const left = whole ? NONE_LEFT : this.#leaves(rebuildable, epoch, among)
    this.#rebuildable = new Set(rebuildable.map(({ id }) => id))
    this.#cut = { at: this.#parts.clock.monotonic(), left }
    this.wait(left, this.#cut.at)
    return left
  }

  /** These are not to be taken now. */
  wait(collections: Iterable<Collection>, now = this.#parts.clock.monotonic()): void {
    for (const collection of collections) this.#late.set(collection, now)
  }

  /** Of those that were not taken. */
  get ages(): LagAges {
    if (this.#late.size === 0) return NO_LAG
    const now = this.#parts.clock.monotonic()
    let laggingMs = 0
    let uncutMs = 0
    for (const collection of this.#late.keys()) {
      const stored = this.#stored.get(collection.id)
      if (stored === undefined || collection.dropped) continue
      const taken = this.#cut !== undefined && !this.#cut.left.has(collection) ? this.#cut : undefined
      if (taken !== undefined || collection.dirty) laggingMs = Math.max(laggingMs, now - stored.cutAt)
      if (collection.dirty) uncutMs = Math.max(uncutMs, now - (taken?.at ?? stored.cutAt))
    }
    return { laggingMs, uncutMs }
  }

  /** Those of which nothing need be left out, whatever the next barrier decides. */
  early(collections: Iterable<Collection>): Iterable<Collection> {
    return this.#parts.pressed() ? [...collections].filter(collection => collection.class !== 'rebuildable') : collections
  }

  /** What a barrier would leave out of these. */
  leaves(collections: Iterable<Collection>, epoch: number): ReadonlySet<Collection> {
    if (!this.#parts.pressed()) return NONE_LEFT
    return this.#leaves(
      [...collections].filter(collection => collection.class === 'rebuildable'),
      epoch,
    )
  }

  /** Whether a barrier would leave out all of these. */
  leavesAll(collections: readonly Collection[], epoch: number): boolean {
    const rebuildable = collections.filter(collection => collection.class === 'rebuildable')
    return rebuildable.length === collections.length && this.#leaves(rebuildable, epoch).size === collections.length
  }

  #leaves(rebuildable: readonly Collection[], epoch: number, among?: ReadonlySet<Collection>): ReadonlySet<Collection> {
    const { links, pressed } = this.#parts
    const may = new Set(rebuildable.filter(collection => (among?.has(collection) ?? true) && this.#may(collection, epoch)))
    if (may.size === 0 || !pressed()) return NONE_LEFT
    const seen = new Set<LinkGroup>()
    for (const collection of may) {
      const group = links.of(collection)
      if (seen.has(group)) continue
      seen.add(group)
      if (!isIn(group, may)) for (const other of group) may.delete(other)
    }
    return may
  }

  /** The entry of a collection that was left out: as it was committed. */
  entryOf({ id }: Collection): Omit<CatalogueEntry, 'bytes'> & { readonly asOf: number } {
    const { entry, epoch } = this.#stored.get(id) as Stored
    const { kind, name, codec, entries } = entry
    return { id, kind, name, codec, entries, asOf: epoch }
  }

  /** This is durable. */
  committed(epoch: number, catalogue: readonly CatalogueEntry[], cutAt: number): void {
    const stored = new Map<number, Stored>()
    for (const entry of catalogue) {
      const before = entry.asOf === undefined ? undefined : this.#stored.get(entry.id)
      if (before !== undefined) stored.set(entry.id, before)
      else if (this.#rebuildable.has(entry.id)) stored.set(entry.id, { entry, epoch, cutAt })
    }
    this.#stored = stored
    // Who was taken, by the cut that counts, may have been told to wait since.
    const { at: takenAt, left } = this.#cut ?? { at: cutAt, left: NONE_LEFT }
    for (const [collection, at] of this.#late) if (at <= takenAt && !left.has(collection)) this.#late.delete(collection)
    this.#cut = undefined
  }

  /** The epoch under way is given up. */
  failed(): void {
    this.#cut = undefined
  }

  #may(collection: Collection, epoch: number): boolean {
    const stored = this.#stored.get(collection.id)
    // What did not change lags behind nothing; what is being captured already cannot be left.
    if (stored === undefined || !collection.dirty || collection.part !== undefined) return false
    if (collection.drained.length > 0 || this.#parts.letInto.has(collection) || this.#parts.refuses(collection)) return false
    const { intervalMs, leftOutMsMax, clock } = this.#parts
    if (intervalMs === 0) return epoch - stored.epoch < LAG_EPOCHS_MAX
    return clock.monotonic() - stored.cutAt < leftOutMsMax()
  }
}

/** Whether all that is alive of the group is in the set. */
function isIn(group: LinkGroup, may: ReadonlySet<Collection>): boolean {
  for (const member of group) if (!member.dropped && !may.has(member)) return false
  return true
}
