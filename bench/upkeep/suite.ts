/**
 * What upkeep costs and what it gives back: bytes written for bytes committed, files beside live bytes, before and after most keys are
 * deleted, and how evenly the bytes are written.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { copyStore } from '../harness/files.ts'
import { medianOfAll, percentile } from '../harness/stats.ts'
import type { Bound, Context, Outcome, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type {
  Footprint,
  IsolationAssignment,
  IsolationPhase,
  IsolationResult,
  LongResult,
  ReopenedAssignment,
  ReopenedPhase,
  ReopenedResult,
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

/** Behind a restart; alone it takes a second. */
const HYDRATED_MS_MAX = 10_000
/** More than one table, or upkeep was done before anything could meet it. */
const TABLES_LEAST = 1.5

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
    return outcome(context, longs, steady, isolation, await reopened(context))
  },
}

async function isolate(context: Context, keys: number): Promise<IsolationResult> {
  const { quick, folder } = context
  const job: IsolationAssignment = { folder: join(folder, 'isolation'), keys, seconds: quick ? 3 : 20, burst: keys * 0.4 }
  context.progress(`isolation: a checkpoint each 50 ms at rest and beside upkeep, ${job.seconds} s each`)
  return (await runChild<IsolationResult>(beside(import.meta.url, 'isolation-worker'), job)).result
}

/** Each opens the store as it was left: who opens one folds its tail. */
async function reopened(context: Context): Promise<ReopenedResult> {
  const { quick } = context
  const keys = quick ? 150_000 : 1_000_000
  // So long that it is folded at once and as fast as it goes, in quick too.
  const tail = quick ? 120_000 : 400_000
  const filled = join(context.folder, 'reopened')
  const phase = async (role: ReopenedAssignment['role']): Promise<ReopenedPhase> => {
    const folder = role === 'fill' ? filled : `${filled}-${role}`
    mkdirSync(folder, { recursive: true })
    if (role !== 'fill') copyStore(filled, folder)
    const job: ReopenedAssignment = { folder, role, keys, tail, seconds: quick ? 4 : 8 }
    return (await runChild<ReopenedPhase>(beside(import.meta.url, 'reopened-worker'), job)).result
  }
  context.progress('reopened: a checkpoint each 50 ms beside folds, with hydration in the background and without')
  await phase('fill')
  return { onDemand: await phase('on-demand'), hydrating: await phase('background') }
}

async function run<T>(context: Context, job: UpkeepAssignment): Promise<T> {
  context.progress(`${job.role}: ${job.updates} updates, ${job.perSecond} a second, a checkpoint each ${job.intervalMs} ms`)
  return (await runChild<T>(beside(import.meta.url, 'worker'), job)).result
}

function outcome(
  context: Context,
  longs: readonly LongResult[],
  steady: SteadyResult,
  isolation: IsolationResult,
  again: ReopenedResult,
): Outcome {
  const { rest, busy } = isolation
  return {
    text: [showLong(longs), showFootprints(longs), showSteady(steady), showIsolation(isolation), showReopened(again)],
    bounds: [...boundsOf(longs, steady, isolation), ...boundsReopened(again)],
    data: {
      longs,
      steady,
      isolation: { rest: summary(rest), busy: summary(busy) },
      reopened: { hydrating: again.hydrating, onDemand: again.onDemand },
    },
    missing: [
      ...uncountedOf(longs, steady),
      ...(context.quick ? ['upkeep: removal of dead files, whose grace is longer than this run'] : []),
    ],
  }
}

/** Every one of them, whatever was measured: what is not a number is not met. */
export function boundsOf(longs: readonly LongResult[], steady: SteadyResult, isolation: IsolationResult): Bound[] {
  const bounds: Bound[] = []
  const bound = (sense: Bound['sense'], name: string, measured: number, limit: number, unit: string): void => {
    bounds.push(boundOf(sense, name, measured, limit, unit))
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

function boundOf(sense: Bound['sense'], name: string, measured: number, limit: number, unit: string): Bound {
  return { name: `upkeep: ${name}`, measured, sense, limit, unit, robust: false }
}

/** Entries come home in the background while commits go on and the tail is folded: no commit waits for it, and it ends. */
export function boundsReopened({ hydrating, onDemand }: ReopenedResult): Bound[] {
  const p99 = ({ commits }: ReopenedPhase): number => percentile(commits, 99)
  return [
    boundOf('at most', 'p99 of small checkpoints beside hydration, 2 x without + 10 ms', p99(hydrating), 2 * p99(onDemand) + 10, 'ms'),
    boundOf('at most', 'hydration beside commits and folds, until all is home', hydrating.hydratedMs, HYDRATED_MS_MAX, 'ms'),
    boundOf('at least', 'small checkpoints before all is home', hydrating.commitsBefore, 1, 'checkpoints'),
    boundOf('at least', 'upkeep beside hydration', hydrating.tables, TABLES_LEAST, 'tables'),
  ]
}

/** Less than was committed is no count: file systems in memory and in user space are not charged to the process. */
function isCounted({ bytesWritten, deltaBytes }: LongResult): boolean {
  return bytesWritten >= deltaBytes
}

/** What only the system could count, and did not. */
export function uncountedOf(longs: readonly LongResult[], steady: SteadyResult): string[] {
  return [
    ...(longs.every(isCounted)
      ? []
      : ['upkeep: bytes written to all files as the system counts them: what the store says it wrote is taken']),
    ...(steady.all === undefined ? ['upkeep: writing of all files: the system does not count it'] : []),
  ]
}

/** The system's count, or the store's own where there is none. */
function written(long: LongResult): number {
  return isCounted(long) ? long.bytesWritten : long.deltaBytes + long.foldBytes + long.mergeBytes
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

function showReopened({ hydrating, onDemand }: ReopenedResult): string {
  const row = (name: string, { commits, hydratedMs, commitsBefore, tables }: ReopenedPhase): (string | number)[] => [
    name,
    commits.length,
    percentile(commits, 50),
    percentile(commits, 99),
    percentile(commits, 100),
    hydratedMs,
    commitsBefore,
    tables,
  ]
  return table(
    ['reopened, a checkpoint each 50 ms', 'ckpts', 'p50 ms', 'p99', 'max', 'all home ms', 'ckpts before', 'upkeep, tables'],
    [row('entries come on demand', onDemand), row('entries come home', hydrating)],
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
