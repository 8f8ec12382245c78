/**
 * Follows what the writer folds and merges, so that the cold side stands on the newest segments: only then may entries go back to them.
 *
 * Does: opens and describes what a manifest names, giving way often, then puts it in place, in one turn, and gives back what is named no more.
 * Owns: the segments of the view, once it was given them. Does not own: the manifest, which entries go back (evictor.ts).
 * Invariants: a view holds all that the one before it held, and no epoch that is not acknowledged; a manifest that cannot be followed leaves
 * the view as it was, so that nothing goes back to where it cannot be read; it is tried again until it can or a newer one comes. What look-ups
 * can do without, and what cannot be read of segments that the view holds already, keeps nothing from being followed: it is told, and what the
 * device did not give back is tried again. Nothing is thrown.
 */
import { backOffMs } from '../base/back-off.ts'
import { hasCode, type TidemarkError } from '../base/errors.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Collection } from '../capture/index.ts'
import type { NamedSegments } from '../format/index.ts'
import { Image, openSegments, type Reused, type TailTable } from '../image/index.ts'
import { Named, type NamedChange } from '../manifest/index.ts'
import type { Segment } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'
import type { ColdState } from './cold-state.ts'
import { describeInTurns, type TurnParts } from './describe.ts'

/** What was read of the log, up to `epoch`: needed until segments hold as much, and not there from then on. Nobody else keeps the table. */
export interface TailHolder {
  table: TailTable | undefined
  readonly epoch: number
}

export interface FollowingParts extends TurnParts {
  readonly storage: Storage
  readonly state: ColdState
  readonly layers: Reused
  readonly tail: TailHolder
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
  /** Is told which of them has keys that may leave the heap now and could not before. */
  readonly renewed: (collection: Collection) => void
}

/** Segments that are described already, between two turns. */
const STRIDE = 64

export class Following {
  readonly #parts: Omit<FollowingParts, 'layers'>
  /** Undefined: it was stopped. */
  #layers: Reused | undefined
  /** What the view stands on, if one was followed. */
  #followed: NamedSegments | undefined
  #next: NamedSegments | undefined
  readonly #named = new Named()
  #running: Promise<void> | undefined
  #retry: Cancel | undefined
  #failures = 0
  #lastError: string | undefined
  #stopped = false

  constructor({ layers, ...parts }: FollowingParts) {
    this.#parts = parts
    this.#layers = layers
  }

  /**
   * What a newer manifest names, each as it differs from the one before. Of several that come while one is being opened, the last one counts.
   * @throws TIDEMARK_BUG: one is missing between
   */
  take(change: NamedChange): void {
    if (!this.#stopped) this.#take(this.#named.take(change))
  }

  #take(named: NamedSegments): void {
    if (this.#stopped) return
    this.#retry?.()
    this.#retry = undefined
    this.#next = named
    this.#running ??= this.#run()
  }

  /** Why the newest manifest is not followed yet, or what of its segments cannot be read; undefined while all is well. */
  get lastError(): string | undefined {
    return this.#lastError
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#retry?.()
    await this.#running
    this.#layers = this.#followed = this.#next = undefined
  }

  async #run(): Promise<void> {
    for (let named = this.#next; named !== undefined && !this.#stopped; named = this.#next) {
      this.#next = undefined
      try {
        const unread = await this.#follow(named)
        if (hasCode(unread, 'TIDEMARK_STORAGE')) this.#again(named)
        else this.#failures = 0
      } catch (error) {
        // Its files may be gone again already: then a newer manifest is on its way.
        this.#lastError = (error as Error).message
        this.#again(named)
      }
    }
    this.#running = undefined
  }

  #again(named: NamedSegments): void {
    if (this.#stopped || this.#next !== undefined) return
    this.#retry = this.#parts.scheduler.after(backOffMs(this.#failures++), () => this.#take(named))
  }

  /** Gives what cannot be read, and keeps nothing from being followed. */
  async #follow(named: NamedSegments): Promise<TidemarkError | undefined> {
    const { storage, state, tail, collections, renewed, clock, stalled, scheduler } = this.#parts
    const pause = (): Promise<void> => new Promise(resolve => void scheduler.immediate(resolve))
    const before = new Set(this.#layers?.segments)
    const layers = await openSegments(storage, named, this.#layers, pause)
    let unread: TidemarkError | undefined
    try {
      for (const [at, segment] of layers.segments.entries()) {
        const failure = await this.#describe(segment, before.has(segment))
        // One that may come is not hidden by damage, which stays.
        if (unread === undefined || hasCode(failure, 'TIDEMARK_STORAGE')) unread = failure ?? unread
        if (at % STRIDE === STRIDE - 1) await pause()
      }
    } catch (error) {
      for (const segment of layers.segments) if (!before.has(segment)) await segment.close().catch(() => {})
      throw error
    }
    if (named === this.#followed) {
      this.#lastError = unread?.message
      return unread
    }
    const { segments, young, base } = layers
    if (this.#stopped) {
      for (const segment of segments) if (!before.has(segment)) await segment.close().catch(() => {})
      return undefined
    }
    const begin = clock.monotonic()
    const folded = named.fold?.epoch ?? 0
    if (folded >= tail.epoch) tail.table = undefined
    const tables = tail.table?.isEmpty === false ? [tail.table] : []
    const left = state.exchange({ image: new Image({ tables, young, base }), segments })
    this.#layers = layers
    this.#followed = named
    this.#lastError = unread?.message
    for (const collection of collections()) if (collection.cold?.exchanged(Math.max(folded, tail.epoch)) === true) renewed(collection)
    stalled(clock.monotonic() - begin)
    for (const segment of left) await segment.close().catch(() => {})
    return unread
  }

  /** What the view can do with: a filter that cannot be read, or a segment that cannot, which the view before holds as it is. */
  async #describe(segment: Segment, known: boolean): Promise<TidemarkError | undefined> {
    try {
      await describeInTurns(segment, this.#parts)
      return undefined
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED') && !hasCode(error, 'TIDEMARK_STORAGE')) throw error
      if (!known) await segment.describeBlocks()
      return error as TidemarkError
    }
  }
}
