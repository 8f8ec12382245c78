/**
 * What a key held before a transaction first touched it, and how that comes back.
 *
 * Owns: the value, or where its bytes are. Does not own: when a transaction is rolled back, and in which order (transaction.ts).
 * Invariants: keys written and rolled back are dirty, but for inserts of which no record counts; of a key that went nothing is forgotten before it
 * is known that it does not come back.
 */
import type { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import type { Key } from '../codec/index.ts'
import { shortageError } from '../storage/index.ts'
import type { Collection } from './collection.ts'
import { setIn } from './map-chain.ts'
import { vanished } from './vanished.ts'

export class Undo {
  readonly collection: Collection
  /** The incarnation. */
  readonly live: Map<Key, unknown>
  readonly key: Key
  readonly existed: boolean
  /** Kept as it is when it was not handed out, otherwise a copy. */
  value: unknown
  /** False: it was handed out and could not be encoded, so it is kept as it is, too; nothing of it can become durable as long as it cannot be. */
  saved = true
  /** This transaction got the value from the store before it wrote the key. */
  handedOut: boolean
  /** It was to be handed out, and was not, because the stack ended before it was saved. */
  interrupted = false
  /** What was to be kept was given up, and the key counts as unknown. */
  takenOff = false
  /** Where the bytes of a value that was handed out are. */
  image: ByteWriter | undefined
  from = 0
  end = 0
  written = false
  /** The key was deleted, be it there again or not. */
  deleted = false
  /** The incarnation's id once the key went in it that had no record (vanished.ts). */
  wentFrom: number | undefined
  /** Set last; undefined also for a key that was deleted. */
  after: unknown
  /** What the key is to hold once those that were deleted come back. */
  #waits: { readonly before: unknown } | undefined

  constructor(collection: Collection, key: Key, existed: boolean, value: unknown, handedOut: boolean) {
    this.collection = collection
    this.live = collection.live
    this.key = key
    this.existed = existed
    this.value = value
    this.handedOut = handedOut
  }

  /** Something was set, and its incarnation is not gone. Not what was got and not written, or deleted; `undefined` that was set is as any other value. */
  get mayCount(): boolean {
    return this.collection.live === this.live && (this.after !== undefined || (this.written && this.live.has(this.key)))
  }

  /** No rollback brings back what went. */
  tellGone(): void {
    if (this.wentFrom !== undefined) this.collection.space.leftNothing(this.wentFrom, this.key)
  }

  /** @throws TIDEMARK_VALUE_REFUSED when what was set last cannot be stored; TIDEMARK_STORAGE when there is no memory to know */
  validate(scratch: ByteWriter): void {
    const { collection, key, after } = this
    try {
      collection.codec.encodeInto(scratch, after)
    } catch (error) {
      // It was refused before it was there, and the caller knows.
      if (!Object.is(collection.live.get(key), after)) return
      if (isAllocationFailure(error)) throw shortageError(`encoding '${collection.name}', key ${String(key)},`, error)
      const refusal = error as TidemarkError
      throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `'${collection.name}', key ${String(key)}: ${refusal.message}`, {
        collection: collection.name,
        key,
        cause: refusal.cause ?? error,
        hint: refusal.hint ?? 'the transaction was rolled back',
      })
    }
  }

  /** The key is as it was, unless it was deleted: then it is after `comeBack`. @throws what the codec cannot decode */
  putBack(): void {
    const { collection, live, key, existed } = this
    if (!existed) {
      // One too many is counted where it was deleted again; then it is listed already where it has to be.
      if (collection.cold !== undefined) collection.cold.deletes++
      if (live.delete(key)) removed(collection, key)
      this.tellGone()
      return
    }
    let before: unknown
    try {
      before = this.#before()
    } catch (error) {
      this.#settle()
      throw error
    }
    if (this.deleted) this.#waits = { before }
    else this.#put(before, !live.has(key))
  }

  /** A key that was deleted is behind all others. */
  comeBack(): void {
    if (this.#waits === undefined || this.collection.live !== this.live) return
    if (this.collection.cold !== undefined) this.collection.cold.deletes++
    // Inserted again it stands somewhere else.
    const enters = !this.live.delete(this.key)
    this.#put(this.#waits.before, enters)
  }

  #before(): unknown {
    return this.image === undefined ? this.value : this.collection.codec.decode(this.image.bytes, this.from, this.end)
  }

  #put(before: unknown, enters: boolean): void {
    const { collection, live, key } = this
    // It was claimed, but one that is not frozen was forgotten when it was deleted.
    collection.part?.settle(key)
    setIn(live, key, before, collection.space.mapEntriesMax)
    this.#settle()
    const { cold, space } = collection
    if (cold?.evicts !== true) return
    try {
      if (enters) space.enters?.(collection, key, before, false)
      else space.changed?.(collection, key)
    } catch {
      // Where the stack ends all the rest has to be put back.
      cold.untold = true
    }
  }

  #settle(): void {
    const { collection, key } = this
    if (this.wentFrom === undefined) {
      if (this.written) collection.markDirty(key)
    } else if (this.live.has(key)) {
      // It had no record when it went, and still has none.
      collection.fresh.add(key)
      collection.cold?.written(key)
    } else this.tellGone()
    if (!this.deleted) return
    if (this.live.has(key)) collection.returns?.tell('back', key)
    else collection.returns?.deleted(key)
  }
}

/** An insert was taken back. As with any delete, what is fresh has no record, and needs none. */
function removed(collection: Collection, key: Key): void {
  collection.returns?.takenBack(key, collection.space.transaction)
  collection.cold?.tell('deleted', key)
  if (!vanished(collection, key)) collection.markDirty(key)
  const { cold, space } = collection
  if (cold?.evicts !== true) return
  try {
    space.changed?.(collection, key)
  } catch {
    cold.untold = true
  }
}
