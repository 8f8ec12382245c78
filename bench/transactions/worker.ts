/** The same work inside and outside a transaction. */
import { open } from 'tidemark'
import { assignment, deliver, turn } from '../harness/child.ts'
import { median } from '../harness/stats.ts'
import { makePlayer, playerKeys } from '../workload/players.ts'
import type { TransactionsAssignment, TransactionsResult } from './contract.ts'

const job = assignment<TransactionsAssignment>()

interface Account {
  id: number
  v: number
  name: string
  score: number
  at: number
  active: boolean
}

class Undo extends Error {}

await deliver(async (): Promise<TransactionsResult> => {
  const store = await open(job.folder, { checkpoint: { intervalMs: 0 } })
  const accounts = store.map<Account>('accounts')
  const keys = playerKeys(job.keys)
  for (let at = 0; at < keys.length; at++) accounts.set(keys[at] as string, makePlayer(at, 0))
  await store.checkpoint()
  const key = (at: number): string => keys[(at * 7_919) % job.keys] as string
  const read = (at: number): number => (accounts.get(key(at)) as Account).score
  const replace = (at: number): void => void accounts.set(key(at), makePlayer(at, at & 1023))
  const change = (at: number): void => {
    const account = accounts.get(key(at)) as Account
    account.score++
    accounts.set(key(at), account)
  }
  const within =
    (count: number, work: (at: number) => unknown, fail = false) =>
    (at: number) => {
      try {
        store.transaction(() => {
          for (let step = 0; step < count; step++) work(at + step)
          if (fail) throw new Undo()
        })
      } catch (error) {
        if (!(error instanceof Undo)) throw error
      }
    }
  const cases: readonly (readonly [string, number, (at: number) => unknown])[] = [
    ['empty', 1, within(0, read)],
    ['get; outside', 1, read],
    ['get; one in a transaction', 1, within(1, read)],
    ['get; of 100 in a transaction', 100, within(100, read)],
    ['set of a fresh object; outside', 1, replace],
    ['set of a fresh object; one in a transaction', 1, within(1, replace)],
    ['set of a fresh object; of 100 in a transaction', 100, within(100, replace)],
    ['get, change, set; outside', 1, change],
    ['get, change, set; one in a transaction', 1, within(1, change)],
    ['get, change, set; of 100 in a transaction', 100, within(100, change)],
    ['get, change, set, rolled back; one in a transaction', 1, within(1, change, true)],
    ['get, change, set, rolled back; of 100 in a transaction', 100, within(100, change, true)],
  ]
  const times = new Map<string, number[]>(cases.map(([name]) => [name, []]))
  for (let pass = 0; pass <= job.passes; pass++) {
    for (const [name, each, run] of cases) {
      await turn()
      const begin = performance.now()
      for (let at = 0; at < job.operations; at += each) run(at)
      const ns = ((performance.now() - begin) * 1e6) / job.operations
      if (pass > 0) times.get(name)?.push(ns)
      await store.checkpoint()
    }
  }
  return Object.fromEntries([...times].map(([name, list]) => [name, median(list)]))
})
