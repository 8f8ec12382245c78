/**
 * The write journal of a collection: which keys were written since the last barrier.
 *
 * What: an append-only list of keys in chunks, duplicates allowed, and whole groups of keys taken over from an earlier generation.
 * Owns: the keys it lists. Does not own: whether a key was captured; duplicates are removed when the journal is sifted.
 * Invariant: nothing is ever removed; joining another journal costs a step per chunk, not per key.
 */
import type { Key } from '../codec/index.ts'
import { KeySet } from './key-set.ts'

export const CHUNK_KEYS = 8192

export class Journal {
  #chunk: (Key | undefined)[] = []
  #used = CHUNK_KEYS
  #full: Iterable<Key | undefined>[] = []
  #fullKeys = 0
  /** How often groups of others were taken over. */
  #takeovers = 0

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
    this.#takeovers++
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
    this.#takeovers++
    this.#full.push(...groups)
    this.#fullKeys += other.length
  }

  /** Adds the next keys to those of `reading`, about `count` of them; true when it has them all. */
  readOn(reading: JournalReading, count: number): boolean {
    if (reading.journal !== this || reading.takeovers !== this.#takeovers) reading.begin(this, this.#takeovers)
    for (let left = count; left > 0; left--) {
      const group = this.#full[reading.group] ?? this.#chunk
      let key: Key | undefined
      if (Array.isArray(group)) {
        const end = reading.group < this.#full.length ? group.length : this.#used % CHUNK_KEYS
        if (reading.at < end) key = (group as (Key | undefined)[])[reading.at++]
        else if (reading.group >= this.#full.length) return true
        else reading.next()
      } else {
        reading.rest ??= group[Symbol.iterator]()
        const step = reading.rest.next()
        if (step.done === true) reading.next()
        else key = step.value
      }
      if (key !== undefined) reading.keys.add(key)
    }
    return false
  }
}

/** The keys of a journal, read in steps while it is written. */
export class JournalReading {
  keys = new KeySet()
  journal: Journal | undefined
  takeovers = 0
  group = 0
  at = 0
  rest: Iterator<Key | undefined> | undefined

  next(): void {
    this.group++
    this.at = 0
    this.rest = undefined
  }

  begin(journal: Journal, takeovers: number): void {
    this.journal = journal
    this.takeovers = takeovers
    this.keys = new KeySet()
    this.group = -1
    this.next()
  }
}
