/** A process and its storage, as simple as can be, for the scheduler: writes come at a rate, commits take a time, the loop has a load. */
import { Cadence, type CadenceSettings, type Decision } from '../../src/schedule/index.ts'
import { SimulatedClock } from '../../src/testing/index.ts'

export interface WorldOptions {
  readonly settings?: Partial<CadenceSettings>
  /** Keys a second at a time. */
  readonly rate: (ms: number) => number
  /** From barrier to acknowledgement, begun at a time. */
  readonly commitMs?: (ms: number) => number
  readonly load?: (ms: number) => number
  /** The loop is blocked from a time on for so long, 0: it is not. */
  readonly blockedMs?: (ms: number) => number
  /** Different keys: more writes than that are written again. */
  readonly keysMax?: number
  readonly keyBytes?: number
  readonly startMs?: number
}

export const SETTINGS: CadenceSettings = {
  intervalMs: 1000,
  intervalMsMin: 250,
  intervalMsMax: 4000,
  elastic: false,
  deltaBytesMax: 64 * 1024 * 1024,
  cycleMs: 86_400_000,
}

export class CadenceWorld {
  readonly clock: SimulatedClock
  readonly cadence: Cadence
  readonly decisions: (Decision & { readonly at: number })[] = []
  looks = 0
  commits = 0
  records = 0
  inFlightBytes = 0
  /** The oldest change not durable, as it really is: its age at worst, and the times at which it was too old. */
  worstMs = 0
  readonly tooOld: number[] = []
  readonly #options: WorldOptions
  #keys = 0
  #oldest: number | undefined
  #flight: { readonly ends: number; readonly oldest: number | undefined; readonly keys: number } | undefined
  #wanted = false
  #lookAt: number

  constructor(options: WorldOptions) {
    this.#options = options
    this.clock = new SimulatedClock(options.startMs)
    const settings = { ...SETTINGS, ...options.settings }
    let looked = 0
    this.cadence = new Cadence({
      clock: this.clock,
      loopLoad: () => {
        const now = this.clock.monotonic()
        const load = options.load?.((now + looked) / 2) ?? 0.1
        looked = now
        return load
      },
      settings,
      decided: decision => this.decisions.push({ ...decision, at: this.clock.monotonic() }),
    })
    this.#lookAt = this.cadence.firstLookMs
  }

  get settings(): CadenceSettings {
    return this.cadence.settings
  }

  of(type: Decision['type'], reason?: string): (Decision & { readonly at: number })[] {
    return this.decisions.filter(decision => decision.type === type && (reason === undefined || decision.reason === reason))
  }

  /** Steps of `stepMs`, or to the next event. */
  run(untilMs: number, stepMs = 10): void {
    while (this.clock.monotonic() < untilMs) {
      const now = this.clock.monotonic()
      const next = Math.min(untilMs, now + stepMs, Math.max(now + 0.5, this.#lookAt), this.#flight?.ends ?? Number.POSITIVE_INFINITY)
      const blocked = this.#options.blockedMs?.(now) ?? 0
      this.#write(now, Math.max(next, now + blocked))
      if (this.#flight !== undefined && this.#flight.ends <= this.clock.monotonic()) this.#land(this.#flight)
      if (this.#lookAt <= this.clock.monotonic()) this.#look()
    }
  }

  ask(): void {
    if (this.#flight === undefined) this.#cut('asked')
    else this.#wanted = true
  }

  #write(from: number, to: number): void {
    const keys = (Math.max(0, this.#options.rate(from)) * (to - from)) / 1000
    if (keys > 0) this.#oldest ??= from
    this.#keys += keys
    this.clock.advance(Math.max(0, to - from))
    const oldest = this.#flight?.oldest ?? this.#oldest
    const age = oldest === undefined ? 0 : this.clock.monotonic() - oldest
    this.worstMs = Math.max(this.worstMs, age)
    if (age > this.settings.intervalMsMax) this.tooOld.push(this.clock.monotonic())
  }

  #changed(): { id: number; keys: number }[] {
    return this.#keys > 0 ? [{ id: 1, keys: Math.ceil(this.#keys) }] : []
  }

  #look(): void {
    this.looks++
    const { barrier, againMs } = this.cadence.look({
      dirty: this.#oldest !== undefined,
      changed: this.#changed(),
      collections: 1,
      counted: true,
      inFlightBytes: this.inFlightBytes,
      lag: { laggingMs: 0, uncutMs: 0 },
    })
    this.#lookAt = this.clock.monotonic() + againMs
    if (barrier === undefined) return
    if (this.#flight === undefined) this.#cut(undefined)
    else this.#wanted = true
  }

  #cut(because: 'asked' | undefined): void {
    const now = this.clock.monotonic()
    this.#wanted = false
    const { againMs } = this.cadence.cut(this.#changed(), because)
    this.cadence.handedOver()
    this.#flight = { ends: now + (this.#options.commitMs?.(now) ?? 20), oldest: this.#oldest, keys: Math.ceil(this.#keys) }
    this.#keys = 0
    this.#oldest = undefined
    this.#lookAt = now + againMs
  }

  #land({ keys }: { readonly keys: number }): void {
    this.#flight = undefined
    this.commits++
    const records = Math.min(keys, this.#options.keysMax ?? Number.POSITIVE_INFINITY)
    this.records += records
    this.cadence.committed({ records, written: [{ id: 1, bytes: records * (this.#options.keyBytes ?? 100) }] })
    if (this.#wanted) this.#cut(undefined)
  }
}
