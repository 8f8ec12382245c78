/**
 * Looks at a measured process from outside, so that a stall in it cannot hide what it does meanwhile: bytes written, memory, segment files.
 * Owns: the samples. Invariant: cumulative values at known times; what lies between two samples is spread evenly over their gap.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytesWritten } from '../harness/written.ts'

const SAMPLE_MS = 25
/** Of memory and of segment files, one sample in so many. */
const SELDOM = 4

export interface Sample {
  readonly atMs: number
  readonly written: number
  readonly segments: number
  readonly residentBytes: number
}

export class Sampler {
  readonly #samples: Sample[] = []
  readonly #folder: string
  #sizes = new Map<string, number>()
  #segments = 0
  #resident = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** For `runChild`. */
  readonly watch = (pid: number): (() => void) => {
    let count = 0
    const look = (): void => {
      if (count++ % SELDOM === 0) {
        this.#resident = residentBytes(pid)
        this.#segments += this.#grown()
      }
      const written = bytesWritten(pid)
      if (written === undefined) return
      const atMs = performance.timeOrigin + performance.now()
      this.add({ atMs, written, segments: this.#segments, residentBytes: this.#resident })
    }
    const timer = setInterval(look, SAMPLE_MS)
    return () => clearInterval(timer)
  }

  add(sample: Sample): void {
    this.#samples.push(sample)
  }

  /** Bytes in each whole window of `widthMs` between the two times, to files or to segment files. */
  windows(of: 'written' | 'segments', beginMs: number, endMs: number, widthMs: number): number[] {
    const windows: number[] = []
    let before = this.#at(of, beginMs)
    for (let at = beginMs + widthMs; at <= endMs; at += widthMs) {
      const now = this.#at(of, at)
      windows.push(now - before)
      before = now
    }
    return windows
  }

  /** Resident memory at the beginning, and the most until the end. */
  memory(beginMs: number, endMs: number): { readonly begin: number; readonly most: number } {
    const during = this.#samples.filter(({ atMs }) => atMs >= beginMs && atMs <= endMs).map(sample => sample.residentBytes)
    return { begin: during[0] ?? Number.NaN, most: during.length > 0 ? Math.max(...during) : Number.NaN }
  }

  /** The longest time without a look: windows shorter than that are not to be trusted. */
  gapMs(beginMs: number, endMs: number): number {
    const times = this.#samples.map(({ atMs }) => atMs).filter(atMs => atMs >= beginMs && atMs <= endMs)
    return times.slice(1).reduce((most, atMs, at) => Math.max(most, atMs - (times[at] as number)), 0)
  }

  /** By linear interpolation; NaN outside of what was sampled. */
  #at(of: 'written' | 'segments', atMs: number): number {
    const samples = this.#samples
    let low = 0
    let high = samples.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((samples[middle] as Sample).atMs < atMs) low = middle + 1
      else high = middle
    }
    const [before, after] = [samples[low - 1], samples[low]]
    if (before === undefined || after === undefined) return Number.NaN
    return before[of] + ((after[of] - before[of]) * (atMs - before.atMs)) / (after.atMs - before.atMs)
  }

  /** Bytes by which segment files have grown since the last look; a file that went takes nothing with it. */
  #grown(): number {
    const folder = join(this.#folder, 'segment')
    const sizes = new Map<string, number>()
    let sum = 0
    try {
      for (const name of readdirSync(folder)) {
        const size = lstatSync(join(folder, name), { throwIfNoEntry: false })?.size
        if (size === undefined) continue
        sizes.set(name, size)
        sum += Math.max(0, size - (this.#sizes.get(name) ?? 0))
      }
    } catch {
      // No store there, or none yet.
      return 0
    }
    this.#sizes = sizes
    return sum
  }
}

function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}

/** Written by a process that writes to no file, such as its messages. */
const NOTHING_BYTES = 16_384

/** The largest of the mean; NaN: nothing was written. */
export function peak(windows: readonly number[]): number {
  const sum = windows.reduce((total, bytes) => total + bytes, 0)
  const mean = sum / windows.length
  return sum > NOTHING_BYTES ? Math.max(...windows) / mean : Number.NaN
}
