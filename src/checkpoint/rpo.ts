/**
 * When a critical collection asks for a barrier, by its `rpoMs`.
 *
 * What: looks at the critical collections from time to time, and asks when one of them would else have changes older than its `rpoMs` before
 * the next look. One that is dropped, which is a change of it, is looked at no more: a timer of its own remembers it.
 * Owns: the timers, since when each may be dirty. Does not own: the barrier.
 * Invariants: no `set` pays for it; without a critical collection that has an `rpoMs`, or had one when it was dropped behind the last barrier, and
 * behind `stop`, there is no timer; a barrier is asked for no later than `rpoMs` after the first change that no barrier cut.
 */
import type { Cancel } from '../base/scheduler.ts'
import type { Collection } from '../capture/index.ts'
import type { Turns } from './turns.ts'

export interface RpoParts {
  readonly turns: Turns
  readonly now: () => number
  /** Those that have an `rpoMs`, perhaps others too. */
  readonly collections: () => Iterable<Collection>
  /** It has changes that a barrier would write. */
  readonly changed: (collection: Collection) => boolean
  /** A barrier should fall now. */
  readonly due: () => void
}

export class Rpo {
  readonly #parts: RpoParts
  #since = new Map<Collection, number>()
  #lookedAt: number
  #cancel: Cancel | undefined
  #stopped = false
  /** When the armed look comes. */
  #dueAt = 0
  #cancelDropped: Cancel | undefined
  #droppedDueAt = 0

  constructor(parts: RpoParts) {
    this.#parts = parts
    this.#lookedAt = parts.now()
  }

  /** A barrier that falls now takes a change that is to be durable soon, whatever it falls for. */
  get waits(): boolean {
    if (this.#cancelDropped !== undefined) return true
    for (const collection of this.#parts.collections()) if (collection.rpoMs !== undefined && this.#parts.changed(collection)) return true
    return false
  }

  /** A barrier fell. */
  arm(): void {
    this.#disarm()
    this.#forgetDropped()
    this.#since.clear()
    this.#lookedAt = this.#parts.now()
    this.#next()
  }

  /** An `rpoMs` was given, perhaps the same as ever: a look that comes in time stays where it is. */
  given(): void {
    if (this.#cancel !== undefined && this.#dueAt <= this.#parts.now() + this.#soonestMs()) return
    this.#disarm()
    this.#next()
  }

  /** It is there no more, which is a change, and may not be its first. */
  dropped(collection: Collection): void {
    const { rpoMs } = collection
    if (rpoMs === undefined) return
    const now = this.#parts.now()
    const since = this.#parts.changed(collection) ? (this.#since.get(collection) ?? this.#lookedAt) : now
    const dueAt = since + rpoMs
    if (this.#stopped || (this.#cancelDropped !== undefined && this.#droppedDueAt <= dueAt)) return
    this.#forgetDropped()
    this.#droppedDueAt = dueAt
    this.#cancelDropped = this.#parts.turns.after(Math.max(0, dueAt - now), () => {
      this.#cancelDropped = undefined
      this.#parts.due()
    })
  }

  /** For good: no barrier falls any more. */
  stop(): void {
    this.#stopped = true
    this.#disarm()
    this.#forgetDropped()
  }

  #forgetDropped(): void {
    this.#cancelDropped?.()
    this.#cancelDropped = undefined
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #next(): void {
    const soonest = this.#soonestMs()
    if (this.#stopped || soonest === Number.POSITIVE_INFINITY) return
    this.#dueAt = this.#parts.now() + soonest
    this.#cancel = this.#parts.turns.after(soonest, () => this.#look())
  }

  #soonestMs(): number {
    let soonest = Number.POSITIVE_INFINITY
    for (const { rpoMs } of this.#parts.collections()) if (rpoMs !== undefined && rpoMs < soonest) soonest = rpoMs
    return soonest
  }

  #look(): void {
    this.#cancel = undefined
    const now = this.#parts.now()
    // Not as far away as this look was: who made it come so soon may be gone.
    const nextMs = this.#soonestMs()
    let due = false
    for (const collection of this.#parts.collections()) {
      const { rpoMs } = collection
      if (rpoMs === undefined) continue
      if (!this.#parts.changed(collection)) {
        this.#since.delete(collection)
        continue
      }
      // It may have become dirty right after the look before.
      const since = this.#since.get(collection) ?? this.#lookedAt
      this.#since.set(collection, since)
      due ||= now + nextMs - since > rpoMs
    }
    this.#lookedAt = now
    if (due) this.#parts.due()
    // The barrier may have armed it anew.
    if (this.#cancel === undefined) this.#next()
  }
}
