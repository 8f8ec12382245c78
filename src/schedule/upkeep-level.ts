/**
 * When heavy upkeep may run: held in the busy part of the day, free in the quiet one, as always in between.
 *
 * Owns: the level, and a fading mean over a third of a part of the day. Does not own: how long upkeep lets itself be held (its tail is bounded,
 * fold/), the pattern.
 * Invariants: without a contrast of two to one in the day nothing is ever held; a level lasts a part of the day at least, and is
 * left by other thresholds than it was entered by.
 */
import type { Day, Standing } from './day.ts'
import { Fading } from './fading.ts'
import type { Decide, UpkeepLevel } from './types.ts'

/** The busy part of a day is so many times as busy as the quiet one. */
const CONTRAST_ENTER = 2
const CONTRAST_LEAVE = 1.5
/** A level is entered so far beyond the middle between quiet and busy, and left as far on the other side. */
const BEYOND = 1.15

export class UpkeepPlan {
  level: UpkeepLevel = 'slow'
  standing: Standing | undefined
  readonly #load: Fading
  readonly #rate: Fading
  readonly #stayMs: number
  readonly #lookMs: number
  #since: number
  #looked: number

  constructor(now: number, partMs: number) {
    this.#load = new Fading(partMs / 3)
    this.#rate = new Fading(partMs / 3)
    this.#stayMs = partMs
    this.#lookMs = partMs / 45
    this.#since = now
    this.#looked = now
  }

  observe(ms: number, load: number, rate: number): void {
    this.#load.add(load, ms)
    this.#rate.add(rate, ms)
  }

  /** The level changed: says to which, and why. */
  tell(decide: Decide): void {
    const { level, standing } = this
    const numbers = standing === undefined ? {} : { activity: standing.activity, calmActivity: standing.calm, busyActivity: standing.busy }
    if (level === 'held') decide('upkeep-held', 'busy', numbers)
    else if (level === 'free') decide('upkeep-free', 'lull', numbers)
    else decide('upkeep-slow', 'even', numbers)
  }

  /** True when the level changed. */
  look(now: number, day: Day): boolean {
    if (now - this.#looked < this.#lookMs) return false
    this.#looked = now
    this.standing = day.standing(this.#load.value, this.#rate.value)
    if (now - this.#since < this.#stayMs) return false
    const level = levelOf(this.level, this.standing)
    if (level === this.level) return false
    this.level = level
    this.#since = now
    return true
  }
}

export function levelOf(old: UpkeepLevel, standing: Standing | undefined): UpkeepLevel {
  if (standing === undefined) return 'slow'
  const { activity, calm, busy } = standing
  const middle = (calm + busy) / 2
  const held = old === 'held'
  const free = old === 'free'
  const contrast = (is: boolean): number => (is ? CONTRAST_LEAVE : CONTRAST_ENTER)
  if (activity >= contrast(held) * calm && activity > (held ? middle / BEYOND : middle * BEYOND)) return 'held'
  if (busy >= contrast(free) * activity && activity < (free ? middle * BEYOND : middle / BEYOND)) return 'free'
  return 'slow'
}
