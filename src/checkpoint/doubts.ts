/**
 * Looks up deleted keys of which only a filter says that they are stored: those that are not need not be hidden any more.
 *
 * What: once all of an epoch is captured, some keys of each collection that was in it, in slices between turns, until the next barrier falls.
 * Owns: when the next slice comes, how many looks are left. Does not own: the keys (capture/cold-side.ts).
 * Invariants: no commit and no caller waits for it; slices leave most of the time to the service; a collection has DOUBTS_MAX looks an epoch.
 */
import type { Clock } from '../base/clock.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Capture } from '../capture/index.ts'
import type { Turns } from './turns.ts'

/** Of a collection in an epoch: each look takes up to some 50 µs. */
const DOUBTS_MAX = 4096

export interface DoubtsParts {
  readonly clock: Clock
  readonly turns: Turns
  readonly sliceMs: number
  /** Of the time, for slices that nobody waits for. */
  readonly share: () => number
}

export class Doubts {
  readonly #parts: DoubtsParts
  #looks: Iterator<undefined> | undefined
  #cancel: Cancel | undefined

  constructor(parts: DoubtsParts) {
    this.#parts = parts
  }

  /** All of it is captured. */
  begin(capture: Capture): void {
    this.stop()
    this.#looks = looksOf(capture)
    this.#cancel = this.#parts.turns.later(() => this.#slice())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = this.#looks = undefined
  }

  #slice(): void {
    this.#cancel = undefined
    const { clock, turns, sliceMs, share } = this.#parts
    const begin = clock.monotonic()
    do {
      if (this.#looks?.next().done !== false) {
        this.#looks = undefined
        return
      }
    } while (clock.monotonic() - begin < sliceMs)
    this.#cancel = turns.after((clock.monotonic() - begin) / share(), () => this.#slice())
  }
}

function* looksOf({ parts }: Capture): Generator<undefined, undefined, undefined> {
  for (const { cold } of parts) for (let left = DOUBTS_MAX; left > 0 && cold?.settleDoubt() === true; left--) yield undefined
  return undefined
}
