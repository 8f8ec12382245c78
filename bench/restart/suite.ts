/** Open and first right answer after a crash with a full tail, by the size of the state, against the same on an empty store. */
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { median, withSpread } from '../harness/stats.ts'
import type { Bound, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { RestartAssignment, RestartResult } from './contract.ts'

export const restart: Suite = {
  name: 'restart',
  about: 'open and first get after a crash, cold gets, memory: 1M and 10M keys, against an empty store',
  async run(context) {
    const worker = beside(import.meta.url, 'worker')
    const run = async (job: RestartAssignment): Promise<RestartResult> => (await runChild<RestartResult>(worker, job)).result
    const sizes = context.quick ? [0, 50_000] : [0, 1_000_000, 10_000_000]
    const folder = (keys: number): string => join(context.folder, `keys-${keys}`)
    for (const keys of sizes) {
      context.progress(`filling ${keys} keys`)
      await run({ folder: folder(keys), role: 'fill', keys })
    }
    const results = new Map<number, RestartResult[]>(sizes.map(keys => [keys, []]))
    for (let rep = 0; rep < Math.max(5, context.reps); rep++) {
      for (const keys of sizes) results.get(keys)?.push(await run({ folder: folder(keys), role: 'open', keys }))
    }
    const of = (keys: number, pick: (result: RestartResult) => number): number[] => (results.get(keys) ?? []).map(pick)
    const firstGet = (keys: number): number => median(of(keys, result => result.firstGetMs))
    const bounds: Bound[] = []
    const loose = context.quick ? 5 : 1
    for (const keys of sizes.filter(size => size > 0)) {
      const name = `restart, ${keys} keys`
      const bound = (what: string, measured: number, limit: number, unit: string): void => {
        bounds.push({ name: `${name}: ${what}`, measured, sense: 'at most', limit: limit * loose, unit, robust: false })
      }
      bound('open and first get beyond an empty store', firstGet(keys) - firstGet(0), 40, 'ms')
      bound('cold get, median', median(of(keys, result => result.coldGetUs.p50)), 50, 'us')
      bound('cold get, p99', median(of(keys, result => result.coldGetUs.p99)), 500, 'us')
      bound(
        'memory on demand, above an empty store',
        (median(of(keys, result => result.rssBytes)) - median(of(0, result => result.rssBytes))) / 1e6,
        150,
        'MB',
      )
    }
    const [, small, large] = sizes
    if (small !== undefined && large !== undefined) {
      const measured = firstGet(large) / firstGet(small)
      bounds.push({ name: 'restart: 10M keys against 1M', measured, sense: 'at most', limit: 1.3, unit: 'x', robust: false })
    }
    return {
      text: [
        table(
          ['keys', 'open ms', 'to first get ms', 'cold get us p50', 'p99', 'RSS MB', 'records of the tail'],
          sizes.map(keys => [
            keys,
            withSpread(
              of(keys, result => result.openMs),
              1,
            ),
            withSpread(
              of(keys, result => result.firstGetMs),
              1,
            ),
            withSpread(
              of(keys, result => result.coldGetUs.p50),
              0,
            ),
            withSpread(
              of(keys, result => result.coldGetUs.p99),
              0,
            ),
            withSpread(
              of(keys, result => result.rssBytes / 1e6),
              0,
            ),
            median(of(keys, result => result.tail)),
          ]),
        ),
      ],
      bounds,
      data: Object.fromEntries(results),
    }
  },
}
