/**
 * The cold side of one incarnation, as its collection sees it: how many stored entries show, and which do not.
 *
 * What: a stored entry shows unless its key is live or hidden. `set` of a key that is not live asks no disk, unless somebody
 * iterates: where the stored state cannot say at once whether the key is there, it joins the unresolved keys, and the count is an upper bound
 * until they are resolved, by `size` or by the writer's answer to a commit.
 * Owns: the count, the hidden and the unresolved keys, those written and not covered by the stored state yet, weak references to evicted objects,
 * objects made before anybody asked.
 * Does not own: the stored entries (cold.ts), the live ones (collection.ts).
 * Invariants: a key that shows has no change that the stored state lacks; an unresolved key that is stored is live or hidden, in one generation
 * only, and was not written between the stored state and its `set`, so that asking a later stored state gives the same answer until its epoch is
 * covered; where the stored state is exchanged (`evicts`), everything deleted is hidden, because a later state may hold what this one does not,
 * and a key is dropped from the hidden ones only when the stored state covers its tombstone. Where it never is, what is not stored need not be
 * hidden: what a filter alone spoke for is looked up later, or keys that come and go would be remembered for ever.
 */
import { assert } from '../base/errors.ts'
import { compareKeys, type Key, type ValueCodec } from '../codec/index.ts'
import { ABSENT, type Cold, type ColdCursor, isUnread } from './cold.ts'
import { Decoded } from './decoded.ts'
import { Generations, type KeyTaken } from './generations.ts'
import { Held } from './held.ts'
import { KeySet } from './key-set.ts'
import { type Change, Watch } from './watch.ts'

/** Keys of a list that grows in pieces, so that no growth is a pause. */
const PIECE = 1024

/** How a collection begins whose entries are stored and not in the heap. */
export interface ColdStart {
  readonly cold: Cold
  /** Entries that are stored and not in live: exact. */
  readonly coldCount: number
  /** Entries may go back, and the stored state is exchanged for later ones. */
  readonly evicts?: boolean
}

export interface ColdStats {
  /** Stored entries that show; an upper bound while keys are unresolved. */
  readonly cold: number
  /** How often an entry came home. */
  readonly broughtHome: number
  readonly evicted: number
  readonly hidden: number
  readonly unresolved: number
  /** Evicted objects that somebody may hold. */
  readonly held: number
}

export class ColdSide {
  readonly cold: Cold
  readonly evicts: boolean
  readonly held = new Held()
  /** From the first one on. */
  #decoded: Decoded | undefined
  /** Keys whose values are being decoded: a codec of the user may come back in here. */
  readonly reading: Key[] = []
  /** Stored entries that show, and the unresolved keys that are stored. */
  countMax: number
  /**
   * No stored key before this one shows, so that no walk has to meet them again; undefined: nothing is known. Walks move it on; an exchange does not
   * move it back, because what a later state holds before it is live or hidden, and comes to show by leaving the heap alone.
   */
  first: Key | undefined
  /** Of entries, cold or live, no fewer than there were: counted before each goes, because the stack may end before that is told. */
  deletes = 0
  #broughtHome = 0
  #evicted = 0
  #hidden = new Generations()
  /** Where nothing is exchanged: hidden keys that may not be stored, in pieces. */
  #doubted: Key[][] = []
  /** Removed where the stack ended before they were hidden. */
  readonly owed: Key[] = []
  /** Where entries are evicted: keys that may have a change that the stored state lacks. */
  readonly #written = new Generations()
  /** Where entries are evicted: live ones came or went in a rollback, and whoever counts what they take was not told. He sets it back. */
  untold = false
  /** Since the last barrier; more than one after a cut was given back. */
  #unresolved: KeySet[] = [new KeySet()]
  /** Of the epoch in flight. */
  #asked: readonly KeySet[] | undefined
  readonly #watch = new Watch()

  constructor({ cold, coldCount, evicts }: ColdStart) {
    this.cold = cold
    this.countMax = coldCount
    this.evicts = evicts === true
  }

  // ---- what shows

  hides(key: Key): boolean {
    return this.countMax === 0 || this.#hidden.has(key) || (this.owed.length > 0 && this.owed.includes(key))
  }

  /** Of a key that is not live: whether its stored entry shows. May read the disk. */
  shows(key: Key): boolean {
    return !this.hides(key) && (this.hasDecoded(key) || this.cold.has(key))
  }

  /** Of a key that is not live, and for which no tombstone is due: it shows, as far as can be told without the disk. */
  mayShow(key: Key): boolean {
    return !this.hides(key) && this.#mayHave(key)
  }

