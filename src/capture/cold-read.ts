/**
 * One stored value, for a collection: what goes wrong names the collection and the key.
 *
 * What: read when somebody asks, or ahead, for whoever asks first. Does not own: the entry, what becomes of the value. Invariant: a codec of the
 * user that comes back for the very entry it decodes is refused, and does not go round until the stack ends.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { type Key, tideCodec } from '../codec/index.ts'
import { ABSENT, type ColdCursor } from './cold.ts'
import type { ColdSide } from './cold-side.ts'
import type { Collection } from './collection.ts'

/** Inside of one what was there is read first, to be put back. */
const HINT_ANEW = 'outside of a transaction it can be set anew or deleted'

/** @throws TIDEMARK_VALUE_DAMAGED, TIDEMARK_CODEC */
export function readCold(name: string, cold: ColdSide, key: Key, cursor: ColdCursor | undefined): unknown {
  const { reading } = cold
  if (reading.length > 0 && reading.includes(key) && !cold.hides(key)) {
    throw new TidemarkError('TIDEMARK_CODEC', `'${name}', key ${String(key)}: its codec needs the entry that it is decoding`, {
      collection: name,
      key,
      hint: 'decode must not get its own entry, nor set it inside a transaction: it returns the value, and the service sets it',
    })
  }
  reading.push(key)
  try {
    return cold.read(key, cursor)
  } catch (error) {
    const { code, message, hint, collection, cause } = Object(error) as TidemarkError
    // One that names another entry is of that one.
    const isDamaged = hasCode(error, 'TIDEMARK_VALUE_DAMAGED')
    if (!isDamaged && !(hasCode(error, 'TIDEMARK_CODEC') && collection === undefined)) throw error
    const hints = [hint, isDamaged ? HINT_ANEW : undefined].filter(one => one !== undefined)
    throw new TidemarkError(code, `'${name}', key ${String(key)}: ${message}`, {
      collection: name,
      key,
      cause: cause ?? error,
      ...(hints.length === 0 ? {} : { hint: hints.join('; ') }),
    })
  } finally {
    reading.pop()
  }
}

/** The value of a stored entry that shows; it stays where it is. One that somebody holds is given itself, as `get` would. */
export function peekCold(collection: Collection, key: Key, cursor: ColdCursor | undefined): unknown {
  const { cold, name, codec } = collection
  if (cold === undefined || cold.hasDecoded(key) || cold.held.peek(key) !== undefined) return collection.getCold(key, cursor)
  const value = readCold(name, cold, key, cursor)
  return codec !== tideCodec && collection.live.has(key) ? collection.getAndHandOut(key) : value
}

/** Makes the object of a stored entry, should it show. It stays cold: an entry that nobody touched keeps its place before all that were. */
export function readAhead(collection: Collection, cold: ColdSide, key: Key, cursor: ColdCursor): void {
  if (collection.live.has(key) || cold.hides(key)) return
  const value = readCold(collection.name, cold, key, cursor)
  // A codec of the user may have written this very key, or emptied the collection.
  if (value === ABSENT || collection.cold !== cold || collection.live.has(key) || cold.hides(key)) return
  cold.decodedAhead(key, value)
}
