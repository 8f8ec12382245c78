/**
 * How busy the process is now, against the last while: the pattern of seconds.
 *
 * Owns: two fading means, of the last looks and of the last while; whether this is a lull. Does not own: the pattern of the day (day.ts).
 * Invariants: a lull is relative, so an even load has none; it begins below a half and ends above three quarters, so that it does not flap.
 */
import { Fading } from './fading.ts'

/** A loop less busy than this is at rest, whatever it was before. */
const LOAD_IDLE = 0.1
const ENTER_SHARE = 0.5
const LEAVE_SHARE = 0.75
/** Lulls are to be expected when so much of the last while was one. */
const EXPECTED_SHARE = 0.1

export class Activity {
  readonly load: Fading
  readonly rate: Fading
  readonly #recentLoad: Fading
  readonly #recentRate: Fading
  readonly #lulls: Fading
  readonly #recentMs: number
  lull = false

  constructor(nowMs: number, recentMs: number) {
    this.#recentMs = recentMs
    this.load = new Fading(nowMs)
    this.rate = new Fading(nowMs)
    this.#recentLoad = new Fading(recentMs)
    this.#recentRate = new Fading(recentMs)
    this.#lulls = new Fading(recentMs)
  }

  /** For `ms` the loop was busy to a share of `load`, and `rate` keys a second were written. */
  observe(ms: number, load: number, rate: number): void {
    this.load.add(load, ms)
    this.rate.add(rate, ms)
    this.#recentLoad.add(load, ms)
    this.#recentRate.add(rate, ms)
    this.lull = this.#isLull(this.lull ? LEAVE_SHARE : ENTER_SHARE)
    this.#lulls.add(this.lull ? 1 : 0, ms)
  }

  /** Busier than the last while was, or than a loop should be. */
  get busy(): boolean {
    return this.rate.value > 1.25 * this.#recentRate.value || this.load.value > 0.8
  }

  /** Keys a second, of the last while. */
  get recentRate(): number {
    return this.#recentRate.value
  }

  get lullsExpected(): boolean {
    return this.#lulls.value >= EXPECTED_SHARE
  }

  #isLull(share: number): boolean {
    if (this.#recentRate.knownMs < this.#recentMs / 3 || this.#recentRate.value <= 0) return false
    const atRest = this.load.value <= Math.max(LOAD_IDLE, share * this.#recentLoad.value)
    return atRest && this.rate.value <= share * this.#recentRate.value
  }
}
