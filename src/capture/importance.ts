/** What the owner of a collection says of its changes. Owns nothing. */
import type { Significant } from './significance.ts'

/** How much it matters that a change is durable soon. */
export type CollectionClass = 'critical' | 'standard' | 'rebuildable'

export interface Importance {
  readonly significant?: Significant
  readonly class?: CollectionClass
  readonly rpoMs?: number
}
