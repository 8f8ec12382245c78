/**
 * Brings the blocks of the cold side home: from the disk into memory off the heap, in the background, without a word to anybody who asks.
 *
 * What: first the blocks that the last run touched most, then all others in their order: has neighbours read together and unpacked elsewhere, or
 * unpacks them here, in slices; gives them to their segments; waits while the event loop is busy. Blocks that look-ups read meanwhile stay, and are not unpacked twice.
 * Owns: the order, the pace, how far it has come. Does not own: segments (it gives back the descriptor of one that is at home), objects:
 * entries are decoded on first use.
 * Invariants: at most one piece of HYDRATION_READ_BYTES is held, or HYDRATION_RAW_BYTES that were unpacked elsewhere, or one block that is larger; a slice ends within its share of the budget,
 * one block later at most; nothing is thrown into the event loop. A block that cannot be read or does not verify is left on the disk, where
 * whoever asks for it meets the damage, and the rest comes home: `done` then rejects with the first such error. So it does for a filter, without
 * which all blocks of its segment come home. What the device did not give back is tried again before that.
 */
import type { Clock, LoopLoad } from '../base/clock.ts'
import { hasCode, TidemarkError } from '../base/errors.ts'
import {
  HYDRATION_FIRST_BLOCKS,
  HYDRATION_LOAD_MAX,
  HYDRATION_READ_BYTES,
  HYDRATION_URGENT_READS,
  HYDRATION_WAIT_MS_MAX,
} from '../base/limits.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { TouchedPlace } from '../format/index.ts'
import { type RawBlocks, rangesTogether } from '../segment/index.ts'
import { Away, rawOf, type Unpack } from './away.ts'
import type { ColdSegment, ColdState } from './cold-state.ts'
import { describeInTurns } from './describe.ts'
import { FirstBlocks } from './first-blocks.ts'

/** A slice takes this share of the stall budget. */
const SLICE_SHARE = 0.5
/** Between two looks at a busy event loop. */
const LOOK_MS = 50
/** A read that was over sooner says nothing of the event loop: what little time there was went into the read. After so many of them comes a look. */
const WINDOW_MS = 5
const UNSEEN_MAX = 8
/** What a device does not give back for a moment is tried so often once more, each time after a rest. */
export const AGAIN_MAX = 2
export const AGAIN_MS = 1000

export interface HydrationParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly loopLoad: LoopLoad
  readonly stallMsMax: number
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
  /** Without it all is unpacked here. */
  readonly unpack?: Unpack | undefined
  /** What the last run touched: its blocks come first. Never rejects. Without it blocks come in their order. */
  readonly touched?: () => Promise<Iterable<TouchedPlace>>
}

export interface HydrationProgress {
  /** 'stopped': by a close, before the end. */
  readonly state: 'running' | 'done' | 'failed' | 'stopped'
  /** Stored bytes of blocks, with the headers of their files: in memory, and in all. */
  readonly bytesHome: number
  readonly bytesTotal: number
}

export class Hydration {
  /** Resolves when every block of the segments that were there at the start is at home. */
  readonly done: Promise<void>
  readonly #state: ColdState
  readonly #parts: HydrationParts
  readonly #away: Away
  #progress: HydrationProgress['state'] = 'running'
  #bytesHome = 0
  #bytesTotal = 0
  /** Look-ups that may have read a block, up to the last piece. */
  #readsBefore = 0
  /** Pieces brought home since the event loop was last seen to be calm. */
  #unseen = UNSEEN_MAX
  /** Bytes that come without another wait, after one that was in vain. */
  #free = 0
  /** Of blocks brought home, by segment. */
  readonly #bytesOf = new Map<ColdSegment, number>()
  #stopping = false
  #wake: (() => void) | undefined
  #sliceBegin: number | undefined
  /** The first error of the last look at each segment. */
  readonly #failures = new Map<ColdSegment, unknown>()
  /** Segments that may be read when they are tried again. */
  readonly #unread = new Set<ColdSegment>()
  readonly #ended: Promise<void>

