/**
 * Before a key of a collection is set or deleted, an object handed out, or all entries go: the cut under way and the transaction keep what they need.
 *
 * Owns nothing. Invariants: nothing is claimed of a cut where there may be no stack left for its record; where the stack ends all the same, because
 * code of the service in here used it up, or V8 compiles a function, the cut is told that it is broken, for which nothing is called.
 */
import { assertStack } from '../base/stack.ts'
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import { checkKey, isShort } from './keys.ts'

/** An object leaves the engine's hands: capture it first when its turn has not come, and keep it for a rollback. */
export function beforeHandOut(collection: Collection, key: Key, value: object): void {
  const { capture, transaction } = collection.space
  if (capture !== undefined && collection.part?.frozen(key) === true) {
    assertStack()
    try {
      capture.beforeHandOut(collection, key, value)
    } catch (error) {
      capture.brokenIn = collection.name
      throw error
    }
  }
  transaction?.beforeHandOut(collection, key, value)
}

/** All entries are about to go, without a word about each. In a transaction they may come back. */
export function beforeForget(collection: Collection): void {
  const { capture, transaction } = collection.space
  if (collection.part !== undefined && capture !== undefined) {
    assertStack()
    try {
      capture.beforeForget(collection)
    } catch (error) {
      capture.brokenIn = collection.name
      throw error
    }
  }
  if (transaction === undefined) collection.inFlight?.letGo()
}

/** @throws what is wrong with the key, or forbids writing */
export function beforeWrite(collection: Collection, key: Key, value: unknown): void {
  const { space, part } = collection
  space.assertWritable(collection.name)
  space.writes(collection)
  let frozen: boolean | undefined
  if (part !== undefined && space.transaction === undefined && space.touches.left <= 0 && isShort(key)) {
    frozen = part.frozen(key)
    // What was there matters to nobody, and need not be looked up.
    if (!frozen) return
  }
  let old = collection.live.get(key)
  let there = old !== undefined || collection.live.has(key)
  if (!there) {
    // Before anybody keeps it. An undo log knows live entries alone; and of a key that is stored and untouched no barrier froze anything.
    checkKey(collection.name, key)
    if ((space.transaction === undefined || !collection.bringHome(key)) && collection.part?.untouched(key) === true) {
      collection.part.settle(key)
      frozen = false
    }
    old = collection.live.get(key)
    there = old !== undefined || collection.live.has(key)
  }
  frozen ??= collection.part?.frozen(key) === true
  // A key that is new counts as frozen while nobody knows, and has no record.
  if (frozen && (there || collection.part?.leaves(key) === true)) assertStack()
  if (space.touches.left > 0) space.touched(collection.id, key)
  space.transaction?.beforeWrite(collection, key, value, old, there)
  if (frozen) beforeChange(collection, key, value, old, there)
}

/** The cut keeps what was there. Where the stack ends in it, the key may be taken without its record. */
function beforeChange(collection: Collection, key: Key, value: unknown, old: unknown, there: boolean): void {
  const { space, part } = collection
  const { capture } = space
  try {
    if (part?.claim(key) === true) capture?.beforeWrite(part, key, value, old, there)
  } catch (error) {
    if (capture !== undefined) capture.brokenIn = collection.name
    throw error
  }
}
