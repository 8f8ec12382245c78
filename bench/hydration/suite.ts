/**
 * A million keys come home: in a process that does nothing else, against JSON.parse and jsonl-db on the same state, and under load that
 * begins right behind `open`, against the plain Map and the control loop of the same run.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { rateOf } from '../harness/control.ts'
import { leftOut, median, medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import { type OpenLoopAssignment, type OpenLoopResult, turnsSeen } from '../open-loop/index.ts'
import type { HydrationAssignment, HydrationResult } from './contract.ts'

type Way = 'background' | 'eager' | 'json' | 'jsonl'
const WAYS: readonly (readonly [Way, string, string])[] = [
  ['background', 'tidemark', "tidemark, 'background'"],
  ['json', 'json', 'JSON.parse of a snapshot, and a Map'],
  ['eager', 'tidemark', "tidemark, 'eager'"],
  ['jsonl', 'jsonl', '@alcalzone/jsonl-db'],
]
const CONTROL = 'control'
const ENGINES = ['plain', 'tidemark', CONTROL]
/** Checkpoints that may be left out because the last one was still under way; the few of a quick run tell less. */
const LEFT_OUT_MAX = 0.1
const LEFT_OUT_QUICK_MAX = 0.5

export interface Loaded extends OpenLoopResult {
  readonly rep: number
}

export const hydration: Suite = {
  name: 'hydration',
  about: '1M keys from open until all is in memory, idle and under 20,000 operations/s, beside JSON.parse and jsonl-db',
  async run(context) {
    const keys = context.quick ? 50_000 : 1_000_000
    for (const [name, folder] of [
      ['tidemark', 'tidemark'],
      ['json', 'json'],
      ['jsonl', 'jsonl'],
    ] as const) {
      await child(context, { role: `fill-${name}`, folder: join(context.folder, folder), keys })
      context.progress(`${name}: ${keys} keys filled`)
    }
    const idle = new Map<Way, HydrationResult[]>(WAYS.map(([way]) => [way, []]))
    for (let rep = 0; rep < (context.quick ? 1 : Math.max(3, context.reps)); rep++) {
      for (const [way, folder] of WAYS) {
        const result = await child(context, { role: way, folder: join(context.folder, folder), keys })
        idle.get(way)?.push(result)
      }
    }
    context.progress(
      WAYS.map(([way, , name]) => `${name} ${median((idle.get(way) ?? []).map(result => result.ms)).toFixed(0)} ms`).join(', '),
    )
    const loaded: Loaded[] = []
    for (let rep = 0; rep < context.reps; rep++)
      for (const engine of ENGINES) loaded.push(await underLoad(context, engine, rep, keys, loaded))
    return {
      text: [showIdle(idle), `20,000 operations/s from open on, a checkpoint each ${intervalOf(context)} ms\n${showLoaded(loaded)}`],
      bounds: [...boundsIdle(context, idle), ...boundsLoaded(context, loaded)],
      data: { idle: Object.fromEntries(idle), loaded },
    }
  },
}

async function child(context: Context, job: HydrationAssignment): Promise<HydrationResult> {
  mkdirSync(job.folder, { recursive: true })
  const { result } = await runChild<HydrationResult>(beside(import.meta.url, 'worker'), job)
  if (!job.role.startsWith('fill')) context.progress(`${job.role}: ${result.ms.toFixed(0)} ms`)
  return result
}

function intervalOf(context: Context): number {
  return context.quick ? 1000 : 5000
}

async function underLoad(context: Context, engine: string, rep: number, keys: number, before: readonly Loaded[]): Promise<Loaded> {
  const folder = join(context.folder, 'loaded')
  rmSync(folder, { recursive: true, force: true })
  if (engine === 'tidemark') cpSync(join(context.folder, 'tidemark'), folder, { recursive: true })
  else mkdirSync(folder)
  // What was written just now is not to be written again in the time that is measured.
  spawnSync('sync')
  const like = before.filter(row => row.engine === 'tidemark')
  const job: OpenLoopAssignment = {
    engine,
    ...(engine === CONTROL && { control: rateOf(like) }),
    folder,
    restarted: true,
    keys,
    seconds: context.quick ? 2 : 20,
    perSecond: 20_000,
    reads: 0.5,
    theta: 0.99,
    intervalMs: intervalOf(context),
  }
  const { result } = await runChild<OpenLoopResult>(beside(import.meta.url, '../open-loop/worker'), job)
  context.progress(
    `${engine} #${rep + 1}: p99.9 ${result.latencyMs.p999.toFixed(2)} ms, stalls p99.9 ${result.stallMs.p999.toFixed(2)} max ${result.stallMs.max.toFixed(2)} ms`,
  )
  return { ...result, rep }
}

