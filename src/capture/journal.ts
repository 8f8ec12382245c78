/**
 * The keys written to one collection since the last barrier, in order, and how far they were taken up.
 *
 * What: an append-only list of keys in chunks, duplicates allowed, and whole groups of keys taken over from an earlier generation. The first
 * chunks are small, for there may be many collections in which few keys are written. Two readers go through it. The first *sifts*: it notes for
 * each key where it was listed last. The second comes behind and finds a key *cold* when that place is the one it stands at: it was not
 * written again since. What both have passed is released.
 * Owns: the keys it lists, the two places. Does not own: whether a key was captured, when it is old enough to be cold.
 * Invariants: what is not released never changes; joining another journal costs a step per chunk, not per key; a key listed behind the second
 * reader was either listed again in front of it or given as cold.
 */
import { assert } from '../base/errors.ts'
import type { Key } from '../codec/index.ts'
import { KeyPositions } from './key-positions.ts'
import type { KeySet } from './key-set.ts'

/** Of a chunk, once that many are written. */
export const CHUNK_KEYS = 8192
const FIRST_CHUNK_KEYS = 16
/** Each chunk that is full is followed by one so many times as large. */
const GROWTH = 32

/** A piece of a table, a Set, a Map: its keys count. */
export interface KeyGroup {
  readonly size: number
  keys(): IterableIterator<Key>
}

/** An `undefined` in it is padding. */
export type Group = readonly (Key | undefined)[] | KeyGroup

export function sizeOf(group: Group): number {
  return isList(group) ? group.length : group.size
}

/** A copy of nothing: walks the group. */
export function keysIn(group: Group): Iterable<Key | undefined> {
  return isList(group) ? group : group.keys()
}

export function isList(group: Group): group is readonly (Key | undefined)[] {
  return Array.isArray(group)
}

const RELEASED: readonly undefined[] = []
const NO_KEYS: (Key | undefined)[] = []

export class Journal {
  /** Where each sifted key was listed last, unless it was given as cold; undefined before the first sift. */
  last: KeyPositions | undefined
  /** The open chunk, how many places it has, and how many of them are taken; one that is full or cut short is closed at once. */
  #chunk = NO_KEYS
  #room = 0
  #used = 0
  #nextRoom = FIRST_CHUNK_KEYS
  readonly #full: Group[] = []
  /** The place of each of these groups' first key. */
  readonly #starts: number[] = []
  /** Places in them, and how many of these are released. */
  #fullEnd = 0
  #released = 0
  #releasedGroups = 0
  readonly #lead = new JournalCursor()
  readonly #lag = new JournalCursor()

  /** Keys listed and not released, duplicates counted. */
  get length(): number {
    return this.end - this.#released
  }

  /** More than so many keys are listed; said once in 1,024 keys, which is soon enough. */
  outgrows(keys: number): boolean {
    const { length } = this
    return (length & 1023) === 0 && length > keys
  }

  /** The place of the next key. */
  get end(): number {
    return this.#fullEnd + this.#used
  }

  push(key: Key): void {
    if (this.#room === 0) {
      this.#room = this.#nextRoom
      this.#chunk = new Array<Key | undefined>(this.#room).fill(undefined)
    }
    this.#chunk[this.#used++] = key
    // More where the stack ended before it was closed.
    if (this.#used >= this.#room) {
      this.#nextRoom = Math.min(this.#room * GROWTH, CHUNK_KEYS)
      this.#close()
    }
  }

  /** Takes over a group of keys as it is; the group must not change afterwards. */
  adopt(group: Group): void {
    const count = sizeOf(group)
    if (count === 0) return
    // Groups stand in the order of their places.
    if (this.#used > 0) this.#close()
    this.#append(group, count)
  }

  /** Everything another journal lists is listed here too. */
  join(other: Journal): void {
    for (const group of other.groups()) this.adopt(group)
  }

  /** All that the second reader has not passed; of a group that it is in, perhaps more. */
  groups(): Group[] {
    const groups = this.#full.slice(this.#releasedGroups)
    if (this.#used > 0) groups.push(this.#chunk.slice(0, this.#used))
    const passed = this.#lag.at
    const first = groups[this.#lag.group - this.#releasedGroups]
    if (passed > 0 && first !== undefined && isList(first)) groups[this.#lag.group - this.#releasedGroups] = first.slice(passed)
    return groups
  }

  /** So many keys are about to be sifted: spares growing. */
  expect(): void {
    this.last ??= new KeyPositions(this.length)
  }

  /** Takes note of the next key, unless it is in `except`; false when all are noted. */
  sift(except?: KeySet): boolean {
    const place = this.#lead.passed
    if (place >= this.end) return false
    this.last ??= new KeyPositions()
    const key = this.#read(this.#lead)
    if (key !== undefined && except?.has(key) !== true) this.last.set(key, place)
    return true
  }

  /** Keys that were not taken note of yet. */
  get unsifted(): number {
    return this.end - this.#lead.passed
  }

  /** Keys in front of `place` that were not looked at by `takeCold`, as far as they are sifted. */
  left(place: number): number {
    return Math.max(0, Math.min(place, this.#lead.passed) - this.#lag.passed)
  }

  /** One step of the second reader: the key, when it was not listed again as far as that is known. Call it while `left` is above 0. */
  takeCold(): Key | undefined {
    const place = this.#lag.passed
    const key = this.#next()
    if (key === undefined || this.last?.get(key) !== place) return undefined
    this.last.delete(key)
    return key
  }

  /** Keys in front of `place` that the second reader has not passed, sifted or not. */
  untaken(place: number): number {
    return Math.max(0, Math.min(place, this.end) - this.#lag.passed)
  }

  /** The next key, whatever is listed behind it. Call it while `untaken` is above 0. */
  take(): Key | undefined {
    return this.#next()
  }

  #close(): void {
    this.#append(this.#used === this.#room ? this.#chunk : this.#chunk.slice(0, this.#used), this.#used)
    this.#chunk = NO_KEYS
    this.#room = this.#used = 0
  }

  #append(group: Group, count: number): void {
    this.#full.push(group)
    this.#starts.push(this.#fullEnd)
    this.#fullEnd += count
  }

  #next(): Key | undefined {
    const { group } = this.#lag
    const key = this.#read(this.#lag)
    for (let at = group; at < this.#lag.group; at++) {
      this.#released = (this.#starts[at] as number) + sizeOf(this.#full[at] as Group)
      this.#full[at] = RELEASED
      this.#releasedGroups = at + 1
    }
    return key
  }

  /** The key at the cursor, which is in front of the end; it moves on. */
  #read(cursor: JournalCursor): Key | undefined {
    for (;;) {
      const group = this.#full[cursor.group] ?? this.#chunk
      if (isList(group)) {
        if (cursor.at < group.length) {
          cursor.passed++
          return group[cursor.at++]
        }
      } else {
        cursor.rest ??= group.keys()
        const step = cursor.rest.next()
        if (step.done !== true) {
          cursor.passed++
          return step.value
        }
      }
      assert(cursor.group < this.#full.length, 'a journal has as many keys as it says')
      cursor.group++
      cursor.at = 0
      cursor.rest = undefined
      // Behind groups that were released meanwhile.
      cursor.passed = this.#starts[cursor.group] ?? this.#fullEnd
    }
  }
}

/** A place in a journal that is being written. */
class JournalCursor {
  group = 0
  at = 0
  passed = 0
  rest: Iterator<Key> | undefined
}
