/** Bytes on disk per checkpoint: the same updates for the engine and for the naive dirty set. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import type { Bound, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { BytesAssignment, BytesResult } from './contract.ts'

interface Case {
  readonly name: string
  readonly updatesEach: number
  readonly checkpoints: number
  readonly bound: boolean
}

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
    const data: Record<string, Record<string, BytesResult>> = {}
    for (const { name, updatesEach, checkpoints, bound } of CASES) {
      const results: Record<string, BytesResult> = {}
      for (const engine of ['tidemark', 'dirty-set']) {
        const folder = join(context.folder, engine)
        mkdirSync(folder, { recursive: true })
        const job: BytesAssignment = { engine, folder, keys: context.quick ? 50_000 : 1_000_000, checkpoints, updatesEach, theta: 0.99 }
        results[engine] = (await runChild<BytesResult>(beside(import.meta.url, 'worker'), job)).result
        rmSync(folder, { recursive: true, force: true })
      }
      data[name] = results
      const mine = results['tidemark'] as BytesResult
      const naive = results['dirty-set'] as BytesResult
      const ratio = mine.added / naive.added
      rows.push([
        name,
        mine.changed / checkpoints,
        mine.added / checkpoints / 1000,
        naive.added / checkpoints / 1000,
        ratio,
        mine.added / mine.changed,
        naive.added / naive.changed,
        mine.addedAll / checkpoints / 1000,
        mine.loaded / 1e6,
        naive.loaded / 1e6,
      ])
      context.progress(`${name}: ${ratio.toFixed(2)} of the dirty set's bytes`)
      if (bound) bounds.push(...boundsOf(name, mine, naive))
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
    return { text: [table(head, rows)], bounds, data }
  },
}

/** Few bytes are good only of an engine that wrote what it was given. */
export function boundsOf(name: string, mine: BytesResult, naive: BytesResult): Bound[] {
  const bound = (what: string, measured: number, sense: Bound['sense'], limit: number, unit = ''): Bound => ({
    name: `${what}, ${name}`,
    measured,
    sense,
    limit,
    unit,
    robust: true,
  })
  const { differences, planted } = mine.check ?? { differences: Number.NaN, planted: Number.NaN }
  return [
    bound('bytes per checkpoint', mine.added / naive.added, 'at most', 0.9, "of a dirty set's"),
    bound('bytes per changed key', mine.added / mine.changed, 'at least', 1),
    bound('entries that differ after reopening', differences, 'at most', 0),
    bound('differences found where one was planted', planted, 'at least', 1),
  ]
}
