/** The time that `import` and the first `open` take, each time in a process that has done nothing else. */
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { StartUpResult } from './contract.ts'

export const startUp: Suite = {
  name: 'start-up',
  about: 'import and open of an empty store, fresh processes',
  async run(context) {
    const results: StartUpResult[] = []
    const runs = context.quick ? 5 : 21
    // The first one warms the file cache and is not counted.
    for (let run = 0; run <= runs; run++) {
      const { result } = await runChild<StartUpResult>(beside(import.meta.url, 'worker'), { folder: join(context.folder, `store-${run}`) })
      if (run > 0) results.push(result)
    }
    const figures = [
      ['import', results.map(result => result.importMs)],
      ['open, empty folder', results.map(result => result.openMs)],
      ['close', results.map(result => result.closeMs)],
    ] as const
    const bound = (name: string, values: readonly number[], limit: number): Bound => ({
      name: `start-up: ${name}`,
      measured: medianOfAll(values),
      sense: 'at most',
      limit: context.quick ? limit * 5 : limit,
      unit: 'ms',
      robust: true,
    })
    return {
      text: [
        table(
          [`median of ${runs} processes, with smallest..largest`, 'ms'],
          figures.map(([name, values]) => [name, withSpread(values, 1)]),
        ),
      ],
      bounds: [bound("import 'tidemark'", figures[0][1], 10), bound('open of an empty store', figures[1][1], 60)],
      data: results,
    }
  },
}
