/**
 * Whether a `set` to what is live already is no change. Owns nothing.
 *
 * Where all that is set is in one epoch, in a transaction and in a listener of a barrier, it may be one: what is live may wait as insignificant, lag,
 * or be refused by its codec. One that a codec of the user refused is set for another attempt: no barrier falls for it otherwise.
 */
import { type Key, tideCodec } from '../codec/index.ts'
import type { Collection } from './collection.ts'

export function isUnchanged(collection: Collection, key: Key, value: unknown): boolean {
  const { space, significance } = collection
  const { transaction } = space
  if (space.forbidden !== undefined) return false
  if (transaction === undefined) {
    if (isRefused(collection, key)) return false
    return !space.letsIn || (significance === undefined && collection.class !== 'rebuildable')
  }
  const isStored = collection.codec === tideCodec && typeof value !== 'function' && typeof value !== 'symbol'
  if (significance !== undefined || !isStored) return false
  space.leavesAsIs(collection)
  return true
}

/** As far as a barrier has said so: what was not before one yet is to be written anyway. */
function isRefused({ codec, space, id, fresh, postponed }: Collection, key: Key): boolean {
  return codec !== tideCodec && space.refusedKeys(id) > 0 && (fresh.has(key) || postponed.refused.has(key))
}
