/**
 * The cut: what a barrier froze, and taking it out of the heap in slices.
 *
 * What: at the barrier each dirty collection hands over its journal (nothing is copied). Slices first sift it, which removes duplicates,
 * then write every key's record. A key whose turn has not come is captured at once when its value is about to change or to leave the
 * engine's hands. While the journal is sifted it is not known whether a key is frozen, so any key counts as frozen: its record is then
 * redundant, never wrong.
 * Owns: the frozen keys and how far the slices got. Does not own: when slices run, the channel to the writer, what becomes of the epoch.
 * Invariants: the record written for a key is its state at the barrier; `sources` never change, so that giving the cut back costs a step
 * per group of keys; a part is `finished` only when every frozen key has its record or a refusal.
 */
import { hasCode } from '../base/errors.ts'
import { IN_FLIGHT_BYTES_MAX, PIECE_ENTRIES_MAX, PRE_IMAGE_BYTES_MAX } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { appendPut, appendTombstone } from '../format/index.ts'
import type { Collection } from './collection.ts'
import { Journal } from './journal.ts'
import { KeySet } from './key-set.ts'
import type { Outbox } from './outbox.ts'

export type VoidReason = 'changed in place across the barrier' | 'pre-images beyond the bound' | 'emptied during the capture'

export interface CaptureOwner {
  /** The cut holds no longer; called inside a call of the user. The owner gives it back and sets a new barrier. */
  voided(reason: VoidReason, collection: string, key: Key | undefined): void
  /** This value cannot be encoded: the key keeps its last good record. */
  refused(collection: Collection, key: Key, error: unknown): void
}

/** Keys captured, their bytes, and steps that give no key, between two looks at the clock. */
const STRIDE = 8
const STRIDE_BYTES = 8192
const STRIDE_STEPS = 64

