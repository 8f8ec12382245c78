/**
 * What of the past can be restored: which fold points are kept. Pure functions.
 *
 * Invariants: the points reach back as far as is asked for, however far apart they are; they thin out with age, and the same are left however
 * often that is looked at; however long they are to be kept, and whatever their clock says, they are no more than `keepLast` and
 * RETAINED_POINTS_MAX, and as many as may be asked for of those up to `keepUpTo`. Thinning loses no epoch that can be restored, for the log reaches back to the oldest point: the way to it from the point
 * before becomes longer.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../base/durations.ts'
import { KEEP_LAST_MAX, RETAINED_POINTS_MAX } from '../base/limits.ts'
import type { Manifest, RetainedPoint } from '../format/index.ts'

export interface Retention {
  /** Fold points kept whatever their age, the newest included; each is a recovery point. At least 1. */
  readonly keepLast: number
  /**
   * Milliseconds for which fold points are kept: one a minute, of those older than a day one an hour, of those older than 30 days one a day, and
   * the last one before.
   */
  readonly keepMs: number
  /** Fold points up to this epoch are kept beside those, as far as settings can ask for it: what `keepLast` and `keepMs` say is of later ones. */
  readonly keepUpTo?: number
}

/** Whether it is the manifest of a point that a store keeps. Where copies of two histories were put together that of its number may be of the other one. */
export function isOfPoint({ storeId, fold }: Manifest, ofStore: string, { epoch, timeMs }: RetainedPoint): boolean {
  return storeId === ofStore && (fold?.epoch ?? 0) === epoch && (fold === null || fold.timeMs === timeMs)
}

/** The most that settings can ask for. */
const ALL = { keepLast: KEEP_LAST_MAX, keepMs: Number.MAX_SAFE_INTEGER }

/** The ages in ms of points that stand in order, oldest first; with one more behind them, that of the fold point, unless it is just being made. */
export type AgesOf = (points: readonly RetainedPoint[]) => readonly number[]

const MONTH_MS = 30 * DAY_MS

/** While they are kept points are looked at for their age so many times, where nothing is folded, and within these bounds. */
const LOOKS = 60
const LOOK_MS_MIN = MINUTE_MS
const LOOK_MS_MAX = HOUR_MS

export function ageLookMs({ keepMs }: Retention): number {
  return Math.min(Math.max(LOOK_MS_MIN, keepMs / LOOKS), LOOK_MS_MAX)
}

/** The points that are kept, oldest first; `points` are those before the fold point, which stays or is just being made. */
export function retain(points: readonly RetainedPoint[], agesOf: AgesOf, retention: Retention): readonly RetainedPoint[] {
  const { keepUpTo = -1 } = retention
  const ages = agesOf(points)
  const own = points.findLastIndex(({ epoch }) => epoch <= keepUpTo) + 1
  return [...retainOf(points.slice(0, own), ages, ALL), ...retainOf(points.slice(own), ages.slice(own), retention)]
}

function retainOf(points: readonly RetainedPoint[], ages: readonly number[], { keepLast, keepMs }: Retention): readonly RetainedPoint[] {
  // The fold point itself is one of those to keep.
  const last = Math.max(0, points.length - keepLast + 1)
  const thinned: number[] = []
  for (const [at, { timeMs }] of points.slice(0, last).entries()) {
    const age = ages[at] as number
    const step = stepMs(age)
    const before = thinned.at(-1)
    // A wall clock that stands still puts all into one.
    const isApart = before === undefined || (ages[before] as number) - age >= step
    if (isApart || Math.floor((points[before] as RetainedPoint).timeMs / step) !== Math.floor(timeMs / step)) thinned.push(at)
  }
  // One goes when the next reaches back as far as is asked for: what came between the two lies behind the first alone.
  const first = thinned.findIndex((_, index) => (ages[thinned[index + 1] ?? last] ?? 0) < keepMs)
  let older = first < 0 ? [] : thinned.slice(first).map(at => points[at] as RetainedPoint)
  while (older.length > RETAINED_POINTS_MAX) {
    const half = older.length / 2
    older = older.filter((_, at) => at >= half || at % 2 === 0)
  }
  return [...older, ...points.slice(last)]
}

/**
 * Ages by their own times, as of `nowMs`. One that says that it comes from later, or from before one that stands in front of it, was made when a
 * clock was wrong: it is at least as old as the next one that does not.
 */
export function agesAt(nowMs: number): AgesOf {
  return points => {
    let latestMs = Number.NEGATIVE_INFINITY
    const times = points.map(({ timeMs }) => {
      if (timeMs > nowMs || timeMs < latestMs) return undefined
      latestMs = timeMs
      return timeMs
    })
    const ages: number[] = []
    let madeMs = nowMs
    for (const timeMs of times.reverse()) {
      madeMs = timeMs ?? madeMs
      ages.push(nowMs - madeMs)
    }
    return ages.reverse()
  }
}

function stepMs(ageMs: number): number {
  return ageMs <= DAY_MS ? MINUTE_MS : ageMs <= MONTH_MS ? HOUR_MS : DAY_MS
}
