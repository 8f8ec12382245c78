/**
 * W1, open loop: a million keys, 20,000 operations a second, half of them updates, zipf 0.99. Every engine in a process of its own,
 * alternating; beside the engine, in the same run, the plain Map and a control loop whose slices are as many and as long as the engine's.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { rateOf } from '../harness/control.ts'
import { showBuckets } from '../harness/histogram.ts'
import { leftOut, median, medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Outcome, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { OpenLoopAssignment, OpenLoopResult } from './contract.ts'
import { turnsSeen } from './seen.ts'

/**
 * Of checkpoints asked for. A tenth of a second is no more than a few syncs of a slow disk take: there it says only that most of the time
 * something was under way.
 */
const LEFT_OUT_MAX = 0.1
const LEFT_OUT_SHORT_MAX = 0.5
const CONTROL = 'control'
const ALWAYS = ['plain', 'tidemark', CONTROL]

export interface Row extends OpenLoopResult {
  readonly intervalMs: number
  readonly rep: number
  readonly foreignShare: number | undefined
}

interface Cadence {
  readonly intervalMs: number
  readonly engines: readonly string[]
}

const FULL: readonly Cadence[] = [
  { intervalMs: 5000, engines: ['plain', 'tidemark', CONTROL, 'dirty-set', 'json-snapshot', 'lmdb-map', 'jsonl-db'] },
  { intervalMs: 100, engines: ['plain', 'tidemark', CONTROL, 'dirty-set', 'lmdb-map', 'jsonl-db'] },
]
const QUICK: readonly Cadence[] = [
  { intervalMs: 1000, engines: ['plain', 'tidemark', CONTROL, 'dirty-set', 'json-snapshot', 'lmdb-map', 'jsonl-db'] },
]

export const openLoop: Suite = {
  name: 'open-loop',
  about: 'open loop: 1M keys, 20,000 operations/s, half updates, zipf 0.99; a checkpoint each 5 s, and each 100 ms',
  async run(context) {
    const rows: Row[] = []
    for (const cadence of context.quick ? QUICK : FULL) {
      for (let rep = 0; rep < context.reps; rep++) await runCadence(context, cadence, rep, rows)
    }
    return outcome(context, rows)
  },
}

async function runCadence(context: Context, { intervalMs, engines }: Cadence, rep: number, rows: Row[]): Promise<void> {
  for (const engine of engines) {
    if (context.engines !== undefined && !ALWAYS.includes(engine) && !context.engines.includes(engine)) continue
    const folder = join(context.folder, engine)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const like = rows.filter(row => row.engine === 'tidemark' && row.intervalMs === intervalMs)
    const job: OpenLoopAssignment = {
      engine,
      ...(engine === CONTROL && { control: rateOf(like) }),
      folder,
      keys: context.quick ? 50_000 : 1_000_000,
      seconds: context.quick ? 2 : 20,
      perSecond: 20_000,
      reads: 0.5,
      theta: 0.99,
      intervalMs,
    }
    const { result, foreignShare } = await runChild<OpenLoopResult>(beside(import.meta.url, 'worker'), job)
    rows.push({ ...result, intervalMs, rep, foreignShare })
    rmSync(folder, { recursive: true, force: true })
    context.progress(
      `${engine} each ${intervalMs} ms #${rep + 1}: p99.9 ${result.latencyMs.p999.toFixed(2)} ms, stalls p99.9 ${result.stallMs.p999.toFixed(2)} max ${result.stallMs.max.toFixed(2)} ms`,
    )
  }
}

function outcome(context: Context, rows: readonly Row[]): Outcome {
  const text: string[] = []
  const bounds: Bound[] = []
  for (const intervalMs of [...new Set(rows.map(row => row.intervalMs))]) {
    const here = rows.filter(row => row.intervalMs === intervalMs)
    text.push(
      `a checkpoint each ${intervalMs} ms; medians over ${context.reps} alternating runs, with smallest..largest\n${show(here)}\n\n${showStalls(here)}`,
    )
    bounds.push(...boundsOf(context, intervalMs, here))
  }
  return { text, bounds, data: rows }
}

