/**
 * One collection on the main thread: the live entries and what was written since the last barrier.
 *
 * What: the path of every read and write. Unguarded, `get` is one look-up and `set` one look-up and one append to the journal. Entries that
 * are stored and not in the heap come home when they are asked for, and are clean then.
 * Owns: the live Map, the journal, the keys inserted and deleted since the barrier, those drained.
 * Does not own: which stored entries show (cold-side.ts), the drain (drain.ts), the cut (capture.ts), rollback (transaction.ts), durability.
 * Invariants: a key written since its last record is in the journal, in `postponed` or in `fresh`, or the collection is `saturated`; one with a record in
 * the coming epoch is in `drained`; a key that is gone and may have a record that counts is in `deleted` or `gone`, whatever becomes of the
 * journal; a key in `fresh` has no record that counts or will count, so deleting it needs no tombstone.
 */
import { INSIGNIFICANT_KEYS_MAX } from '../base/limits.ts'
import { type Key, tideCodec, type ValueCodec } from '../codec/index.ts'
import type { CapturePart } from './capture-part.ts'
import { ABSENT, type ColdCursor } from './cold.ts'
import { readCold } from './cold-read.ts'
import { ColdSide, type ColdStart } from './cold-side.ts'
import { beforeForget, beforeHandOut, beforeWrite } from './guard.ts'
import type { CollectionClass } from './importance.ts'
import { type Group, Journal } from './journal.ts'
import { KeySet } from './key-set.ts'
import { checkKey } from './keys.ts'
import { lengthenFull, setIn } from './map-chain.ts'
import { Postponed } from './postponed.ts'
import { Redundancy } from './redundant.ts'
import type { Returns } from './returns.ts'
import { SIGNIFICANT, Significance } from './significance.ts'
import type { Space } from './space.ts'
import { isUnchanged } from './unchanged.ts'
import { vanished } from './vanished.ts'

export type CollectionKind = 'map' | 'value'

export class Collection {
  readonly name: string
  readonly kind: CollectionKind
  codec: ValueCodec
  readonly space: Space
  /** Names this incarnation on disk; emptying the collection starts a new one. */
  id: number
  /** The incarnation that the last cut had, or that was there first. */
  cutId: number
  /** A record of this incarnation was begun, or may be on the disk: emptied, the collection needs another id. */
  recorded = true
  live: Map<Key, unknown>
  /** Keys changed and deleted since the barrier. */
  journal = new Journal()
  fresh = new KeySet()
  /** Fresh keys in the order of their insertion, and some that are fresh no more. */
  arrivals = new Journal()
  deleted = new KeySet()
  /** Keys listed before that the drain leaves to the barrier. */
  postponed = new Postponed()
  /** Keys with a record in the epoch that the next barrier ends. */
  drained = new Journal()
  /** Bytes of these records, and of those of cuts that were void. */
  drainedBytes = 0
  /** Of these keys: records that were made and not written. */
  drainedSpared = { records: 0, bytes: 0 }
  /** Keys deleted in generations that were joined; some may be back. */
  gone: readonly KeySet[] = []
  saturated = false
  /** What a barrier froze of this incarnation and has not finished capturing. */
  part: CapturePart | undefined
  /** The same, until its epoch is committed or given up: of what it says is gone a record may count or not. */
  inFlight: CapturePart | undefined
  dropped = false
  class: CollectionClass = 'standard'
  /** Of a critical one: a barrier follows its changes within this time. */
  rpoMs: number | undefined
  readonly redundancy = new Redundancy()
  /** Where some changes cause no I/O by themselves. */
  significance: Significance | undefined
  /** Entries of this incarnation that are stored and not in live; undefined where there never were any. */
  cold: ColdSide | undefined
  /** From the first iteration of this incarnation on. */
  returns: Returns | undefined

