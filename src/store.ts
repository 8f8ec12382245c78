/**
 * The store, as a user holds it: maps and values by name, transactions and holds, what is asked for and what is said of it, and the close. The
 * stages behind it are wired by open.ts, and come as `StoreParts`.
 *
 * Owns: names -> collections, the public face. Does not own: entries (capture/), epochs (checkpoint/), bytes (writer/, log/, manifest/).
 * Invariants: a name is a map or a value, never both; a transaction and a barrier never overlap; the lock is released whatever `close` meets.
 */
import { TidemarkError } from './base/errors.ts'
import { COLLECTIONS_MAX } from './base/limits.ts'
import { assertStack } from './base/stack.ts'
import { isGenerator } from './base/stray.ts'
import { Collection, type CollectionKind, checkName, TidemarkMap, TidemarkValue, Transaction, treat } from './capture/index.ts'
import type { Checkpointer, CheckpointPoint, EngineStatus } from './checkpoint/index.ts'
import { type Codec, type Key, tideCodec, type ValueCodec, wrapCodec } from './codec/index.ts'
import {
  ahead,
  assertNotAsync,
  type CollectionOptions,
  checkOptions,
  closeCollection,
  closed,
  closedWith,
  codecMismatch,
  dropped,
  type Ending,
  type Events,
  endCollection,
  joined,
  Listening,
  milliseconds,
  nameTaken,
  noFunction,
  type Restored,
  type StatsParts,
  type StoreStats,
  stopped,
  storeStats,
  synchronous,
  type TimeoutOptions,
  tooMany,
} from './face/index.ts'
import type { StoredDecision } from './format/index.ts'
import type { ResolvedSettings } from './options.ts'
import type { RecoveryPoint } from './restore/index.ts'

/** What the store needs beside its collections; made by `open`. */
export interface StoreParts extends StatsParts {
  readonly settings: ResolvedSettings
  readonly directory: string
  readonly events: Events
  readonly collections: Map<string, Collection>
  readonly encoded: ReadonlySet<string>
  /** The codec of a stored collection is known now. */
  takeCodec(collection: Collection, codec: ValueCodec): void
  /** Resolves when no stored entry needs the disk any more. */
  hydrated(): Promise<void>
  points(): Promise<readonly RecoveryPoint[]>
  /** For `close`, whose time begins. */
  ending(timeoutMs: number): Ending
}

type SyncOnly<T> = T extends PromiseLike<unknown> | Generator | AsyncGenerator ? never : T
const TIMEOUT_MS = 30_000
const HOLD_MS = 1000

export class Store extends Listening implements AsyncDisposable {
  readonly #parts: StoreParts
  readonly #faces = new Map<string, TidemarkMap<Key, unknown> | TidemarkValue<unknown>>()
  #encoded: Set<string>
  #closing: Promise<void> | undefined
  #closed = false

  constructor(parts: StoreParts) {
    super(parts.events)
    this.#parts = parts
    this.#encoded = new Set(parts.encoded)
  }

  /** As an absolute path; ':memory:' of a store in memory. */
  get directory(): string {
    return this.#parts.directory
  }

  /** Opened with `readOnly`. */
  get readOnly(): boolean {
    return this.#parts.settings.readOnly
  }

  /** 'degraded' while commits fail or what they wrote cannot be read, and it is tried again; 'failed' when the engine stopped for good. */
  get status(): EngineStatus {
    return this.#closing !== undefined ? 'closed' : this.#parts.upkeep.status(this.#parts.checkpointer?.status ?? 'ok')
  }

  /** What `open` found and did. */
  get restored(): Restored {
    return this.#parts.restored
  }

  /**
   * From 0, durability keeps up, to 1: less should be written. The `pressure` event tells of 0.8, and of 0.4 again. With `intervalMs: 0` it is 1 while
   * commits fail, and 0 otherwise, and there is no event.
   */
  get pressure(): number {
    return this.#parts.cadence?.pressure ?? 0
  }

  /** What the scheduler decided of late and why, oldest first, that of earlier runs included; like decisions in a row are one. */
  decisions(): readonly StoredDecision[] {
    return this.#parts.cadence?.decisions ?? []
  }

