/**
 * Values that could not be encoded at a barrier.
 * Owns: which entries are refused now. Invariants: an entry is listed until an epoch captures it or its key goes and leaves nothing to write;
 * it is announced once per refusal.
 */
import { TidemarkError } from '../base/errors.ts'
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

export class Refusals {
  readonly #space: Space
  readonly #known = new Map<number, Map<Key, Refusal>>()
  #seen = new Map<number, Set<Key>>()

  constructor(space: Space) {
    this.#space = space
    space.cameAndWent = (incarnation, key) => this.#forget(incarnation, key)
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
    const keys = this.#known.get(collection.id) ?? new Map<Key, Refusal>()
    const first = !keys.has(key)
    keys.set(key, refusal)
    this.#known.set(collection.id, keys)
    const seen = this.#seen.get(collection.id) ?? new Set<Key>()
    seen.add(key)
    this.#seen.set(collection.id, seen)
    return { refusal, first }
  }

  /** A barrier: every refused entry gets another chance. */
  retry(): void {
    this.#seen = new Map()
  }

  /** The epoch is committed: what it did not refuse again is well. */
  settle(): void {
    for (const [id, keys] of this.#known) {
      const seen = this.#seen.get(id)
      for (const key of keys.keys()) if (seen?.has(key) !== true) this.#forget(id, key)
    }
  }

  /** Nothing else changed since the last barrier. */
  areAll(collections: Iterable<Collection>): boolean {
    if (this.none || this.#space.catalogueChanged) return false
    for (const collection of collections) if (collection.dirty && !this.#areAllOf(collection)) return false
    return true
  }

  /** Whatever else is written is listed beside them, or makes the collection count as written in another way. */
  #areAllOf({ id, saturated, drained, deleted, gone, journal, fresh, postponed }: Collection): boolean {
    if (saturated || drained.length > 0 || deleted.size > 0 || gone.length > 0) return false
    if (journal.untaken(journal.end) > 0 || postponed.large > 0) return false
    const known = this.#known.get(id)
    return areIn(fresh, known) && areIn(postponed.refused, known)
  }

  #forget(incarnation: number, key: Key): void {
    const keys = this.#known.get(incarnation)
    if (keys?.delete(key) === true && keys.size === 0) this.#known.delete(incarnation)
  }

  list(): readonly Refusal[] {
    return [...this.#known.values()].flatMap(keys => [...keys.values()])
  }

  assertNone(): void {
    const list = this.list()
    if (list.length > 0) throw refusalError(list)
  }
}

function areIn(keys: Collection['fresh'], known: ReadonlyMap<Key, Refusal> | undefined): boolean {
  if (keys.size > (known?.size ?? 0)) return false
  for (const piece of keys.pieces()) for (const key of piece.keys()) if (known?.has(key) !== true) return false
  return true
}

export function refusalError(refused: readonly Refusal[], point?: CheckpointPoint): TidemarkError {
  const first = refused[0] as Refusal
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : ''
  return new TidemarkError('TIDEMARK_VALUE_REFUSED', `'${first.collection}', key ${String(first.key)}: ${first.reason}${more}`, {
    collection: first.collection,
    key: first.key,
    cause: causes.get(first),
    hint: first.hint ?? 'set a value that can be stored, or delete the key; everything else is durable',
    info: { refused, point },
  })
}