function show(rows: readonly Row[]): string {
  const head = [
    'engine',
    'p50 ms',
    'p99',
    'p99.9',
    'max',
    'stalls',
    'p99.9 ms',
    'max',
    'no gc: p99.9',
    'max',
    'minor gc',
    'ms',
    'max',
    'major',
    'ms',
    'max',
  ]
  head.push('ckpts', 'left out', 'ckpt ms', 'call ms', 'MB', 'foreign %')
  const names = [...new Set(rows.map(row => row.engine))]
  return table(
    head,
    names.map(name => {
      const mine = rows.filter(row => row.engine === name)
      const of = (pick: (row: Row) => number): number => median(mine.map(pick))
      const own = name === 'tidemark' || name === CONTROL
      const stall = (pick: (row: Row) => number): number | undefined => (own ? of(pick) : undefined)
      return [
        name,
        of(row => row.latencyMs.p50),
        of(row => row.latencyMs.p99),
        withSpread(mine.map(row => row.latencyMs.p999)),
        of(row => row.latencyMs.max),
        stall(row => row.stallMs.count),
        own ? withSpread(mine.map(row => row.stallMs.p999)) : undefined,
        own ? withSpread(mine.map(row => row.stallMs.max)) : undefined,
        stall(row => row.stallWithoutGcMs.p999),
        stall(row => row.stallWithoutGcMs.max),
        of(row => row.gc.minorCount),
        of(row => row.gc.minorMs),
        of(row => row.gc.minorMaxMs),
        of(row => row.gc.majorCount),
        of(row => row.gc.majorMs),
        of(row => row.gc.majorMaxMs),
        of(row => row.checkpoints),
        of(row => row.skipped),
        of(row => row.checkpointMs),
        of(row => row.callMs),
        of(row => row.megabytes),
        of(row => 100 * (row.foreignShare ?? Number.NaN)),
      ]
    }),
  )
}

/** Turns of the event loop that others take are not looked at from inside. */
function showStalls(rows: readonly Row[]): string {
  const looked = rows.filter(({ engine }) => engine === 'tidemark' || engine === CONTROL)
  return showBuckets(
    'stalls, ms',
    looked.map(row => [row.engine, row.stallBuckets]),
  )
}

export function boundsOf(context: Pick<Context, 'quick'>, intervalMs: number, rows: readonly Row[]): Bound[] {
  /** Median over the runs of one engine's figure less another's of the same run. */
  const beyond = (engine: string, base: string, pick: (row: Row) => number): number =>
    medianOfAll(
      rows
        .filter(row => row.engine === engine)
        .map(row => {
          const other = rows.find(candidate => candidate.engine === base && candidate.rep === row.rep)
          return other === undefined ? Number.NaN : pick(row) - pick(other)
        }),
    )
  const most = (name: string, measured: number, limit: number): Bound => ({
    name: `open loop each ${intervalMs} ms: ${name}`,
    measured,
    sense: 'at most',
    limit: context.quick ? limit * 20 : limit,
    unit: 'ms',
    robust: false,
  })
  return [
    most(
      "latency p99.9 beyond the plain Map's",
      beyond('tidemark', 'plain', row => row.latencyMs.p999),
      1,
    ),
    most(
      "stalls p99.9 beyond the control loop's",
      beyond('tidemark', CONTROL, row => row.stallMs.p999),
      0.5,
    ),
    most(
      "longest stall beyond the control loop's",
      beyond('tidemark', CONTROL, row => row.stallMs.max),
      1,
    ),
    {
      name: `open loop each ${intervalMs} ms: checkpoints left out`,
      measured: medianOfAll(rows.filter(row => row.engine === 'tidemark').map(leftOut)),
      sense: 'at most',
      limit: intervalMs < 1000 ? LEFT_OUT_SHORT_MAX : LEFT_OUT_MAX,
      unit: 'of those asked for',
      robust: false,
    },
    turnsSeen(
      `open loop each ${intervalMs} ms`,
      rows.filter(row => row.engine === 'tidemark'),
    ),
  ]
}
