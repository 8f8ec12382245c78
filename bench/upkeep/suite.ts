/**
 * What upkeep costs and what it gives back: bytes written for bytes committed, files beside live bytes, before and after most keys are
 * deleted, and how evenly the bytes are written.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { medianOfAll, percentile } from '../harness/stats.ts'
import type { Bound, Context, Outcome, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type {
  Footprint,
  IsolationAssignment,
  IsolationPhase,
  IsolationResult,
  LongResult,
  SteadyResult,
  UpkeepAssignment,
} from './contract.ts'

const MIB = 1024 * 1024
/** The log: the file that is written, and one before it. */
const LOG_BYTES = 2 * 64 * MIB
/** The range that is being merged. */
const RANGE_BYTES = 64 * MIB
/** Young segments that are not merged into the base for so little. */
const SLACK_BYTES = 8 * MIB

export const upkeep: Suite = {
  name: 'upkeep',
  about: 'bytes written for bytes committed, disk space for live bytes, evenness of writing: 1M keys, 9M updates',
  async run(context) {
    const { quick } = context
    const keys = quick ? 50_000 : 1_000_000
    const shared = { keys, theta: 0.99, collect: !quick }
    // Ten times W1's speed and a tenth of its interval: as many checkpoints, of as many updates, as a run ten times as long has.
    const longs: LongResult[] = []
    for (let rep = 0; rep < context.reps; rep++) {
      const folder = join(context.folder, 'long')
      const updates = quick ? 200_000 : 9_000_000
      longs.push(await run<LongResult>(context, { ...shared, role: 'long', folder, updates, perSecond: 100_000, intervalMs: 500 }))
      for (const name of [folder, `${folder}-fresh`]) rmSync(name, { recursive: true, force: true })
    }
    const steady = await run<SteadyResult>(context, {
      ...shared,
      role: 'steady',
      folder: join(context.folder, 'steady'),
      updates: quick ? 20_000 : 600_000,
      perSecond: 10_000,
      intervalMs: quick ? 500 : 5000,
    })
    const isolation = await isolate(context, keys)
    return outcome(context, longs, steady, isolation)
  },
}

async function isolate(context: Context, keys: number): Promise<IsolationResult> {
  const { quick, folder } = context
  const job: IsolationAssignment = { folder: join(folder, 'isolation'), keys, seconds: quick ? 3 : 20, burst: keys * 0.4 }
  context.progress(`isolation: a checkpoint each 50 ms at rest and beside upkeep, ${job.seconds} s each`)
  return (await runChild<IsolationResult>(beside(import.meta.url, 'isolation-worker'), job)).result
}

async function run<T>(context: Context, job: UpkeepAssignment): Promise<T> {
  context.progress(`${job.role}: ${job.updates} updates, ${job.perSecond} a second, a checkpoint each ${job.intervalMs} ms`)
  return (await runChild<T>(beside(import.meta.url, 'worker'), job)).result
}

function outcome(context: Context, longs: readonly LongResult[], steady: SteadyResult, isolation: IsolationResult): Outcome {
  const { rest, busy } = isolation
  return {
    text: [showLong(longs), showFootprints(longs), showSteady(steady), showIsolation(isolation)],
    bounds: boundsOf(longs, steady, isolation),
    data: { longs, steady, isolation: { rest: summary(rest), busy: summary(busy) } },
    missing: [
      ...(steady.all === undefined ? ['upkeep: writing of all files: the system does not count it'] : []),
      ...(context.quick ? ['upkeep: removal of dead files, whose grace is longer than this run'] : []),
    ],
  }
}

/** Every one of them, whatever was measured: what is not a number is not met. */
export function boundsOf(longs: readonly LongResult[], steady: SteadyResult, isolation: IsolationResult): Bound[] {
  const bounds: Bound[] = []
  const bound = (sense: Bound['sense'], name: string, measured: number, limit: number, unit: string): void => {
    bounds.push({ name: `upkeep: ${name}`, measured, sense, limit, unit, robust: false })
  }
  const most = (name: string, measured: number, limit: number, unit: string): void => bound('at most', name, measured, limit, unit)
  /** Without it the bound beside it is about nothing. */
  const some = (name: string, measured: number, unit: string): void => bound('at least', name, measured, 1, unit)
  const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1))
  const of = (pick: (long: LongResult) => number): number => medianOfAll(longs.map(pick))
  const liveBytes = of(long => long.liveBytes)
  most(
    'bytes written to all files',
    of(long => written(long) / long.deltaBytes),
    4,
    'of the bytes committed',
  )
  most(
    'all files at the end, 2 x live + two log files + a range',
    megabytes(of(long => long.after.all)),
    megabytes(2 * liveBytes + LOG_BYTES + RANGE_BYTES),
    'MB',
  )
  most(
    'all files with 95 % deleted, 0.15 x live + two log files',
    megabytes(of(long => long.emptied.all)),
    megabytes(0.15 * liveBytes + LOG_BYTES),
    'MB',
  )
  most(
    'segments with 95 % deleted, 0.15 x live + slack',
    megabytes(of(long => long.emptied.segments)),
    megabytes(0.15 * liveBytes + SLACK_BYTES),
    'MB',
  )
  if (steady.all !== undefined) most(`busiest ${steady.windowMs} ms of writing, all files`, peak(steady.all), 4, 'of the mean')
  most(`busiest ${steady.windowMs} ms of writing, segments`, peak(steady.segments), 4, 'of the mean')
  some('folds in the even stream', steady.folds, 'folds')
  const { rest, busy } = isolation
  some('upkeep beside the small checkpoints', busy.upkeepBytes, 'bytes')
  most(
    'p99 of small checkpoints beside upkeep, 2 x at rest + 10 ms',
    percentile(busy.commits, 99),
    2 * percentile(rest.commits, 99) + 10,
    'ms',
  )
  most('p99.9 of requests beside upkeep, at rest + 1 ms', percentile(busy.delays, 99.9), percentile(rest.delays, 99.9) + 1, 'ms')
  return bounds
}