  constructor(
    space: Space,
    name: string,
    kind: CollectionKind,
    codec: ValueCodec,
    id: number,
    live: Map<Key, unknown> = new Map(),
    cold: ColdStart | undefined = space.coldOf?.(id, codec),
  ) {
    this.cold = cold === undefined ? undefined : new ColdSide(cold)
    this.space = space
    space.counted(1)
    this.name = name
    this.kind = kind
    this.codec = codec
    this.id = this.cutId = id
    this.live = live
  }

  get dirty(): boolean {
    if (this.saturated || this.drained.length > 0 || this.postponed.size > 0) return true
    return this.journal.length > 0 || this.fresh.size > 0 || this.deleted.size > 0 || this.gone.length > 0
  }

  /** The keys written since the barrier and not drained since, in groups. Says nothing of a saturated collection. */
  written(): Group[] {
    const gone = [this.deleted, ...this.gone].flatMap(keys => keys.pieces())
    return [...this.postponed.pieces(), ...this.journal.groups(), ...this.fresh.pieces(), ...gone]
  }

  /** Upper bound of the keys written since the barrier. */
  get dirtyKeysMax(): number {
    const gone = this.gone.reduce((sum, keys) => sum + keys.size, this.deleted.size)
    return this.drained.length + gone + (this.saturated ? this.live.size : this.journal.length + this.fresh.size + this.postponed.size)
  }

  /** Exact: asks the disk for keys that were set and never looked up. */
  get size(): number {
    return this.live.size + (this.cold === undefined ? 0 : this.cold.count())
  }

  /** Upper bound of `size`, said without the disk; too high by the unresolved keys that are stored. */
  get sizeMax(): number {
    return this.live.size + (this.cold === undefined ? 0 : this.cold.countMax)
  }

  has(key: Key): boolean {
    return this.live.has(key) || this.cold?.shows(key) === true
  }

  get(key: Key): unknown {
    if (this.space.guarded) return this.space.read(this, key)
    const value = this.live.get(key)
    if (value === undefined && this.cold !== undefined && this.bringHome(key)) return this.live.get(key)
    return value
  }

  getAndHandOut(key: Key): unknown {
    let value = this.live.get(key)
    if (value === undefined && this.cold !== undefined && this.bringHome(key)) value = this.live.get(key)
    if (typeof value === 'object' && value !== null) beforeHandOut(this, key, value)
    return value
  }

  /** As `get`, of a key that shows; `cursor` stands on it, if there is one. */
  getCold(key: Key, cursor: ColdCursor | undefined): unknown {
    this.bringHome(key, cursor)
    // Not as `get` does: who walks over everything touches nothing in particular.
    return this.getAndHandOut(key)
  }

  /** Puts a stored entry that shows into live, clean, or leaves what its codec put there. False when the key was live already, or there is none. */
  bringHome(key: Key, cursor?: ColdCursor): boolean {
    const { cold } = this
    if (cold === undefined || this.live.has(key)) return false
    const value = readCold(this.name, cold, key, cursor)
    if (value === ABSENT) return false
    // A codec of the user may have written this very key, or emptied the collection, and that stands; ours calls nobody.
    if (this.cold !== cold || (this.codec !== tideCodec && (this.live.has(key) || cold.hides(key)))) return this.live.has(key)
    // Others may leave for it.
    if (cold.evicts) this.space.enters?.(this, key, value, true)
    // It was not written since the stored state, so no barrier can have frozen it.
    this.part?.settle(key)
    setIn(this.live, key, value, this.space.mapEntriesMax)
    try {
      cold.cameHome(key)
    } catch (error) {
      // Where the stack ends it is not home, or it is counted as home.
      cold.deletes++
      this.live.delete(key)
      throw error
    }
    lengthenFull(this.live, this.space.mapEntriesMax)
    this.space.untracked?.cameHome(this, key)
    return true
  }