  /** The value of a key that is not live, or ABSENT; an evicted object that is alive comes back itself, and one that was made ahead. Changes nothing. */
  read(key: Key, cursor?: ColdCursor): unknown {
    if (this.hides(key)) return ABSENT
    const made = this.#decoded === undefined ? ABSENT : this.#decoded.get(key)
    if (made !== ABSENT) return made
    return this.held.peek(key) ?? (cursor === undefined ? this.cold.read(key) : cursor.read())
  }

  /** Objects were made ahead. Who writes one of these keys brings it home before: what is set is compared with it, as with any other that is live. */
  get madeAhead(): boolean {
    return this.#decoded !== undefined
  }

  /** Its object was made ahead, and nobody touched it. */
  hasDecoded(key: Key): boolean {
    return this.#decoded?.has(key) === true
  }

  /** The object of a key that shows was made before anybody asked; such keys come in the order of their bytes. */
  decodedAhead(key: Key, value: unknown): void {
    this.#decoded ??= new Decoded()
    this.#decoded.add(key, value)
  }

  /** What is stored is read with it from now on, what the one before it made ahead included. */
  takeCodec(codec: ValueCodec): void {
    if (codec === this.cold.codec) return
    this.cold.codec = codec
    this.#decoded = undefined
  }

  /**
   * How many entries show. Resolves what is unresolved, now; what was resolved by a commit that met damage stays an upper bound.
   * @throws TIDEMARK_STORAGE, _SEGMENT_DAMAGED: all is as it was
   */
  count(): number {
    if (this.countMax === 0) return 0
    const stored = this.#stored(this.#unresolved) + (this.#asked === undefined ? 0 : this.#stored(this.#asked))
    // Only after everything was read: a read that fails must leave all as it was.
    this.#unresolved = [new KeySet()]
    this.#asked = undefined
    this.#fewer(stored)
    return this.countMax
  }

  // ---- changes

  /** A key that showed is live now. */
  cameHome(key: Key): void {
    this.#broughtHome++
    this.#leaves(key)
  }

  /**
   * A key that was not live is about to be set. True when it is new: no entry shows. When that cannot be told without the disk the key
   * becomes unresolved. Only who iterates has to know, so it is asked while a walk is open: here, one read for a `set`, because the next step of the
   * walk would pay for all of them, and the stored state may be exchanged before. Where the disk does not say, the walk may give the key a second
   * time, which is less than a write that fails, or a walk that cannot go on.
   */
  isInsert(key: Key): boolean {
    if (this.hides(key) || !this.#mayHave(key)) return true
    const stored = this.cold.atHome || (this.isWalked ? this.#hasIfRead(key) : undefined)
    if (stored === false) return true
    if (stored === true) {
      this.#leaves(key)
      return false
    }
    this.held.forget(key)
    ;(this.#unresolved.at(-1) as KeySet).add(key)
    return false
  }

  /** A live key that may be stored is about to be deleted: its stored entry must not show. */
  hide(key: Key): void {
    if (!this.evicts) {
      if (this.hides(key) || !this.#mayHave(key)) return
      if (!this.cold.atHome) this.#doubt(key)
    }
    this.#hidden.add(key)
  }

  /** Looks up one of the hidden keys of which only a filter spoke. False: there is none. */
  settleDoubt(): boolean {
    const piece = this.#doubted.at(-1)
    const key = piece?.pop()
    if (piece?.length === 0) this.#doubted.pop()
    if (key === undefined) return false
    if (this.#hasIfRead(key) === false) this.#hidden.delete(key)
    return true
  }

  #doubt(key: Key): void {
    const last = this.#doubted.at(-1)
    if (last !== undefined && last.length < PIECE) last.push(key)
    else this.#doubted.push([key])
  }

  /** A key that shows is deleted. It does not, and counts no more, or all is as it was, wherever the stack ends. */
  remove(key: Key): void {
    this.#letGo(key)
    this.#hidden.add(key)
    this.countMax--
    this.#fewer(0)
  }

  /** A live entry that the stored state holds leaves the heap, directly behind this. Follow it with `hold`. */
  evict(key: Key): void {
    this.#hidden.delete(key)
    if (this.first !== undefined && compareKeys(key, this.first) < 0) this.first = key
    this.tell('left', key)
    this.countMax++
    this.#evicted++
  }

  /** What it was, for as long as somebody has it. */
  hold(key: Key, value: unknown): void {
    if (typeof value === 'object' && value !== null) this.held.keep(key, value)
  }

  /** What describes a segment may be damaged, or the device does not give it back: a write needs neither, and the key may be there then. */
  #mayHave(key: Key): boolean {
    try {
      return this.cold.mayHave(key)
    } catch (error) {
      // At home the answer is taken as exact.
      if (!isUnread(error) || this.cold.atHome) throw error
      return true
    }
  }

  /** Undefined: it cannot be read. */
  #hasIfRead(key: Key): boolean | undefined {
    try {
      return this.cold.has(key)
    } catch (error) {
      if (!isUnread(error)) throw error
      return undefined
    }
  }

  /** Whatever comes back for this key is another object. */
  #letGo(key: Key): void {
    this.held.forget(key)
    this.#decoded?.forget(key)
  }

  #leaves(key: Key): void {
    this.#letGo(key)
    this.tell('came', key)
    this.#fewer(1)
  }

