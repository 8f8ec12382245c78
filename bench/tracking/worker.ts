/** One way of tracking, measured in this process. */
import { assignment, deliver, turn } from '../harness/child.ts'
import { median } from '../harness/stats.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { TrackingAssignment, TrackingResult } from './contract.ts'
import { SlotTable } from './slot-table.ts'
import { DirtySet, Entries, Journalled, Plain, Ring, type Tracked } from './ways.ts'

const job = assignment<TrackingAssignment>()
const BATCH = 1 << 18

function make(): Tracked<Player> {
  switch (job.way) {
    case 'plain':
      return new Plain()
    case 'set':
      return new DirtySet()
    case 'entries':
      return new Entries()
    case 'ring':
      return new Ring()
    case 'slots':
      return new SlotTable()
    case 'journal':
      return new Journalled()
  }
}

await deliver(async (): Promise<TrackingResult> => {
  const { keys: count, operations, passes } = job
  const keys = playerKeys(count)
  const tracked = make()
  for (let at = 0; at < count; ) {
    for (const end = Math.min(count, at + 5000); at < end; at++) tracked.set(keys[at] as string, makePlayer(at, 0))
    tracked.drain()
    await turn()
  }
  tracked.settle()
  const order = new Uint32Array(operations)
  let state = 12_345
  for (let at = 0; at < operations; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    order[at] = state % count
  }
  const gets: number[] = []
  const sets: number[] = []
  const settled: number[] = []
  let sink = 0
  for (let pass = 0; pass <= passes && operations > 0; pass++) {
    await turn()
    let begin = performance.now()
    for (let at = 0; at < operations; at++) sink += (tracked.get(keys[order[at] as number] as string) as Player).v
    const getMs = performance.now() - begin
    await turn()
    begin = performance.now()
    for (let from = 0; from < operations; from += BATCH) {
      for (let at = from; at < from + BATCH; at++) {
        const index = order[at] as number
        tracked.set(keys[index] as string, makePlayer(index, pass))
      }
      tracked.drain()
      await turn()
    }
    const setMs = performance.now() - begin
    sink += tracked.settle()
    const settledMs = performance.now() - begin
    if (pass === 0) continue
    gets.push(operations / getMs / 1000)
    sets.push(operations / setMs / 1000)
    settled.push(operations / settledMs / 1000)
  }
  for (let at = 0; at < count; at++) {
    tracked.set(keys[at] as string, makePlayer(at, 9))
    if (at % BATCH === 0) tracked.drain()
  }
  tracked.drain()
  const gc = (globalThis as { gc?: () => void }).gc
  gc?.()
  gc?.()
  const { heapUsed, external } = process.memoryUsage()
  if (sink < 0 || tracked.get(keys[0] as string) === undefined) throw new Error('nothing was stored')
  return { get: median(gets), set: median(sets), setAndSettle: median(settled), heapMB: (heapUsed + external) / 1e6 }
})
