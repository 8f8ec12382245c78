/**
 * Values that could not be encoded at a barrier.
 * Owns: which entries are refused now. Invariant: an entry is listed until an epoch captures it, and is announced once per refusal.
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

export class Refusals {
  #known = new Map<number, Map<Key, Refusal>>()
  #seen = new Map<number, Set<Key>>()

  get count(): number {
    let count = 0
    for (const keys of this.#known.values()) count += keys.size
    return count
  }

  /** Whether values of this incarnation are refused. */
  has(incarnation: number): boolean {
    return this.#known.has(incarnation)
  }

  add(collection: Collection, key: Key, error: unknown): { refusal: Refusal; first: boolean } {
    const { message, hint } = error as { message?: string; hint?: string }
    const refusal: Refusal = { collection: collection.name, key, reason: message ?? String(error), hint }
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
  settle(_refusals: readonly Refusal[]): void {
    for (const [id, keys] of this.#known) {
      const seen = this.#seen.get(id)
      for (const key of keys.keys()) if (seen?.has(key) !== true) keys.delete(key)
      if (keys.size === 0) this.#known.delete(id)
    }
  }

  /** Nothing else changed since the last barrier. */
  areAll(space: Space, collections: Iterable<Collection>): boolean {
    if (this.count === 0 || space.catalogueChanged) return false
    let keys = 0
    for (const collection of collections) keys += collection.dirtyKeysMax
    return keys <= this.count
  }

  list(): readonly Refusal[] {
    return [...this.#known.values()].flatMap(keys => [...keys.values()])
  }

  assertNone(): void {
    const list = this.list()
    if (list.length > 0) throw refusalError(list)
  }
}

export function refusalError(refused: readonly Refusal[], point?: CheckpointPoint): TidemarkError {
  const first = refused[0] as Refusal
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : ''
  return new TidemarkError('TIDEMARK_VALUE_REFUSED', `'${first.collection}', key ${String(first.key)}: ${first.reason}${more}`, {
    collection: first.collection,
    key: first.key,
    hint: first.hint ?? 'set a value that can be stored, or delete the key; everything else is durable',
    info: { refused, point },
  })
}
