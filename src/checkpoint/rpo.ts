/**
 * When a critical collection asks for a barrier, by its `rpoMs`.
 *
 * What: looks at the critical collections from time to time, and asks when one of them would else have changes older than its `rpoMs` before
 * the next look. One that is dropped, which is a change of it, is looked at no more: its time alone is remembered. Says by when
 * what a barrier takes that falls for another reason is to be captured. Where the barrier is kept back, by a hold or the epoch under way, it says
 * so, and when what waited is durable.
 * Owns: the timers, since when each may be dirty. Does not own: the barrier, why it is kept back.
 * Invariants: no `set` pays for it; without a critical collection that has an `rpoMs`, or had one when it was dropped behind the last barrier, and
 * behind `stop`, there is no timer; a barrier is asked for no later than `rpoMs` after the first change that no barrier cut.
 */
import type { Collection } from '../capture/index.ts'
import type { Cadence } from '../schedule/index.ts'
import { Soonest } from './soonest.ts'
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
  /** Is told, once, that a barrier which was due has been kept back for as long again, and when all that waited is durable. */
  readonly told: Pick<Cadence, 'criticalBroken' | 'criticalMet'>
}

/** It may have become dirty right behind the one, and was at the other. */
interface Waiting {
  readonly since: number
  readonly seen: number
}

export class Rpo {
  readonly #parts: RpoParts
  /** Those that no barrier cut. */
  readonly #waiting = new Map<Collection, Waiting>()
  /** By their `rpoMs` those that were dropped since the last barrier: there may be any number of them, and what they hold. */
  #dropped = new Map<number, Waiting>()
  /** It was told that this waits, and not that it is over. */
  #broken: { readonly since: number; readonly rpoMs: number } | undefined
  #lookedAt: number
  #stopped = false
  /** The next look. */
  readonly #next: Soonest
  /** A barrier for what was dropped is to fall; it is told that it did not. */
  readonly #droppedDue: Soonest
  readonly #droppedKept: Soonest

  constructor(parts: RpoParts) {
    this.#parts = parts
    this.#next = new Soonest(parts.turns, parts.now)
    this.#droppedDue = new Soonest(parts.turns, parts.now)
    this.#droppedKept = new Soonest(parts.turns, parts.now)
    this.#lookedAt = parts.now()
  }

