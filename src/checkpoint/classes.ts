/**
 * What the classes of collections mean for epochs, in one place for the checkpointer.
 *
 * What: critical collections come first and may ask for a barrier (rpo.ts); rebuildable ones may be left out (lag.ts), unless somebody waits
 * for everything. Owns: whether somebody does. Does not own: the reckoning, the cut.
 * Invariant: a wish for everything lives until an epoch that took everything is committed.
 */
import type { Collection } from '../capture/index.ts'
import { type LagAges, PRESSURE_HIGH } from '../schedule/index.ts'
import type { Flight } from './flight.ts'
import { Lag, NO_LAG, NONE_LEFT } from './lag.ts'
import { changedIn } from './looks.ts'
import type { Refusals } from './refusals.ts'
import { Rpo } from './rpo.ts'
import type { Turns } from './turns.ts'
import type { CheckpointerParts } from './types.ts'

export class Classes {
  readonly #parts: CheckpointerParts
  readonly #lag: Lag
  readonly #rpo: Rpo
  readonly #refusals: Refusals
  #whole = false
  /** Found dirty last: it mostly is still, and the others need not be asked. */
  #dirty: Collection | undefined
  /** As `Flight.captureBy`, of the epoch that failed. */
  #captureBy = Number.POSITIVE_INFINITY

  /** `due`: a critical collection asks for a barrier. */
  constructor(parts: CheckpointerParts, turns: Turns, refusals: Refusals, due: () => void) {
    this.#parts = parts
    this.#refusals = refusals
    const { clock, cadence, space, pressed } = parts
    this.#lag = new Lag({
      clock,
      intervalMs: cadence.settings.intervalMs,
      // The barrier after one that leaves something out waits until that one's epoch is durable.
      leftOutMsMax: () => cadence.leftOutMsMax - cadence.commitMs,
      links: space.links,
      letInto: space.letInto,
      pressed: pressed ?? (() => cadence.pressure >= PRESSURE_HIGH),
      refuses: ({ id }) => refusals.has(id),
    })
    this.#rpo = new Rpo({
      ...{ turns, due, now: () => clock.monotonic(), told: cadence, collections: () => space.treated },
      // An emptied one has nothing to write but its new id.
      changed: collection => collection.id !== collection.cutId || this.#changed(collection),
    })
    space.droppedCritical = collection => this.#rpo.dropped(collection)
  }

  /** Some collection has changes that no barrier has cut. */
  get dirty(): boolean {
    const { collections } = this.#parts
    const last = this.#dirty
    if (last?.dirty === true && collections.get(last.name) === last) return true
    this.#dirty = undefined
    for (const collection of collections.values()) {
      if (!collection.dirty) continue
      this.#dirty = collection
      return true
    }
    return false
  }

  /** Insignificant changes are to be written; the epoch that follows a failure of the one under way takes everything. */
  takeIn(flight: Flight | undefined): void {
    // They may be very many, and in most of them nothing waits.
    for (const collection of this.#parts.space.treated) if ((collection.significance?.size ?? 0) > 0) collection.takeIn()
    if (flight !== undefined) flight.whole = true
  }

  /** The next epoch takes everything: what is written up to its cut, by listeners of its barrier, too. */
  takeAll(): void {
    this.#whole = true
  }

  /** The barrier falls for whom that was asked: it is no longer wanted of the one after it. */
  departs(): boolean {
    const whole = this.#whole
    this.#whole = false
    return whole
  }

  /** Who asked for it has got it from the epoch under way. */
  calledOff(): void {
    this.#whole = false
  }

  /** Collections that may be captured before the barrier: what is to be left out must not be begun. */
  early(): Iterable<Collection> {
    const { collections, space } = this.#parts
    return space.rebuildable ? this.#lag.early(collections.values()) : collections.values()
  }

  /** The cut falls, for the first time or again: gives what it takes, in order, and names in the flight what it leaves out. */
  cut(flight: Flight): readonly Collection[] {
    const all = [...this.#parts.collections.values()]
    // No later epoch of a store that closes makes up for what this one leaves out.
    flight.whole ||= this.#parts.space.forbidden === 'closed'
    flight.left = this.#lag.cut(all, flight.epoch, flight.whole, flight.left)
    const { left } = flight
    this.#parts.space.letInto.clear()
    if (left.size > 0) this.#parts.cadence.leaves(changedIn(left).changed)
    flight.captureBy = Math.min(flight.captureBy, this.#captureBy, this.#rpo.barrierBy - this.#parts.cadence.commitMs)
    this.#captureBy = Number.POSITIVE_INFINITY
    // Spread, it could be durable later than a barrier of its own would have made it.
    flight.hurried ||= flight.captureBy < flight.dueAt
    for (const collection of all) collection.cutId = collection.id
    this.#rpo.arm()
    flight.linked = this.#parts.space.links.cut(left)
    flight.leftEntries = [...left].map(collection => this.#lag.entryOf(collection))
    const taken = left.size === 0 ? all : all.filter(collection => !left.has(collection))
    if (!taken.some(collection => collection.class === 'critical')) return taken
    return [...taken.filter(({ class: of }) => of === 'critical'), ...taken.filter(({ class: of }) => of !== 'critical')]
  }

  /** A collection was given this `rpoMs`, or none any more. */
  rpoGiven(rpoMs: number | undefined): void {
    this.#rpo.given(rpoMs)
  }

  /** Gives what there is to tell once all else is told of the commit. */
  committed({ epoch, started, written }: Flight): (() => void) | undefined {
    if (this.#parts.space.rebuildable) this.#lag.committed(epoch, written, started)
    return this.#rpo.committed()
  }

  /** What was written since the last commit counts for nothing. */
  failed(flight: Flight | undefined): void {
    this.#whole ||= flight?.whole === true
    this.#captureBy = Math.min(this.#captureBy, flight?.captureBy ?? Number.POSITIVE_INFINITY)
    this.#lag.failed()
    this.#parts.space.recent.forget()
  }

  /** How old that is which epochs left out, and what this one would leave out if its barrier fell now. */
  late(epoch: number): { readonly lag: LagAges; readonly left: ReadonlySet<Collection> } {
    const { collections, space } = this.#parts
    if (!space.rebuildable) return { lag: NO_LAG, left: NONE_LEFT }
    return { lag: this.#lag.ages, left: this.#whole ? NONE_LEFT : this.#lag.leaves(collections.values(), epoch) }
  }

  /** All that is dirty would be left out of this epoch: then it waits. */
  canWait(epoch: number): boolean {
    const { collections, space } = this.#parts
    if (!space.rebuildable || this.#whole || space.catalogueChanged) return false
    const dirty = [...collections.values()].filter(collection => this.#changed(collection))
    if (dirty.length === 0 || !this.#lag.leavesAll(dirty, epoch)) return false
    this.#lag.wait(dirty)
    return true
  }

  stop(): void {
    this.#rpo.stop()
  }

  /** It has more to write than values that were refused before. */
  #changed(collection: Collection): boolean {
    const refusals = this.#refusals
    return collection.dirty && !(refusals.has(collection.id) && refusals.areAllOf(collection))
  }
}
