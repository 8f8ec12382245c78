/**
 * What a restart does behind the back of the service: reads what describes the segments, brings blocks home, puts the tail in order, and brings
 * objects where that is asked for.
 *
 * Owns: the order of these, the slices of the first and the last. Does not own: blocks (hydration.ts), entries (capture/).
 * Invariants: a slice ends within its share of the stall budget, one step later at most; nothing is thrown into the event loop; what cannot come
 * keeps nothing else from coming, but for what lies behind a damaged block in its collection: `done` rejects with the first such error when all the rest came,
 * and with TIDEMARK_CLOSED when it was stopped before.
 */
import { hasCode } from '../base/errors.ts'
import type { ColdCursor, Collection } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import type { ColdState } from './cold-state.ts'
import { describeInTurns } from './describe.ts'
import { cutShort, Hydration, type HydrationParts } from './hydration.ts'

export interface HomecomingParts extends HydrationParts {
  readonly mode: 'background' | 'on-demand' | 'eager'
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
  /** Puts the tail in order, a little; true when it is. */
  readonly sortSome: () => boolean
}

const SLICE_SHARE = 0.5

export class Homecoming {
  /** Resolves when all of it is done; see Hydration. */
  readonly done: Promise<void>
  readonly #state: ColdState
  readonly #parts: HomecomingParts
  readonly #ended: Promise<void>
  #hydration: Hydration | undefined
  #stopping = false
  #failure: { readonly error: unknown } | undefined

  constructor(state: ColdState, parts: HomecomingParts) {
    this.#state = state
    this.#parts = parts
    this.done = this.#run()
    this.#ended = this.done.catch(() => {})
  }

  /** Ends it where it is. Resolves when nothing is under way any more; never rejects. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#hydration?.stop()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { mode, sortSome } = this.#parts
    // First of all: a look-up that comes before reads and checks the whole description itself. What fails here is told by what comes next.
    await this.#describe().catch(() => {})
    if (mode === 'on-demand') {
      await this.#slices(() => sortSome())
      return await this.#describe()
    }
    this.#hydration = new Hydration(this.#state, this.#parts)
    if (this.#stopping) await this.#hydration.stop()
    await this.#hydration.done.catch(error => this.#failed(error))
    // Nobody needs the order who does not walk; a walk before this reads from the disk anyway.
    await this.#slices(() => sortSome())
    if (mode === 'eager') for (const collection of [...this.#parts.collections()]) await this.#objects(collection)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #failed(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Filters and indexes come home, so that no look-up has to wait for more than one block. */
  async #describe(): Promise<void> {
    let failure: { readonly error: unknown } | undefined
    for (const segment of this.#state.segments) {
      if (this.#stopping) throw cutShort()
      await describeInTurns(segment, this.#parts).catch(error => {
        // Closed meanwhile, with the view it was part of: nobody asks it any more.
        if (this.#state.segments.includes(segment)) failure ??= { error }
      })
    }
    if (failure !== undefined) throw this.#stopping ? cutShort() : failure.error
  }

  async #objects(collection: Collection): Promise<void> {
    const { cold } = collection
    if (cold === undefined || collection.codec.absent === true) return
    try {
      const cursor = cold.cold.keys()
      await this.#slices(() => {
        if (collection.cold !== cold || collection.dropped) return true
        const key = cursor.next()
        if (key === undefined) return true
        this.#object(collection, key, cursor)
        return false
      })
    } catch (error) {
      // A walk does not get behind a damaged block.
      this.#failed(error)
    }
  }

  #object(collection: Collection, key: Key, cursor: ColdCursor): void {
    try {
      collection.bringHome(key, cursor)
    } catch (error) {
      // What the bytes are, or what the service's codec does, is of this entry alone.
      if (!hasCode(error, 'TIDEMARK_VALUE_DAMAGED') && !hasCode(error, 'TIDEMARK_CODEC')) throw error
      this.#failed(error)
    }
  }

  /** Calls `step` until it gives true, in slices. @throws TIDEMARK_CLOSED when it is stopped before */
  async #slices(step: () => boolean): Promise<void> {
    const { clock, scheduler, stallMsMax, stalled } = this.#parts
    let done = false
    while (!done && !this.#stopping) {
      await new Promise<void>(resolve => void scheduler.immediate(resolve))
      const begin = clock.monotonic()
      try {
        while (!done && !this.#stopping && clock.monotonic() - begin < stallMsMax * SLICE_SHARE) done = step()
      } finally {
        stalled(clock.monotonic() - begin)
      }
    }
    if (!done) throw cutShort()
  }
}
