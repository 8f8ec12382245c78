/**
 * What a barrier froze of one incarnation, and in which order its keys are taken.
 *
 * What: first the rest of the journal is sifted, which removes duplicates, then every key that remains is given. While the journal is sifted
 * it is not known whether a key is frozen, so any key counts as frozen: its record is then redundant, never wrong. Where there is so much to sift
 * that most keys are in it, they are given as they are listed, without sifting, and any key counts as frozen to the end. A saturated collection
 * gives its tombstones, then all that is live. What was written last comes first: it is the most likely to be written again, in a call that would
 * then have to capture it.
 * Owns: the frozen keys, which of them were taken. Does not own: the records (capture.ts).
 * Invariants: the groups of keys never change, so that giving the cut back costs a step per group of keys; a part is `finished` only when every
 * frozen key was given; a key is taken once.
 */
import type { Key, ValueCodec } from '../codec/index.ts'
import type { ColdSide } from './cold-side.ts'
import type { Collection } from './collection.ts'
import { CHUNK_KEYS, type Group, isList, type Journal, sizeOf } from './journal.ts'
import { KeyPositions } from './key-positions.ts'
import { KeySet } from './key-set.ts'
import type { Redundancy, Spared } from './redundant.ts'
import type { Space } from './space.ts'

const NOTHING = new KeyPositions()
/** Of the live entries so many are to be sifted: then it does not pay. */
const LISTED_SHARE = 0.5
/** Keys listed last that are looked at before all the others: two to three chunks of a journal. */
const NEWEST_KEYS = 3 * CHUNK_KEYS
/** Entries that leave the live Map between two moves of a walk over it that waits. */
const KEEP_UP = 256

export class CapturePart {
  readonly collection: Collection
  readonly redundancy: Redundancy
  readonly space: Space
  readonly id: number
  readonly name: string
  live: Map<Key, unknown>
  readonly all: boolean
  readonly fresh: KeySet
  readonly deleted: KeySet
  readonly gone: readonly KeySet[]
  /** Keys whose records of this epoch were written before the barrier. */
  readonly drained: Journal
  /** Keys changed and deleted since their last record, unless all is frozen. */
  readonly written: readonly Group[]
  mode: 'sift' | 'pending' | 'list' | 'tombstones' | 'all' | 'finished'
  /** Captured while membership was not yet known, or while everything is frozen. */
  done: KeySet
  /** Record bytes of this part, drained ones included. */
  bytes: number
  /** Records of drained keys that were made and not written. */
  readonly drainedSpared: Spared
  /** The same of this part's own. */
  readonly spared = { records: 0, bytes: 0 }
  neverStored = 0
  /** Beside the incarnation that was frozen, whatever becomes of the collection. */
  readonly cold: ColdSide | undefined
  /** Keys whose existence before the epoch is asked. */
  readonly asked: readonly KeySet[]
  readonly #journal: Journal
  /** What is walked in the modes that have their keys from groups. */
  #groups: readonly Group[] = []
  #group = 0
  /** Where the group is an array, the end of what is left of it; otherwise what walks it. Apart, so that neither is slowed down by the other. */
  #array: readonly (Key | undefined)[] | undefined
  #at = 0
  /** While keys are pending: the groups that were written last are walked first, then all that is left. */
  #newest = false
  #keys: Iterator<Key> | undefined
  /** Asked about last, and not frozen: it never will be again. A key is asked about several times in a row. */
  #thawed: Key | undefined
  /** Given and put back. */
  #again: Key | undefined
  /** What the walk over the live Map met while it waited. */
  readonly #met: Key[] = []
  #left = 0