  set(key: Key, value: unknown): void {
    if (this.cold?.madeAhead === true && !this.live.has(key) && this.cold.hasDecoded(key)) this.bringHome(key)
    if (typeof value !== 'object' || value === null) {
      if (Object.is(this.live.get(key), value) && (value !== undefined || this.live.has(key)) && isUnchanged(this, key, value))
        return void this.redundancy.unchanged++
    }
    const { significance } = this
    // First of all, because the function may change the collection itself.
    const since = significance === undefined ? SIGNIFICANT : significance.judge(this, key, value)
    if (this.space.guarded) beforeWrite(this, key, value)
    const { live, cold } = this
    if (cold?.evicts === true) {
      checkKey(this.name, key)
      // Before it is there, so that no end of the stack is between the two: it may not leave the heap.
      cold.written(key)
    }
    const before = live.size
    setIn(live, key, value, this.space.mapEntriesMax)
    let isNew = false
    try {
      if (live.size === before) this.#overwritten(key, since)
      else {
        isNew = true
        checkKey(this.name, key)
        // In a transaction it has been looked for already.
        if (cold !== undefined && this.space.transaction === undefined) isNew = cold.isInsert(key)
        this.#inserted(key, isNew)
      }
    } catch (error) {
      // The service's own recursion may end the stack at any call: from here on only what is built in is called.
      const { saturated } = this
      this.saturated = true
      if (cold !== undefined) cold.deletes++
      if (isNew && live.delete(key)) this.saturated = saturated
      throw error
    }
    if (cold?.evicts !== true) return
    // It counts already.
    if (live.size === before) this.space.changed?.(this, key)
    else this.space.enters?.(this, key, value, false)
  }

  delete(key: Key): boolean {
    const { cold } = this
    let stored = false
    if (this.space.guarded) {
      const lives = this.live.has(key)
      stored = !lives && cold?.shows(key) === true
      if (!lives && !stored) {
        this.space.assertWritable(this.name)
        this.space.leavesAsIs(this)
        return false
      }
      beforeWrite(this, key, undefined)
      this.space.transaction?.beforeDelete(this, key)
    }
    if (this.cold !== undefined) {
      if (!this.#deleteBeside(this.cold, key, stored && this.cold === cold)) return false
    } else if (!this.live.has(key)) return false
    else if (!vanished(this, key)) {
      this.#gone(key)
      this.live.delete(key)
    }
    this.significance?.settle(key)
    this.returns?.went(key, this.space.transaction)
    if (this.cold?.evicts === true) this.space.changed?.(this, key)
    return true
  }

  /** Forgets all entries by starting a new incarnation; what a capture froze of the old one stays with the capture. */
  clear(): void {
    if (this.space.guarded) this.space.assertWritable(this.name)
    // Before anything is changed.
    const id = this.sizeMax > 0 ? this.space.idBehind(this) : this.id
    if (this.sizeMax > 0) this.beforeForget()
    // Asked behind it: who was told of that may have emptied it, or dropped it, which throws.
    if (this.sizeMax === 0) return void this.space.leavesAsIs(this)
    this.space.transaction?.beforeClear(this)
    this.replace(id, new Map())
  }

  beforeForget(): void {
    beforeForget(this)
  }

  /** Nothing is written yet. What is deleted last: all else is what a saturated collection can do without, wherever the stack ends. */
  beginEpoch(): void {
    this.journal = new Journal()
    this.fresh = new KeySet()
    this.arrivals = new Journal()
    this.postponed = new Postponed()
    this.drained = new Journal()
    this.deleted = new KeySet()
    this.drainedBytes = 0
    this.drainedSpared = { records: 0, bytes: 0 }
    this.gone = []
    this.saturated = false
  }

  /** Forgets all entries, for good; its name is free. */
  drop(): void {
    this.dropped = true
    this.part = undefined
    this.space.dropped(this)
    this.space.giants.drop(this.id)
  }

  /** Puts another incarnation in place. */
  replace(id: number, live: Map<Key, unknown>): void {
    this.space.giants.drop(this.id)
    const start = this.space.coldOf?.(id, this.codec)
    const cold = start === undefined ? undefined : new ColdSide(start)
    const significance = this.significance === undefined ? undefined : new Significance(this.significance.significant)
    this.saturated = true
    this.beginEpoch()
    // From here on the end of the stack can stop nothing.
    this.id = id
    this.recorded = false
    this.live = live
    this.cold = cold
    this.significance = significance
    this.part = this.inFlight = this.returns = undefined
    this.space.catalogueChanged = true
  }

  /** Insignificant changes are to be written too, with the next barrier. */
  takeIn(): void {
    const taken = this.significance?.take()
    for (const group of taken?.pieces() ?? []) {
      if (!this.saturated) this.journal.adopt(group)
    }
    if (this.journal.length > this.#listedMax) this.#saturate()
    // What waits may not leave the heap; what does no longer may not either, before it is stored.
    if (taken !== undefined) this.cold?.writtenAll(taken)
  }

  /** The key's state on disk may differ from now on, whatever it is. */
  markDirty(key: Key): void {
    if (this.live.has(key)) {
      if (!this.saturated) this.#changed(key)
      this.cold?.written(key)
    } else if (this.#mayLinger(key) || this.cold?.mayShow(key) !== true) this.#gone(key)
  }

  /** The barrier refused its value. `fresh`: the key has no record, and still has none, so that the next epoch knows. */
  markRefused(key: Key, fresh: boolean): void {
    if (fresh) this.fresh.add(key)
    else this.postponed.addRefused(key)
    this.cold?.written(key)
  }

  /** `stored`: the disk was asked already. A codec of the user may have deleted the key since. */
  #deleteBeside(cold: ColdSide, key: Key, stored: boolean): boolean {
    const lives = this.live.has(key)
    if (!lives && (stored ? cold.hides(key) : !cold.shows(key))) return false
    cold.deletes++
    if (!lives || !vanished(this, key)) {
      this.#gone(key)
      const { countMax } = cold
      try {
        if (lives) cold.hide(key)
        else cold.remove(key)
      } catch (error) {
        // Its tombstone is listed: of one that is not live it is told without a call.
        if (!lives && cold.countMax === countMax) cold.owed.push(key)
        if (!lives) cold.countMax = countMax - 1
        throw error
      }
      if (lives) this.live.delete(key)
    }
    cold.tell('deleted', key)
    return true
  }

  /** The key is about to be there no more, or is already, and needs a tombstone. One that is there all the same has one too many listed. */
  #gone(key: Key): void {
    this.part?.keepUp()
    if (!this.saturated) this.#changed(key)
    this.deleted.add(key)
  }

  /** Of a key that was not there: it may have a record that counts. */
  #mayLinger(key: Key): boolean {
    return this.deleted.has(key) || (this.gone.length > 0 && this.gone.some(keys => keys.has(key)))
  }

