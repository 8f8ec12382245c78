/**
 * How busy each part of the day is: the pattern of days, learned.
 *
 * Owns: load and rate of 96 parts of the cycle (a day unless told otherwise, in UTC), and the part being observed. Does not own: decisions.
 * Invariants: what is observed counts by elapsed time, never by the wall clock, so a clock that jumps puts a sample in another part and does
 * no more; a day is learned quickly at first and then forgotten by a fifth each day.
 */
import { SCHEDULE_PARTS as PARTS } from '../format/index.ts'

/** A part observed for less than this share of it says nothing. */
const COVERAGE_MIN = 0.05
const DAY_SHARE = 0.2
/** Days a part remembers having seen. */
export const WEIGHT_MAX = 30
/** Fewer known parts are no pattern. */
const KNOWN_MIN = 8
/** Below this a loop is at rest: its ups and downs say nothing. */
const LOAD_FLOOR = 0.1

export interface Learned {
  /** Of each part: event-loop utilisation, keys a second, days seen. */
  readonly load: readonly number[]
  readonly rate: readonly number[]
  readonly weight: readonly number[]
}

/** Where a moment stands in the day. */
export interface Standing {
  readonly activity: number
  /** A tenth of the day known so far is quieter than this, and a tenth busier than that. */
  readonly calm: number
  readonly busy: number
}

/** What the day is like: its means, and as `Standing` has them its quiet and its busy hours. */
interface Shape {
  readonly parts: number
  readonly load: number
  readonly rate: number
  readonly calm: number
  readonly busy: number
}

/** 2 at the mean of the day, 1 where only the loop is busy, or only keys are written. */
function activityOf(mean: { readonly load: number; readonly rate: number }, load: number, rate: number): number {
  return load / mean.load + (mean.rate > 0 ? rate / mean.rate : 0)
}

export class Day {
  readonly partMs: number
  readonly #cycleMs: number
  readonly #load = new Float64Array(PARTS)
  readonly #rate = new Float64Array(PARTS)
  readonly #weight = new Float64Array(PARTS)
  /** Of all parts together, until one changes. */
  #shape: Shape | undefined
  #part = -1
  #ms = 0
  #loadMs = 0
  #rateMs = 0

  constructor(cycleMs: number) {
    this.#cycleMs = cycleMs
    this.partMs = cycleMs / PARTS
  }

  /** Share of the day of which something is known. */
  get known(): number {
    return this.#weight.filter(weight => weight > 0).length / PARTS
  }

  /** `utcMs`: the wall clock at the end of the `ms` observed. True when a part was completed. */
  observe(ms: number, utcMs: number, load: number, rate: number): boolean {
    if (!Number.isFinite(utcMs) || !(ms > 0)) return false
    const of = ((utcMs % this.#cycleMs) + this.#cycleMs) % this.#cycleMs
    const part = Math.min(PARTS - 1, Math.floor(of / this.partMs))
    const ended = part !== this.#part && this.#part >= 0
    if (ended) this.#close()
    this.#part = part
    // A process that slept saw one moment, not hours.
    const counts = Math.min(ms, this.partMs)
    this.#ms += counts
    this.#loadMs += load * counts
    this.#rateMs += rate * counts
    return ended
  }

  /** Undefined: too little is known. */
  standing(load: number, rate: number): Standing | undefined {
    this.#shape ??= this.#look()
    if (this.#shape.parts < KNOWN_MIN) return undefined
    const { calm, busy } = this.#shape
    return { activity: activityOf(this.#shape, load, rate), calm, busy }
  }

  /** What is worth keeping. */
  learned(): Learned {
    return { load: [...this.#load], rate: [...this.#rate], weight: [...this.#weight] }
  }

  /** What was learned before joins what was seen since; parts that were seen since stay as they are. */
  remember({ load, rate, weight }: Learned): void {
    this.#shape = undefined
    for (let part = 0; part < PARTS; part++) {
      if ((this.#weight[part] as number) > 0) continue
      this.#load[part] = load[part] as number
      this.#rate[part] = rate[part] as number
      this.#weight[part] = Math.min(WEIGHT_MAX, weight[part] as number)
    }
  }

  #look(): Shape {
    const known: number[] = []
    for (let part = 0; part < PARTS; part++) if ((this.#weight[part] as number) > 0) known.push(part)
    const mean = (of: Float64Array): number => known.reduce((sum, part) => sum + (of[part] as number), 0) / Math.max(1, known.length)
    const means = { load: Math.max(LOAD_FLOOR, mean(this.#load)), rate: mean(this.#rate) }
    const activities = known.map(part => activityOf(means, this.#load[part] as number, this.#rate[part] as number)).sort((a, b) => a - b)
    const at = (share: number): number => activities[Math.round((activities.length - 1) * share)] ?? 0
    return { ...means, parts: known.length, calm: at(0.1), busy: at(0.9) }
  }

  #close(): void {
    this.#shape = undefined
    const coverage = Math.min(1, this.#ms / this.partMs)
    if (coverage >= COVERAGE_MIN) {
      const part = this.#part
      const weight = this.#weight[part] as number
      const share = Math.max(coverage / (weight + coverage), DAY_SHARE * coverage)
      this.#load[part] = (this.#load[part] as number) + (this.#loadMs / this.#ms - (this.#load[part] as number)) * share
      this.#rate[part] = (this.#rate[part] as number) + (this.#rateMs / this.#ms - (this.#rate[part] as number)) * share
      this.#weight[part] = Math.min(WEIGHT_MAX, weight + coverage)
    }
    this.#ms = this.#loadMs = this.#rateMs = 0
  }
}
