/**
 * A state larger than what the engine may take of the memory, beside a plain Map that holds all of it: ten million keys under the open loop,
 * each in a process of its own, alternating.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { median, medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { LargerAssignment, LargerFilled, LargerResult } from './contract.ts'

const MIB = 1024 * 1024
const ROLES = ['plain', 'tidemark'] as const

export interface Row extends LargerResult {
  readonly role: LargerAssignment['role']
  readonly rep: number
  readonly foreignShare: number | undefined
}

export const largerThanMemory: Suite = {
  name: 'larger-than-memory',
  about: '10M keys with memoryBytesMax 512 MiB under 20,000 operations/s, half updates, zipf 0.99, beside a plain Map that holds them all',
  async run(context) {
    const job: LargerAssignment = {
      role: 'fill',
      folder: join(context.folder, 'filled'),
      keys: context.quick ? 100_000 : 10_000_000,
      memoryBytesMax: (context.quick ? 8 : 512) * MIB,
      settleReads: context.quick ? 50_000 : 500_000,
      warmSeconds: context.quick ? 2 : 6,
      seconds: context.quick ? 2 : 20,
      perSecond: 20_000,
      intervalMs: context.quick ? 1000 : 5000,
    }
    mkdirSync(job.folder)
    const begin = performance.now()
    const { result: filled } = await runChild<LargerFilled>(beside(import.meta.url, 'worker'), job)
    const seconds = ((performance.now() - begin) / 1000).toFixed(0)
    context.progress(`${job.keys} keys filled in ${seconds} s, ${(filled.rssMaxBytes / 1e6).toFixed(0)} MB resident at most`)
    const rows: Row[] = []
    for (let rep = 0; rep < context.reps; rep++) for (const role of ROLES) rows.push(await serve(context, { ...job, role }, rep))
    return { text: [show(rows)], bounds: boundsOf(context, rows), data: { filled, rows } }
  },
}

async function serve(context: Context, job: LargerAssignment, rep: number): Promise<Row> {
  const folder = join(context.folder, 'served')
  rmSync(folder, { recursive: true, force: true })
  if (job.role === 'tidemark') cpSync(job.folder, folder, { recursive: true })
  const { result, foreignShare } = await runChild<LargerResult>(beside(import.meta.url, 'worker'), { ...job, folder })
  const { latencyMs, rssMaxBytes } = result
  context.progress(
    `${job.role} #${rep + 1}: p99.9 ${latencyMs.p999.toFixed(2)} ms, max ${latencyMs.max.toFixed(2)} ms, ${(rssMaxBytes / 1e6).toFixed(0)} MB resident`,
  )
  return { ...result, role: job.role, rep, foreignShare }
}

function show(rows: readonly Row[]): string {
  const head = ['', 'p50 ms', 'p99', 'p99.9', 'max', 'unserved', 'RSS MB', 'at most', 'heap MB', 'minor gc', 'max', 'major', 'max']
  head.push('stalls p99.9', 'max', 'cold reads/s', 'evicted/s', 'ckpts', 'left out', 'ckpt ms', 'foreign %')
  return table(
    head,
    ROLES.map(role => {
      const mine = rows.filter(row => row.role === role)
      const of = (pick: (row: Row) => number): number => median(mine.map(pick))
      return [
        role,
        of(row => row.latencyMs.p50),
        of(row => row.latencyMs.p99),
        withSpread(mine.map(row => row.latencyMs.p999)),
        of(row => row.latencyMs.max),
        of(row => row.unserved),
        of(row => row.rssBytes / 1e6),
        of(row => row.rssMaxBytes / 1e6),
        of(row => row.heapUsedBytes / 1e6),
        of(row => row.gc.minorCount),
        of(row => row.gc.minorMaxMs),
        of(row => row.gc.majorCount),
        of(row => row.gc.majorMaxMs),
        of(row => row.stallMs.p999),
        of(row => row.stallMs.max),
        of(row => row.coldReadsPerSecond),
        of(row => row.evictedPerSecond),
        of(row => row.checkpoints),
        of(row => row.skipped),
        of(row => row.checkpointMs),
        of(row => 100 * (row.foreignShare ?? Number.NaN)),
      ]
    }),
  )
}

export function boundsOf(context: Pick<Context, 'quick'>, rows: readonly Row[]): Bound[] {
  const mine = rows.filter(row => row.role === 'tidemark')
  /** Median over the runs of the engine's figure in shares of the plain Map's of the same run. */
  const share = (pick: (row: Row) => number): number =>
    medianOfAll(
      mine.map(row => {
        const plain = rows.find(other => other.role === 'plain' && other.rep === row.rep)
        return plain === undefined ? Number.NaN : pick(row) / pick(plain)
      }),
    )
  const most = (name: string, measured: number, limit: number): Bound => ({
    name: `larger than memory: ${name}`,
    measured,
    sense: 'at most',
    limit,
    unit: 'x',
    robust: false,
  })
  return [
    most(
      "latency p99.9 against the plain Map's",
      share(row => row.latencyMs.p999),
      context.quick ? 100 : 1,
    ),
    most(
      "resident memory against the plain Map's",
      share(row => row.rssMaxBytes),
      context.quick ? 3 : 1 / 3,
    ),
    {
      name: 'larger than memory: checkpoints, least',
      // One that fails ends the process, and the benchmark.
      measured: mine.length === 0 ? Number.NaN : Math.min(...mine.map(row => row.checkpoints)),
      sense: 'at least',
      limit: 1,
      unit: '',
      robust: false,
    },
  ]
}
