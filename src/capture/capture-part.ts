/**
 * What a barrier froze of one incarnation, and in which order its keys are taken.
 *
 * What: first the journal is sifted, which removes duplicates, then every key that remains is given. While the journal is sifted it is not
 * known whether a key is frozen, so any key counts as frozen: its record is then redundant, never wrong. A saturated collection gives its
 * tombstones, then all that is live.
 * Owns: the frozen keys, which of them were taken, the lists for the writer's count. Does not own: the records (capture.ts).
 * Invariants: `sources` never change, so that giving the cut back costs a step per group of keys; a part is `finished` only when every
 * frozen key was given; a key is taken once.
 */
import type { Key, ValueCodec } from '../codec/index.ts'
import type { ColdSide } from './cold-side.ts'
import type { Collection } from './collection.ts'
import { KeyListWriter } from './key-list.ts'
import { KeySet } from './key-set.ts'

type Groups = readonly Iterable<Key | undefined>[]

export class CapturePart {
  readonly collection: Collection
  readonly id: number
  readonly codec: ValueCodec
  readonly live: Map<Key, unknown>
  readonly all: boolean
  readonly journal: Groups
  readonly fresh: KeySet
  readonly deleted: KeySet
  readonly gone: readonly Set<Key>[]
  readonly freshAllowed: boolean
  /** All of these. */
  readonly sources: Groups
  mode: 'sift' | 'pending' | 'tombstones' | 'all' | 'finished'
  /** Known to be frozen and not captured; complete once the sources are sifted. */
  pending: KeySet
  /** Captured while membership was not yet known, or while everything is frozen. */
  done: KeySet
  /** Record bytes of this part. */
  bytes = 0
  /** For the writer to look up. */
  readonly unresolved = new KeyListWriter()
  readonly refused = new KeyListWriter()
  neverStored = 0
  /** Beside the incarnation that was frozen, whatever becomes of the collection. */
  readonly cold: ColdSide | undefined
  readonly #asked: readonly KeySet[]
  #group = 0
  /** Where the group is an array, its next place; otherwise what walks it. Apart, so that neither is slowed down by the other. */
  #array: readonly (Key | undefined)[] | undefined
  #at = 0
  #keys: Iterator<Key> | undefined

  constructor(collection: Collection, epoch: number) {
    this.collection = collection
    this.id = collection.id
    this.codec = collection.codec
    this.live = collection.live
    this.all = collection.saturated
    this.journal = collection.journal.groups()
    this.fresh = collection.fresh
    this.deleted = collection.deleted
    this.gone = collection.gone
    this.freshAllowed = collection.freshAllowed
    this.sources = [...this.journal, ...this.fresh.pieces(), ...this.deleted.pieces(), ...this.gone]
    this.mode = this.all ? 'tombstones' : 'sift'
    const expected = this.sources.reduce((sum, group) => sum + sizeOf(group), this.all ? this.live.size : 0)
    this.pending = new KeySet(this.all ? 0 : expected)
    this.done = new KeySet(this.all ? expected : 0)
    this.cold = collection.cold
    this.#asked = this.cold?.barrier(epoch) ?? []
  }

  frozen(key: Key): boolean {
    return this.mode === 'pending' ? this.pending.has(key) : this.mode !== 'finished' && !this.done.has(key)
  }

  settle(key: Key): void {
    if (this.mode === 'pending' || this.mode === 'sift') this.pending.delete(key)
    if (this.mode !== 'pending') this.done.add(key)
  }

  /** Whether the key, which is not there now, may have a record that the barrier's state lacks. */
  lingers(key: Key): boolean {
    return this.mode === 'pending' || this.gone.length > 0 || this.deleted.has(key)
  }

  /** The key's record is being written. */
  counted(key: Key): void {
    const { cold } = this
    if (cold === undefined) return
    cold.recorded(key)
    for (const keys of this.#asked) if (keys.has(key)) this.unresolved.add(key)
  }

  /** The key's value was refused: it is dirty again, and may or may not have a record. */
  refuse(key: Key): void {
    const { collection } = this
    const fresh = this.fresh.has(key)
    if (fresh) this.neverStored++
    else this.refused.add(key)
    if (collection.id !== this.id) return
    if (fresh) collection.markFresh(key)
    else collection.markDirty(key)
  }

  /** Upper bound of the steps left. */
  get stepsMax(): number {
    if (this.mode === 'finished') return 0
    if (this.mode === 'pending') return this.pending.size
    let steps = this.all ? this.live.size : 0
    for (const group of this.sources) steps += sizeOf(group)
    return steps
  }

  /** The next key to capture, or `undefined` after a step that gave none. Check `mode` for the end. */
  next(): Key | undefined {
    const array = this.#array
    let key: Key | undefined
    if (array !== undefined) {
      if (this.#at === array.length) return this.#advance()
      key = array[this.#at++]
      if (key === undefined) return undefined
    } else {
      const result = this.#keys?.next()
      if (result === undefined) return this.#open()
      if (result.done === true) return this.#advance()
      key = result.value
    }
    switch (this.mode) {
      case 'sift':
        if (!this.done.has(key)) this.pending.add(key)
        return undefined
      case 'pending':
        return this.pending.delete(key) ? key : undefined
      case 'tombstones':
        return !this.live.has(key) && this.done.add(key) ? key : undefined
      case 'all':
        return this.done.add(key) ? key : undefined
      case 'finished':
        return undefined
    }
  }

  #open(): undefined {
    const at = this.#group
    const group =
      this.mode === 'pending' ? this.pending.pieceAt(at) : this.mode === 'all' ? (at === 0 ? this.live : undefined) : this.sources[at]
    if (group === undefined) return this.#advance()
    if (Array.isArray(group)) {
      this.#array = group
      this.#at = 0
    } else this.#keys = (group as ReadonlySet<Key> | ReadonlyMap<Key, unknown>).keys()
  }

  #advance(): undefined {
    this.#array = this.#keys = undefined
    this.#group++
    const groups = this.mode === 'pending' ? this.pending.pieceCount : this.mode === 'all' ? 1 : this.sources.length
    if (this.#group < groups) return
    this.#group = 0
    this.mode = this.mode === 'sift' ? 'pending' : this.mode === 'tombstones' ? 'all' : 'finished'
    if (this.mode === 'pending') this.done = new KeySet()
    if (this.mode === 'finished') {
      this.done = new KeySet()
      if (this.collection.part === this) this.collection.part = undefined
    }
  }
}

export function sizeOf(group: Iterable<unknown>): number {
  return Array.isArray(group) ? group.length : (group as Set<unknown>).size
}
