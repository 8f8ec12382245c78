/**
 * Whether a `set` to what is live already is no change. Owns nothing.
 *
 * Where all that is set is in one epoch, in a transaction and in a listener of a barrier, it may be one: what is live may wait as insignificant, lag,
 * or be refused by its codec.
 */
import { tideCodec } from '../codec/index.ts'
import type { Collection } from './collection.ts'

export function isUnchanged(collection: Collection, value: unknown): boolean {
  const { space, significance } = collection
  const { transaction } = space
  if (space.forbidden !== undefined) return false
  if (transaction === undefined) return !space.letsIn || (significance === undefined && collection.class !== 'rebuildable')
  const isStored = collection.codec === tideCodec && typeof value !== 'function' && typeof value !== 'symbol'
  if (significance !== undefined || !isStored) return false
  transaction.leavesAsIs(collection)
  return true
}