  /** When the barrier of what waits now, one that is asked for here, would fall at the latest; Infinity: nothing waits. */
  get barrierBy(): number {
    let by = Number.POSITIVE_INFINITY
    for (const [rpoMs, { since }] of this.#dropped) by = Math.min(by, since + rpoMs)
    for (const collection of this.#parts.collections()) {
      const { rpoMs } = collection
      if (rpoMs === undefined || !this.#parts.changed(collection)) continue
      by = Math.min(by, (this.#waiting.get(collection)?.since ?? this.#lookedAt) + rpoMs)
    }
    return by
  }

  /** A barrier fell. */
  arm(): void {
    this.#next.stop()
    this.#forgetDropped()
    this.#waiting.clear()
    this.#lookedAt = this.#parts.now()
    let soonest = Number.POSITIVE_INFINITY
    for (const { rpoMs } of this.#parts.collections()) if (rpoMs !== undefined && rpoMs < soonest) soonest = rpoMs
    this.#lookIn(soonest)
  }

  /** This `rpoMs` was given. What others have is in the look that is armed, and a look too early does no harm. */
  given(rpoMs: number | undefined): void {
    if (rpoMs !== undefined) this.#lookIn(rpoMs)
  }

  /** It is there no more, which is a change, and may not be its first. */
  dropped(collection: Collection): void {
    const { rpoMs } = collection
    if (rpoMs === undefined || this.#stopped) return
    const now = this.#parts.now()
    const waited = this.#parts.changed(collection) ? (this.#waiting.get(collection) ?? { since: this.#lookedAt, seen: now }) : undefined
    const waits = waited ?? { since: now, seen: now }
    this.#waiting.delete(collection)
    const others = this.#dropped.get(rpoMs) ?? waits
    this.#dropped.set(rpoMs, { since: Math.min(waits.since, others.since), seen: Math.min(waits.seen, others.seen) })
    const dropped = this.#dropped
    this.#droppedDue.plan(waits.since + rpoMs, () => {
      this.#parts.due()
      // No barrier fell, and no look may come by that it waits for one.
      if (this.#dropped === dropped) this.#droppedKept.plan(this.#parts.now() + rpoMs, () => this.#tell(0))
    })
  }

  /** An epoch is durable. Gives what there is to tell, once all else is told of it: who is told may set a barrier, which cuts what still waits. */
  committed(): (() => void) | undefined {
    const broken = this.#broken
    if (broken === undefined || this.#kept !== undefined) return undefined
    this.#broken = undefined
    const numbers = { rpoMsMax: broken.rpoMs, rpoMsWorst: this.#parts.now() - broken.since }
    return () => this.#parts.told.criticalMet(numbers)
  }

  /** For good: no barrier falls any more. */
  stop(): void {
    this.#stopped = true
    this.#waiting.clear()
    this.#next.stop()
    this.#forgetDropped()
  }

  #forgetDropped(): void {
    this.#droppedDue.stop()
    this.#droppedKept.stop()
    this.#dropped = new Map()
  }

  /** A look comes in so long, unless one is armed that comes sooner. */
  #lookIn(ms: number): void {
    if (this.#stopped || ms === Number.POSITIVE_INFINITY) return
    const dueAt = this.#parts.now() + ms
    this.#next.plan(dueAt, () => this.#look(dueAt))
  }

  /** What waits longest, against its time, of that which has waited for as long again as it should. */
  get #kept(): { readonly since: number; readonly rpoMs: number } | undefined {
    const now = this.#parts.now()
    let kept: { readonly since: number; readonly rpoMs: number } | undefined
    const judge = (rpoMs: number | undefined, { since, seen }: Waiting): void => {
      if (rpoMs === undefined || now - seen < rpoMs) return
      if (kept === undefined || (now - since) * kept.rpoMs > (now - kept.since) * rpoMs) kept = { since, rpoMs }
    }
    for (const [{ rpoMs }, waits] of this.#waiting) judge(rpoMs, waits)
    for (const [rpoMs, waits] of this.#dropped) judge(rpoMs, waits)
    return kept
  }

  /** `lateMs`: so long after its time it is noticed. */
  #tell(lateMs: number): void {
    const kept = this.#kept
    if (this.#stopped || this.#broken !== undefined || kept === undefined) return
    this.#broken = kept
    this.#parts.told.criticalBroken({ rpoMs: this.#parts.now() - kept.since, rpoMsMax: kept.rpoMs, lateMs })
  }

  #look(dueAt: number): void {
    const now = this.#parts.now()
    const lateMs = Math.max(0, now - dueAt)
    // Not as far away as this look was: who made it come so soon may be gone.
    let nextMs = Number.POSITIVE_INFINITY
    let leftMs = Number.POSITIVE_INFINITY
    for (const collection of this.#parts.collections()) {
      const { rpoMs } = collection
      if (rpoMs === undefined) continue
      nextMs = Math.min(nextMs, rpoMs)
      if (!this.#parts.changed(collection)) {
        this.#waiting.delete(collection)
        continue
      }
      // It may have become dirty right after the look before.
      const waits = this.#waiting.get(collection) ?? { since: this.#lookedAt, seen: now }
      this.#waiting.set(collection, waits)
      leftMs = Math.min(leftMs, waits.since + rpoMs - now)
    }
    this.#lookedAt = now
    if (leftMs < nextMs) this.#parts.due()
    // The barrier may have armed it anew.
    this.#lookIn(nextMs)
    // Timers run in front of messages: what is in the way may long be over.
    if (this.#broken === undefined && this.#kept !== undefined) this.#parts.turns.later(() => this.#tell(lateMs))
  }
}
