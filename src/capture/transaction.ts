/**
 * A transaction: all or nothing, synchronous.
 *
 * What: an undo log. The first hand-out of an object saves a copy, or its encoded bytes, because callers change what they get; a replaced value
 * is kept as it is, because nobody was given it. So is a handed-out one that cannot be encoded.
 * Owns: the undo log. Does not own: what is in it of a key (undo.ts), the cut (no barrier falls inside a transaction).
 * Invariants: after `rollback` every key holds what it held at the start (objects handed out come back as new, equal objects), or it says which
 * does not. Not kept: the place in the iteration order of keys that were deleted: they come back behind all others, in the order in which they went.
 */
import { ByteWriter } from '../base/bytes.ts'
import type { TidemarkError } from '../base/errors.ts'
import { TRANSACTION_IMAGES_BYTES } from '../base/limits.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { shortageError } from '../storage/index.ts'
import type { ColdSide } from './cold-side.ts'
import type { Collection } from './collection.ts'
import { treat } from './importance.ts'
import type { Links } from './links.ts'
import { setIn } from './map-chain.ts'
import { notPutBack, stale } from './transaction-refusals.ts'
import { Undo } from './undo.ts'
import { Validation } from './validation.ts'

/** Something else to put back. */
class Restore {
  readonly collection: Collection
  readonly run: () => void

  constructor(collection: Collection, run: () => void) {
    this.collection = collection
    this.run = run
  }
}

/** What a collection had when it was emptied first. What it had later came in this transaction, and a rollback leaves nothing of that. */
interface Cleared {
  readonly live: Map<Key, unknown>
  readonly cold: ColdSide | undefined
}

export class Transaction {
  /** Says which one it is, and keeps nothing of it. */
  readonly token = {}
  /** What the first that joined it and failed halfway threw, whatever that is. */
  #failure: { readonly error: unknown } | undefined
  readonly #steps: (Undo | Restore)[] = []
  /** Undo records by incarnation (its live Map) and key. */
  readonly #known = new Map<Map<Key, unknown>, Map<Key, Undo>>()
  /** Of the last incarnation asked for, and the last of all: most keys are asked for several times in a row. */
  #lastLive: Map<Key, unknown> | undefined
  #lastKeys: Map<Key, Undo> | undefined
  #last: Undo | undefined
  /** Of keys that were there and were deleted, in this order. */
  readonly #deleted: Undo[] = []
  /** Bytes of what was handed out last, one behind the other; those from before may be in others. */
  #images: ByteWriter
  readonly #imagesBytes: number
  /** Entries of collections that were emptied, kept as they are, those that left the heap included. */
  readonly #cleared = new Map<Collection, Cleared>()
  /** The images are being written to: whoever comes back in takes room of his own. */
  #encoding = false
  /** While it is validated. */
  #validation: Validation | undefined
  /** Those that were to become what they are: an epoch may have them older, by the class that they have or had. */
  readonly #asIs = new Set<Collection>()
  /** Cells whose initial value was handed out. */
  readonly #cells = new Set<object>()

  /** `images`: room for bytes, its own until it ends. `imagesBytes`: tests take less. */
  constructor(images = new ByteWriter(256), imagesBytes = TRANSACTION_IMAGES_BYTES) {
    images.reset()
    this.#images = images
    this.#imagesBytes = imagesBytes
  }

  /** @throws TIDEMARK_STORAGE: there is no memory to keep what it is now */
  beforeHandOut(collection: Collection, key: Key, value: object): void {
    const known = this.#find(collection, key)
    if (known !== undefined && !known.interrupted) return
    const undo = known ?? new Undo(collection, key, true, value, true)
    // Known before any code of the user runs: a codec, or a proxy, may come back for this very entry, or set it.
    if (known === undefined) this.#add(undo)
    undo.handedOut = true
    undo.interrupted = false
    try {
      const copy = collection.codec.copy?.(value)
      if (copy !== undefined) {
        undo.value = copy
        return
      }
      const begin = collection.space.now()
      const image = this.#encoding ? new ByteWriter(256) : this.#room()
      const from = image.length
      undo.saved = this.#encode(image, collection.codec, value)
      if (undo.saved) {
        undo.value = undefined
        undo.image = image
        undo.from = from
        undo.end = image.length
      }
      collection.space.access.record(collection.space.now() - begin)
    } catch (error) {
      // Nobody is given it. Where no call can be made for it, that is noted.
      undo.handedOut = false
      undo.interrupted = !undo.written
      this.#takeOff(undo)
      throw error
    }
  }

