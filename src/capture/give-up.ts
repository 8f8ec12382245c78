/** What becomes of a part's keys where none of its records will count. Owns nothing; when a cut is given back is the matter of capture.ts. */
import type { CapturePart } from './capture-part.ts'
import type { Journal } from './journal.ts'
import type { KeySet } from './key-set.ts'
import { keysOf, Leftover } from './leftovers.ts'

function bySize(one: KeySet, other: KeySet): readonly [most: KeySet, rest: KeySet] {
  return one.size < other.size ? [other, one] : [one, other]
}

/**
 * No record counts but those of before: what was fresh still is, and so is whatever was not deleted since. Otherwise every key that comes and goes
 * while the disk is full would be remembered. `takes`: whether a step for each of these may be made now.
 */
export function giveUp(part: CapturePart, journal: Journal, takes: (keys: KeySet) => boolean): void {
  const { collection } = part
  const { fresh, deleted } = collection
  const settles = takes(deleted)
  if (settles) {
    for (const key of keysOf(deleted)) {
      if (!part.fresh.has(key) || part.leaves(key)) part.deleted.add(key)
      else if (!part.live.has(key)) {
        // It came before the barrier and went behind it.
        part.fresh.delete(key)
        collection.cold?.vanished(key)
        part.space.leftNothing(part.id, key)
      }
    }
    collection.deleted = part.deleted
    collection.gone = part.gone
  } else collection.gone = joined(part.gone, part.deleted, takes)
  const [most, rest] = bySize(part.fresh, fresh)
  const joins = takes(rest)
  if (joins) for (const key of keysOf(rest)) most.add(key)
  else for (const piece of rest.pieces()) journal.adopt(piece)
  collection.fresh = most
  if (settles && joins && collection.gone.length < 2) return
  part.space.leftovers.add(new Leftover(part, [part.fresh, fresh], settles ? undefined : deleted, joins ? undefined : rest))
}

/** One set more; keys are added to the last one instead where `takes` says so, so that there are few to ask. */
export function joined(sets: readonly KeySet[], more: KeySet, takes: (keys: KeySet) => boolean): readonly KeySet[] {
  const last = sets.at(-1)
  if (more.size === 0) return sets
  if (last === undefined || !takes(more)) return [...sets, more]
  for (const key of keysOf(more)) last.add(key)
  return sets
}