  /** Begins after the events that are ready now. */
  constructor(state: ColdState, parts: HydrationParts) {
    this.#state = state
    this.#parts = parts
    this.#away = new Away(parts.unpack, parts.scheduler)
    const segments = [...state.segments]
    for (const segment of segments) {
      this.#bytesTotal += segment.entry.describedAt
      if (segment.atHome) this.#bytesHome += segment.entry.describedAt
      segment.comesHome = true
    }
    this.done = this.#run(segments.filter(segment => !segment.atHome))
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
      await this.#bringFirst(segments, (await this.#parts.touched?.()) ?? [])
      for (const segment of segments) await this.#bringHome(segment)
      for (let tries = 0; tries < AGAIN_MAX && this.#unread.size > 0; tries++) {
        await this.#pause(wake => this.#parts.scheduler.after(AGAIN_MS, wake, true))
        for (const segment of [...this.#unread]) await this.#bringHome(segment)
      }
      for (const error of this.#failures.values()) throw error
    } catch (error) {
      this.#progress = this.#stopping ? 'stopped' : 'failed'
      throw error
    }
    this.#progress = 'done'
  }

  #failed(segment: ColdSegment, error: unknown): void {
    if (!this.#failures.has(segment)) this.#failures.set(segment, error)
    if (hasCode(error, 'TIDEMARK_STORAGE')) this.#unread.add(segment)
  }

  /** What the last run touched, most touched first. */
  async #bringFirst(segments: readonly ColdSegment[], places: Iterable<TouchedPlace>): Promise<void> {
    if (places[Symbol.iterator]().next().done === true) return
    const described: ColdSegment[] = []
    // Beside a filter that cannot be read nobody says which places are there.
    for (const segment of segments) if ((await this.#describe(segment)) && !this.#failures.has(segment)) described.push(segment)
    const first = new FirstBlocks(described)
    await this.#turn()
    for (const place of places) {
      this.#assertGoing()
      first.add(place)
      await this.#turnWhenDue()
    }
    const list = first.list()
    this.#endSlice()
    for (let at = 0; at < list.length; at += HYDRATION_FIRST_BLOCKS) {
      const some = list.slice(at, at + HYDRATION_FIRST_BLOCKS)
      for (const segment of new Set(some.map(one => one.segment))) {
        const blocks = some.filter(one => one.segment === segment).map(one => one.block)
        await this.#bringPieces(
          segment,
          blocks.sort((one, other) => one - other),
        )
      }
    }
  }

  async #bringHome(segment: ColdSegment): Promise<void> {
    this.#assertGoing()
    // Whatever failed before, of what was touched for one, is met again.
    this.#failures.delete(segment)
    this.#unread.delete(segment)
    if (!(await this.#describe(segment))) return
    if (!(await this.#bringPieces(segment, missing(segment)))) return
    if (!segment.atHome) return
    // Their headers, beside the blocks.
    this.#bytesHome += segment.entry.describedAt - (this.#bytesOf.get(segment) ?? 0)
    this.#bytesOf.set(segment, segment.entry.describedAt)
    this.#state.cameHome()
    // Its filter may be read when it is tried again.
    if (this.#unread.has(segment)) return
    // A descriptor that nobody reads any more: what closing it says changes nothing.
    await segment.close().catch(() => {})
  }

  /** False: it cannot be read now. */
  async #describe(segment: ColdSegment): Promise<boolean> {
    this.#assertGoing()
    try {
      await describeInTurns(segment, this.#parts)
      return true
    } catch (error) {
      this.#assertGoing()
      if (!this.#state.segments.includes(segment)) return false
      this.#failed(segment, error)
    }
    // It may be the filter alone, which no block needs.
    const there = await segment.describeBlocks().then(
      () => true,
      () => false,
    )
    this.#assertGoing()
    return there
  }

  /** False: a later view does without the segment. */
  async #bringPieces(segment: ColdSegment, blocks: Iterable<number>): Promise<boolean> {
    for (const some of batchesOf(segment, blocks)) {
      // Who could not wait may have brought one.
      const absent = some.filter(block => !segment.has(block))
      const left = await this.#bringAway(segment, absent)
      if (!(await this.#bringHere(segment, left))) return false
      if (absent.length === some.length) continue
      const brought = new Set(absent)
      for (const block of some) if (!brought.has(block)) this.#isHome(segment, block)
    }
    return true
  }

  /** As many of the first as another thread unpacks; gives those that are left. A block that cannot be had is among them. */
  async #bringAway(segment: ColdSegment, blocks: readonly number[]): Promise<readonly number[]> {
    let left = blocks
    while (this.#away.isFor(segment, left)) {
      this.#assertGoing()
      if (!this.#state.segments.includes(segment)) return left
      this.#sliceBegin = this.#parts.clock.monotonic()
      const wanted = segment.wanted(left)
      const asked = this.#begins()
      const answer = this.#away.ask(wanted, cancel => {
        this.#wake = cancel
      })
      this.#endSlice()
      const raw = await answer
      this.#assertGoing()
      if (raw === undefined) return left
      const come = left.slice(0, raw.ends.length)
      const storedBytes = come.reduce((sum, _, at) => sum + (wanted.ranges[2 * at + 1] as number), 0)
      await this.#whileBusy(this.#parts.clock.monotonic() - asked, storedBytes)
      await this.#takeIn(segment, come, (_, at) => rawOf(raw, at), isMostAbsent(segment, come, raw))
      left = left.slice(come.length)
    }
    return left
  }

  async #bringHere(segment: ColdSegment, blocks: readonly number[]): Promise<boolean> {
    for (const piece of rangesTogether(blocks, block => segment.storedRange(block))) {
      this.#assertGoing()
      if (!this.#state.segments.includes(segment)) return false
      try {
        await this.#bringPiece(segment, piece)
      } catch (error) {
        this.#assertGoing()
        // Closed meanwhile, together with the view it was part of: nobody asks it any more.
        if (!this.#state.segments.includes(segment)) return false
        if (piece.length === 1) this.#failed(segment, error)
        // What cannot be read may be one of them.
        else for (const block of piece) if (!(await this.#bringHere(segment, [block]))) return false
      }
    }
    return true
  }

  async #bringPiece(segment: ColdSegment, blocks: readonly number[]): Promise<void> {
    const from = segment.storedRange(blocks[0] as number).offset
    const last = segment.storedRange(blocks.at(-1) as number)
    const asked = this.#begins()
    const bytes = await segment.read(from, last.offset + last.length - from)
    await this.#whileBusy(this.#parts.clock.monotonic() - asked, bytes.length)
    // A short read leaves less than a block, which does not verify.
    const unpack = (block: number): Buffer => {
      const { offset, length } = segment.storedRange(block)
      return segment.unpack(block, bytes.subarray(offset - from, offset - from + length))
    }
    await this.#takeIn(segment, blocks, unpack, false)
  }

  #isHome(segment: ColdSegment, block: number): void {
    const { length } = segment.storedRange(block)
    this.#bytesHome += length
    this.#bytesOf.set(segment, (this.#bytesOf.get(segment) ?? 0) + length)
  }

  /** What is measured from here on is the time until the bytes are there: our own slices are no reason to wait. */
  #begins(): number {
    this.#parts.loopLoad()
    return this.#parts.clock.monotonic()
  }

  async #takeIn(
    segment: ColdSegment,
    blocks: readonly number[],
    rawOf: (block: number, at: number) => Buffer,
    together: boolean,
  ): Promise<void> {
    await this.#turn()
    for (const [at, block] of blocks.entries()) {
      this.#assertGoing()
      try {
        // Who could not wait may have brought it.
        if (!segment.has(block)) segment.keep(block, rawOf(block, at), together)
        this.#isHome(segment, block)
      } catch (error) {
        this.#failed(segment, error)
      }
      await this.#turnWhenDue()
    }
    this.#endSlice()
  }

  /**
   * Waits for a calmer event loop, not for ever, and not where it is busy reading the very blocks that are to come home. `readMs`: until the last
   * so many bytes were there.
   */
  async #whileBusy(readMs: number, readBytes: number): Promise<void> {
    const { clock, scheduler, loopLoad } = this.#parts
    const { reads } = this.#state
    const begin = clock.monotonic()
    const before = this.#readsBefore
    this.#readsBefore = reads.count
    this.#free -= readBytes
    if (this.#free >= 0) return
    this.#free = 0
    if (readMs < WINDOW_MS) {
      if (++this.#unseen < UNSEEN_MAX) return
      loopLoad()
      await this.#pause(wake => scheduler.after(WINDOW_MS, wake, true))
    }
    this.#unseen = 0
    while (!this.#stopping && loopLoad() > HYDRATION_LOAD_MAX) {
      if (reads.count - before >= HYDRATION_URGENT_READS) return
      // It is busy for longer than can be waited for: so much comes, which may be many blocks far apart, and what follows waits again.
      this.#unseen = UNSEEN_MAX
      if (clock.monotonic() - begin >= HYDRATION_WAIT_MS_MAX) {
        this.#free = HYDRATION_READ_BYTES - readBytes
        return
      }
      await this.#pause(wake => scheduler.after(LOOK_MS, wake, true))
    }
  }

  async #turnWhenDue(): Promise<void> {
    const { clock, stallMsMax } = this.#parts
    if (clock.monotonic() - (this.#sliceBegin as number) >= stallMsMax * SLICE_SHARE) await this.#turn()
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
    if (this.#stopping) throw cutShort()
  }
}

export function cutShort(): TidemarkError {
  return new TidemarkError('TIDEMARK_CLOSED', 'the store was closed before all of it was in memory', { hint: 'open it again' })
}

function* missing(segment: ColdSegment): Generator<number> {
  for (let block = 0; block < segment.blocks; block++) if (!segment.has(block)) yield block
}

/** Else what came would stay in memory as a whole for the few of it that are kept. */
function isMostAbsent(segment: ColdSegment, blocks: readonly number[], { ends }: RawBlocks): boolean {
  let absent = 0
  for (const [at, block] of blocks.entries()) if (!segment.has(block)) absent += (ends[at] as number) - (ends[at - 1] ?? 0)
  return 2 * absent >= (ends.at(-1) as number)
}

/** As many as HYDRATION_READ_BYTES have, wherever they lie, at least one; `blocks`: in their order. */
function* batchesOf(segment: ColdSegment, blocks: Iterable<number>): Generator<readonly number[]> {
  let some: number[] = []
  let bytes = 0
  for (const block of blocks) {
    const { length } = segment.storedRange(block)
    if (some.length > 0 && bytes + length > HYDRATION_READ_BYTES) {
      yield some
      some = []
      bytes = 0
    }
    some.push(block)
    bytes += length
  }
  if (some.length > 0) yield some
}
