/**
 * How far apart looks are: a pure reckoning.
 *
 * Invariants: while something is to be written, or an epoch is under way, eight an interval; a change just behind a look is seen in time for its
 * barrier; where there are many collections looks are further apart.
 */
import { LOOK_MS_MAX, LOOK_MS_MIN } from '../base/limits.ts'
import type { CadenceSettings } from './types.ts'

const LOOKS_PER_INTERVAL = 8
/** Of the time from a change to the last moment for its barrier, until it is seen; looks come late. */
const UNSEEN_SHARE = 7 / 8
/** So many collections are looked through in some 50 us. */
const LOOK_COLLECTIONS = 1024
const FEW_LOOKS = 3

/** `reserveMs`: kept for capture and commit. */
export class LookTimes {
  /** While something is to be written, of few collections. */
  readonly lookMs: number
  readonly #intervalMs: number
  readonly #intervalMsMax: number

  constructor({ intervalMs, intervalMsMax }: CadenceSettings) {
    this.lookMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, intervalMs / LOOKS_PER_INTERVAL))
    this.#intervalMs = intervalMs
    this.#intervalMsMax = intervalMsMax
  }

  firstMs(reserveMs: number): number {
    return Math.min(this.#intervalMs, LOOK_MS_MAX, this.#unseenMsMax(reserveMs))
  }

  /** Something is to be written. */
  dirtyMs(collections: number): number {
    return this.#apart(collections, this.lookMs)
  }

  /**
   * There is nothing to write now: what is overdue all the same, `lagLeftMs` ago, no barrier can take. What comes next may be much, and waits for no
   * interval. `flies`: an epoch is under way.
   */
  cleanMs(collections: number, reserveMs: number, lagLeftMs: number, flies: boolean): number {
    const lookMs = this.#apart(collections, flies ? this.lookMs : LOOK_MS_MAX)
    return Math.max(1, Math.min(lookMs, this.#unseenMsMax(reserveMs), lagLeftMs > 0 ? lagLeftMs : lookMs))
  }

  /** Looks may come much more often than they have to. */
  isFew(collections: number): boolean {
    return collections <= LOOK_COLLECTIONS
  }

  /** Within that there are some looks, be they as far apart as can be. */
  fewMs(collections: number): number {
    return FEW_LOOKS * this.#apart(collections, LOOK_MS_MAX)
  }

  #unseenMsMax(reserveMs: number): number {
    return Math.max(LOOK_MS_MIN, (this.#intervalMsMax - reserveMs) * UNSEEN_SHARE)
  }

  /** A look goes through all collections. */
  #apart(collections: number, lookMs: number): number {
    return Math.min(this.#intervalMs, lookMs * Math.max(1, Math.ceil(collections / LOOK_COLLECTIONS)))
  }
}
