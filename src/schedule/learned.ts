/**
 * What one run leaves to the next: the pattern of the day, and the last decisions.
 * Owns both. Does not own: files (keeper.ts), what is made of them.
 * Invariant: a run that learned hardly anything of its own cycle, as an import does, takes the pattern of another away from nobody.
 */
import { SCHEDULE_PARTS, type ScheduleRecord } from '../format/index.ts'
import { Day } from './day.ts'
import { Decisions } from './decisions.ts'

/** A run that learned no more parts of its own cycle hands on the pattern of another. */
const HANDED_ON_PARTS_MAX = 2

export class Learned {
  readonly day: Day
  readonly decisions = new Decisions()
  readonly #cycleMs: number
  /** Learned by whoever runs with another cycle. */
  #other: Omit<ScheduleRecord, 'savedMs' | 'decisions'> | undefined

  constructor(cycleMs: number) {
    this.day = new Day(cycleMs)
    this.#cycleMs = cycleMs
  }

  /** What the next run shall know. */
  record(savedMs: number): ScheduleRecord {
    const own = { cycleMs: this.#cycleMs, ...this.day.learned() }
    const pattern = this.day.known * SCHEDULE_PARTS > HANDED_ON_PARTS_MAX ? own : (this.#other ?? own)
    return { savedMs, ...pattern, decisions: this.decisions.list() }
  }

  /** What an earlier run kept joins what was learned since; a pattern of another cycle is none, and handed on. */
  remember({ savedMs, decisions, ...pattern }: ScheduleRecord): void {
    if (pattern.cycleMs === this.#cycleMs) this.day.remember(pattern)
    else if (pattern.weight.some(weight => weight > 0)) this.#other = pattern
    this.decisions.remember(decisions)
  }
}
