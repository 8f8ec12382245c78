/**
 * Which rebuildable collections an epoch leaves out, under pressure.
 *
 * What: at a barrier it names those whose last committed state may stand a while longer, and gives their entries of the catalogue as that
 * commit had them.
 * Owns: the last committed entry of each rebuildable collection, and when its cut fell. Does not own: whether there is pressure, what is captured.
 * Invariants: what is left out has no record in the epoch, is named in its commit as of the epoch whose state stands, and was in a cut
 * no more than INTERVALS_MAX intervals ago; collections that a transaction changed together are in one cut; an epoch that moved its cut
 * leaves out nothing that its first cut took, because records of it are written.
 */
import type { Clock } from '../base/clock.ts'
import { LAG_EPOCHS_MAX, LAG_INTERVALS_MAX } from '../base/limits.ts'
import type { Collection, Links } from '../capture/index.ts'
import type { CatalogueEntry } from '../format/index.ts'

export interface LagParts {
  readonly clock: Clock
  readonly intervalMs: number
  readonly links: Links
  /** Durability does not keep up. */
  readonly pressed: () => boolean
  /** Whether values of the collection are refused now: what is stored of it is not counted exactly. */
  readonly refuses: (collection: Collection) => boolean
}

interface Stored {
  readonly entry: CatalogueEntry
  readonly epoch: number
  /** When its cut fell, by the monotonic clock. */
  readonly cutAt: number
}

export const NONE_LEFT: ReadonlySet<Collection> = new Set()

export class Lag {
  readonly #parts: LagParts
  /** By incarnation. */
  #stored = new Map<number, Stored>()
  /** Rebuildable when the last cut fell: of these every transaction since is known. */
  #rebuildable: ReadonlySet<number> = new Set()

  constructor(parts: LagParts) {
    this.#parts = parts
  }

  /** A barrier falls that ends this epoch: what it leaves out. `among`: nothing else; `whole`: nothing at all. */
  cut(collections: Iterable<Collection>, epoch: number, whole: boolean, among?: ReadonlySet<Collection>): ReadonlySet<Collection> {
    const rebuildable = [...collections].filter(collection => collection.class === 'rebuildable')
    const left = whole ? NONE_LEFT : this.#leaves(rebuildable, epoch, among)
    this.#rebuildable = new Set(rebuildable.map(({ id }) => id))
    return left
  }

  /** Those of which nothing need be left out, whatever the next barrier decides. */
  early(collections: Iterable<Collection>): Iterable<Collection> {
    return this.#parts.pressed() ? [...collections].filter(collection => collection.class !== 'rebuildable') : collections
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
    for (const collection of may) {
      const group = links.of(collection)
      if ([...group].some(other => !other.dropped && !may.has(other))) for (const other of group) may.delete(other)
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
  }

  #may(collection: Collection, epoch: number): boolean {
    const stored = this.#stored.get(collection.id)
    // What did not change lags behind nothing; what is being captured already cannot be left.
    if (stored === undefined || !collection.dirty || collection.part !== undefined) return false
    if (collection.drained.length > 0 || this.#parts.refuses(collection)) return false
    const { intervalMs, clock } = this.#parts
    if (intervalMs === 0) return epoch - stored.epoch < LAG_EPOCHS_MAX
    return clock.monotonic() - stored.cutAt <= (LAG_INTERVALS_MAX - 1) * intervalMs
  }
}
