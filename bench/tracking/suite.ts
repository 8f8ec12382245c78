/** How changed keys could be tracked (RFC 0004): the ways side by side, each in a process of its own, in alternating order. */
import { beside, runChild } from '../harness/child.ts'
import { median, withSpread } from '../harness/stats.ts'
import type { Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import { type TrackingAssignment, type TrackingResult, WAYS, type Way } from './contract.ts'

const TITLES: Readonly<Record<Way, string>> = {
  plain: 'plain Map',
  set: '(a) Map + Set of changed keys',
  entries: '(b) Map of entry objects',
  ring: '(c) Map + ring + Set, emptied between turns',
  slots: '(d) Map of slots + arrays',
  journal: '(e) Map + journal with duplicates',
}

export const tracking: Suite = {
  name: 'tracking',
  about: 'ways to track changed keys (RFC 0004): 1M keys for speed, 10M for memory',
  onRequest: true,
  async run(context) {
    const keys = context.quick ? 50_000 : 1_000_000
    const keysMany = context.quick ? 200_000 : 10_000_000
    const ways = WAYS.filter(way => way === 'plain' || context.engines === undefined || context.engines.includes(way))
    const results = new Map<Way, TrackingResult[]>(ways.map(way => [way, []]))
    const many = new Map<Way, number>()
    const measure = async (job: TrackingAssignment): Promise<TrackingResult> =>
      (await runChild<TrackingResult>(beside(import.meta.url, 'worker'), job)).result
    for (let rep = 0; rep < context.reps; rep++) {
      for (const way of rep % 2 === 0 ? ways : [...ways].reverse()) {
        const result = await measure({ way, keys, operations: context.quick ? 1 << 18 : 1 << 20, passes: 3 })
        results.get(way)?.push(result)
        context.progress(
          `${way} #${rep + 1}: get ${result.get.toFixed(2)}, set ${result.set.toFixed(2)} M/s, heap ${result.heapMB.toFixed(0)} MB`,
        )
      }
    }
    for (const way of ways) {
      many.set(way, (await measure({ way, keys: keysMany, operations: 0, passes: 0 })).heapMB)
      context.progress(`${way}, ${keysMany} keys: heap ${many.get(way)?.toFixed(0)} MB`)
    }
    const base = results.get('plain') as TrackingResult[]
    const ratios = (way: Way, pick: (result: TrackingResult) => number): number[] =>
      (results.get(way) as TrackingResult[]).map((result, rep) => pick(result) / pick(base[rep] as TrackingResult))
    const rows = ways.map(way => [
      TITLES[way],
      median((results.get(way) as TrackingResult[]).map(result => result.set)),
      withSpread(ratios(way, result => result.set)),
      withSpread(ratios(way, result => result.setAndSettle)),
      withSpread(ratios(way, result => result.get)),
      withSpread(ratios(way, result => result.heapMB)),
      (many.get(way) as number) / (many.get('plain') as number),
    ])
    const head = ['', 'set M/s', 'set', 'set, no duplicates left', 'get', 'heap, all dirty', `heap at ${keysMany / 1e6}M keys`]
    return {
      text: [
        `ratios to a plain Map at ${keys} keys; medians over ${context.reps} alternating runs, with smallest..largest\n${table(head, rows)}`,
      ],
      bounds: [],
      data: { results: Object.fromEntries(results), heapMany: Object.fromEntries(many), keys, keysMany },
    }
  },
}
