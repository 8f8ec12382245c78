/**
 * What of the past can be restored: which fold points are kept. Pure functions.
 *
 * Invariants: points thin out with age, and the same are left however often that is looked at; however long they are to be kept, and whatever
 * their clock says, they are no more than `keepLast` and RETAINED_POINTS_MAX. Thinning loses no epoch that can be restored, for the log reaches
 * back to the oldest point: the way to it from the point before becomes longer.
 */
import { RETAINED_POINTS_MAX } from '../base/limits.ts'
import type { RetainedPoint } from '../format/index.ts'

export interface Retention {
  /** Fold points kept whatever their age, the newest included; each is a recovery point. At least 1. */
  readonly keepLast: number
  /** Milliseconds for which fold points are kept: one a minute, of those older than a day one an hour, of those older than 30 days one a day. */
  readonly keepMs: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MONTH_MS = 30 * DAY_MS

/** The points that are kept, oldest first; `points` ends with the one that is just being left. */
export function retain(points: readonly RetainedPoint[], nowMs: number, { keepLast, keepMs }: Retention): readonly RetainedPoint[] {
  // The fold point itself is one of those to keep.
  const last = Math.max(0, points.length - keepLast + 1)
  let older: RetainedPoint[] = []
  for (const point of points.slice(0, last)) {
    const ageMs = nowMs - point.timeMs
    const step = stepMs(ageMs)
    // It goes when the next one is old enough: the points reach back as far as is asked for.
    if (keepMs === 0 || ageMs > keepMs + step - MINUTE_MS) continue
    const before = older.at(-1)
    if (before === undefined || Math.floor(before.timeMs / step) !== Math.floor(point.timeMs / step)) older.push(point)
  }
  while (older.length > RETAINED_POINTS_MAX) {
    const half = older.length / 2
    older = older.filter((_, at) => at >= half || at % 2 === 0)
  }
  return [...older, ...points.slice(last)]
}

function stepMs(ageMs: number): number {
  return ageMs <= DAY_MS ? MINUTE_MS : ageMs <= MONTH_MS ? HOUR_MS : DAY_MS
}
