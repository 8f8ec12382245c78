/**
 * Keeps the live entries of a store within `memoryBytesMax`, by letting clean ones go back to where they are stored.
 *
 * What: estimates what the entries take. Above the bound the collections' hands go round: in slices, until it is kept again or nothing may go
 * for now, and in the very call that brings another entry in, which pays for the room it takes; so no turn of the caller's, however long,
 * gets ahead of it.
 * Owns: the sum, the pace. Does not own: which entries may go (capture/eviction.ts), the stored state (following.ts).
 * Invariants: a slice ends within its share of the stall budget, one step later at most, however many collections there are; entries that were
 * written and are not in segments yet stay, so the bound is passed by these, and by what one turn holds: V8 keeps an object until the
 * turn in which it was evicted ends. Nothing is thrown.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { Collection } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { Resident } from './resident.ts'

export interface EvictorParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stallMsMax: number
  readonly bytesMax: number
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
  /** Is told how long was evicted inside a call of the user. */
  readonly accessed: (ms: number) => void
  /** The bound is passed by entries that are not in segments yet: whoever folds should. */
  readonly starved: () => void
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
}

const TICK_MS = 100
/** Whoever folds is asked once in so long at most: each time it is a segment more. */
const STARVED_MS = 2000
/** A slice takes this share of the stall budget. */
const SLICE_SHARE = 0.35
/** Of the collections that are looked at in turn, entries of its sample looked at in each. */
const SAMPLES = 16
/** Entries a hand passes before it is another collection's turn: this share of the collection, so that all lose alike; and at most. */
const TURN_SHARE = 1 / 64
const STEP_VISITS = 64
/** Entries that come in until the last of them makes room, and the entries passed for it, of its own collection and of the one in turn each. */
const ENTERING = 16
const ENTERING_VISITS = 16
/** Slices go on until so much of the bound is used. */
const ENOUGH = 0.95
/** Weak references looked at beside each collection in turn: this share of them, so that dead ones are gone in a few seconds, within bounds. */
const SWEEP_SHARE = 1 / 16
const SWEEP_MIN = 64
const SWEEP_MAX = 2048
/** Collections passed over in one step. */
const SKIPS = 64

export class Evictor {
  readonly #parts: EvictorParts
  readonly #residents = new Map<Collection, Resident>()
  #bytes = 0
  #evicted = 0
  /** Whose hand it is, and for how many visits more. */
  #turns: Iterator<Resident> | undefined
  #resident: Resident | undefined
  #visitsLeft = 0
  /** Collections passed over one after the other, since none of their entries may go for now. */
  #idle = 0
  /** Which collection is looked at. */
  #looks: Iterator<Collection> | undefined
  #entered = 0
  #lookedAt = 0
  #cancel: Cancel | undefined
  #starvedAt: number | undefined
  #working = false
  #stopped = false

  constructor(parts: EvictorParts) {
    this.#parts = parts
    this.#rest()
  }

  /** Estimated bytes of the live entries. */
  get bytes(): number {
    return this.#bytes
  }

  /** Entries that left the heap so far. */
  get evicted(): number {
    return this.#evicted
  }