  #changed(key: Key): void {
    this.journal.push(key)
    if (this.journal.outgrows(this.#listedMax)) this.#saturate()
  }

  /** Keys that a journal may list. */
  get #listedMax(): number {
    return 2 * this.live.size + this.space.journalSlackKeys
  }

  /** Everything counts as changed. */
  #saturate(): void {
    this.saturated = true
    this.journal = new Journal()
  }

  #overwritten(key: Key, since: unknown): void {
    const { significance } = this
    // A key that may have been refused, just now perhaps, is listed: no barrier falls for refused values alone, and this one is mended.
    if (since !== SIGNIFICANT && !this.fresh.has(key) && !this.postponed.refused.has(key)) significance?.wait(key, since)
    else {
      significance?.settle(key)
      if (!this.saturated) this.#changed(key)
    }
    if (significance !== undefined && significance.size > INSIGNIFICANT_KEYS_MAX) this.takeIn()
  }

  #inserted(key: Key, isNew: boolean): void {
    this.significance?.settle(key)
    lengthenFull(this.live, this.space.mapEntriesMax)
    if (isNew && !this.#mayLinger(key) && this.inFlight?.leaves(key) !== true) {
      this.arrivals.push(key)
      if (this.arrivals.outgrows(this.#listedMax)) this.arrivals = new Journal()
      this.fresh.add(key)
    } else if (!this.saturated) this.#changed(key)
  }
}