  /** The durable map of this name; the same object every time. @throws TIDEMARK_NAME, TIDEMARK_NAME_TAKEN, TIDEMARK_CODEC_MISMATCH */
  map<V, K extends Key = Key>(name: string, options: CollectionOptions<V> = {}): TidemarkMap<K, V> {
    return this.#face(name, 'map', options, collection => new TidemarkMap(collection)) as TidemarkMap<K, V>
  }

  /** The durable cell of this name; `initial` is given until the first `set`: of several, the first that is not undefined. @throws as `map` */
  value<V>(name: string, initial: V, options?: CollectionOptions<V>): TidemarkValue<V>
  value<V>(name: string): TidemarkValue<V | undefined>
  value<V>(name: string, initial?: V, options: CollectionOptions<V> = {}): TidemarkValue<V | undefined> {
    const cell = this.#face(name, 'value', options, collection => new TidemarkValue<unknown>(collection, undefined))
    return TidemarkValue.adopt(cell as TidemarkValue<V | undefined>, initial)
  }

  /**
   * Drops a map or value with all its entries; its name is free again. Returns whether there was one.
   * @throws TIDEMARK_INSIDE inside a transaction or hold, TIDEMARK_READ_ONLY, TIDEMARK_CLOSED, TIDEMARK_NAME for what is no text
   */
  delete(name: string): boolean {
    this.#assertOutside('delete')
    const { space, collections } = this.#parts
    // Of another text there is no collection.
    if (typeof name !== 'string') checkName(name)
    space.assertWritable(name)
    const collection = collections.get(name)
    if (collection === undefined) return false
    collection.beforeForget()
    // Who was told of that may have done it himself, and made another one.
    if (collections.get(name) !== collection) return true
    collections.delete(name)
    this.#faces.delete(name)
    this.#encoded.delete(name)
    collection.drop()
    endCollection(collection, () => dropped(name))
    space.catalogueChanged = true
    return true
  }

  /**
   * Runs `fn` so that all its changes, over all collections, count together or not at all: when it throws they are taken back and the
   * error is passed on. Synchronous; nested calls join the outer one: where one throws, or was not synchronous, the outer one is taken back and
   * throws that, also where it was caught inside. Objects handed out inside cost an encoding each, for the rollback; what is changed through a
   * reference from before, or lies under several keys, is not taken back.
   *
   * @throws TIDEMARK_TRANSACTION_ASYNC for an async function or a generator, TIDEMARK_VALUE_REFUSED for a value that cannot be stored, TIDEMARK_CODEC for one that
   * could not be taken back, all else is: its codec does not decode what it encodes, or the transaction got it refused and mended it
   */
  transaction<T>(fn: () => SyncOnly<T>): T {
    const { space } = this.#parts
    if (typeof fn !== 'function') throw noFunction('transaction', fn, 'store.transaction(() => { … })')
    this.#assertOpen(true)
    const checkpointer = this.#writer()
    if (space.transaction !== undefined) return joined(fn, space.transaction)
    assertNotAsync(fn)
    assertStack()
    const transaction = new Transaction(space.images)
    space.transaction = transaction
    space.refresh()
    try {
      const result = synchronous(fn())
      transaction.validate()
      if (space.rebuildable) transaction.link(space.links)
      transaction.succeeded()
      return result
    } catch (error) {
      transaction.rollback(error)
      throw error
    } finally {
      space.endTransaction()
      checkpointer.transactionEnded()
    }
  }

  /**
   * Runs `fn` with no barrier falling before it settles, for at most `msMax` (default 1,000); after that, or half of the time of a `close`, the
   * barrier goes ahead and the `holdBroken` event says so. Nothing is rolled back. A generator that `fn` returns is refused: it would run later.
   * @throws by rejecting: what `fn` throws; TIDEMARK_INSIDE inside a transaction or another hold, TIDEMARK_ARGUMENT, TIDEMARK_READ_ONLY, TIDEMARK_CLOSED
   */
  async hold<T>(fn: () => T | PromiseLike<T>, options: { readonly msMax?: number } = {}): Promise<T> {
    this.#assertOpen()
    this.#assertOutside('hold')
    if (typeof fn !== 'function' || isGenerator(fn)) throw noFunction('hold', fn, 'await store.hold(async () => { … })')
    const msMax = milliseconds('hold', options, 'msMax', HOLD_MS)
    return await this.#writer().holds.run(fn, msMax, () => this.#assertOpen())
  }