  /** Takes over what `collection` remembers, which begins a new epoch. */
  constructor(collection: Collection, epoch: number) {
    this.collection = collection
    this.redundancy = collection.redundancy
    this.space = collection.space
    this.id = collection.id
    this.name = collection.name
    this.live = collection.live
    this.all = collection.saturated
    this.fresh = collection.fresh
    this.deleted = collection.deleted
    this.gone = collection.gone
    this.drained = collection.drained
    this.bytes = collection.drainedBytes
    this.drainedSpared = collection.drainedSpared
    const journal = collection.journal
    const postponed = collection.postponed.pieces()
    this.written = [...postponed, ...journal.groups()]
    this.#journal = journal
    const gone = this.gone.flatMap(keys => keys.pieces())
    const unlisted = [...this.fresh.pieces(), ...gone]
    const toSift = journal.unsifted + [...unlisted, ...postponed].reduce((sum, group) => sum + group.size, 0)
    this.mode = this.all ? 'tombstones' : toSift > LISTED_SHARE * this.live.size ? 'list' : 'sift'
    if (this.mode === 'sift') {
      // Sifted in part already, by the drain; behind it come the keys that are in no journal.
      for (const group of [...unlisted, ...postponed]) journal.adopt(group)
      journal.expect()
    } else this.#groups = this.all ? [...this.deleted.pieces(), ...gone] : [...unlisted, ...this.written].reverse()
    this.done = new KeySet(this.mode === 'sift' ? 0 : this.live.size)
    this.cold = collection.cold
    this.asked = this.cold?.barrier(epoch) ?? []
    collection.beginEpoch()
    collection.recorded = true
    collection.part = collection.inFlight = this
  }

  /** A better one may have been given since the cut: of this name each reads what the others wrote. */
  get codec(): ValueCodec {
    return this.collection.codec
  }

