/**
 * A transaction: all or nothing, synchronous.
 *
 * What: an undo log. The first hand-out of an object saves its encoded bytes, because callers change what they get; a replaced value is
 * kept as it is, because nobody was given it.
 * Owns: the undo log. Does not own: the cut (no barrier falls inside a transaction).
 * Invariants: after `rollback` every key holds what it held at the start (objects handed out come back as new, equal objects); keys
 * written and rolled back are dirty. Not kept: the place in the iteration order of a key that was deleted and comes back (it is last).
 */
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import type { Links } from './links.ts'
import { setIn } from './map-chain.ts'

interface Undo {
  readonly key: Key
  readonly existed: boolean
  /** Kept as it is when it was not handed out. */
  readonly value: unknown
  /** Encoded when it was handed out; a value that cannot be encoded is kept as it is, since nothing of it can become durable. */
  readonly bytes: Buffer | undefined
  /** This transaction got the value from the store before it wrote the key. */
  readonly handedOut: boolean
  written: boolean
}

type Step = { readonly collection: Collection; readonly undo: Undo } | { readonly restore: () => void }

export class Transaction {
  readonly #steps: Step[] = []
  /** Undo records by incarnation (its live Map) and key. */
  readonly #known = new Map<Map<Key, unknown>, Map<Key, Undo>>()
  readonly #scratch = new ByteWriter(256)
  /** Entries of collections that were emptied, kept as they are. */
  readonly #cleared = new Map<Collection, readonly Map<Key, unknown>[]>()
  #encoding = false
  /** Cells whose initial value was handed out. */
  readonly #cells = new Set<object>()

  beforeHandOut(collection: Collection, key: Key, value: object): void {
    if (this.#find(collection, key) !== undefined) return
    const bytes = this.#preImage(collection, value)
    this.#add(collection, { key, existed: true, value: bytes === undefined ? value : undefined, bytes, handedOut: true, written: false })
  }

  /** The object that a cell gives until it is first set is about to leave the engine's hands; `putBack` gets an equal one at a rollback. */
  beforeInitial(collection: Collection, cell: object, initial: object, putBack: (initial: unknown) => void): void {
    if (this.#cells.has(cell)) return
    this.#cells.add(cell)
    const bytes = this.#preImage(collection, initial)
    if (bytes !== undefined) this.#steps.push({ restore: () => putBack(collection.codec.decode(bytes, 0, bytes.length)) })
  }

  beforeWrite(collection: Collection, key: Key, value: unknown): void {
    const known = this.#find(collection, key)
    const old = collection.live.get(key)
    if (typeof value === 'object' && value !== null && this.#isStale(collection, key, value)) {
      throw new TidemarkError(
        'TIDEMARK_TRANSACTION_STALE',
        `'${collection.name}': the object set for key ${String(key)} is the one already there, but this transaction did not get it from the store`,
        {
          collection: collection.name,
          key,
          hint: 'get the object inside the transaction, then change and set it; a change made before cannot be rolled back',
        },
      )
    }
    if (known !== undefined) {
      known.written = true
      return
    }
    const existed = old !== undefined || collection.live.has(key)
    this.#add(collection, { key, existed, value: old, bytes: undefined, handedOut: false, written: true })
  }

  beforeClear(collection: Collection): void {
    const { id, live, cold, journal, fresh, arrivals, deleted, drained, drainedBytes, gone, saturated, freshAllowed, part } = collection
    const { significance } = collection
    const before = {
      id,
      live,
      cold,
      journal,
      fresh,
      arrivals,
      deleted,
      drained,
      drainedBytes,
      gone,
      saturated,
      freshAllowed,
      part,
      significance,
    }
    this.#cleared.set(collection, [...(this.#cleared.get(collection) ?? []), live])
    this.#steps.push({
      restore: () => {
        Object.assign(collection, before)
      },
    })
  }

  /** Encodes everything written, so that a value that cannot be stored is refused here. */
  validate(): void {
    for (const step of this.#steps) {
      if (!('undo' in step) || !step.undo.written) continue
      const { collection, undo } = step
      if (this.#known.get(collection.live)?.get(undo.key) !== undo) continue
      const value = collection.live.get(undo.key)
      if (value === undefined && !collection.live.has(undo.key)) continue
      try {
        this.#encode(collection.codec, value)
      } catch (error) {
        const refusal = error as TidemarkError
        throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `'${collection.name}', key ${String(undo.key)}: ${refusal.message}`, {
          collection: collection.name,
          key: undo.key,
          cause: error,
          hint: refusal.hint ?? 'the transaction was rolled back',
        })
      }
    }
  }

  /** What it changed has to be in one cut. */
  link(links: Links): void {
    const changed = new Set<Collection>(this.#cleared.keys())
    for (const step of this.#steps) if ('undo' in step && step.undo.written) changed.add(step.collection)
    links.join(changed)
  }

  rollback(): void {
    for (const step of this.#steps.reverse()) {
      if ('restore' in step) {
        step.restore()
        continue
      }
      const { collection, undo } = step
      if (this.#known.get(collection.live)?.get(undo.key) !== undo) continue
      if (!undo.existed) {
        if (collection.live.delete(undo.key)) collection.cold?.tell('deleted', undo.key)
      } else
        setIn(
          collection.live,
          undo.key,
          undo.bytes === undefined ? undo.value : collection.codec.decode(undo.bytes, 0, undo.bytes.length),
          collection.space.mapEntriesMax,
        )
      if (undo.written) collection.markDirty(undo.key)
    }
  }

  #preImage(collection: Collection, value: object): Buffer | undefined {
    const { access, now } = collection.space
    const begin = now()
    try {
      return Buffer.from(this.#encode(collection.codec, value))
    } catch {
      return undefined
    } finally {
      access.record(now() - begin)
    }
  }

  /** Valid until the next call. Encoding runs code of the user (a codec, a proxy), which may come back in here. */
  #encode(codec: ValueCodec, value: unknown): Buffer {
    const writer = this.#encoding ? new ByteWriter(256) : this.#scratch
    const inner = this.#encoding
    this.#encoding = true
    try {
      writer.reset()
      codec.encodeInto(writer, value)
      return writer.view()
    } finally {
      this.#encoding = inner
    }
  }

  /** What the undo log keeps as it is must not have been changed: whoever sets that very object again has held it since before. */
  #isStale(collection: Collection, key: Key, value: object): boolean {
    const keeps = (live: Map<Key, unknown>): boolean => {
      const known = this.#known.get(live)?.get(key)
      return value === (known === undefined ? live.get(key) : known.handedOut ? undefined : known.value)
    }
    return keeps(collection.live) || (this.#cleared.get(collection)?.some(keeps) ?? false)
  }

  #find(collection: Collection, key: Key): Undo | undefined {
    return this.#known.get(collection.live)?.get(key)
  }

  #add(collection: Collection, undo: Undo): void {
    let keys = this.#known.get(collection.live)
    if (keys === undefined) {
      keys = new Map()
      this.#known.set(collection.live, keys)
    }
    setIn(keys, undo.key, undo)
    this.#steps.push({ collection, undo })
  }
}