  /** For good: what it knew of entries goes, too. */
  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#residents.clear()
    this.#turns = undefined
    this.#looks = undefined
    this.#resident = undefined
  }

  /** The entries went with their store. */
  ended(): void {
    this.#bytes = 0
  }

  /** An entry enters the heap; see Space. */
  enters(collection: Collection, key: Key, value: unknown, came: boolean): void {
    if (this.#stopped) return
    const resident = this.#of(collection)
    const nth = this.#entered++
    resident.enters(key, value)
    this.#count(resident)
    if (nth % ENTERING === 0 && this.#bytes > this.#parts.bytesMax) {
      const { clock, accessed } = this.#parts
      const begin = clock.monotonic()
      this.#run(ENTERING_VISITS)
      this.#pass(resident, ENTERING_VISITS)
      accessed(clock.monotonic() - begin)
    }
    if (!came) return
    resident.eviction.cameHome(key)
    this.#idle = 0
  }

  /** A live entry was overwritten, or deleted; see Space. Room is not made here: what was written may not go before it is stored. */
  changed(collection: Collection, key: Key): void {
    this.#residents.get(collection)?.changed(key)
  }

  /** A collection is no more. At once: no look keeps up with many that come and go. */
  forget(collection: Collection): void {
    const resident = this.#residents.get(collection)
    if (resident === undefined) return
    this.#residents.delete(collection)
    this.#count(resident)
    if (this.#resident === resident) this.#resident = undefined
  }

  /** The stored state holds more of this collection's keys than before. */
  renew(collection: Collection): void {
    this.#residents.get(collection)?.eviction.renew()
    this.#idle = 0
    if (this.#stopped || this.#working || this.#bytes <= this.#parts.bytesMax) return
    this.#cancel?.()
    this.#work()
  }

  #rest(): void {
    this.#working = false
    if (!this.#stopped) this.#cancel = this.#parts.scheduler.after(TICK_MS, () => this.#tick())
  }

  #tick(): void {
    this.#lookAround()
    if (this.#bytes > this.#parts.bytesMax) this.#work()
    else this.#rest()
  }

  /** Evicts in slices, as long as something goes. */
  #work(): void {
    this.#working = true
    this.#cancel = this.#parts.scheduler.immediate(() => {
      // What they take may change while they go.
      if (this.#parts.clock.monotonic() - this.#lookedAt >= TICK_MS) this.#lookAround()
      else this.#slice(() => this.#bytes > this.#parts.bytesMax * ENOUGH && this.#run(STEP_VISITS))
      const over = this.#bytes > this.#parts.bytesMax * ENOUGH
      if (over && !this.#stopped && this.#idle <= this.#residents.size) this.#work()
      else if (this.#bytes > this.#parts.bytesMax) this.#starve()
      else this.#rest()
    })
  }

  #starve(): void {
    const now = this.#parts.clock.monotonic()
    if (this.#starvedAt !== undefined && now - this.#starvedAt < STARVED_MS) {
      this.#rest()
      return
    }
    this.#starvedAt = now
    this.#takeIn(this.#parts.collections()[Symbol.iterator]())
  }

  /** What waits because it does not matter would wait for ever, and stay as long. Then whoever folds is asked. */
  #takeIn(collections: Iterator<Collection>): void {
    if (this.#stopped) return
    this.#cancel = this.#parts.scheduler.immediate(() => {
      let done = false
      this.#slice(() => {
        const next = collections.next()
        done = next.done === true
        if (next.done !== true && (next.value.significance?.size ?? 0) > 0) next.value.takeIn()
        return !done
      })
      if (!done) {
        this.#takeIn(collections)
        return
      }
      this.#parts.starved()
      this.#rest()
    })
  }

  #lookAround(): void {
    this.#lookedAt = this.#parts.clock.monotonic()
    this.#slice(expired => this.#look(expired))
  }

  /** The next collection: what it takes, and what it need not keep. False when all were looked at. */
  #look(expired: () => boolean): boolean {
    this.#looks ??= this.#parts.collections()[Symbol.iterator]()
    const next = this.#looks.next()
    if (next.done === true) {
      this.#looks = undefined
      return false
    }
    const collection = next.value
    if (collection.cold?.evicts !== true) return true
    const resident = this.#of(collection)
    resident.look(SAMPLES, expired)
    resident.eviction.keepUp()
    const { held } = collection.cold
    held.sweep(Math.min(SWEEP_MAX, Math.max(SWEEP_MIN, Math.ceil(held.size * SWEEP_SHARE))))
    this.#count(resident)
    // With room to spare the hand begins anew: what it found at its last round need not hold any more, and nobody would read what is listed.
    if (this.#bytes <= this.#parts.bytesMax && resident.eviction.wasRound) resident.eviction.renew()
    return true
  }

  /** Passes so many entries of the collections in turn; false when none may go for now. */
  #run(visits: number): boolean {
    let left = visits
    for (let skips = 0; left > 0 && skips < SKIPS; ) {
      if (this.#idle > this.#residents.size) return false
      const resident = this.#next()
      if (resident === undefined) return false
      if (resident.eviction.idle) {
        this.#resident = undefined
        this.#idle++
        skips++
        continue
      }
      this.#idle = 0
      const count = Math.min(left, this.#visitsLeft)
      left -= count
      this.#visitsLeft -= count
      this.#pass(resident, count)
      if (this.#visitsLeft <= 0) this.#resident = undefined
    }
    return true
  }

  #pass(resident: Resident, visits: number): void {
    this.#evicted += resident.eviction.run(visits)
    this.#count(resident)
  }

  #next(): Resident | undefined {
    if (this.#resident !== undefined) return this.#resident
    this.#turns ??= this.#residents.values()
    let next = this.#turns.next()
    if (next.done === true) {
      this.#turns = this.#residents.values()
      next = this.#turns.next()
      if (next.done === true) return undefined
    }
    this.#resident = next.value
    this.#visitsLeft = Math.max(1, Math.ceil(next.value.collection.live.size * TURN_SHARE))
    return next.value
  }

  #of(collection: Collection): Resident {
    let resident = this.#residents.get(collection)
    if (resident === undefined) {
      resident = new Resident(collection)
      this.#residents.set(collection, resident)
    }
    return resident
  }

  #count(resident: Resident): void {
    const { bytes } = resident
    this.#bytes += bytes - resident.counted
    resident.counted = bytes
  }

  /** Repeats `step` for as long as it has something to do, and a slice may take. */
  #slice(step: (expired: () => boolean) => boolean): void {
    const { clock, stalled, stallMsMax } = this.#parts
    const begin = clock.monotonic()
    const end = begin + stallMsMax * SLICE_SHARE
    const expired = (): boolean => clock.monotonic() >= end
    while (step(expired) && !expired());
    stalled(clock.monotonic() - begin)
  }
}
