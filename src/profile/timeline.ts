/**
 * Records and bytes over time: in steps that grow with the history, and by the hour of the day.
 *
 * Owns: the steps. Does not own: what time counts as covered (profiler.ts).
 * Invariants: at most STEPS_MAX steps, then two become one; time that is not covered is in no step and no hour.
 */
import { DAY_MS, HOUR_MS } from '../base/durations.ts'
import type { HourOfDay, Lull } from './types.ts'

const STEPS_MAX = 1024
const STEP_MS_FIRST = 250
/** Of an hour of the day, that must be covered before there is a daily pattern to speak of. */
const HOUR_SHARE_MIN = 0.5
/** Of the mean rate, under which there is a lull. */
const LULL_SHARE = 0.25
/** A step shorter than so many intervals would show single epochs. */
const STEP_INTERVALS_MIN = 4
const LULLS_LISTED_MAX = 10

export interface Steps {
  readonly stepMs: number
  readonly records: readonly number[]
  readonly bytes: readonly number[]
  /** When each began, ms since 1970. */
  readonly from: readonly number[]
}

export class Timeline {
  #stepMs = STEP_MS_FIRST
  #records: number[] = []
  #bytes: number[] = []
  #from: number[] = []
  #coveredMs = 0
  readonly #hours = Array.from({ length: 24 }, () => ({ coveredMs: 0, records: 0, bytes: 0 }))

  get coveredMs(): number {
    return this.#coveredMs
  }

  /** `gapMs` of covered time ended at `timeMs` (since 1970) with a barrier. */
  add(timeMs: number, gapMs: number, records: number, bytes: number): void {
    this.#coverHours(timeMs, gapMs)
    const hour = this.#hours[hourOf(timeMs)] as { records: number; bytes: number }
    hour.records += records
    hour.bytes += bytes
    this.#coveredMs += gapMs
    while (this.#coveredMs >= STEPS_MAX * this.#stepMs) this.#widen()
    const begin = timeMs - this.#coveredMs
    // An epoch's time ends at its barrier: one right on the line between two steps belongs to the first.
    const step = Math.max(0, Math.ceil(this.#coveredMs / this.#stepMs) - 1)
    for (let next = this.#records.length; next <= step; next++) {
      this.#records.push(0)
      this.#bytes.push(0)
      this.#from.push(begin + next * this.#stepMs)
    }
    this.#records[step] = (this.#records[step] as number) + records
    this.#bytes[step] = (this.#bytes[step] as number) + bytes
  }

  #coverHours(timeMs: number, gapMs: number): void {
    const days = Math.floor(gapMs / DAY_MS)
    for (const hour of this.#hours) hour.coveredMs += days * HOUR_MS
    for (let end = timeMs, left = gapMs - days * DAY_MS; left > 0; ) {
      const inHour = Math.min(left, end - Math.floor((end - 1) / HOUR_MS) * HOUR_MS)
      const hour = this.#hours[hourOf(end - 1)] as { coveredMs: number }
      hour.coveredMs += inHour
      end -= inHour
      left -= inHour
    }
  }

  #widen(): void {
    const half = (values: readonly number[]): number[] => {
      const joined: number[] = []
      for (let at = 0; at < values.length; at += 2) joined.push((values[at] as number) + (values[at + 1] ?? 0))
      return joined
    }
    this.#records = half(this.#records)
    this.#bytes = half(this.#bytes)
    this.#from = this.#from.filter((_, index) => index % 2 === 0)
    this.#stepMs *= 2
  }

  /** In steps of at least a few intervals. */
  steps(intervalMs: number): Steps {
    while (this.#stepMs < STEP_INTERVALS_MIN * intervalMs) this.#widen()
    return { stepMs: this.#stepMs, records: this.#records, bytes: this.#bytes, from: this.#from }
  }

  /** `even`: no gap between two epochs is most of the time. */
  daily(even: boolean): { enough: boolean; hours: HourOfDay[] } {
    const covered = this.#hours.flatMap(({ coveredMs, records, bytes }, hour) =>
      coveredMs === 0
        ? []
        : [{ hour, coveredMs, recordsPerSecond: perSecond(records, coveredMs), bytesPerSecond: perSecond(bytes, coveredMs) }],
    )
    return { enough: even && this.#hours.every(({ coveredMs }) => coveredMs >= HOUR_SHARE_MIN * HOUR_MS), hours: covered }
  }
}

/** Stretches of whole steps under a quarter of the mean rate; of the last step, which is not over, nothing is said. */
export function lullsOf({ stepMs, records, from }: Steps): { count: number; timeShare: number; longest: Lull[] } {
  const whole = records.slice(0, -1)
  const mean = whole.reduce((sum, value) => sum + value, 0) / whole.length
  const found: Lull[] = []
  for (let at = 0; at < whole.length; ) {
    let end = at
    let sum = 0
    while (end < whole.length && (whole[end] as number) < LULL_SHARE * mean) sum += whole[end++] as number
    if (end > at)
      found.push({ fromMs: from[at] as number, durationMs: (end - at) * stepMs, recordsPerSecond: perSecond(sum, (end - at) * stepMs) })
    at = end + 1
  }
  const lullMs = found.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const longest = found.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, LULLS_LISTED_MAX)
  return { count: found.length, timeShare: whole.length === 0 ? 0 : lullMs / (whole.length * stepMs), longest }
}

export function perSecond(count: number, ms: number): number {
  return ms > 0 ? (1000 * count) / ms : 0
}

function hourOf(timeMs: number): number {
  // A clock near 1970 gives times before it.
  return ((Math.floor(timeMs / HOUR_MS) % 24) + 24) % 24
}
