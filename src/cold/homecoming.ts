/**
 * What a restart does behind the back of the service: puts the tail into its table, reads what describes the segments, brings blocks home, puts the
 * tail in order, and brings objects where that is asked for.
 *
 * Owns: the order of these, the slices of the first and the last. Does not own: blocks (hydration.ts), entries (capture/).
 * Invariants: a slice ends within its share of the stall budget, one step later at most; nothing is thrown into the event loop; what cannot come
 * keeps nothing else from coming, but for what lies behind a damaged block in its collection: `done` rejects with the first such error when all the rest came,
 * and with TIDEMARK_CLOSED as soon as it is stopped before, though a read hangs.
 */
import { hasCode } from '../base/errors.ts'
import { HYDRATION_LOAD_MAX, HYDRATION_WAIT_MS_MAX } from '../base/limits.ts'
import { type ColdCursor, type ColdSide, type Collection, NONE_YET, readAhead } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import type { ColdState } from './cold-state.ts'
import { describeInTurns } from './describe.ts'
import { AGAIN_MAX, AGAIN_MS, cutShort, Hydration, type HydrationParts, type HydrationProgress } from './hydration.ts'

export interface HomecomingParts extends HydrationParts {
  readonly mode: 'background' | 'on-demand' | 'eager'
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
  /** Puts what waits of the tail into its table, a little; true when nothing does. */
  readonly settleSome: () => boolean
  /** Puts the tail in order, a little; true when it is. */
  readonly sortSome: () => boolean
}

const SLICE_SHARE = 0.5
/** Between two looks whether the service is busy, of our own work. */
const UNSEEN_MS_MAX = 100
/** In such a time we do nothing, and see how busy others are. */
const WINDOW_MS = 5
/** A rest is ended by a close after so long. */
const STEP_MS = 50

export class Homecoming {
  /** Resolves when all of it is done; see Hydration. */
  readonly done: Promise<void>
  readonly #state: ColdState
  readonly #parts: HomecomingParts
  /** Nothing is under way any more; a read that hangs keeps it from that. */
  readonly #ended: Promise<void>
  #tellStopped = (): void => {}
  #hydration: Hydration | undefined
  /** How far it had come when it was stopped. */
  #last: HydrationProgress | undefined
  #stopping = false
  /** Of making objects, since the event loop was last looked at. */
  #unseenMs = UNSEEN_MS_MAX
  #failure: { readonly error: unknown } | undefined

  constructor(state: ColdState, parts: HomecomingParts) {
    this.#state = state
    this.#parts = parts
    const all = this.#run()
    this.#ended = all.catch(() => {})
    const stopped = new Promise<never>((_, reject) => {
      this.#tellStopped = () => reject(cutShort())
    })
    this.done = Promise.race([all, stopped])
  }

  /** Undefined while no block is to come home: before that begins, and with 'on-demand'. */
  get progress(): HydrationProgress | undefined {
    return this.#hydration?.progress ?? this.#last
  }

  /** Ends it where it is. Resolves when nothing is under way any more; never rejects. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#tellStopped()
    await this.#hydration?.stop()
    await this.#ended
    this.#last = this.#hydration?.progress
    this.#hydration = undefined
  }

  async #run(): Promise<void> {
    const { mode, settleSome, sortSome } = this.#parts
    // First of all: a look-up that comes before searches what waits.
    await this.#slices(settleSome).catch(() => {})
    // One that comes before this reads and checks the whole description itself. What fails here is told by what comes next.
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
        if (this.#stopping || this.#state.segments.includes(segment)) failure ??= { error }
      })
    }
    if (failure !== undefined) throw this.#stopping ? cutShort() : failure.error
  }

  async #objects(collection: Collection): Promise<void> {
    const { cold } = collection
    if (cold === undefined || collection.codec.absent === true) return
    let last: Key | undefined
    for (let tries = 0; ; tries++) {
      try {
        const cursor = last === undefined ? cold.cold.keys() : cold.cold.keys(last, true)
        return await this.#slices(() => {
          if (collection.cold !== cold || collection.dropped) return true
          const key = cursor.step()
          if (key === undefined) return true
          if (key === NONE_YET) return false
          this.#object(collection, cold, key, cursor)
          last = key
          tries = 0
          return false
        }, true)
      } catch (error) {
        if (this.#stopping) throw cutShort()
        // A walk does not get behind a damaged block; one that the device does not give back now may come later.
        if (!hasCode(error, 'TIDEMARK_STORAGE') || tries >= AGAIN_MAX) return this.#failed(error)
        await this.#rest()
      }
    }
  }

  #object(collection: Collection, cold: ColdSide, key: Key, cursor: ColdCursor): void {
    try {
      readAhead(collection, cold, key, cursor)
    } catch (error) {
      // What the bytes are, or what the service's codec does, is of this entry alone.
      if (!hasCode(error, 'TIDEMARK_VALUE_DAMAGED') && !hasCode(error, 'TIDEMARK_CODEC')) throw error
      this.#failed(error)
    }
  }

  async #rest(): Promise<void> {
    const { clock, scheduler } = this.#parts
    const begin = clock.monotonic()
    while (!this.#stopping && clock.monotonic() - begin < AGAIN_MS)
      await new Promise<void>(resolve => void scheduler.after(STEP_MS, resolve, true))
  }

  /** Waits for a calmer event loop, not for ever. */
  async #whileBusy(): Promise<void> {
    const { clock, scheduler, loopLoad } = this.#parts
    const begin = clock.monotonic()
    do {
      loopLoad()
      await new Promise<void>(resolve => void scheduler.after(WINDOW_MS, resolve, true))
    } while (!this.#stopping && loopLoad() > HYDRATION_LOAD_MAX && clock.monotonic() - begin < HYDRATION_WAIT_MS_MAX)
    this.#unseenMs = 0
  }

  /** Calls `step` until it gives true, in slices. `yields`: to a busy service, too. @throws TIDEMARK_CLOSED when it is stopped before */
  async #slices(step: () => boolean, yields = false): Promise<void> {
    const { clock, scheduler, stallMsMax, stalled } = this.#parts
    let done = false
    while (!done && !this.#stopping) {
      if (yields && this.#unseenMs >= UNSEEN_MS_MAX) await this.#whileBusy()
      await new Promise<void>(resolve => void scheduler.immediate(resolve))
      const begin = clock.monotonic()
      try {
        while (!done && !this.#stopping && clock.monotonic() - begin < stallMsMax * SLICE_SHARE) done = step()
      } finally {
        const ms = clock.monotonic() - begin
        stalled(ms)
        if (yields) this.#unseenMs += ms
      }
    }
    if (!done) throw cutShort()
  }
}
