/**
 * A key that came since the last barrier goes again. Owns nothing; which keys these are is the collection's matter (collection.ts), and what a
 * rollback brings back that of the transaction: until that ends, nobody forgets anything.
 */
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'

/** True where it did: it is live no more, has no record, needs none, and nothing is remembered of it. */
export function vanished(collection: Collection, key: Key): boolean {
  const { id, live, fresh, part, cold, space } = collection
  if (fresh.size === 0 || !fresh.has(key)) return false
  // Too early is harmless: one that is refused and still there is refused again. Where the stack ends it would be never.
  if (space.transaction === undefined) space.leftNothing(id, key)
  else space.transaction.vanished(collection, key)
  // In this order: one that is live is in there, whatever of the rest the end of the stack leaves out.
  live.delete(key)
  fresh.delete(key)
  part?.forget(key)
  cold?.vanished(key)
  return true
}
