/**
 * Which collections have to be in one cut together: those that a transaction changed together since they were in one.
 *
 * What: groups of collections, disjoint; two that meet in a transaction become one. Kept only in a store that has rebuildable collections:
 * others are never left out of an epoch.
 * Owns: the groups. Does not own: which collections an epoch leaves out (checkpoint/lag.ts).
 * Invariant: a cut takes all of a group or nothing of it.
 */
import type { Collection } from './collection.ts'

export type LinkGroup = ReadonlySet<Collection>

export class Links {
  readonly #groups = new Map<Collection, Set<Collection>>()

  /** A transaction changed these. */
  join(collections: ReadonlySet<Collection>): void {
    if (collections.size < 2) return
    const [first] = collections
    const known = this.#groups.get(first as Collection)
    if (known !== undefined && [...collections].every(collection => known.has(collection))) return
    const all = new Set<Collection>()
    for (const collection of collections) {
      for (const member of this.#groups.get(collection) ?? [collection]) if (!member.dropped) all.add(member)
    }
    if (all.size < 2) return
    for (const member of all) this.#groups.set(member, all)
  }

  /** What has to be in a cut with this one, itself included. */
  of(collection: Collection): LinkGroup {
    return this.#groups.get(collection) ?? new Set([collection])
  }

  /** A cut took all but these. Gives the groups that it took, for `join` when the cut is lost. */
  cut(left: ReadonlySet<Collection>): LinkGroup[] {
    const taken = new Set<Set<Collection>>()
    for (const [collection, group] of this.#groups) {
      if (left.has(collection)) continue
      taken.add(group)
      this.#groups.delete(collection)
    }
    return [...taken]
  }
}
