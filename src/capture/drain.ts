/**
 * The drain: entries that have gone cold are captured before the barrier, oldest change first, so that little is left for it.
 *
 * What: at marks it notes how far each collection's journal has come. What was listed before a mark that is old enough, and was not listed
 * again since, is recorded as it is now; it belongs to the coming epoch, in which the last record of a key wins. Hot keys are passed over.
 * Owns: the marks, how much was drained. Does not own: the journal's two readers (journal.ts), when it runs and how much of it (checkpoint/).
 * Invariants: it runs between turns and never while a cut is being taken, so what it records needs no pre-image; a key leaves `fresh` for
 * its first record, before the codec is called, for deleting it takes a tombstone from then on, and emptying the collection another id; a value that is large or refused is left to the
 * barrier, and met again only when it is set again.
 */
import type { Key } from '../codec/index.ts'
import type { Collection } from './collection.ts'
import { Journal } from './journal.ts'
import type { Outbox } from './outbox.ts'
import { record, STRIDE, STRIDE_BYTES, STRIDE_STEPS } from './record.ts'

/** Marks kept of a collection at most: the step between them follows from the age. */
export const MARKS = 16

interface Mark {
  readonly atMs: number
  readonly journal: number
  readonly arrivals: number
}

/** How far one collection's journals had come. */
interface Marked {
  readonly journal: Journal
  readonly arrivals: Journal
  readonly marks: Mark[]
}

export class Drain {
  /** Since the drain began. */
  records = 0
  bytes = 0
  /** Of these, in the epoch that the next barrier ends. */
  epochRecords = 0
  /** Collections that the last look went through; 0: a barrier fell since. */
  collections = 0
  readonly #outbox: Outbox
  readonly #marked = new Map<Collection, Marked>()
  /** Those in which something was written and not drained, as of the last look, and the one at which the next slice goes on. */
  #active: Collection[] = []
  #at = 0
  #left = 0
  #idle = true
  /** Keys looked up and bytes made since the last look at the clock. */
  readonly #unlooked = { keys: 0, bytes: 0 }

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** Steps that are due and were not made, as of the last look. */
  get left(): number {
    return this.#left
  }

  /** All that was written is drained, as of the last look. */
  get idle(): boolean {
    return this.#idle
  }