/** A collection is emptied during the capture: up to so many steps are taken at once, inside the call; beyond them the cut is void. */
const EMPTIED_STEPS_MAX = 256

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
  #group = 0
  #keys: Iterator<Key | undefined> | undefined

  constructor(collection: Collection) {
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
    const result = (this.#keys ??= this.#open())?.next()
    if (result === undefined || result.done === true) {
      this.#keys = undefined
      this.#advance()
      return undefined
    }
    const key = result.value
    if (key === undefined) return undefined
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

  #open(): Iterator<Key | undefined> | undefined {
    switch (this.mode) {
      case 'sift':
      case 'tombstones':
        return this.sources[this.#group]?.[Symbol.iterator]()
      case 'pending':
        return this.pending.pieceAt(this.#group)?.values()
      case 'all':
        return this.#group === 0 ? this.live.keys() : undefined
      case 'finished':
        return undefined
    }
  }

  #advance(): void {
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

export class Capture {
  readonly parts: readonly CapturePart[]
  records = 0
  readonly #outbox: Outbox
  readonly #owner: CaptureOwner
  #at = 0

  /** Freezes what is dirty in `collections`; synchronous, a few steps per collection. */
  constructor(collections: Iterable<Collection>, outbox: Outbox, owner: CaptureOwner) {
    const parts: CapturePart[] = []
    for (const collection of collections) {
      if (!collection.dirty) continue
      const part = new CapturePart(collection)
      parts.push(part)
      collection.part = part
      collection.journal = new Journal()
      collection.fresh = new KeySet()
      collection.deleted = new KeySet()
      collection.gone = []
      collection.saturated = false
      collection.freshAllowed = true
    }
    this.parts = parts
    this.#outbox = outbox
    this.#owner = owner
  }

  get finished(): boolean {
    return this.#at === this.parts.length
  }

  /** Record bytes of each incarnation. */
  get bytesById(): ReadonlyMap<number, number> {
    return new Map(this.parts.map(part => [part.id, part.bytes]))
  }

  /** Captures until the time is up, the writer is behind, or all is done. `unbounded`: neither clock nor writer stop it. */
  run(expired: () => boolean, unbounded = false): void {
    let steps = 0
    let keys = 0
    let bytes = 0
    while (!this.finished) {
      const part = this.parts[this.#at] as CapturePart
      if (part.mode === 'finished') {
        this.#at++
        continue
      }
      const key = part.next()
      steps++
      if (key !== undefined) {
        keys++
        bytes += this.#record(part, key)
      }
      if (unbounded || (steps < STRIDE_STEPS && keys < STRIDE && bytes < STRIDE_BYTES)) continue
      if (expired() || this.#outbox.full) return
      steps = keys = bytes = 0
    }
  }

  /** A key of `collection` is about to get `value` or to be deleted. */
  beforeWrite(collection: Collection, key: Key, value: unknown): void {
    const part = collection.part as CapturePart
    if (!part.frozen(key)) return
    const old = part.live.get(key)
    if (old === undefined && !part.live.has(key)) {
      const lingers = part.lingers(key)
      part.settle(key)
      if (lingers) this.#record(part, key)
    } else {
      if (old === value && typeof old === 'object' && old !== null) {
        this.#owner.voided('changed in place across the barrier', collection.name, key)
        return
      }
      part.settle(key)
      this.#recordInCall(part, key)
    }
    this.#checkBound(collection, key)
  }

  /** A key's object is about to leave the engine's hands. */
  beforeHandOut(collection: Collection, key: Key, _value: object): void {
    const part = collection.part as CapturePart
    if (!part.frozen(key)) return
    part.settle(key)
    this.#recordInCall(part, key)
    this.#checkBound(collection, key)
  }

  /** All entries of `collection` are about to leave the engine's hands: whoever holds one may change it from now on. */
  beforeForget(collection: Collection): void {
    const part = collection.part as CapturePart
    if (part.stepsMax > EMPTIED_STEPS_MAX) {
      this.#owner.voided('emptied during the capture', collection.name, undefined)
      return
    }
    const { access, now } = collection.space
    const begin = now()
    while (part.mode !== 'finished') {
      const key = part.next()
      if (key !== undefined) this.#record(part, key)
    }
    access.record(now() - begin)
  }

  /** What was frozen is dirty again, as if the barrier had never been. `abandoned`: no record of this epoch will ever count. */
  giveBack(abandoned: boolean): void {
    for (const part of this.parts) {
      const collection = part.collection
      if (collection.part === part) collection.part = undefined
      if (collection.dropped || collection.id !== part.id) continue
      const journal = new Journal()
      for (const group of part.journal) journal.adopt(group, sizeOf(group))
      if (abandoned && part.freshAllowed && collection.deleted.size <= PIECE_ENTRIES_MAX) {
        // What was fresh at the barrier still is: otherwise every key that comes and goes while the disk is full would be remembered.
        for (const piece of collection.deleted.pieces()) for (const key of piece) part.deleted.add(key)
        collection.deleted = part.deleted
        collection.fresh = part.fresh
      } else {
        for (const piece of [...part.fresh.pieces(), ...collection.fresh.pieces()]) journal.adopt(piece, piece.size)
        collection.gone = [...part.gone, ...part.deleted.pieces(), ...collection.deleted.pieces()]
        collection.fresh = new KeySet()
        collection.deleted = new KeySet()
        collection.freshAllowed = false
      }
      journal.join(collection.journal)
      collection.saturated ||= part.all
      collection.journal = collection.saturated ? new Journal() : journal
    }
  }

  #checkBound(collection: Collection, key: Key): void {
    if (this.#outbox.inFlight > IN_FLIGHT_BYTES_MAX + PRE_IMAGE_BYTES_MAX) {
      this.#owner.voided('pre-images beyond the bound', collection.name, key)
    }
  }

  #recordInCall(part: CapturePart, key: Key): void {
    const { access, now } = part.collection.space
    const begin = now()
    this.#record(part, key)
    access.record(now() - begin)
  }

  /** Returns the record's bytes, 0 for a value that was refused. */
  #record(part: CapturePart, key: Key): number {
    const outbox = this.#outbox
    const writer = outbox.begin()
    const start = writer.length
    const value = part.live.get(key)
    const there = value !== undefined || part.live.has(key)
    try {
      if (there) appendPut(writer, part.id, key, value, part.codec)
      else appendTombstone(writer, part.id, key)
    } catch (error) {
      writer.length = start
      outbox.end(writer, 0)
      if (!there) throw error
      this.#owner.refused(part.collection, key, error)
      return 0
    }
    const bytes = writer.length - start
    const { untracked } = part.collection.space
    if (untracked !== undefined) {
      if (there) untracked.recorded(part.id, key, writer.bytes.subarray(start, writer.length))
      else untracked.removed(part.id, key)
    }
    part.bytes += bytes
    this.records++
    outbox.end(writer, bytes)
    return bytes
  }
}

function sizeOf(group: Iterable<unknown>): number {
  return Array.isArray(group) ? group.length : (group as Set<unknown>).size
}

/** True for an error that says that a value cannot be stored, not that the engine is broken. */
export function isRefusal(error: unknown): boolean {
  return hasCode(error, 'TIDEMARK_VALUE_REFUSED') || hasCode(error, 'TIDEMARK_CODEC')
}
