/**
 * Brings the blocks of the cold side home: from the disk into memory off the heap, in the background, without a word to anybody who asks.
 *
 * What: reads neighbouring blocks together, unpacks them in slices, gives them to their segments; waits while the event loop is busy.
 * Owns: the order, the pace, how far it has come. Does not own: segments (it gives back the descriptor of one that is at home), objects:
 * entries are decoded on first use.
 * Invariants: at most one piece of HYDRATION_READ_BYTES is held, or one block that is larger; a slice ends within its share of the budget,
 * one block later at most; nothing is thrown into the event loop. A block that cannot be read or does not verify is left on the disk, where
 * whoever asks for it meets the damage, and the rest comes home: `done` then rejects with the first such error.
 */
import type { Clock, LoopLoad } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { HYDRATION_LOAD_MAX, HYDRATION_READ_BYTES, HYDRATION_WAIT_MS_MAX } from '../base/limits.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { ColdSegment, ColdState } from './cold-state.ts'

/** A slice takes this share of the stall budget. */
const SLICE_SHARE = 0.5
/** Between two looks at a busy event loop. */
const LOOK_MS = 50

export interface HydrationParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly loopLoad: LoopLoad
  readonly stallMsMax: number
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
}

export interface HydrationProgress {
  /** 'stopped': by a close, before the end. */
  readonly state: 'running' | 'done' | 'failed' | 'stopped'
  /** Stored bytes of blocks, with the headers of their files: in memory, and in all. */
  readonly bytesHome: number
  readonly bytesTotal: number
}

/** Neighbouring blocks of one segment. */
interface Piece {
  readonly segment: ColdSegment
  readonly first: number
  /** Behind the last. */
  readonly end: number
}

export class Hydration {
  /** Resolves when every block of the segments that were there at the start is at home. */
  readonly done: Promise<void>
  readonly #state: ColdState
  readonly #parts: HydrationParts
  #progress: HydrationProgress['state'] = 'running'
  #bytesHome = 0
  #bytesTotal = 0
  #stopping = false
  #wake: (() => void) | undefined
  #sliceBegin: number | undefined
  #failure: { readonly error: unknown } | undefined
  readonly #ended: Promise<void>

  /** Begins after the events that are ready now. */
  constructor(state: ColdState, parts: HydrationParts) {
    this.#state = state
    this.#parts = parts
    const segments = [...state.segments]
    for (const segment of segments) {
      this.#bytesTotal += segment.entry.describedAt
      if (segment.atHome) this.#bytesHome += segment.entry.describedAt
    }
    this.done = this.#run(segments)
    this.#ended = this.done.catch(() => {})
  }

  get progress(): HydrationProgress {
    return { state: this.#progress, bytesHome: this.#bytesHome, bytesTotal: this.#bytesTotal }
  }

  /** Ends it where it is; `done` rejects with TIDEMARK_CLOSED unless it is done. Resolves when no read is under way any more; never rejects. */
  stop(): Promise<void> {
    this.#stopping = true
    this.#wake?.()
    return this.#ended
  }

  async #run(segments: readonly ColdSegment[]): Promise<void> {
    try {
      await this.#pause(wake => this.#parts.scheduler.immediate(wake))
      for (const segment of segments) await this.#bringHome(segment)
    } catch (error) {
      this.#failure ??= { error }
    }
    if (this.#failure !== undefined) {
      this.#progress = this.#stopping ? 'stopped' : 'failed'
      throw this.#failure.error
    }
    this.#progress = 'done'
  }

  async #bringHome(segment: ColdSegment): Promise<void> {
    this.#assertGoing()
    if (segment.atHome) return
    const before = this.#bytesHome
    try {
      await segment.describe()
    } catch (error) {
      this.#assertGoing()
      if (this.#state.segments.includes(segment)) this.#failure ??= { error }
      return
    }
    for (const piece of piecesOf(segment)) {
      this.#assertGoing()
      // A later view does without it.
      if (!this.#state.segments.includes(segment)) return
      try {
        await this.#bringPiece(piece)
      } catch (error) {
        this.#assertGoing()
        // Closed meanwhile, together with the view it was part of: nobody asks it any more.
        if (!this.#state.segments.includes(segment)) return
        this.#failure ??= { error }
      }
    }
    if (!segment.atHome) return
    this.#bytesHome = before + segment.entry.describedAt
    this.#state.cameHome()
    // A descriptor that nobody reads any more: what closing it says changes nothing.
    await segment.close().catch(() => {})
  }

  async #bringPiece({ segment, first, end }: Piece): Promise<void> {
    const from = segment.storedRange(first).offset
    const last = segment.storedRange(end - 1)
    // What is measured is the time of the read: our own slices are no reason to wait.
    this.#parts.loopLoad()
    const bytes = await segment.read(from, last.offset + last.length - from)
    await this.#whileBusy()
    await this.#turn()
    for (let block = first; block < end; block++) {
      this.#assertGoing()
      const { offset, length } = segment.storedRange(block)
      try {
        // A short read leaves less than a block, which does not verify.
        segment.keep(block, segment.unpack(block, bytes.subarray(offset - from, offset - from + length)))
        this.#bytesHome += length
      } catch (error) {
        this.#failure ??= { error }
      }
      const { clock, stallMsMax } = this.#parts
      if (clock.monotonic() - (this.#sliceBegin as number) >= stallMsMax * SLICE_SHARE) await this.#turn()
    }
    this.#endSlice()
  }

  /** Waits for a calmer event loop, not for ever. */
  async #whileBusy(): Promise<void> {
    const { clock, scheduler, loopLoad } = this.#parts
    const begin = clock.monotonic()
    while (!this.#stopping && loopLoad() > HYDRATION_LOAD_MAX && clock.monotonic() - begin < HYDRATION_WAIT_MS_MAX) {
      await this.#pause(wake => scheduler.after(LOOK_MS, wake, true))
    }
  }

  /** Ends the slice, and begins the next one behind the events that are ready. */
  async #turn(): Promise<void> {
    this.#endSlice()
    await this.#pause(wake => this.#parts.scheduler.immediate(wake))
    this.#sliceBegin = this.#parts.clock.monotonic()
  }

  #endSlice(): void {
    if (this.#sliceBegin !== undefined) this.#parts.stalled(this.#parts.clock.monotonic() - this.#sliceBegin)
    this.#sliceBegin = undefined
  }

  /** `stop` ends it early. */
  #pause(schedule: (wake: () => void) => () => void): Promise<void> {
    return new Promise(resolve => {
      if (this.#stopping) return resolve()
      const cancel = schedule(resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  #assertGoing(): void {
    if (!this.#stopping) return
    const error = new TidemarkError('TIDEMARK_CLOSED', 'the store was closed before all of it was in memory', { hint: 'open it again' })
    this.#failure = { error }
    throw error
  }
}

/** As many neighbours as fit into one read, at least one block. */
function* piecesOf(segment: ColdSegment): Generator<Piece> {
  for (let first = 0; first < segment.blocks; ) {
    const { offset } = segment.storedRange(first)
    let end = first + 1
    while (end < segment.blocks) {
      const next = segment.storedRange(end)
      if (next.offset + next.length - offset > HYDRATION_READ_BYTES) break
      end++
    }
    yield { segment, first, end }
    first = end
  }
}
