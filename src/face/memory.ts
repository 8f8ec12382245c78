/** What `stats()` says of a store whose memory is bounded. Owns nothing. */
import type { Collection } from '../capture/index.ts'
import type { StoreStats } from './types.ts'

/** `memory`: undefined where it is not bounded. */
export function memoryStats(
  memory: Omit<NonNullable<StoreStats['memory']>, 'held'> | undefined,
  collections: Iterable<Collection>,
): StoreStats['memory'] {
  if (memory === undefined) return undefined
  let held = 0
  for (const { cold } of collections) held += cold?.held.size ?? 0
  return { ...memory, held }
}