  /** Where nothing shows and nothing can come back, nothing has to be hidden. Counts last of all: where the stack ends it did not. */
  #fewer(count: number): void {
    if (this.countMax <= count && !this.evicts) {
      this.#hidden = new Generations()
      this.#doubted = []
    }
    this.countMax -= count
  }

  // ---- barriers

  /** A barrier falls that ends this epoch. Gives the keys whose existence before the epoch the writer has to say. */
  barrier(epoch: number): readonly KeySet[] {
    assert(this.#asked === undefined, 'the unresolved keys of one epoch at a time')
    for (const key of this.owed.splice(0)) this.#hidden.add(key)
    this.#hidden.barrier(epoch)
    this.#written.barrier(epoch)
    const asked = this.#unresolved.filter(keys => keys.size > 0)
    if (asked.length === 0) return asked
    this.#asked = asked
    this.#unresolved = [new KeySet()]
    return asked
  }

  /** So many of the keys asked for existed. */
  resolved(existed: number): void {
    // They may have been resolved in the meantime, by `count`.
    if (this.#asked !== undefined) this.#fewer(existed)
    this.#asked = undefined
  }

  /** The cut is lost: what was asked is to be asked again. */
  giveBack(): void {
    this.#hidden.lost()
    this.#written.lost()
    if (this.#asked === undefined) return
    this.#unresolved = [...this.#asked, ...this.#unresolved.filter(keys => keys.size > 0), new KeySet()]
    this.#asked = undefined
  }

  /** The key's live value may differ from the stored one from now on: it may not leave the heap until the stored state holds its epoch. */
  written(key: Key): void {
    if (this.evicts) this.#written.add(key)
  }

  /** As `written` of each of them, in a few steps however many there are. */
  writtenAll(keys: KeyTaken): void {
    if (this.evicts) this.#written.adopt(keys)
  }

  /** A key that came since the last barrier is gone again: no epoch will hold it. */
  vanished(key: Key): void {
    if (this.evicts) this.#written.delete(key)
  }

  /**
   * The stored state was exchanged for one that holds every epoch up to `through`, all of them acknowledged. True when keys may leave now
   * that could not before.
   */
  exchanged(through: number): boolean {
    assert(this.evicts, 'a stored state is exchanged only where entries are evicted')
    this.#hidden.held(through)
    return this.#written.held(through)
  }

  /** The stored state holds the key's last change. */
  covers(key: Key): boolean {
    return !this.#written.has(key)
  }

  /** Keys kept in sets here: each takes memory beside the entries. */
  get keysKept(): number {
    return this.#hidden.size + this.#written.size
  }

  /** Those of them that came with an older value each, which stays as long. */
  get valuesKept(): number {
    return this.#written.tableKeys
  }

  // ---- walks

  /** While somebody iterates. */
  get isWalked(): boolean {
    return this.#watch.open > 0
  }

  /** It lasts until the walk says `end`, or is garbage. */
  beginWalk(walk: object): Watch {
    this.#watch.begin(walk)
    return this.#watch
  }

  tell(change: Change, key: Key): void {
    if (this.isWalked) this.#watch.tell(change, key)
  }

  /** Entries that left the heap or were deleted so far, or are about to be. */
  get gone(): number {
    return this.#evicted + this.deletes
  }

  stats(): ColdStats {
    const sum = (sets: readonly KeySet[]): number => sets.reduce((total, keys) => total + keys.size, 0)
    return {
      cold: this.countMax,
      broughtHome: this.#broughtHome,
      evicted: this.#evicted,
      hidden: this.#hidden.size,
      unresolved: sum(this.#unresolved) + sum(this.#asked ?? []),
      held: this.held.size,
    }
  }

  #stored(generations: readonly KeySet[]): number {
    let stored = 0
    for (const keys of generations) for (const piece of keys.pieces()) for (const key of piece.keys()) if (this.cold.has(key)) stored++
    return stored
  }
}