/** The system's count, or the store's own where there is none. */
function written({ bytesWritten, deltaBytes, foldBytes, mergeBytes }: LongResult): number {
  return Number.isFinite(bytesWritten) ? bytesWritten : deltaBytes + foldBytes + mergeBytes
}

/** A line for each repetition. */
function showLong(longs: readonly LongResult[]): string {
  const head = [
    'updates',
    'seconds',
    'ckpts',
    'left out',
    'delta MB',
    'written MB',
    'folds',
    'MB',
    'merges',
    'MB',
    'to rest s',
    'written/delta',
  ]
  const row = (long: LongResult): (string | number)[] => {
    const { seconds, checkpoints, skipped, deltaBytes, folds, foldBytes, merges, mergeBytes, restMs } = long
    return [
      `a checkpoint each ${((seconds * 1000) / (checkpoints + skipped)).toFixed(0)} ms`,
      seconds,
      checkpoints,
      skipped,
      deltaBytes / 1e6,
      written(long) / 1e6,
      folds,
      foldBytes / 1e6,
      merges,
      mergeBytes / 1e6,
      restMs / 1000,
      written(long) / deltaBytes,
    ]
  }
  return table(head, longs.map(row))
}

/** Medians. */
function showFootprints(longs: readonly LongResult[]): string {
  const of = (pick: (long: LongResult) => number): number => medianOfAll(longs.map(pick))
  const liveBytes = of(long => long.liveBytes)
  const peakBytes = of(long => long.peakBytes)
  const row = (name: string, pick: (long: LongResult) => Footprint): (string | number)[] => {
    const all = of(long => pick(long).all)
    return [name, of(long => pick(long).segments) / 1e6, of(long => pick(long).log) / 1e6, all / 1e6, all / liveBytes]
  }
  return table(
    ['on disk', 'segments MB', 'log MB', 'all MB', 'of live'],
    [
      ['live: segments of a store filled once', liveBytes / 1e6, undefined, undefined, 1],
      row('loaded', long => long.loaded),
      ['most while updated', undefined, undefined, peakBytes / 1e6, peakBytes / liveBytes],
      row('after the updates', long => long.after),
      row(`with ${of(long => long.emptiedKeys)} keys left`, long => long.emptied),
    ],
  )
}

function showSteady({ all, segments, log, windowMs, folds, merges, checkpoints }: SteadyResult): string {
  const row = (name: string, list: readonly number[], width: number): (string | number)[] => {
    const windows = gathered(list, width)
    const mean = windows.reduce((sum, bytes) => sum + bytes, 0) / windows.length
    return [
      `${name}, windows of ${windowMs * width} ms`,
      mean / 1000,
      percentile(windows, 50) / 1000,
      percentile(windows, 99) / 1000,
      percentile(windows, 100) / 1000,
      peak(windows),
    ]
  }
  const rows = [
    ['all files', all],
    ['segments', segments],
    ['log', log],
  ] as const
  return `steady: ${checkpoints} checkpoints, ${folds} folds, ${merges} merges\n${table(
    ['written', 'mean kB', 'p50', 'p99', 'most', 'most/mean'],
    rows.flatMap(([name, list]) => (list === undefined ? [] : [1, 10].map(width => row(name, list, width)))),
  )}`
}

function summary({ commits, delays, upkeepBytes }: IsolationPhase): Record<string, number> {
  return {
    checkpoints: commits.length,
    commitMsP50: percentile(commits, 50),
    commitMsP99: percentile(commits, 99),
    commitMsMax: percentile(commits, 100),
    requestMsP999: percentile(delays, 99.9),
    requestMsMax: percentile(delays, 100),
    upkeepBytes,
  }
}

function showIsolation({ rest, busy }: IsolationResult): string {
  const row = (name: string, phase: IsolationPhase): (string | number)[] => [name, ...Object.values(summary(phase))]
  return table(
    ['a checkpoint each 50 ms', 'ckpts', 'p50 ms', 'p99', 'max', 'requests p99.9', 'max', 'upkeep bytes'],
    [row('at rest', rest), row('beside folds and merges', busy)],
  )
}

/** Sums of so many neighbours each. */
function gathered(list: readonly number[], width: number): number[] {
  const count = Math.floor(list.length / width)
  return Array.from({ length: count }, (_, at) => list.slice(at * width, (at + 1) * width).reduce((sum, bytes) => sum + bytes, 0))
}

/** The largest of the mean; NaN: there was nothing. */
function peak(windows: readonly number[]): number {
  const mean = windows.reduce((sum, bytes) => sum + bytes, 0) / windows.length
  return mean > 0 ? percentile(windows, 100) / mean : Number.NaN
}
