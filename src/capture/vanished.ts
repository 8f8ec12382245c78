/**
 * A key that came since the last barrier goes again. Owns nothing; which keys these are is the collection's matter (collection.ts), and what a
 * rollback brings back that of the transaction: until that ends, nobody forgets anything.
 */
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'

/** True where it did: it has no record, needs none, and nothing is remembered of it. */
export function vanished(collection: Collection, key: Key): boolean {
  const { id, fresh, part, cold, space } = collection
  if (fresh.size === 0 || !fresh.delete(key)) return false
  part?.forget(key)
  cold?.vanished(key)
  if (space.transaction === undefined) space.leftNothing(id, key)
  else space.transaction.vanished(collection, key)
  return true
}