  /**
   * Sets a barrier now and resolves when the epoch it ends is durable. Callers during a capture share the next one. Where barriers come
   * regularly what is left to capture is spread over an eighth of the interval, a second at most, so that it makes no burst; `durable` and
   * `close` do not wait for that. Insignificant changes are passed over, as by an automatic checkpoint; `durable` takes them in.
   * @throws at once TIDEMARK_INSIDE inside a transaction or hold, TIDEMARK_READ_ONLY, TIDEMARK_CLOSED, TIDEMARK_ARGUMENT; all else, such as
   * TIDEMARK_FAILED of an engine that has stopped, by rejecting
   */
  checkpoint(options: TimeoutOptions = {}): Promise<CheckpointPoint> {
    return this.#asked('checkpoint', options, (checkpointer, timeoutMs) => checkpointer.checkpoint(timeoutMs))
  }

  /**
   * Resolves as soon as can be when every mutation made before the call is durable, insignificant ones included; brings the barrier forward.
   * @throws as `checkpoint`
   */
  durable(options: TimeoutOptions = {}): Promise<void> {
    return this.#asked('durable', options, (checkpointer, timeoutMs) => checkpointer.durable(timeoutMs))
  }

  /**
   * Resolves when no entry needs the disk any more, with `hydrate: 'eager'` when each whose codec was given is an object, with 'on-demand' when filters
   * and indexes were read. @throws TIDEMARK_CLOSED; after all that could come came: _SEGMENT_DAMAGED, _STORAGE or, with 'eager', _VALUE_DAMAGED, _CODEC
   */
  async hydrated(): Promise<void> {
    this.#assertOpen()
    await this.#parts.hydrated()
  }

  /**
   * What can be restored, newest first, and what damage hides (`lost`). Before the newest 65,536 epochs fold points alone are listed; `unlisted` says what
   * can be restored between them. Reads the log; takes time proportional to it. @throws damage that hides all
   */
  async recoveryPoints(): Promise<readonly RecoveryPoint[]> {
    this.#assertOpen()
    return await this.#parts.points()
  }

