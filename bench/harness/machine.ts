/** What the measurements were made on, and how much others used of it meanwhile. */
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'

/** Units of /proc/stat per second on Linux. */
const TICKS_PER_SECOND = 100

export interface Cpu {
  readonly atMs: number
  readonly busyMs: number
}

/** Busy time of all processors together; undefined off Linux. */
export function readCpu(): Cpu | undefined {
  try {
    const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] as string).trim().split(/\s+/).slice(1).map(Number)
    const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = fields
    return { atMs: performance.now(), busyMs: ((user + nice + system + irq + softIrq) / TICKS_PER_SECOND) * 1000 }
  } catch {
    return undefined
  }
}

/** Share of the machine, 0 to 1, that was neither idle nor `ownMs`. */
export function foreignShare(before: Cpu | undefined, after: Cpu | undefined, ownMs: number): number | undefined {
  if (before === undefined || after === undefined) return undefined
  return Math.max(0, after.busyMs - before.busyMs - ownMs) / (after.atMs - before.atMs) / cpus().length
}

/** For how long this process's main thread wanted a processor so far and had none, in ms; NaN where the system does not say. */
export function waitedMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return Number.NaN
  }
}

export function describeMachine(): Record<string, string | number> {
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    system: `${platform()} ${release()} ${arch()}`,
    processors: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGB: Math.round(totalmem() / 1e9),
  }
}
