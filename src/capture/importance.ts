/** What the owner of a collection says of its changes. Owns nothing. */
import type { Collection } from './collection.ts'
import { Significance, type Significant } from './significance.ts'

/** How much it matters that a change is durable soon. */
export type CollectionClass = 'critical' | 'standard' | 'rebuildable'

export interface Importance {
  readonly significant?: Significant
  readonly class?: CollectionClass
  readonly rpoMs?: number
}

/** What is given counts from now on: what changes matter, and how much. True where the `rpoMs` is another. */
export function treat(collection: Collection, { significant, class: of, rpoMs }: Importance): boolean {
  if (significant !== undefined || rpoMs !== undefined) collection.space.treated.add(collection)
  if (significant !== undefined) {
    if (collection.significance === undefined) collection.significance = new Significance(significant)
    else collection.significance.renew(significant)
  }
  if (of === undefined) return false
  const isOther = rpoMs !== collection.rpoMs
  collection.class = of
  collection.rpoMs = rpoMs
  if (of === 'rebuildable') collection.space.rebuildable = true
  return isOther
}
