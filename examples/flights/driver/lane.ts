/**
 * One side of the comparison over all its lives: the service with the engine, or the one without.
 * Owns the process and what was measured of it. Does not own the plan (drill.ts).
 * Invariant it checks: after a crash the service goes on at a position not before the last one reported durable, not after the last one
 * that was in memory.
 */
import type { EngineFigures, ServiceSettings } from '../messages.ts'
import { type Load, SAMPLE_FLIGHTS } from './load.ts'
import { ServiceProcess } from './service-process.ts'

/** A restart as it was seen from outside. */
export interface Restart {
  readonly after: 'SIGKILL' | 'close'
  /** More than one when it was killed again before it answered. */
  readonly kills: number
  readonly positionBefore: number
  readonly durableBefore: number
  readonly position: number
  readonly replayed: number
  readonly openMs: number
  readonly sinceSpawnMs: number
  readonly sinceListeningMs: number
  /** Read of files until the first answer; null where the system does not count. */
  readonly readBytes: number | null
  readonly entries: number
  /** Of the state on disk. */
  readonly stateBytes: number
}

export class Lane {
  readonly latencies: number[] = []
  /** Of the requests in the first moments after a start, while code and caches are cold. */
  readonly coldLatencies: number[] = []
  readonly restarts: Restart[] = []
  readonly checkpoints = { count: 0, bytes: 0, records: 0 }
  readonly figures: EngineFigures[] = []
  /** Requests that a kill cut off. */
  cutOff = 0
  kills = 0
  /** Requests that were due between a kill and the first answer after it. */
  missed = 0
  /** Time in which it was fed, without the time it was down. */
  fedMs = 0
  fedFlights = 0
  position = 0
  readonly #settings: ServiceSettings
  readonly #load: Load
  readonly #warmUpMs: number
  readonly #problem: (text: string) => void
  #process: ServiceProcess | undefined
  #durable = 0
  #port = 0
  /** Set by the first load after a start: the other side rests first, and compiles nothing while it does. */
  #warmAtMs: number | undefined
  #feedStartedMs: number | undefined
  /** Since the last answer. */
  #killsUnanswered = 0
  #missedBefore: number | undefined
  #awaited: { there: () => boolean; resolve: () => void } | undefined
  readonly #completeAt: number

  /** `completeAt`: from this position on there is an answer to whatever the load asks for. */
  constructor(settings: ServiceSettings, load: Load, completeAt: number, warmUpMs: number, problem: (text: string) => void) {
    this.#settings = settings
    this.#load = load
    this.#completeAt = completeAt
    this.#warmUpMs = warmUpMs
    this.#problem = problem
  }

  get port(): number {
    return this.#port
  }

  /** Resolves when the process that was started last has ended; a problem of it is told by then. */
  get ended(): Promise<unknown> | undefined {
    return this.#process?.ended
  }

  /** Starts the process; resolves when it has answered once. `after`: how the life before ended, if there was one. */
  async start(after?: Restart['after']): Promise<void> {
    const life = this.figures.length
    this.#process = new ServiceProcess(this.#settings, {
      onPosition: position => this.#reached(position),
      onCheckpoint: point => this.#checkpointed(point),
      onFigures: figures => {
        this.figures[life] = figures
      },
      onProblem: this.#problem,
    })
    const { port, position, ...seen } = await this.#process.firstAnswer(SAMPLE_FLIGHTS)
    if (after !== undefined) {
      const before = { after, kills: this.#killsUnanswered, positionBefore: this.position, durableBefore: this.#durable }
      this.restarts.push({ ...before, position, replayed: this.position - position, ...seen })
      const least = after === 'close' ? this.position : this.#durable
      if (position < least) this.#problem(`restarted at ${position}, but ${least} was durable before the ${after}`)
      if (position > this.position) this.#problem(`restarted at ${position}, but only ${this.position} was in memory before the ${after}`)
    }
    this.position = position
    this.#killsUnanswered = 0
    this.#durable = Math.max(this.#durable, position)
    this.#port = port
    this.#warmAtMs = undefined
  }

  /** Goes on feeding, and takes the load, unless it was told to end meanwhile. */
  feed(): void {
    if (this.#process?.stopping !== false) return
    this.#feedStartedMs = performance.now()
    this.#process?.feed()
    if (this.#missedBefore !== undefined) this.missed += this.#load.missed - this.#missedBefore
    this.#missedBefore = undefined
    this.#warmAtMs ??= performance.now() + this.#warmUpMs
    const warmAtMs = this.#warmAtMs
    const process = this.#process
    this.#load.aim({
      port: this.#port,
      complete: () => this.position >= this.#completeAt,
      answered: latencyMs => (performance.now() < warmAtMs ? this.coldLatencies : this.latencies).push(latencyMs),
      failed: error => {
        if (process?.stopping) this.cutOff++
        else this.#problem(`a request failed: ${error.message}`)
      },
    })
  }

  /** Resolves when this position is in memory. */
  reaches(position: number): Promise<void> {
    return this.#until(() => this.position >= position, `on the way to ${position}`)
  }

  /** Resolves when this position is durable. */
  keeps(position: number): Promise<void> {
    return this.#until(() => this.#durable >= position, `before ${position} was durable`)
  }

  async pause(): Promise<void> {
    this.#load.aim(undefined)
    await this.#process?.pause()
    this.#stopClock()
  }

  async kill(): Promise<void> {
    this.kills++
    this.#killsUnanswered++
    this.#load.aim(undefined)
    this.#missedBefore ??= this.#load.missed
    this.#stopClock()
    await this.#process?.kill()
  }

  async terminate(): Promise<void> {
    this.#load.aim(undefined)
    await this.#process?.terminate()
  }

  async #until(there: () => boolean, when: string): Promise<void> {
    if (there()) return
    const reached = new Promise<void>(resolve => {
      this.#awaited = { there, resolve }
    })
    const ended = this.#process?.ended.then(how => Promise.reject(new Error(`it ${how} ${when}`)))
    await Promise.race([reached, ended])
  }

  #tellAwaited(): void {
    if (!this.#awaited?.there()) return
    this.#awaited.resolve()
    this.#awaited = undefined
  }

  #stopClock(): void {
    if (this.#feedStartedMs !== undefined) this.fedMs += performance.now() - this.#feedStartedMs
    this.#feedStartedMs = undefined
  }

  #reached(position: number): void {
    this.fedFlights += position - this.position
    this.position = position
    this.#tellAwaited()
  }

  #checkpointed({ position, bytes, records }: { position: number; bytes: number; records: number }): void {
    this.checkpoints.count++
    this.checkpoints.bytes += bytes
    this.checkpoints.records += records
    this.#durable = Math.max(this.#durable, position)
    this.#tellAwaited()
  }
}
