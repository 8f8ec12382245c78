/**
 * A key that came since the last barrier goes again. Owns nothing; which keys these are is the collection's matter (collection.ts), and what a
 * rollback brings back that of the transaction: until that ends, nobody forgets anything.
 */
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'

/** True where it did: it is live no more, has no record, needs none, and nothing is remembered of it. */
export function vanished(collection: Collection, key: Key): boolean {
  const { id, live, fresh, part, cold, space } = collection
  if (fresh.size === 0 || !fresh.delete(key)) return false
  try {
    // Of a chain (map-chain.ts) it is a call, too.
    live.delete(key)
    if (space.transaction === undefined) space.leftNothing(id, key)
    else space.transaction.vanished(collection, key)
  } catch (error) {
    // Where the stack ends the key may be there, and has to be written; or its refusal is not forgotten, which it is with the next epoch.
    collection.saturated = true
    throw error
  }
  // What follows may be left out.
  part?.forget(key)
  cold?.vanished(key)
  return true
}
