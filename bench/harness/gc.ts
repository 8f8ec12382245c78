/** V8's own pauses, to tell them from those of an engine. */
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** `performance.measure`'s kind for a scavenge. */
const MINOR = 1

export interface GcPause {
  readonly startMs: number
  readonly ms: number
  readonly minor: boolean
}

export interface GcSummary {
  readonly minorCount: number
  readonly minorMs: number
  readonly minorMaxMs: number
  readonly majorCount: number
  readonly majorMs: number
  readonly majorMaxMs: number
}

export class GcWatch {
  readonly pauses: GcPause[] = []
  readonly #observer: PerformanceObserver

  constructor() {
    this.#observer = new PerformanceObserver(list => this.#take(list.getEntries()))
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  /** Call it a turn after the last pause of interest. */
  stop(): void {
    this.#take(this.#observer.takeRecords())
    this.#observer.disconnect()
  }

  summary(): GcSummary {
    const of = (minor: boolean): [number, number, number] => {
      const list = this.pauses.filter(pause => pause.minor === minor).map(pause => pause.ms)
      return [list.length, list.reduce((sum, ms) => sum + ms, 0), Math.max(0, ...list)]
    }
    const [minorCount, minorMs, minorMaxMs] = of(true)
    const [majorCount, majorMs, majorMaxMs] = of(false)
    return { minorCount, minorMs, minorMaxMs, majorCount, majorMs, majorMaxMs }
  }

  /** How much of a span was a pause. */
  within(startMs: number, endMs: number): number {
    let sum = 0
    for (const { startMs: start, ms } of this.pauses) sum += Math.max(0, Math.min(endMs, start + ms) - Math.max(startMs, start))
    return sum
  }

  #take(entries: readonly PerformanceEntry[]): void {
    for (const entry of entries) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail
      this.pauses.push({ startMs: entry.startTime, ms: entry.duration, minor: kind === MINOR })
    }
  }
}
