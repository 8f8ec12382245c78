/**
 * The write journal of a collection: which keys were written since the last barrier.
 *
 * What: an append-only list of keys in chunks, duplicates allowed, and whole groups of keys taken over from an earlier generation.
 * Owns: the keys it lists. Does not own: whether a key was captured; duplicates are removed when the journal is sifted.
 * Invariant: nothing is ever removed; joining another journal costs a step per chunk, not per key.
 */
import type { Key } from '../codec/index.ts'

export const CHUNK_KEYS = 8192

export class Journal {
  #chunk: (Key | undefined)[] = []
  #used = CHUNK_KEYS
  #full: Iterable<Key | undefined>[] = []
  #fullKeys = 0

  /** Keys listed, duplicates counted. */
  get length(): number {
    return this.#fullKeys + (this.#used === CHUNK_KEYS ? 0 : this.#used)
  }

  push(key: Key): void {
    if (this.#used === CHUNK_KEYS) {
      this.#chunk = new Array<Key | undefined>(CHUNK_KEYS).fill(undefined)
      this.#used = 0
    }
    this.#chunk[this.#used++] = key
    if (this.#used === CHUNK_KEYS) {
      this.#full.push(this.#chunk)
      this.#fullKeys += CHUNK_KEYS
    }
  }

  /** Takes over a group of keys as it is; the group must not change afterwards. */
  adopt(keys: Iterable<Key | undefined>, count: number): void {
    if (count === 0) return
    this.#full.push(keys)
    this.#fullKeys += count
  }

  /** All groups; an `undefined` in a group is padding. The journal must not be written afterwards. */
  groups(): Iterable<Key | undefined>[] {
    const groups = [...this.#full]
    if (this.#used !== CHUNK_KEYS && this.#used > 0) groups.push(this.#chunk.slice(0, this.#used))
    return groups
  }

  /** Everything another journal lists is listed here too. */
  join(other: Journal): void {
    const groups = other.groups()
    if (groups.length === 0) return
    this.#full.push(...groups)
    this.#fullKeys += other.length
  }
}
