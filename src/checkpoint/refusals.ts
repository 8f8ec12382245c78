/**
 * Values that could not be encoded at a barrier.
 * Owns: which entries are refused now. Invariants: an entry is listed until an epoch captures it or its key goes and leaves nothing to write;
 * it is announced once per refusal. There may be very many: no look and no commit goes through them all.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Collection, Space } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import type { CheckpointPoint } from './types.ts'

export interface Refusal {
  readonly collection: string
  readonly key: Key
  readonly reason: string
  readonly hint: string | undefined
}

/** What the codec itself threw: a refusal is plain data. */
const causes = new WeakMap<Refusal, unknown>()
/** So many are named where refusals are listed. */
export const REFUSALS_LISTED = 1000
/** Up to so many keys are looked for one by one. */
const WALKED_MAX = 1024

type ByIncarnation = Map<number, Map<Key, Refusal>>

export class Refusals {
  readonly #space: Space
  #known: ByIncarnation = new Map()
  /** Those of them that were refused since the last barrier. */
  #seen: ByIncarnation = new Map()

  constructor(space: Space) {
    this.#space = space
    space.cameAndWent = (incarnation, key) => this.#forget(incarnation, key)
    space.refusedKeys = incarnation => this.#known.get(incarnation)?.size ?? 0
  }

  /** No value is refused now. */
  get none(): boolean {
    return this.#known.size === 0
  }

  /** Whether values of this incarnation are refused. */
  has(incarnation: number): boolean {
    return this.#known.has(incarnation)
  }

  add(collection: Collection, key: Key, error: unknown): { refusal: Refusal; first: boolean } {
    const { message, hint, cause } = error as { message?: string; hint?: string; cause?: unknown }
    const refusal: Refusal = { collection: collection.name, key, reason: message ?? String(error), hint }
    if (cause !== undefined) causes.set(refusal, cause)
    const first = this.#known.get(collection.id)?.has(key) !== true
    note(this.#known, collection.id, refusal)
    note(this.#seen, collection.id, refusal)
    return { refusal, first }
  }

  /** A barrier: every refused entry gets another chance. */
  retry(): void {
    this.#seen = new Map()
  }

  /** The epoch is committed: what it did not refuse again is well. */
  settle(): void {
    this.#known = this.#seen
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
    const known = this.#known.get(id)
    const listed = fresh.size + postponed.refused.size
    if (listed > (known?.size ?? 0)) return false
    // What was refused since the barrier is listed: as many keys are these very keys.
    if (listed > WALKED_MAX && listed === this.#seen.get(id)?.size) return true
    return areIn(fresh, known) && areIn(postponed.refused, known)
  }

  #forget(incarnation: number, key: Key): void {
    if (this.none) return
    for (const refusals of [this.#known, this.#seen]) {
      const keys = refusals.get(incarnation)
      if (keys?.delete(key) === true && keys.size === 0) refusals.delete(incarnation)
    }
  }

  /** The first of them. */
  list(): readonly Refusal[] {
    const list: Refusal[] = []
    for (const keys of this.#known.values()) {
      for (const refusal of keys.values()) if (list.push(refusal) === REFUSALS_LISTED) return list
    }
    return list
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
    const count = [...this.#known.values()].reduce((sum, keys) => sum + keys.size, 0)
    throw refusalError(this.list(), count)
  }
}

function note(refusals: ByIncarnation, incarnation: number, refusal: Refusal): void {
  const keys = refusals.get(incarnation)
  if (keys === undefined) refusals.set(incarnation, new Map([[refusal.key, refusal]]))
  else keys.set(refusal.key, refusal)
}

function areIn(keys: Collection['fresh'], known: ReadonlyMap<Key, Refusal> | undefined): boolean {
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
