/** The tables of a shape: one line an engine, medians over the repetitions; and its stalls, counted over all of them. */
import { showBuckets } from '../harness/histogram.ts'
import { median, withSpread } from '../harness/stats.ts'
import { table } from '../harness/table.ts'
import { CONTROL, type Row } from './run.ts'
import { peak } from './sampler.ts'

/** Turns of the event loop that others take are not looked at from inside. */
const isLookedAt = (name: string): boolean => name.startsWith('tidemark') || name === CONTROL

export function show(rows: readonly Row[]): string {
  const looked = rows.filter(({ name }) => isLookedAt(name))
  const stalls = looked.map(({ name, stallBuckets }) => [name, stallBuckets] as const)
  return `${showFigures(rows)}\n\n${showBuckets('stalls, ms', stalls)}`
}

function showFigures(rows: readonly Row[]): string {
  const head = ['engine', 'k ops/s', 'p50 ms', 'p99', 'p99.9', 'max', 'turns', 'long', 'stalls p99.9', 'max', 'no gc: p99.9', 'max']
  head.push('gc max', 'ckpts', 'left out', 'failed', 'ckpt ms', 'max', 'rpo ms', 'MB', 'peak/mean', 'RSS +MB', 'waited %', 'foreign %')
  return table(
    head,
    [...new Set(rows.map(row => row.name))].map(name => {
      const mine = rows.filter(row => row.name === name)
      const of = (pick: (row: Row) => number): number => median(mine.map(pick))
      const own = (pick: (row: Row) => number): number | undefined => (isLookedAt(name) ? of(pick) : undefined)
      return [
        name,
        of(row => row.perSecond / 1000),
        of(row => row.latencyMs.p50),
        of(row => row.latencyMs.p99),
        withSpread(mine.map(row => row.latencyMs.p999)),
        withSpread(mine.map(row => row.latencyMs.max)),
        own(row => row.turns),
        own(row => row.longTurns),
        own(row => row.stallMs.p999),
        own(row => row.stallMs.max),
        own(row => row.stallWithoutGcMs.p999),
        own(row => row.stallWithoutGcMs.max),
        of(row => Math.max(row.gc.minorMaxMs, row.gc.majorMaxMs)),
        of(row => row.checkpoints),
        of(row => row.skipped),
        of(row => row.failedCheckpoints),
        of(row => row.checkpointMs.p50),
        of(row => row.checkpointMs.max),
        of(row => row.rpoMs ?? Number.NaN),
        of(row => row.windows.reduce((sum, bytes) => sum + bytes, 0) / 1e6),
        of(row => peak(row.windows)),
        of(row => (row.residentBytes.most - row.residentBytes.begin) / 1e6),
        of(row => row.waitedMs / row.seconds / 10),
        of(row => 100 * (row.foreignShare ?? Number.NaN)),
      ]
    }),
  )
}
