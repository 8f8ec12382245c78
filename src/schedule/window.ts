/**
 * When the barrier falls: a pure function of what is known, and the length of the window it aims at.
 *
 * Owns: the target. Does not own: the barrier, what is observed.
 * Invariants: the RPO goes before everything else; a window that is not elastic is `intervalMs`, and ends earlier only for `deltaBytesMax`, the RPO, or
 * behind a burst of writes that ends in its last sixteenth; the target changes at commits only, by thresholds that lie apart, and grows at the second
 * commit behind any change, at the earliest; it never reaches into the reserve, and what that takes from it commit by commit, and gives it back, is said
 * once it has come to something.
 */
import type { BarrierReason, CadenceSettings } from './types.ts'

export interface WindowFacts {
  /** Since the last barrier, or since there was last nothing to cut. */
  readonly elapsedMs: number
  /** At most, of the oldest change that is not cut. */
  readonly ageMs: number
  /** Kept for capture and commit. */
  readonly reserveMs: number
  /** Until something that epochs leave out has to be taken; Infinity: nothing is left out. */
  readonly lagLeftMs: number
  readonly deltaBytes: number
  readonly targetMs: number
  readonly lull: boolean
  readonly lullsExpected: boolean
  readonly busy: boolean
  /** Whether a burst of writes has just ended; undefined: none is to be expected. */
  readonly behindBurst: boolean | undefined
  readonly paused: boolean
}

/** Of the window, at its end: a barrier may fall so early behind a burst. */
const EARLY_SHARE = 1 / 16
/** Between two looks for its end. */
const BURST_LOOK_MS = 5

export type WindowPlan = { readonly falls: BarrierReason } | { readonly falls: undefined; readonly inMs: number }

/** `inMs`: nothing is due before, unless something else happens. */
export function planBarrier(settings: CadenceSettings, facts: WindowFacts): WindowPlan {
  const { intervalMsMin, intervalMsMax, deltaBytesMax, elastic } = settings
  const { elapsedMs, ageMs, reserveMs, lagLeftMs, deltaBytes, targetMs, lull, lullsExpected, busy, behindBurst, paused } = facts
  const leftMs = Math.min(intervalMsMax - reserveMs - ageMs, lagLeftMs)
  const late = elapsedMs >= targetMs
  if (leftMs <= 0) return { falls: late && !paused && !elastic ? 'interval' : 'rpo' }
  if (deltaBytes >= deltaBytesMax && elapsedMs >= intervalMsMin) return { falls: 'delta' }
  if (paused) return { falls: undefined, inMs: leftMs }
  if (elastic && lull && elapsedMs >= Math.max(intervalMsMin, targetMs / 2)) return { falls: late ? 'interval' : 'lull' }
  if (late) return elastic && busy && lullsExpected ? { falls: undefined, inMs: leftMs } : { falls: 'interval' }
  if (behindBurst === undefined) return { falls: undefined, inMs: Math.min(targetMs - elapsedMs, leftMs) }
  const earlyMs = Math.max(intervalMsMin, targetMs * (1 - EARLY_SHARE))
  if (behindBurst && elapsedMs >= earlyMs) return { falls: 'interval' }
  return { falls: undefined, inMs: Math.min(Math.max(earlyMs - elapsedMs, Math.min(BURST_LOOK_MS, targetMs - elapsedMs)), leftMs) }
}

export interface WindowCommit {
  /** Share of the listed keys that needed no record, because another of the same key did. */
  readonly rewrites: number
  readonly load: number
  readonly commitMs: number
  readonly reserveMs: number
}

const STEP = 1.5
/** Less is not worth saying: how long commits take is never quite the same. */
const WORTH = 1.1
const REWRITES_MIN = 0.3
const LOAD_HIGH = 0.7
const LOAD_LOW = 0.5
const COMMITS_BETWEEN = 2

export class Window {
  targetMs: number
  /** The target that was said last. */
  saidMs: number
  readonly #settings: CadenceSettings
  #commits = 0

  constructor(settings: CadenceSettings) {
    this.#settings = settings
    this.targetMs = this.saidMs = settings.intervalMs
  }

  /** Gives why the target changed. */
  committed({ rewrites, load, commitMs, reserveMs }: WindowCommit): 'rewrites' | 'calm' | 'slow-commits' | undefined {
    const { intervalMs, intervalMsMax, elastic } = this.#settings
    if (!elastic) return undefined
    const longestMs = Math.max(intervalMs, intervalMsMax - reserveMs)
    if (this.targetMs > longestMs) {
      return this.saidMs >= longestMs * WORTH ? this.#change(longestMs, 'slow-commits') : this.#follow(longestMs)
    }
    if (++this.#commits < COMMITS_BETWEEN) return undefined
    const loaded = load >= LOAD_HIGH || commitMs >= this.targetMs / 2
    const calm = load < LOAD_LOW && commitMs < this.targetMs / 4
    const longerMs = Math.min(longestMs, this.targetMs * STEP)
    if (loaded && rewrites >= REWRITES_MIN && longerMs >= this.targetMs * WORTH)
      return longerMs >= this.saidMs * WORTH ? this.#change(longerMs, 'rewrites') : this.#follow(longerMs)
    if (calm && this.targetMs > intervalMs) return this.#change(Math.max(intervalMs, this.targetMs / STEP), 'calm')
    return undefined
  }

  #change<Why>(targetMs: number, why: Why): Why {
    this.saidMs = targetMs
    this.#follow(targetMs)
    return why
  }

  #follow(targetMs: number): undefined {
    this.targetMs = targetMs
    this.#commits = 0
  }
}
