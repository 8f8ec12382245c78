/**
 * The cut: what a barrier froze, and taking it out of the heap in slices.
 *
 * What: at the barrier each dirty collection hands over its journal (nothing is copied). Slices then write every frozen key's record. A key
 * whose turn has not come is captured at once when its value is about to change or to leave the engine's hands.
 * Owns: the parts, and how far the slices got. Does not own: which keys are frozen (capture-part.ts), when slices run, the channel to the
 * writer, what becomes of the epoch.
 * Invariants: the record written for a key is its state at the barrier; a value that is refused leaves its key dirty; where a record may be lost the cut is
 * of no use, and `run` throws, or `assertWhole` where it was void by then: no epoch is acknowledged without it.
 */
import { assert } from '../base/errors.ts'
import { IN_FLIGHT_BYTES_MAX, PRE_IMAGE_BYTES_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import { handOverError } from '../storage/index.ts'
import { CapturePart } from './capture-part.ts'
import type { Cold } from './cold.ts'
import type { Collection } from './collection.ts'
import { giveUp, joined } from './give-up.ts'
import { Journal } from './journal.ts'
import { KeySet } from './key-set.ts'
import type { LinkGroup } from './links.ts'
import type { Outbox } from './outbox.ts'
import { record, STRIDE, STRIDE_BYTES, STRIDE_STEPS } from './record.ts'

export type VoidReason =
  | 'changed in place across the barrier'
  | 'pre-images beyond the bound'
  | 'emptied during the capture'
  | 'no stack left to capture in'

export interface CaptureOwner {
  /** The cut holds no longer; called inside a call of the user. The owner gives it back and sets a new barrier. */
  voided(reason: VoidReason, collection: string, key: Key | undefined): void
  /**
   * This value cannot be encoded: the key keeps its last good record, and is dirty again.
   * @throws TIDEMARK_STORAGE: for want of memory, and the epoch is to be tried again
   */
  refused(collection: Collection, key: Key, error: unknown): void
}

/** A collection is emptied during the capture: up to so many steps are taken at once, inside the call; beyond them the cut is void. */
const EMPTIED_STEPS_MAX = 256
/** Keys that are looked at one by one when a cut is given back, of all collections together: less than half a millisecond. */
const GIVEN_BACK_STEPS_MAX = 1024

export class Capture {
  readonly parts: readonly CapturePart[]
  records = 0
  /** Steps made by `run`. */
  steps = 0
  /** The stack ended in a call that reads or writes this collection, before it had recorded what it took: the next slice voids the cut. */
  brokenIn: string | undefined
  /** Of records that calls of the user had made, but for the largest: a value cannot be kept in pieces. */
  preImageBytes = 0
  #largestBytes = 0
  readonly #outbox: Outbox
  readonly #owner: CaptureOwner
  /** Groups of collections that have to be in one cut, and are in this one. */
  readonly #linked: readonly LinkGroup[]
  readonly #preImageBytesMax: number
  #at = 0
  /** For each part the steps of those behind it, once somebody asked. */
  #behind: Float64Array | undefined
  /** All is taken now: what code of the user does meanwhile makes no void, for the next cut would meet it again. */
  #forced = false
  /** Their collections are emptied, or were. */
  readonly #emptied = new Set<CapturePart>()
  /** What comes from now on is in no part that is walked here, and must not get a record. */
  #givenBack = false
  /** A call of the user met it, which it is not to fail: records of the epoch may be lost, and the next slice throws it. */
  #failure: { readonly error: unknown } | undefined

  /** Freezes what is dirty in `collections` for this epoch; synchronous, a few steps per collection. */
  constructor(
    collections: Iterable<Collection>,
    epoch: number,
    outbox: Outbox,
    owner: CaptureOwner,
    linked: readonly LinkGroup[] = [],
    preImageBytesMax = PRE_IMAGE_BYTES_MAX,
  ) {
    this.#linked = linked
    this.#preImageBytesMax = preImageBytesMax
    const parts: CapturePart[] = []
    for (const collection of collections) {
      if (collection.dirty) parts.push(new CapturePart(collection, epoch))
      else if (remembers(collection)) collection.beginEpoch()
    }
    this.parts = parts
    this.#outbox = outbox
    this.#owner = owner
  }

  get finished(): boolean {
    return this.#at === this.parts.length
  }

  /** Upper bound of the steps left; those of the parts that were not begun are reckoned once. */
  get stepsMax(): number {
    const part = this.parts[this.#at]
    if (part === undefined) return 0
    this.#behind ??= this.#reckoned()
    return part.stepsMax + (this.#behind[this.#at] as number)
  }

  /** Completes the catalogue as it was at the barrier: adds the record bytes, takes off what was counted twice or has no record. */
  complete<Entry extends { readonly id: number; readonly entries: number }>(
    catalogue: readonly Entry[],
    existed: ReadonlyMap<number, number>,
  ): (Entry & { bytes: number })[] {
    const parts = new Map(this.parts.map(part => [part.id, part]))
    return catalogue.map(entry => {
      const part = parts.get(entry.id)
      const entries = entry.entries - (part?.neverStored ?? 0) - (existed.get(entry.id) ?? 0)
      // A restart would believe it: too few hide entries that are stored, and fewer than none cannot be written.
      assert(entries >= 0, 'a collection has no fewer entries than none')
      return { ...entry, entries, bytes: part?.bytes ?? 0 }
    })
  }

  /** Keys that were set without a look, with the stored state to be asked about them. */
  *unresolved(): Generator<{ readonly id: number; readonly cold: Cold; readonly keys: readonly KeySet[] }> {
    for (const { id, cold, asked } of this.parts) if (cold !== undefined && asked.length > 0) yield { id, cold: cold.cold, keys: asked }
  }

  /** The answer: how many of the unresolved keys existed, by incarnation. */
  resolved(existed: ReadonlyMap<number, number>): void {
    for (const { id, collection } of this.parts) if (collection.id === id) collection.cold?.resolved(existed.get(id) ?? 0)
  }

  /**
   * Captures until the time is up, the writer is behind, or all is done. `unbounded`: neither clock nor writer stop it.
   * @throws what the outbox does, here or in a call of the user before: the epoch cannot be completed
   */
  run(expired: () => boolean, unbounded = false): void {
    if (this.brokenIn !== undefined) {
      this.#mend()
      this.#owner.voided('no stack left to capture in', this.brokenIn, undefined)
      return
    }
    this.#forced = unbounded
    if (this.#failure === undefined) this.#take(expired, unbounded)
    this.assertWhole()
  }

  /**
   * Nobody writes a record now.
   * @throws what a call of the user met: records may be lost, and given back it is of no use for the next cut of the epoch either
   */
  assertWhole(): void {
    if (this.brokenIn !== undefined) this.#mend()
    if (this.#failure !== undefined) throw this.#outbox.lost ? handOverError(this.#failure.error) : this.#failure.error
  }

  /** The stack ended in a record: it may have no end, and may be remembered though it was not written. */
  #mend(): void {
    this.#outbox.mend()
    this.parts[0]?.space.recent.forget()
  }

  /** No record is made any more: of what there is some may be lost, or the cut, which is void from the next slice on. */
  get #spoilt(): boolean {
    return this.#failure !== undefined || this.brokenIn !== undefined
  }

  #take(expired: () => boolean, unbounded: boolean): void {
    let steps = 0
    let keys = 0
    let bytes = 0
    /** A giant is the first of its slice. */
    let taken = false
    // A codec may make the cut void.
    while (!this.finished && !this.#givenBack && !this.#spoilt) {
      const part = this.parts[this.#at] as CapturePart
      if (part.mode === 'finished') {
        this.#at++
        continue
      }
      const key = part.next()
      steps++
      this.steps++
      if (key !== undefined) {
        if (taken && !unbounded && part.space.giants.has(part.id, key)) {
          part.putBack(key)
          return
        }
        taken = true
        keys++
        bytes += this.#record(part, key)
      }
      if (unbounded || (steps < STRIDE_STEPS && keys < STRIDE && bytes < STRIDE_BYTES)) continue
      if (expired() || this.#outbox.full) return
      steps = keys = bytes = 0
    }
  }

  /** A key that was frozen is about to get `value` or to be deleted; `old` is what is live now, `there` whether anything is. */
  beforeWrite(part: CapturePart, key: Key, value: unknown, old: unknown, there: boolean): void {
    if (this.#spoilt) return
    if (!there) {
      if (part.leaves(key)) this.#recordOrNote(part, key)
    } else {
      if (old === value && typeof old === 'object' && old !== null && !this.#forced) {
        this.#owner.voided('changed in place across the barrier', part.name, key)
        return
      }
      this.#recordInCall(part, key)
    }
    this.#checkBound(part.collection, key)
  }

  /** A key's object is about to leave the engine's hands. */
  beforeHandOut(collection: Collection, key: Key, _value: object): void {
    const part = collection.part as CapturePart
    if (this.#spoilt || !part.claim(key)) return
    this.#recordInCall(part, key)
    this.#checkBound(collection, key)
  }

  /** All entries of `collection` are about to leave the engine's hands: whoever holds one may change it from now on. */
  beforeForget(collection: Collection): void {
    const part = collection.part as CapturePart
    // By a codec, while that is done: all is taken by the first call.
    if (this.#spoilt || this.#emptied.has(part)) return
    if (part.stepsMax > EMPTIED_STEPS_MAX && !this.#forced) {
      this.#owner.voided('emptied during the capture', collection.name, undefined)
      return
    }
    const { space } = collection
    const begin = space.now()
    this.#emptied.add(part)
    while (part.mode !== 'finished' && !this.#givenBack && !this.#spoilt) {
      const key = part.next()
      if (key === undefined) continue
      this.#keep(this.#recordOrNote(part, key))
      if (!this.#beyondBound) continue
      this.#owner.voided('pre-images beyond the bound', collection.name, key)
      break
    }
    space.accessed(space.now() - begin)
  }

  /** The epoch is committed, or nothing will be any more: what was frozen says nothing. */
  landed(): void {
    this.parts[0]?.space.leftovers.clear()
    for (const part of this.parts) part.landed()
  }

  /**
   * What was frozen is dirty again, as if the barrier had never been. `abandoned`: no record of this epoch will ever count. What is more than a few
   * steps is left to `space.leftovers`.
   */
  giveBack(abandoned: boolean): void {
    this.#givenBack = true
    const space = this.parts[0]?.space
    for (const group of this.#linked) space?.links.join(group)
    space?.leftovers.clear()
    let steps = GIVEN_BACK_STEPS_MAX
    const takes = (keys: KeySet): boolean => {
      if (keys.size > steps) return false
      steps -= keys.size
      return true
    }
    for (const part of this.parts) {
      const { collection } = part
      part.landed()
      part.redundancy.takeBack(part.space.recent, part.spared)
      if (abandoned) part.redundancy.takeBack(part.space.recent, part.drainedSpared)
      if (collection.dropped || collection.id !== part.id) continue
      collection.cold?.giveBack()
      const journal = new Journal()
      for (const group of part.written) journal.adopt(group)
      if (abandoned) giveUp(part, journal, takes)
      else {
        for (const piece of [...part.fresh.pieces(), ...collection.fresh.pieces()]) journal.adopt(piece)
        collection.gone = joined(joined(part.gone, part.deleted, takes), collection.deleted, takes)
        collection.fresh = new KeySet()
        collection.deleted = new KeySet()
      }
      // The next barrier finds the fresh ones without it.
      collection.arrivals = new Journal()
      journal.join(collection.journal)
      if (abandoned) journal.join(part.drained)
      else {
        collection.drained.join(part.drained)
        collection.drainedBytes += part.bytes
        collection.drainedSpared.records += part.drainedSpared.records
        collection.drainedSpared.bytes += part.drainedSpared.bytes
      }
      collection.saturated ||= part.all
      collection.journal = collection.saturated ? new Journal() : journal
    }
  }

  #reckoned(): Float64Array {
    const { parts } = this
    const behind = new Float64Array(parts.length)
    for (let at = parts.length - 1; at > this.#at; at--) behind[at - 1] = (behind[at] as number) + (parts[at] as CapturePart).stepsMax
    return behind
  }

  #checkBound(collection: Collection, key: Key): void {
    if (this.#beyondBound) this.#owner.voided('pre-images beyond the bound', collection.name, key)
  }

  /** What the writer has taken in costs nothing more, and what slices sent is no reason. */
  get #beyondBound(): boolean {
    const max = this.#preImageBytesMax
    return this.preImageBytes > max && this.#outbox.inFlight > IN_FLIGHT_BYTES_MAX + max && !this.#forced && !this.#spoilt
  }

  #recordInCall(part: CapturePart, key: Key): void {
    const { space } = part
    const begin = space.now()
    this.#keep(this.#recordOrNote(part, key))
    space.accessed(space.now() - begin)
  }

  /** In a call of the user, which goes on. */
  #recordOrNote(part: CapturePart, key: Key): number {
    try {
      return this.#record(part, key)
    } catch (error) {
      // Of the stack, but for a block that went with it: the record is made again, by a cut that moves.
      if (error instanceof RangeError && !this.#outbox.lost) this.brokenIn = part.name
      else this.#failure = { error }
      return 0
    }
  }

  /** A call of the user made a record of so many bytes. */
  #keep(bytes: number): void {
    this.preImageBytes += Math.min(bytes, this.#largestBytes)
    this.#largestBytes = Math.max(bytes, this.#largestBytes)
  }

  /** Returns the bytes that were encoded, 0 for a value that was refused. */
  #record(part: CapturePart, key: Key): number {
    const bytes = record(this.#outbox, part, key)
    if (typeof bytes !== 'number') {
      this.#owner.refused(part.collection, key, bytes.error)
      part.refuse(key)
      return 0
    }
    if (bytes < 0) {
      part.spared.records++
      part.spared.bytes -= bytes
      return -bytes
    }
    part.bytes += bytes
    this.records++
    return bytes
  }
}

/** Of a clean one: whether it is not as it was when its epoch began. Of very many collections few are. */
function remembers({ journal, arrivals }: Collection): boolean {
  return journal.end > 0 || arrivals.end > 0
}
