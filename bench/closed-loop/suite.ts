/** The price of tracking at the public interface: `get`, `set` and memory beside a plain Map, each in a process of its own. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { ClosedLoopAssignment, ClosedLoopResult } from './contract.ts'

type Figure = keyof ClosedLoopResult

const FIGURES: readonly (readonly [Figure, string])[] = [
  ['get', 'get, random keys (M/s)'],
  ['set', 'set of a fresh object, random keys (M/s)'],
  ['setSaturated', '  the same, journal given up (M/s)'],
  ['setDurable', '  the same, until all is durable (M/s)'],
  ['insert', 'insert of a new key (M/s)'],
  ['heapDirty', 'heap, every key changed (MB)'],
  ['heapLongest', '  the same, longest journal (MB)'],
  ['heapNew', 'heap, every key new (MB)'],
  ['gcMs', 'garbage collection (ms)'],
]

interface Results {
  readonly plain: readonly ClosedLoopResult[]
  readonly tidemark: readonly ClosedLoopResult[]
}

export const closedLoop: Suite = {
  name: 'closed-loop',
  about: 'get, set and memory of 1M keys beside a plain Map, as fast as it goes',
  async run(context) {
    const results = { plain: [] as ClosedLoopResult[], tidemark: [] as ClosedLoopResult[] }
    for (let rep = 0; rep < context.reps; rep++) {
      for (const engine of rep % 2 === 0 ? (['plain', 'tidemark'] as const) : (['tidemark', 'plain'] as const)) {
        const folder = join(context.folder, engine)
        mkdirSync(folder, { recursive: true })
        const job: ClosedLoopAssignment = {
          engine,
          folder,
          keys: context.quick ? 100_000 : 1_000_000,
          operations: context.quick ? 1 << 17 : 1 << 20,
          passes: 3,
        }
        const { result } = await runChild<ClosedLoopResult>(beside(import.meta.url, 'worker'), job)
        rmSync(folder, { recursive: true, force: true })
        results[engine].push(result)
        context.progress(`${engine} #${rep + 1}: get ${result.get.toFixed(2)}, set ${result.set.toFixed(2)} M/s`)
      }
    }
    const rows = FIGURES.map(([figure, title]) => [
      title,
      withSpread(results.plain.map(result => result[figure])),
      withSpread(results.tidemark.map(result => result[figure])),
      withSpread(ratios(results, figure)),
    ])
    return {
      text: [`medians over ${context.reps} alternating runs, with smallest..largest\n${table(['', 'plain', 'tidemark', 'ratio'], rows)}`],
      bounds: boundsOf(context, results),
      data: results,
    }
  },
}

function ratios({ plain, tidemark }: Results, figure: Figure): number[] {
  return tidemark.map((mine, rep) => mine[figure] / (plain[rep] as ClosedLoopResult)[figure])
}

/** A `set` costs what is drained of it, too: so its speed is bounded up to the checkpoint as well. */
export function boundsOf({ quick }: Pick<Context, 'quick'>, results: Results): Bound[] {
  const bound = (name: string, figure: Figure, sense: Bound['sense'], limit: number, quickLimit: number, robust = true): Bound => ({
    name: `closed loop: ${name}`,
    measured: medianOfAll(ratios(results, figure)),
    sense,
    limit: quick ? quickLimit : limit,
    unit: 'of a plain Map',
    robust,
  })
  return [
    bound('speed of get', 'get', 'at least', 0.9, 0.4),
    bound('speed of set on existing keys', 'set', 'at least', 0.8, 0.3),
    bound('speed of set until all is durable', 'setDurable', 'at least', 0.8, 0.1, false),
    bound('heap with every key dirty', 'heapDirty', 'at most', 1.25, 1.5),
    bound('heap with every key new', 'heapNew', 'at most', 1.25, 1.5),
  ]
}