  /**
   * The object that a cell gives until it is first set is about to leave the engine's hands; `putBack` gets an equal one at a rollback.
   * @throws TIDEMARK_STORAGE: there is no memory to keep what it is now
   */
  beforeInitial(collection: Collection, cell: object, initial: object, putBack: (initial: unknown) => void): void {
    if (this.#cells.has(cell)) return
    this.#cells.add(cell)
    const image = new ByteWriter(256)
    let isSaved: boolean
    try {
      isSaved = this.#encode(image, collection.codec, initial)
    } catch (error) {
      this.#cells.delete(cell)
      throw error
    }
    const restore = isSaved
      ? (): void => putBack(collection.codec.decode(image.bytes, 0, image.length))
      : (): void => this.#assertRefused(collection.codec, initial)
    this.#steps.push(new Restore(collection, restore))
  }

  /** That object is about to be the cell's value: a rollback would give it again, so it must not have been changed before this transaction got it. */
  beforeSetInitial(collection: Collection, key: Key, cell: object, initial: unknown): void {
    if (typeof initial !== 'object' || initial === null || this.#cells.has(cell)) return
    const existed = this.#find(collection, key)?.existed ?? collection.has(key)
    if (!existed) throw stale(collection.name, key)
  }

  /** `old`: what is live now; `there`: whether anything is. */
  beforeWrite(collection: Collection, key: Key, value: unknown, old: unknown, there: boolean): void {
    const known = this.#find(collection, key)
    if (known !== undefined) {
      const isObject = typeof value === 'object' && value !== null
      if (isObject) this.#assertFresh(collection, key, value, known.handedOut ? undefined : known.value)
      // The same that is no object was validated, or will be.
      if (isObject || value === undefined || !Object.is(value, known.after)) this.#validation?.wrote(known)
      known.written = true
      known.interrupted = false
      known.after = value
      return
    }
    if (typeof value === 'object' && value !== null) this.#assertFresh(collection, key, value, old)
    const undo = new Undo(collection, key, there, old, false)
    undo.written = true
    undo.after = value
    // First, lest the stack ends between the two: the same would be taken for one that is validated.
    this.#validation?.wrote(undo)
    this.#add(undo)
  }

  /** Follows `beforeWrite`. */
  beforeDelete(collection: Collection, key: Key): void {
    const undo = this.#find(collection, key)
    if (undo === undefined) return
    this.#validation?.goes(undo)
    if (undo.deleted) return
    if (!undo.existed) return void collection.returns?.takenBack(key, this)
    undo.deleted = true
    this.#deleted.push(undo)
  }

  /** What the key held before is gone, be it there again or not. */
  hasDeleted(collection: Collection, key: Key): boolean {
    return this.#find(collection, key)?.deleted === true
  }

  beforeClear(collection: Collection): void {
    const { id, recorded, live, cold, journal, fresh, arrivals, deleted, drained, gone, saturated, part, inFlight } = collection
    const { drainedBytes, drainedSpared, postponed, significance, space, returns } = collection
    const giants = space.giants.drop(id)
    const before = {
      id,
      recorded,
      live,
      cold,
      journal,
      fresh,
      arrivals,
      deleted,
      postponed,
      drained,
      drainedBytes,
      drainedSpared,
      gone,
      saturated,
      part,
      inFlight,
      significance,
      returns,
    }
    if (!this.#cleared.has(collection)) this.#cleared.set(collection, { live, cold })
    this.#steps.push(
      new Restore(collection, () => {
        // Given meanwhile, it counts from then on.
        const significant = collection.significance?.significant
        Object.assign(collection, before)
        if (significant !== undefined) treat(collection, { significant })
        cold?.takeCodec(collection.codec)
        if (giants !== undefined) space.giants.putBack(id, giants)
      }),
    )
  }

  /** The key went and leaves nothing to write, unless it is put back. */
  vanished(collection: Collection, key: Key): void {
    const undo = this.#find(collection, key)
    if (undo !== undefined) undo.wentFrom = collection.id
  }

  /** Set was what is there, deleted or emptied what is not. */
  leavesAsIs(collection: Collection): void {
    if (collection.space.rebuildable) this.#asIs.add(collection)
  }

  /** One that joined it failed halfway: whoever catches that keeps nothing of it. */
  failed(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Encodes everything written, so that a value that cannot be stored is refused here. @throws what it failed with before, too */
  validate(): void {
    if (this.#failure !== undefined) throw this.#failure.error
    const images = this.#room()
    // Behind what a rollback needs.
    const end = images.length
    const validation = new Validation(undo => {
      images.length = end
      undo.validate(images)
    })
    // What comes to these meanwhile is written by codecs.
    const steps = this.#steps
    const { length } = steps
    this.#encoding = true
    this.#validation = validation
    try {
      for (let at = 0; at < length; at++) {
        const step = steps[at]
        if (step instanceof Undo) validation.look(step)
      }
      validation.lookAtWritten()
    } finally {
      this.#encoding = false
      this.#validation = undefined
      images.length = end
    }
    // A codec may have called what joins, and have caught what that threw.
    if (this.#failure !== undefined) throw (this.#failure as { readonly error: unknown }).error
  }

  /** What it changed has to be in one cut, and what it found as it was to be. */
  link(links: Links): void {
    const changed = new Set<Collection>([...this.#cleared.keys(), ...this.#asIs])
    for (const step of this.#steps) if (step instanceof Undo && step.written) changed.add(step.collection)
    links.join(changed)
  }

  /** It counts, with all that was done. */
  succeeded(): void {
    for (const step of this.#steps) if (step instanceof Undo) step.tellGone()
    for (const { collection, live, key } of this.#deleted) if (collection.live === live) collection.returns?.deleted(key)
  }

  /**
   * Takes back all that was done, whatever cannot be put back.
   * @throws TIDEMARK_CODEC, when all else is as it was, for a value of which the codec cannot decode what it encoded, and for one that could not be
   * encoded when it was handed out and can be now: it may have been changed, and would become durable so. `cause` is what ended the transaction
   */
  rollback(cause?: unknown): void {
    let failure: TidemarkError | undefined
    for (const step of this.#steps.reverse()) {
      try {
        if (step instanceof Restore) step.run()
        else if (!step.takenOff) this.#undo(step)
      } catch (error) {
        failure ??= notPutBack(step.collection.name, step instanceof Undo ? step : undefined, error, cause)
      }
    }
    // Behind all others in any case, they come in the order in which they went.
    for (const undo of this.#deleted) undo.comeBack()
    if (failure !== undefined) throw failure
  }

  #undo(undo: Undo): void {
    const { collection, live, saved, value } = undo
    if (collection.live !== live) return
    undo.putBack()
    if (!saved) this.#assertRefused(collection.codec, value)
  }

  /** What was not saved cannot become durable. */
  #assertRefused(codec: ValueCodec, value: unknown): void {
    if (this.#encode(new ByteWriter(256), codec, value))
      throw new Error('it could not be stored when the transaction got it, so it was not saved, and now it can be')
  }

  /** For the next bytes. */
  #room(): ByteWriter {
    if (this.#images.length > this.#imagesBytes) this.#images = new ByteWriter(256)
    return this.#images
  }

  /** False when it cannot be encoded. @throws TIDEMARK_STORAGE: there is no memory for that. Encoding runs code of the user (a codec, a proxy), which may come back in here. */
  #encode(image: ByteWriter, codec: ValueCodec, value: unknown): boolean {
    const from = image.length
    const inner = this.#encoding
    this.#encoding = true
    try {
      codec.encodeInto(image, value)
      return true
    } catch (error) {
      image.length = from
      if (isAllocationFailure(error)) throw shortageError('saving a value for a rollback', error)
      return false
    } finally {
      this.#encoding = inner
    }
  }

  /** What the undo log keeps as it is (`kept`) must not have been changed: whoever sets that very object again has held it since before. */
  #assertFresh(collection: Collection, key: Key, value: object, kept: unknown): void {
    if (value !== kept) {
      const cleared = this.#cleared.size === 0 ? undefined : this.#cleared.get(collection)
      if (cleared === undefined || !this.#keeps(cleared, key, value)) return
    }
    throw stale(collection.name, key)
  }

  #keeps({ live, cold }: Cleared, key: Key, value: object): boolean {
    const known = this.#known.get(live)?.get(key)
    return value === (known === undefined ? (live.get(key) ?? cold?.held.peek(key)) : known.handedOut ? undefined : known.value)
  }

  #find({ live }: Collection, key: Key): Undo | undefined {
    const last = this.#last
    if (last !== undefined && last.key === key && last.live === live) return last
    const found = this.#keysOf(live)?.get(key)
    if (found !== undefined) this.#last = found
    return found
  }

  #add(undo: Undo): void {
    const { live } = undo
    let keys = this.#keysOf(live)
    if (keys === undefined) {
      keys = new Map()
      this.#known.set(live, keys)
      this.#lastKeys = keys
    }
    setIn(keys, undo.key, undo)
    this.#last = undo
    this.#steps.push(undo)
  }

  /** Unless a codec that was called meanwhile has written the key: then the value is kept as it is. */
  #takeOff(undo: Undo): void {
    if (undo.written) return
    this.#keysOf(undo.live)?.delete(undo.key)
    this.#last = undefined
    // Who is walking over the steps would pass over one.
    if (this.#validation !== undefined) undo.takenOff = true
    else this.#steps.splice(this.#steps.lastIndexOf(undo), 1)
  }

  #keysOf(live: Map<Key, unknown>): Map<Key, Undo> | undefined {
    if (this.#lastLive === live) return this.#lastKeys
    this.#lastLive = live
    this.#lastKeys = this.#known.get(live)
    return this.#lastKeys
  }
}
