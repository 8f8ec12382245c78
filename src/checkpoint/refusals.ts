/**
 * Values that could not be encoded at a barrier.
 * Owns: which entries are refused now. Invariants: an entry is listed until an epoch captures it or its key goes and leaves nothing to write;
 * it is announced once per refusal; for want of memory none is refused before its epoch was tried again. There may be very many: no look and no commit goes
 * through them all.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Collection, KeySet, Space } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { shortageError } from '../storage/index.ts'
import { type Refusal, RefusedKeys } from './refused-keys.ts'
import type { CheckpointPoint } from './types.ts'

export { REFUSALS_LISTED, type Refusal } from './refused-keys.ts'

/** What the codec itself threw: a refusal is plain data. */
const causes = new WeakMap<Refusal, unknown>()
/** Up to so many keys are looked for one by one. */
const WALKED_MAX = 1024
/** Attempts in a row that wait for memory to encode a value: it is large, perhaps, and all else waits with it. */
const SHORTAGES_MAX = 3

export class Refusals {
  readonly #space: Space
  #known = new RefusedKeys()
  /** Those of them that were refused since the last barrier. */
  #seen = new RefusedKeys()
  /** Since an epoch found enough memory for every value, how often there was not, and whether there was not since the last barrier. */
  #shortages = 0
  #short = false

  constructor(space: Space) {
    this.#space = space
    space.cameAndWent = (incarnation, key) => this.#forget(incarnation, key)
    space.refusedKeys = incarnation => this.#known.of(incarnation)?.size ?? 0
  }

  /** No value is refused now. */
  get none(): boolean {
    return this.#known.none
  }

  /** Whether values of this incarnation are refused. */
  has(incarnation: number): boolean {
    return this.#known.of(incarnation) !== undefined
  }

  /** @throws TIDEMARK_STORAGE, where it was want of memory, and the epoch is to be tried again */
  add(collection: Collection, key: Key, thrown: unknown): { refusal: Refusal; first: boolean } {
    const error = shortageError(`encoding '${collection.name}', key ${String(key)},`, thrown)
    if (error !== thrown) {
      this.#short = true
      if (++this.#shortages <= SHORTAGES_MAX) throw error
    }
    const { message, hint, cause } = Object(error) as { message?: string; hint?: string; cause?: unknown }
    const refusal: Refusal = { collection: collection.name, key, reason: message ?? String(error), hint }
    const first = this.#known.of(collection.id)?.has(key) !== true
    const isSaid = this.#known.add(collection, refusal)
    // Not kept otherwise: a table of all causes would grow in one turn, too.
    if ((this.#seen.add(collection, refusal) || isSaid) && cause !== undefined) causes.set(refusal, cause)
    return { refusal, first }
  }

  /** A barrier: every refused entry gets another chance. */
  retry(): void {
    this.#seen = new RefusedKeys()
    this.#short = false
  }

  /** The epoch is committed: what it did not refuse again is well. */
  settle(): void {
    this.#known = this.#seen
    if (!this.#short) this.#shortages = 0
  }

  /** Nothing else changed since the last barrier. */
  areAll(collections: Iterable<Collection>): boolean {
    if (this.none || this.#space.catalogueChanged) return false
    for (const collection of collections) if (collection.dirty && !this.areAllOf(collection)) return false
    return true
  }

  /** Nothing else changed in a collection that is dirty: whatever else is written is listed beside them, or makes it count as written in another way. */
  areAllOf({ id, saturated, drained, deleted, gone, journal, fresh, postponed }: Collection): boolean {
    if (saturated || drained.length > 0 || deleted.size > 0 || gone.length > 0) return false
    if (journal.untaken(journal.end) > 0 || postponed.large > 0) return false
    const known = this.#known.of(id)
    const listed = fresh.size + postponed.refused.size
    if (listed > (known?.size ?? 0)) return false
    // What was refused since the barrier is listed: as many keys are these very keys.
    if (listed > WALKED_MAX && listed === this.#seen.of(id)?.size) return true
    return areIn(fresh, known) && areIn(postponed.refused, known)
  }

  #forget(incarnation: number, key: Key): void {
    if (this.none) return
    this.#known.delete(incarnation, key)
    this.#seen.delete(incarnation, key)
  }

  /** The first of them. */
  list(): readonly Refusal[] {
    return this.#known.list()
  }

  /** Waits for an epoch. What it refused may be gone by now, and nothing of it is left to write: then it is as good as one that refused nothing. */
  async unlessGone(epoch: Promise<unknown>): Promise<void> {
    try {
      await epoch
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_VALUE_REFUSED') || !this.none) throw error
    }
  }

  assertNone(): void {
    if (this.none) return
    throw refusalError(this.list(), this.#known.size)
  }
}

function areIn(keys: Collection['fresh'], known: Pick<KeySet, 'has'> | undefined): boolean {
  for (const piece of keys.pieces()) for (const key of piece.keys()) if (known?.has(key) !== true) return false
  return true
}

/** `refused`: the first of so many. */
export function refusalError(refused: readonly Refusal[], count: number, point?: CheckpointPoint): TidemarkError {
  const first = refused[0] as Refusal
  const more = count > 1 ? ` (and ${count - 1} more)` : ''
  return new TidemarkError('TIDEMARK_VALUE_REFUSED', `'${first.collection}', key ${String(first.key)}: ${first.reason}${more}`, {
    collection: first.collection,
    key: first.key,
    cause: causes.get(first),
    hint: first.hint ?? 'set a value that can be stored, or delete the key; everything else is durable',
    info: { refused, point },
  })
}
