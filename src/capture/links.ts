/**
 * Which collections have to be in one cut together: those that a transaction changed together since they were in one.
 *
 * What: groups of collections, disjoint; two that meet in a transaction become one. Kept only in a store that has rebuildable collections:
 * others are never left out of an epoch.
 * Owns: the groups. Does not own: which collections an epoch leaves out (checkpoint/lag.ts).
 * Invariants: a cut takes all of a group or nothing of it; the larger group grows where two meet, so that a transaction costs what it brings.
 */
import type { Collection } from './collection.ts'

export type LinkGroup = ReadonlySet<Collection>

export class Links {
  readonly #groups = new Map<Collection, Set<Collection>>()

  /** A transaction changed these. */
  join(collections: ReadonlySet<Collection>): void {
    if (collections.size < 2) return
    let largest: Set<Collection> | undefined
    for (const collection of collections) {
      const group = this.#groups.get(collection)
      if (group !== undefined && group.size > (largest?.size ?? 0)) largest = group
    }
    const all = largest ?? new Set<Collection>()
    for (const collection of collections) {
      const group = this.#groups.get(collection)
      if (group !== undefined && group === largest) continue
      for (const member of group ?? [collection]) {
        if (member.dropped) continue
        all.add(member)
        this.#groups.set(member, all)
      }
    }
  }

  /** What has to be in a cut with this one, itself included; the same set for each of them. What was dropped may be among it. */
  of(collection: Collection): LinkGroup {
    return this.#groups.get(collection) ?? new Set([collection])
  }

  /** A cut took all but these. Gives the groups that it took, for `join` when the cut is lost. */
  cut(left: ReadonlySet<Collection>): LinkGroup[] {
    const taken = new Set<Set<Collection>>()
    for (const [collection, group] of this.#groups) {
      if (left.has(collection)) continue
      this.#groups.delete(collection)
      if (collection.dropped) group.delete(collection)
      else taken.add(group)
    }
    return [...taken]
  }
}