  /** True when the key is frozen; from now on it is not: whoever asks records it. */
  claim(key: Key): boolean {
    if (key === this.#thawed) return false
    this.#thawed = key
    if (this.mode === 'pending') return this.#pending.delete(key)
    if (this.mode === 'finished' || !this.done.add(key)) return false
    if (this.mode === 'sift') this.#pending.delete(key)
    return true
  }

  frozen(key: Key): boolean {
    if (key === this.#thawed) return false
    const is = this.mode === 'pending' ? this.#pending.has(key) : this.mode !== 'finished' && !this.done.has(key)
    if (!is) this.#thawed = key
    return is
  }

  settle(key: Key): void {
    this.#thawed = key
    if (this.mode === 'pending' || this.mode === 'sift') this.#pending.delete(key)
    if (this.mode !== 'pending') this.done.add(key)
  }

  /** The key leaves the heap and is not frozen. Should it come back, it is claimed or settled again before it is there. */
  forget(key: Key): void {
    this.keepUp()
    // Refused, it may still be among what is walked.
    if (this.fresh.has(key)) return
    this.done.delete(key)
    if (this.#thawed === key) this.#thawed = undefined
  }

  /** An entry leaves the heap. V8 keeps every table that a Map had since its iterator last moved, and while the disk is slow no slice moves it. */
  keepUp(): void {
    if (this.mode !== 'all' || this.#keys === undefined || ++this.#left % KEEP_UP !== 0) return
    const result = this.#keys.next()
    if (result.done === true) return
    // At once: no walk meets it again, and the stack of a call of the service may end in what follows.
    this.#met.push(result.value)
    if (this.done.has(result.value)) this.#met.pop()
  }

  /** The key was gone at the barrier, and may have a record of before. Of any other key that is not there now none counts. */
  leaves(key: Key): boolean {
    return this.deleted.has(key) || (this.gone.length > 0 && this.gone.some(keys => keys.has(key)))
  }

  /** The incarnation is about to be no more: what was captured of it need not be kept until the epoch is committed. */
  letGo(): void {
    if (this.mode === 'finished') this.live = new Map()
  }

  /** The epoch is committed, or given up: nothing is captured for it any more. */
  landed(): void {
    const { collection } = this
    if (collection.part === this) collection.part = undefined
    if (collection.inFlight === this) collection.inFlight = undefined
  }

  /** Of a key that is not live: it is stored and nothing was written to it since, as far as can be told without the disk. */
  untouched(key: Key): boolean {
    return this.cold?.mayShow(key) === true && !this.leaves(key)
  }

  /** The key's value was refused: it is dirty again, and may or may not have a record. */
  refuse(key: Key): void {
    const { collection } = this
    const fresh = this.fresh.has(key)
    if (fresh) this.neverStored++
    // Deleted by its codec, it is listed for its tombstone, whether it is back or not.
    if (collection.id !== this.id || !this.live.has(key) || collection.deleted.has(key)) return
    collection.markRefused(key, fresh)
  }

  /** The steps left, or somewhat more; while keys are pending those of one of two walks that overlap, the longer. */
  get stepsMax(): number {
    if (this.mode === 'finished') return 0
    if (this.mode === 'pending') return Math.max(this.#pending.size, this.#newest ? this.#newestLeft() : 0)
    let steps = this.all ? this.live.size : 0
    const groups =
      this.mode === 'sift' ? [...this.written, ...this.fresh.pieces(), ...this.gone.flatMap(keys => keys.pieces())] : this.#groups
    for (let at = this.mode === 'all' ? groups.length : this.#group; at < groups.length; at++) steps += sizeOf(groups[at] as Group)
    return steps
  }

  /** The key given last is to be given again, first of all. */
  putBack(key: Key): void {
    this.#again = key
    this.#thawed = undefined
    if (this.mode === 'pending') this.#pending.set(key, 0)
    else this.done.delete(key)
  }

  /** The next key to capture, or `undefined` after a step that gave none. Check `mode` for the end. */
  next(): Key | undefined {
    if (this.mode === 'sift') {
      if (!this.#journal.sift(this.done)) this.#advance()
      return undefined
    }
    const array = this.#array
    let key = this.#again
    if (key !== undefined) {
      this.#again = undefined
      // Captured meanwhile, because it was changed or handed out.
      if (!this.frozen(key)) return undefined
    } else if (array !== undefined) {
      if (this.#at === 0) return this.#advance()
      key = array[--this.#at]
      if (key === undefined) return undefined
    } else {
      key = this.#met.pop()
      if (key === undefined) {
        const result = this.#keys?.next()
        if (result === undefined) return this.#open()
        if (result.done === true) return this.#advance()
        key = result.value
      }
    }
    switch (this.mode) {
      case 'pending':
        // Written more than once, or captured meanwhile. One that came and went needs no tombstone.
        return this.#pending.delete(key) && (this.live.has(key) || this.leaves(key)) ? key : undefined
      case 'list':
        return this.done.add(key) && (this.live.has(key) || this.leaves(key)) ? key : undefined
      case 'tombstones':
        return !this.live.has(key) && this.leaves(key) && this.done.add(key) ? key : undefined
      case 'all':
        // One that was put back may have left the heap since: it is clean, and needs no record.
        return this.live.has(key) && this.done.add(key) ? key : undefined
      case 'finished':
        return undefined
    }
  }

  get #pending(): KeyPositions {
    return this.#journal.last ?? NOTHING
  }

  #newestLeft(): number {
    let left = this.#array === undefined ? 0 : this.#at
    for (let at = this.#array === undefined ? this.#group : this.#group + 1; at < this.#groups.length; at++)
      left += sizeOf(this.#groups[at] as Group)
    return left
  }

  #open(): undefined {
    const group = this.#groupAt(this.#group)
    if (group === undefined) return this.#advance()
    if (isList(group)) {
      this.#array = group
      this.#at = group.length
    } else this.#keys = group.keys()
  }

  #groupAt(at: number): Group | undefined {
    if (this.mode === 'all') return at === 0 ? this.live : undefined
    return this.mode === 'pending' && !this.#newest ? this.#pending.pieceAt(at) : this.#groups[at]
  }

  #advance(): undefined {
    this.#array = this.#keys = undefined
    this.#group++
    const table = this.mode === 'pending' && !this.#newest
    const groups = table ? this.#pending.pieceCount : this.mode === 'all' ? 1 : this.#groups.length
    if (this.mode !== 'sift' && this.#group < groups) return
    this.#group = 0
    if (this.#newest) {
      this.#newest = false
      return
    }
    this.mode = this.mode === 'sift' ? 'pending' : this.mode === 'tombstones' ? 'all' : 'finished'
    if (this.mode === 'pending') {
      this.done = new KeySet()
      this.#groups = newestOf(this.written)
      this.#newest = true
    }
    if (this.mode === 'finished') {
      this.done = new KeySet()
      if (this.collection.part === this) this.collection.part = undefined
    }
  }
}

/** The lists at the end of a journal, newest first, of about so many keys. */
function newestOf(groups: readonly Group[]): Group[] {
  const newest: Group[] = []
  let keys = 0
  for (let at = groups.length - 1; at >= 0; at--) {
    const group = groups[at] as Group
    keys += sizeOf(group)
    if (!isList(group) || keys > NEWEST_KEYS) break
    newest.push(group)
  }
  return newest
}
