/** Bytes on disk per checkpoint: the same updates for the engine and for the naive dirty set. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { largest, medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { BytesAssignment, BytesResult } from './contract.ts'

interface Case {
  readonly name: string
  readonly updatesEach: number
  readonly checkpoints: number
  readonly bound: boolean
}

const ENGINES = ['tidemark', 'dirty-set'] as const

/** Of each engine one for each repetition. */
export type Results = Record<(typeof ENGINES)[number], BytesResult[]>

/** As many updates as 10,000 a second make in an interval. */
const CASES: readonly Case[] = [
  { name: 'each 5 s', updatesEach: 50_000, checkpoints: 6, bound: true },
  { name: 'each 1 s', updatesEach: 10_000, checkpoints: 20, bound: true },
  { name: 'each 100 ms', updatesEach: 1000, checkpoints: 100, bound: true },
  { name: 'each 10 ms', updatesEach: 100, checkpoints: 100, bound: false },
  { name: 'one key', updatesEach: 1, checkpoints: 100, bound: false },
]

export const bytes: Suite = {
  name: 'bytes',
  about: 'bytes on disk per checkpoint beside the naive dirty set, same updates (zipf 0.99 over 1M keys)',
  async run(context) {
    const rows: (string | number)[][] = []
    const bounds: Bound[] = []
    const data: Record<string, Results> = {}
    for (const one of CASES) {
      const { name, checkpoints, bound } = one
      const results: Results = { tidemark: [], 'dirty-set': [] }
      for (let rep = 0; rep < context.reps; rep++) {
        for (const engine of rep % 2 === 0 ? ENGINES : ENGINES.toReversed()) results[engine].push(await run(context, one, engine))
        context.progress(`${name} #${rep + 1}: ${(ratios(results)[rep] as number).toFixed(2)} of the dirty set's bytes`)
      }
      data[name] = results
      const mine = (pick: (result: BytesResult) => number): number => medianOfAll(results.tidemark.map(pick))
      const naive = (pick: (result: BytesResult) => number): number => medianOfAll(results['dirty-set'].map(pick))
      rows.push([
        name,
        mine(({ changed }) => changed / checkpoints),
        mine(({ added }) => added / checkpoints / 1000),
        naive(({ added }) => added / checkpoints / 1000),
        withSpread(ratios(results), 3),
        mine(({ added, changed }) => added / changed),
        naive(({ added, changed }) => added / changed),
        mine(({ addedAll }) => addedAll / checkpoints / 1000),
        mine(({ loaded }) => loaded / 1e6),
        naive(({ loaded }) => loaded / 1e6),
      ])
      if (bound) bounds.push(...boundsOf(name, results))
    }
    const head = [
      'checkpoint',
      'keys',
      'tidemark kB',
      'dirty set kB',
      'ratio',
      'B/key',
      'B/key naive',
      'with folding kB',
      'all MB',
      'all MB naive',
    ]
    return { text: [`medians over ${context.reps} alternating runs\n${table(head, rows)}`], bounds, data }
  },
}

async function run({ quick, folder: parent }: Context, { updatesEach, checkpoints }: Case, engine: string): Promise<BytesResult> {
  const folder = join(parent, engine)
  mkdirSync(folder, { recursive: true })
  const job: BytesAssignment = { engine, folder, keys: quick ? 50_000 : 1_000_000, checkpoints, updatesEach, theta: 0.99 }
  const { result } = await runChild<BytesResult>(beside(import.meta.url, 'worker'), job)
  rmSync(folder, { recursive: true, force: true })
  return result
}

/** Of each repetition. */
function ratios(results: Results): number[] {
  return results.tidemark.map((mine, rep) => mine.added / (results['dirty-set'][rep]?.added ?? Number.NaN))
}

/** Few bytes are good only of an engine that wrote what it was given. */
export function boundsOf(name: string, results: Results): Bound[] {
  const bound = (what: string, measured: number, sense: Bound['sense'], limit: number, unit = ''): Bound => ({
    name: `${what}, ${name}`,
    measured,
    sense,
    limit,
    unit,
    robust: true,
  })
  const { tidemark } = results
  const differences = largest(tidemark.map(({ check }) => check?.differences ?? Number.NaN))
  const planted = -largest(tidemark.map(({ check }) => -(check?.planted ?? Number.NaN)))
  return [
    bound('bytes per checkpoint', medianOfAll(ratios(results)), 'at most', 0.9, "of a dirty set's"),
    bound('bytes per changed key', medianOfAll(tidemark.map(({ added, changed }) => added / changed)), 'at least', 1),
    bound('entries that differ after reopening', differences, 'at most', 0),
    bound('differences found where one was planted', planted, 'at least', 1),
  ]
}
