/** What a transaction says when it cannot go on, or cannot be taken back whole. Owns nothing. */
import { TidemarkError } from '../base/errors.ts'
import type { Key } from '../codec/index.ts'

export function stale(collection: string, key: Key): TidemarkError {
  return new TidemarkError(
    'TIDEMARK_TRANSACTION_STALE',
    `'${collection}': the object set for key ${String(key)} is the one already there, but this transaction did not get it from the store`,
    {
      collection,
      key,
      hint: 'get the object inside the transaction, then change and set it; a change made before cannot be rolled back',
    },
  )
}

/** `undo`: of the key that it was; none for something else. */
export function notPutBack(
  collection: string,
  undo: { readonly key: Key; readonly saved: boolean } | undefined,
  error: unknown,
  cause: unknown,
): TidemarkError {
  const known = undo === undefined ? { collection } : { collection, key: undo.key }
  const what = undo === undefined ? `a value of '${collection}'` : `'${collection}', key ${String(undo.key)}`
  return new TidemarkError('TIDEMARK_CODEC', `${what} could not be put back as it was: ${(error as Error).message}`, {
    ...known,
    cause,
    hint: undo?.saved === false ? 'set the value anew' : 'a codec decodes whatever it encodes; set the value anew',
  })
}

/** Codecs write whatever is encoded: that never ends. */
export function endless(collection: string): TidemarkError {
  return new TidemarkError(
    'TIDEMARK_VALUE_REFUSED',
    `'${collection}': its values were not all encoded, because that wrote others each time`,
    {
      collection,
      hint: 'the transaction was rolled back; let no codec write to a collection that it encodes itself',
    },
  )
}
