/**
 * Barriers of a run, set by the engine or asked for each interval, and what became of them.
 * Owns: who is asked when, and the times of barriers and acknowledgements. Does not own: the load.
 */
import type { Engine } from '../engines/index.ts'
import { percentile } from '../harness/stats.ts'
import { type TurnWatch, untimed } from '../open-loop/turn-watch.ts'
import type { SpikesAssignment, SpikesResult } from './contract.ts'

interface Acknowledgement {
  readonly atMs: number
  readonly barrierMs: number
}

type Figures = Pick<SpikesResult, 'checkpoints' | 'failedCheckpoints' | 'skipped' | 'checkpointMs' | 'rpoMs' | 'recoveredMs'>

export class Barriers {
  readonly #engine: Engine
  readonly #job: SpikesAssignment
  readonly #watch: TurnWatch
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #operations = 0
  #acknowledged = 0
  #acks: Acknowledgement[] = []
  #ms: number[] = []
  #failed = 0
  #skipped = 0
  #measuredFromMs = Date.now()
  #overMs: number | undefined
  #failuresBefore = 0

  constructor(engine: Engine, job: SpikesAssignment, watch: TurnWatch) {
    this.#engine = engine
    this.#job = job
    this.#watch = watch
    engine.onDurable?.(barrierMs => {
      const atMs = Date.now()
      this.#acks.push({ atMs, barrierMs })
      if (job.barriers !== undefined) this.#ms.push(atMs - barrierMs)
    })
  }

  get operations(): number {
    return this.#operations
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  progress(operations: number): void {
    this.#operations = operations
  }

  /** Asks each `ms`, whoever sets the barriers otherwise; `stop` waits for the last, and asks once more. */
  often(ms: number): { stop(): Promise<void> } {
    const timer = untimed.repeat(() => this.#ask(), ms)
    return {
      stop: async () => {
        clearInterval(timer)
        await this.#running
        await this.#ask()
      },
    }
  }

  /** The interval begins. */
  begin(): void {
    if (this.#job.barriers === undefined) this.#timer = untimed.repeat(() => this.#ask(), this.#job.intervalMs)
  }

  /** What was before does not count. */
  measure(): void {
    const last = this.#acks.at(-1)
    this.#acks = last === undefined ? [] : [last]
    this.#ms = []
    this.#failed = 0
    this.#skipped = 0
    this.#measuredFromMs = Date.now()
    this.#failuresBefore = this.#failures()
  }

  /** What is measured ends now; `end` may come later. */
  over(): void {
    this.#overMs = Date.now()
  }

  /** One more at the end, so that all is durable; the figures are those before. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
    const figures = this.figures(undefined)
    const operations = this.#operations
    await this.#engine.checkpoint()
    this.#acknowledged = operations
    this.#last = figures
  }

  #last: Figures | undefined

  figures(releasedMs: number | undefined): Figures {
    const acks = this.#acks
    const ages = acks.slice(1).map(({ atMs }, at) => atMs - (acks[at] as Acknowledgement).barrierMs)
    // What no barrier followed: all there is of an engine that makes no checkpoints any more.
    ages.push((this.#overMs ?? Date.now()) - (acks.at(-1)?.barrierMs ?? this.#measuredFromMs))
    // An acknowledged barrier no older than an interval: the promise is kept again.
    const kept =
      releasedMs === undefined
        ? undefined
        : acks.find(({ atMs, barrierMs }) => atMs >= releasedMs && atMs - barrierMs <= this.#job.intervalMs)
    const of = (percent: number): number => percentile(this.#ms, percent)
    const now: Figures = this.#last ?? {
      checkpoints: this.#ms.length,
      failedCheckpoints: this.#job.barriers === undefined ? this.#failed : this.#failures() - this.#failuresBefore,
      skipped: this.#skipped,
      checkpointMs: { p50: of(50), p99: of(99), p999: of(99.9), max: of(100) },
      rpoMs: this.#engine.onDurable === undefined ? undefined : Math.max(...ages),
      recoveredMs: undefined,
    }
    if (releasedMs === undefined) return now
    return { ...now, recoveredMs: kept === undefined ? Number.POSITIVE_INFINITY : kept.atMs - releasedMs }
  }

  /** Of checkpoints that nobody asked for only the engine knows. */
  #failures(): number {
    return (this.#engine.stats?.() as { failures?: number } | undefined)?.failures ?? 0
  }

  #ask(): Promise<void> {
    if (this.#running !== undefined) {
      this.#skipped++
      return this.#running
    }
    const operations = this.#operations
    const start = performance.now()
    // The part that runs in the call holds the turn too.
    const asked = this.#watch.run(() => this.#engine.checkpoint())
    this.#running = asked.then(
      () => {
        this.#running = undefined
        this.#acknowledged = operations
        this.#ms.push(performance.now() - start)
      },
      () => {
        this.#running = undefined
        this.#failed++
      },
    )
    return this.#running
  }
}