function showIdle(idle: ReadonlyMap<Way, readonly HydrationResult[]>): string {
  const head = ['an idle process', 'ms', 'minor gc', 'ms', 'max', 'major', 'ms', 'max', 'heap MB', 'RSS MB']
  return table(
    head,
    WAYS.map(([way, , name]) => {
      const results = idle.get(way) ?? []
      const of = (pick: (result: HydrationResult) => number): number => median(results.map(pick))
      return [
        name,
        withSpread(
          results.map(result => result.ms),
          0,
        ),
        of(result => result.gc.minorCount),
        of(result => result.gc.minorMs),
        of(result => result.gc.minorMaxMs),
        of(result => result.gc.majorCount),
        of(result => result.gc.majorMs),
        of(result => result.gc.majorMaxMs),
        of(result => result.heapBytes / 1e6),
        of(result => result.rssBytes / 1e6),
      ]
    }),
  )
}

function showLoaded(loaded: readonly Loaded[]): string {
  const head = ['engine', 'p50 ms', 'p99', 'p99.9', 'max', 'stalls', 'p99.9 ms', 'max', 'no gc: p99.9', 'max', 'minor gc ms', 'major gc ms']
  head.push('ckpts', 'hydrated ms')
  return table(
    head,
    ENGINES.map(engine => {
      const mine = loaded.filter(row => row.engine === engine)
      const of = (pick: (row: Loaded) => number): number => median(mine.map(pick))
      return [
        engine,
        of(row => row.latencyMs.p50),
        of(row => row.latencyMs.p99),
        withSpread(mine.map(row => row.latencyMs.p999)),
        of(row => row.latencyMs.max),
        of(row => row.stallMs.count),
        withSpread(mine.map(row => row.stallMs.p999)),
        withSpread(mine.map(row => row.stallMs.max)),
        of(row => row.stallWithoutGcMs.p999),
        of(row => row.stallWithoutGcMs.max),
        of(row => row.gc.minorMs),
        of(row => row.gc.majorMs),
        of(row => row.checkpoints),
        of(row => row.hydratedMs),
      ]
    }),
  )
}

function boundsIdle(context: Context, idle: ReadonlyMap<Way, readonly HydrationResult[]>): Bound[] {
  const ms = (way: Way): number => medianOfAll((idle.get(way) ?? []).map(result => result.ms))
  const most = (name: string, measured: number, limit: number, unit: string): Bound => ({
    name: `hydration: ${name}`,
    measured,
    sense: 'at most',
    limit: context.quick ? limit * 5 : limit,
    unit,
    robust: false,
  })
  return [
    most("in the background, until 'hydrated'", ms('background') / ms('json'), 0.8, "of JSON.parse's"),
    most("'eager', until all are objects", ms('eager') / ms('jsonl'), 1, "of jsonl-db's"),
  ]
}

export function boundsLoaded(context: Pick<Context, 'quick'>, loaded: readonly Loaded[]): Bound[] {
  const mine = loaded.filter(row => row.engine === 'tidemark')
  /** Median over the runs of the engine's figure less another's of the same run. */
  const beyond = (base: string, pick: (row: Loaded) => number): number =>
    medianOfAll(
      mine.map(row => {
        const other = loaded.find(candidate => candidate.engine === base && candidate.rep === row.rep)
        return other === undefined ? Number.NaN : pick(row) - pick(other)
      }),
    )
  const most = (name: string, measured: number, limit: number): Bound => ({
    name: `hydration under load: ${name}`,
    measured,
    sense: 'at most',
    limit: context.quick ? limit * 20 : limit,
    unit: 'ms',
    robust: false,
  })
  return [
    most(
      "latency p99.9 beyond the plain Map's",
      beyond('plain', row => row.latencyMs.p999),
      2,
    ),
    most(
      "stalls p99.9 beyond the control loop's",
      beyond(CONTROL, row => row.stallMs.p999),
      0.5,
    ),
    most(
      "longest stall beyond the control loop's",
      beyond(CONTROL, row => row.stallMs.max),
      1,
    ),
    {
      name: 'hydration under load: checkpoints left out',
      measured: medianOfAll(mine.map(leftOut)),
      sense: 'at most',
      limit: context.quick ? LEFT_OUT_QUICK_MAX : LEFT_OUT_MAX,
      unit: 'of those asked for',
      robust: false,
    },
    {
      name: 'hydration under load: runs in which not all came into memory',
      measured: mine.length === 0 ? Number.NaN : mine.filter(row => !Number.isFinite(row.hydratedMs)).length,
      sense: 'at most',
      limit: 0,
      unit: '',
      robust: false,
    },
    turnsSeen('hydration under load', mine),
  ]
}
