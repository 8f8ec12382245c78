/**
 * The cold half of an iteration: stored keys in the order of their bytes, then whatever became cold behind it; and which live entries
 * were given already.
 *
 * Owns: how far the walk is, the keys it gave and would meet again, the keys it owes. Does not own: the live half (live-iterator.ts).
 * Invariants, with "behind" for the keys at or before the place of the walk, and all keys once the stored ones are through:
 * a key behind that shows was given or is owed; a live key that was given as a cold one is in `given`; where entries can leave the heap,
 * so is every live key that was given, and no other: a walk over a collection larger than memory must not remember all of it. As with a Map, a
 * key that was deleted and inserted again is another entry. A walk begins at the first stored key of which no earlier one found that it does not
 * show, or who looks at the first entry again and again would meet all before it each time, and the tombstones there. What came home behind the walk
 * lies beside each other in the live half: so that the last step need not pass all of it, the live entries that were given are counted, as long as that
 * is certain.
 */
import { compareKeys, type Key } from '../codec/index.ts'
import type { ColdCursor } from './cold.ts'
import type { ColdSide } from './cold-side.ts'
import { KeySet } from './key-set.ts'
import { setIn } from './map-chain.ts'
import type { Change, Link, Watch } from './watch.ts'

export class ColdWalk {
  readonly #side: ColdSide
  readonly #live: ReadonlyMap<Key, unknown>
  readonly #given = new KeySet()
  readonly #owed = new Map<Key, true>()
  #owing: Iterator<Key> | undefined
  #cursor: ColdCursor | undefined
  #version = 0
  #last: Key | undefined
  #through = false
  /** Live entries that were given and are not in `given`. */
  #givenLive = 0
  /** Deletes that count, as far as was told. */
  #deletes: number
  /** All that was given, and is live, is counted. */
  #isCounted = true
  #watch: Watch | undefined
  #seen: Link

  constructor(side: ColdSide, live: ReadonlyMap<Key, unknown>) {
    this.#side = side
    this.#live = live
    this.#watch = side.beginWalk(this)
    this.#seen = this.#watch.newest
    this.#deletes = side.deletes
  }

  /** The next cold key; undefined when there is none for now. */
  next(): Key | undefined {
    this.#catchUp()
    // Every stored key is live or hidden.
    if (this.#side.countMax === 0) this.#endStored()
    // Before all that this walk meets now nothing shows, nor can that change before it is met.
    const begins = this.#last === undefined || (this.#side.first === this.#last && !this.#shows(this.#last))
    while (!this.#through) {
      const { cold } = this.#side
      if (this.#cursor === undefined || this.#last === undefined || cold.version !== this.#version) {
        this.#version = cold.version
        this.#cursor = this.#last === undefined ? cold.keys(this.#side.first) : cold.keys(this.#last, true)
      }
      const key = this.#step(this.#cursor)
      if (key === undefined) {
        this.#endStored()
        break
      }
      this.#last = key
      if (begins) this.#side.first = key
      if (this.#shows(key)) return key
    }
    return this.#nextOwed()
  }

  /** Where the value of the key given last can be read; undefined when only a look-up can. */
  get cursor(): ColdCursor | undefined {
    return this.#cursor
  }

  /** The key given last could not be read now: it is still to come. */
  owe(key: Key): void {
    setIn(this.#owed, key, true)
  }

  /** The live half meets this key: whether it is to be given. Follows a `next` that gave nothing. */
  gives(key: Key): boolean {
    if (this.#given.has(key)) return false
    if (this.#side.evicts) this.#given.add(key)
    else this.#givenLive++
    return true
  }

  /** The live half has nothing more to give, for certain. Follows a `next` that gave nothing. */
  get gaveAll(): boolean {
    if (!this.#isCounted || this.#side.deletes !== this.#deletes) return false
    return this.#live.size === this.#given.size + this.#givenLive
  }

  /** How many entries left the heap or were deleted; 0 where not all is known that the live half gave, which has to stay where it is then. */
  get gone(): number {
    return this.#side.evicts ? this.#side.gone : 0
  }

  /** A rollback put something back, which may be given a second time. */
  meetRollback(): void {
    this.#isCounted = false
    this.#catchUp()
  }

  /** A rollback put this key back, and it was given before. Follows `meetRollback`. */
  gave(key: Key): void {
    // It may have left the heap since.
    if (!this.#owed.delete(key) && this.#live.has(key)) this.#given.add(key)
  }

  /** Nobody will ask any more. */
  end(): void {
    this.#watch?.end(this)
    this.#watch = undefined
  }

  #catchUp(): void {
    for (let link = this.#seen.next; link !== undefined; link = link.next) {
      this.#take(link.change, link.key)
      this.#seen = link
    }
  }

  #take(change: Change, key: Key): void {
    if (change === 'deleted') {
      this.#deletes++
      // Nobody knows whether it was one of these.
      if (!this.#given.delete(key) && this.#givenLive > 0) this.#isCounted = false
      this.#owed.delete(key)
    } else if (this.#behind(key)) {
      if (change === 'left') {
        if (!this.#given.delete(key)) setIn(this.#owed, key, true)
      } else if (!this.#owed.delete(key)) this.#given.add(key)
    }
  }

  /** One that failed gives nothing more: another one goes on behind the key it gave last. */
  #step(cursor: ColdCursor): Key | undefined {
    try {
      return cursor.next()
    } catch (error) {
      this.#cursor = undefined
      throw error
    }
  }

  #nextOwed(): Key | undefined {
    while (this.#owed.size > 0) {
      // One for all of them: a new one would pass the holes of those given each time. At its end a Map may have become a chain.
      this.#owing ??= this.#owed.keys()
      const next = this.#owing.next()
      if (next.done !== true) {
        this.#owed.delete(next.value)
        // Set while the disk could not say that it replaced something: the live half gives it.
        if (this.#live.has(next.value)) continue
        return next.value
      }
      this.#owing = undefined
    }
    this.#owing = undefined
    return undefined
  }

  /** Of a stored key. */
  #shows(key: Key): boolean {
    return !this.#live.has(key) && !this.#side.hides(key)
  }

  #endStored(): void {
    this.#through = true
    this.#cursor = undefined
  }

  #behind(key: Key): boolean {
    if (this.#through) return true
    return this.#last !== undefined && (key === this.#last || compareKeys(key, this.#last) <= 0)
  }
}
