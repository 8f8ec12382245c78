/** A key that came since the last barrier goes again. Owns nothing; which keys these are is the collection's matter (collection.ts). */
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'

/** True where it did: it has no record, needs none, and nothing is remembered of it. */
export function vanished({ id, fresh, part, cold, space }: Collection, key: Key): boolean {
  if (fresh.size === 0 || !fresh.delete(key)) return false
  part?.forget(key)
  cold?.vanished(key)
  space.cameAndWent?.(id, key)
  return true
}
