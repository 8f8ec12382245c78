/** Sums over what manifests list. Pure functions. */
import type { CatalogueEntry, SegmentEntry } from '../format/index.ts'

/** Whether something is not alive any more that has entries, or of which there are records all the same (`held`); both are in the order of ids. */
export function isMissing(
  before: readonly CatalogueEntry[],
  alive: readonly CatalogueEntry[],
  held: (collection: number) => boolean,
): boolean {
  let at = 0
  for (const { id, entries } of before) {
    while ((alive[at]?.id ?? Number.POSITIVE_INFINITY) < id) at++
    if (alive[at]?.id !== id && (entries > 0 || held(id))) return true
  }
  return false
}

export function bytesOf(segments: readonly SegmentEntry[]): number {
  return segments.reduce((sum, entry) => sum + entry.bytes, 0)
}