  /** What was counted since `open`, and how things stand now: plain data, a copy. Also of a store that is closed. */
  stats(): StoreStats {
    return storeStats(this.#parts, this.status, this.#closed)
  }

  /**
   * Makes everything durable, then for up to two seconds folds a long log tail or what was dropped, and merges what is overdue, so that the next
   * `open` is spared it; stops the engine and gives back the lock, all within the time given, and a second more at most where the storage hangs,
   * or once more the time in which the process stood still meanwhile.
   * Later calls give the same promise. A running hold is waited for during half of the time, or as long as its `msMax` lets it, and writes until then; all
   * others write no more. What listeners throw meanwhile, async ones included, surfaces at its end. Where the storage still hangs, `process.kill(process.pid, 'SIGKILL')` alone ends the process.
   * @throws at once, and nothing is closed: TIDEMARK_INSIDE, TIDEMARK_ARGUMENT. After everything was released, by rejecting: TIDEMARK_TIMEOUT, when
   * what was not durable in time is lost; TIDEMARK_VALUE_REFUSED or what kept the last checkpoint from being made
   */
  close(options: TimeoutOptions = {}): Promise<void> {
    if (this.#closing === undefined) {
      this.#assertOutside('close')
      const timeoutMs = milliseconds('close', options, 'timeoutMs', TIMEOUT_MS)
      const { promise, follow } = ahead()
      // Before it begins: a listener of its barrier may close, too.
      this.#closing = promise
      follow(this.#close(timeoutMs))
    }
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const { space, checkpointer, collections, events } = this.#parts
    events.keepErrors()
    space.forbidden = 'closed'
    space.refresh()
    const ending = this.#parts.ending(timeoutMs)
    let problem: unknown
    try {
      // The barrier falls in the turn of the call, unless a hold runs: what that writes still is part of the last epoch.
      const held = checkpointer?.status === 'failed' ? undefined : checkpointer?.holds.endWithin(timeoutMs / 2)
      if (held !== undefined) await held
      if (checkpointer?.status === 'failed') throw checkpointer.degradedBy
      // Half of the time is left, but where the loop stood still meanwhile.
      await checkpointer?.durable(held === undefined ? timeoutMs : Math.max(ending.leftMs, timeoutMs / 2))
    } catch (error) {
      problem = error
    }
    checkpointer?.stop(closed())
    await ending.release().finally(() => events.tellErrors())
    this.#closed = true
    for (const collection of collections.values()) closeCollection(collection)
    await ending.closeFiles()
    if (problem !== undefined) throw closedWith(problem, timeoutMs)
  }

  #face<Face extends TidemarkMap<Key, unknown> | TidemarkValue<unknown>>(
    name: string,
    kind: CollectionKind,
    options: unknown,
    make: (collection: Collection) => Face,
  ): TidemarkMap<Key, unknown> | TidemarkValue<unknown> {
    this.#assertOpen(true)
    checkName(name)
    const { codec: given, ...importance } = checkOptions(name, options)
    const codec = given === undefined ? undefined : wrapCodec(given as Codec<unknown>)
    const { space, collections } = this.#parts
    let collection = collections.get(name)
    if (collection === undefined) {
      if (collections.size >= COLLECTIONS_MAX) throw tooMany(name)
      collection = new Collection(space, name, kind, codec ?? tideCodec, space.takeId(name))
      collections.set(name, collection)
    }
    if (collection.kind !== kind) throw nameTaken(collection, kind)
    this.#settleCodec(collection, codec)
    if (treat(collection, importance)) this.#parts.checkpointer?.classes.rpoGiven(collection.rpoMs)
    const face = this.#faces.get(name) ?? make(collection)
    this.#faces.set(name, face)
    return face
  }

  /** Checks the codec; from now on all is written and what was stored is read with it. */
  #settleCodec(collection: Collection, codec: ValueCodec | undefined): void {
    const { name } = collection
    if (codec !== undefined ? codec.name !== collection.codec.name : this.#encoded.has(name)) {
      throw codecMismatch(name, collection.codec.name, codec?.name ?? tideCodec.name)
    }
    // One that could not write or read may be followed by a better one.
    if (codec === undefined) return
    this.#parts.takeCodec(collection, codec)
    this.#encoded.delete(name)
  }

  /** The engine stops by itself, and who asks again and again has a handler for what is rejected: nothing is thrown for that. */
  #asked<T>(what: string, options: unknown, ask: (checkpointer: Checkpointer, timeoutMs: number) => Promise<T>): Promise<T> {
    this.#assertOpen()
    this.#assertOutside(what)
    const checkpointer = this.#writer()
    const timeoutMs = milliseconds(what, options, 'timeoutMs', TIMEOUT_MS)
    return checkpointer.status === 'failed' ? Promise.reject(stopped(checkpointer.degradedBy)) : ask(checkpointer, timeoutMs)
  }

  #writer(): Checkpointer {
    const { checkpointer } = this.#parts
    if (checkpointer === undefined)
      throw new TidemarkError('TIDEMARK_READ_ONLY', 'the store is open read-only', { hint: 'open it without readOnly to write' })
    return checkpointer
  }

  /** `writes`: a listener of a barrier may, be it that of `close`, and a hold that it waits for: what they write is in the epoch. */
  #assertOpen(writes = false): void {
    if (this.#closing !== undefined && !(writes && this.#parts.space.writesOn)) throw closed()
  }

  #assertOutside(what: string): void {
    const { space, checkpointer } = this.#parts
    const where = space.transaction !== undefined ? 'transaction' : checkpointer?.holds.inside === true ? 'hold' : undefined
    if (where !== undefined)
      throw new TidemarkError('TIDEMARK_INSIDE', `${what} cannot be called inside a ${where}`, {
        hint: `call it after the ${where} has ended`,
      })
  }
}