  /** Notes how far the journals are at `nowMs`, and how much in them is older than `ageMs`; gives the steps due. */
  look(collections: Iterable<Collection>, nowMs: number, ageMs: number): number {
    this.#left = 0
    this.#idle = true
    this.#active = []
    this.collections = 0
    for (const collection of collections) {
      this.collections++
      const { journal, arrivals } = collection
      if (collection.saturated || journal.untaken(journal.end) + arrivals.untaken(arrivals.end) === 0) {
        this.#marked.delete(collection)
        continue
      }
      this.#idle = false
      this.#active.push(collection)
      let marked = this.#marked.get(collection)
      if (marked?.journal !== journal || marked.arrivals !== arrivals) {
        // In a list of new keys that took the place of another the marks count nothing; in the journal they stand.
        const marks = marked?.journal === journal ? marked.marks.map(mark => ({ ...mark, arrivals: 0 })) : []
        marked = { journal, arrivals, marks }
        this.#marked.set(collection, marked)
      }
      const { marks } = marked
      const newest = marks.at(-1)
      if (newest === undefined || nowMs - newest.atMs >= ageMs / MARKS)
        marks.push({ atMs: nowMs, journal: journal.end, arrivals: arrivals.end })
      // The oldest one that is kept is the newest that is old enough.
      while (marks.length > 1 && nowMs - (marks[1] as Mark).atMs >= ageMs) marks.shift()
      const due = dueOf(marked, nowMs, ageMs)
      if (due !== undefined) this.#left += journal.untaken(due.journal) + arrivals.untaken(due.arrivals)
    }
    // Not met: the next epoch may leave it out, or it is there no more, and the next barrier may be far.
    if (this.#marked.size > this.#active.length) {
      for (const collection of this.#marked.keys()) if (collection.dropped) this.#marked.delete(collection)
    }
    return this.#left
  }

  /** Makes `steps` of what is due in the collections looked at, until the time is up. Returns the steps made. */
  run(nowMs: number, ageMs: number, steps: number, expired: () => boolean): number {
    const made = this.#run(nowMs, ageMs, steps, expired)
    this.#left -= made
    return made
  }

  #run(nowMs: number, ageMs: number, steps: number, expired: () => boolean): number {
    let made = 0
    // Going on to a collection takes time too.
    let noted = 0
    for (let left = this.#active.length; left > 0 && made < steps; left--, this.#at++) {
      if (this.#at >= this.#active.length) this.#at = 0
      const collection = this.#active[this.#at] as Collection
      if (collection.dropped) continue
      if (++noted % STRIDE_STEPS === 0 && expired()) return made
      const marked = this.#marked.get(collection)
      const due = marked === undefined || marked.journal !== collection.journal ? undefined : dueOf(marked, nowMs, ageMs)
      // Everything is noted before anything is cold: otherwise what was written again is not known to be.
      while (collection.journal.sift()) {
        if (++noted % STRIDE_STEPS === 0 && expired()) return made
      }
      if (marked === undefined || due === undefined) continue
      // The codec may drop the collection.
      while (made < steps && !collection.dropped && collection.journal.left(due.journal) > 0) {
        made++
        const key = collection.journal.takeCold()
        if (key !== undefined) this.#written(collection, key)
        if (this.#isTime(made) && expired()) return made
      }
      const { arrivals } = marked
      // Another one may have taken its place, by the codec too.
      while (made < steps && !collection.dropped && collection.arrivals === arrivals && arrivals.untaken(due.arrivals) > 0) {
        made++
        const key = arrivals.take()
        if (key !== undefined && collection.fresh.has(key) && collection.journal.last?.has(key) !== true) this.#inserted(collection, key)
        if (this.#isTime(made) && expired()) return made
      }
    }
    return made
  }

  /** A barrier falls: what was drained is part of its epoch. Returns how many records that are. */
  barrier(): number {
    const records = this.epochRecords
    this.epochRecords = 0
    this.collections = 0
    this.#active = []
    this.#marked.clear()
    return records
  }

  /** The epoch whose records were drained will not be: they count for nothing, and what was not written beside them is written by the next. */
  abandon(collections: Iterable<Collection>): void {
    this.barrier()
    for (const collection of collections) {
      const { redundancy, space, drained, drainedSpared } = collection
      redundancy.takeBack(space.recent, drainedSpared)
      collection.drainedSpared = { records: 0, bytes: 0 }
      collection.drainedBytes = 0
      if (drained.length === 0) continue
      const journal = new Journal()
      journal.join(drained)
      journal.join(collection.journal)
      collection.journal = collection.saturated ? new Journal() : journal
      collection.drained = new Journal()
    }
  }

  /** Whether to look at the clock now; if so the count begins anew. */
  #isTime(made: number): boolean {
    if (made % STRIDE_STEPS !== 0 && this.#unlooked.keys < STRIDE && this.#unlooked.bytes < STRIDE_BYTES) return false
    this.#unlooked.keys = this.#unlooked.bytes = 0
    return true
  }

  #written(collection: Collection, key: Key): void {
    // One that came and went needs no tombstone.
    if (!collection.live.has(key) && collection.gone.length === 0 && !collection.deleted.has(key)) return
    if (this.#isGiant(collection, key)) collection.postponed.addLarge(key)
    else if (!this.#record(collection, key) && !collection.fresh.has(key)) collection.postponed.addRefused(key)
  }

  #inserted(collection: Collection, key: Key): void {
    if (!this.#isGiant(collection, key)) this.#record(collection, key)
  }

  /** It has a slice of its own, behind the barrier. */
  #isGiant(collection: Collection, key: Key): boolean {
    return collection.space.giants.has(collection.id, key)
  }

  /** False when the key's value was refused, and the key is as it was. The codec may have written anything meanwhile, this key too. */
  #record(collection: Collection, key: Key): boolean {
    const { id, fresh, drained, drainedSpared } = collection
    collection.recorded = true
    // Before the codec is called: deleting the key in there takes a tombstone already, behind this record.
    const wasFresh = fresh.delete(key)
    let bytes: ReturnType<typeof record>
    // One that is refused takes time too.
    this.#unlooked.keys++
    try {
      bytes = record(this.#outbox, collection, key)
    } catch (error) {
      // It has no record, or one that is lost with its epoch.
      drained.push(key)
      throw error
    }
    if (typeof bytes !== 'number') {
      // Dropped, it is of no interest; emptied, it is another incarnation; deleted, it is listed for its tombstone, whether it is back or not.
      if (collection.dropped || collection.id !== id || !collection.live.has(key)) return true
      if (wasFresh && !collection.deleted.has(key)) {
        if (collection.fresh === fresh) fresh.add(key)
        else collection.markDirty(key)
      }
      return false
    }
    this.#unlooked.bytes += Math.abs(bytes)
    if (collection.dropped) collection.space.giants.drop(id)
    const mended = collection.postponed.delete(key)
    // Nothing to give back when the epoch fails; but the record before it may be of a key that the epoch under way did not freeze, and fail with
    // that; where entries are cold the barrier has to ask about what was set without a look; and what was refused is so until a barrier finds
    // that it is mended: there has to be one.
    if (bytes < 0) {
      if (!mended && collection.cold === undefined && collection.inFlight === undefined) return true
      drained.push(key)
      drainedSpared.records++
      drainedSpared.bytes -= bytes
      return true
    }
    this.records++
    this.epochRecords++
    this.bytes += bytes
    drained.push(key)
    if (collection.drained === drained) collection.drainedBytes += bytes
    return true
  }
}

function dueOf({ marks }: Marked, nowMs: number, ageMs: number): Mark | undefined {
  const oldest = marks[0]
  return oldest !== undefined && nowMs - oldest.atMs >= ageMs ? oldest : undefined
}
