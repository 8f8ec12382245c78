/**
 * Blocks unpacked away from here, by another thread, where it holds nobody up.
 *
 * Owns: whether an answer is late. Does not own: the thread, which blocks, what is done without it.
 * Invariants: one question is under way at a time; nobody waits for an answer longer than HYDRATION_AWAY_MS_MAX, or than `cancel`; nothing is thrown.
 */
import { HYDRATION_AWAY_BYTES_MIN, HYDRATION_AWAY_MS_MAX, HYDRATION_AWAY_RAW_MAX } from '../base/limits.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { BlocksWanted, RawBlocks } from '../segment/index.ts'
import type { ColdSegment } from './cold-state.ts'

/** Unpacks blocks: the first of them at least. Undefined: it cannot. Never rejects. */
export type Unpack = (wanted: BlocksWanted) => Promise<RawBlocks | undefined>

export class Away {
  readonly #unpack: Unpack | undefined
  readonly #scheduler: Scheduler
  #isLate = false

  /** Without `unpack` nothing is for it. */
  constructor(unpack: Unpack | undefined, scheduler: Scheduler) {
    this.#unpack = unpack
    this.#scheduler = scheduler
  }

  /** Whether it is worth the way, and somebody is there who answers. */
  isFor(segment: ColdSegment, blocks: readonly number[]): boolean {
    if (this.#unpack === undefined || this.#isLate) return false
    let bytes = 0
    for (const block of blocks) {
      const { length } = segment.storedRange(block)
      if (length > HYDRATION_AWAY_RAW_MAX) return false
      bytes += length
    }
    return bytes >= HYDRATION_AWAY_BYTES_MIN
  }

  /**
   * Undefined: it cannot, or not in time. One that is late is not asked again before its answer has come, which nobody waits for. `cancellable` is
   * given what ends the wait.
   */
  ask(wanted: BlocksWanted, cancellable: (cancel: () => void) => void): Promise<RawBlocks | undefined> {
    return new Promise(resolve => {
      this.#isLate = true
      const stopWaiting = this.#scheduler.after(HYDRATION_AWAY_MS_MAX, () => resolve(undefined), true)
      cancellable(() => {
        stopWaiting()
        resolve(undefined)
      })
      void this.#unpack?.(wanted).then(raw => {
        this.#isLate = false
        stopWaiting()
        resolve(raw)
      })
    })
  }
}

/** Block `at` of what came. */
export function rawOf({ bytes, ends }: RawBlocks, at: number): Buffer {
  const start = at === 0 ? 0 : (ends[at - 1] as number)
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, (ends[at] as number) - start)
}
