/** The price of rollback: a transaction that hands out an object saves it first. */
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { median, withSpread } from '../harness/stats.ts'
import type { Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { TransactionsAssignment, TransactionsResult } from './contract.ts'

export const transactions: Suite = {
  name: 'transactions',
  about: 'the price of a transaction: get, set, and change of an object handed out, beside the same without',
  async run(context) {
    const results: TransactionsResult[] = []
    for (let rep = 0; rep < context.reps; rep++) {
      const job: TransactionsAssignment = {
        folder: join(context.folder, `store-${rep}`),
        keys: 100_000,
        operations: context.quick ? 20_000 : 200_000,
        passes: 3,
      }
      results.push((await runChild<TransactionsResult>(beside(import.meta.url, 'worker'), job)).result)
    }
    const names = Object.keys(results[0] as TransactionsResult)
    const of = (name: string): number[] => results.map(result => result[name] as number)
    const rows = names.map(name => {
      const outside = `${name.split(';')[0]}; outside`
      const base = names.includes(outside) ? median(of(outside)) : Number.NaN
      return [name, withSpread(of(name), 0), name === outside ? undefined : median(of(name)) - base]
    })
    return {
      text: [`100,000 keys, small objects of six fields; ns for each operation\n${table(['', 'ns', 'more than outside'], rows)}`],
      bounds: [],
      data: results,
    }
  },
}
