/**
 * Open and first right answer after a crash with a full tail, by the size of the state: against the same on an empty store, with the page
 * cache warm and dropped, and beside other ways to have the same state back.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import { copyStore } from '../harness/files.ts'
import { dropPageCache, fillPageCache } from '../harness/page-cache.ts'
import { median, medianOfAll, withSpread } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { RestartAssignment, RestartResult } from './contract.ts'
import { PEER_NAMES, unavailable } from './peers.ts'
import { TAIL_KEYS } from './state.ts'

const MINE = 'tidemark'
const REPS_LEAST = 5

interface Row {
  readonly engine: string
  readonly keys: number
  readonly cache: 'warm' | 'dropped'
  readonly results: RestartResult[]
  /** Why there are no results. */
  readonly why?: string | undefined
}

export const restart: Suite = {
  name: 'restart',
  about: 'open and first get after a crash, cold gets, memory: 1M and 10M keys, against an empty store and beside peers',
  async run(context) {
    const sizes = context.quick ? [0, 50_000] : [0, 1_000_000, 10_000_000]
    const peers = PEER_NAMES.filter(name => context.engines === undefined || context.engines.includes(name))
    const rows: Row[] = []
    const measure = (engine: string, keys: number, cache: Row['cache'], why: string | undefined): void => {
      rows.push({ engine, keys, cache, results: [], why })
    }
    const cold = dropPageCache() ? undefined : 'not measured: dropping the page cache is not permitted'
    for (const keys of sizes) {
      measure(MINE, keys, 'warm', undefined)
      measure(MINE, keys, 'dropped', cold)
      if (keys > 0) for (const peer of peers) measure(peer, keys, 'warm', unavailable(peer, keys))
    }
    for (const row of rows.filter(({ cache, why }) => cache === 'warm' && why === undefined)) {
      await run(context, row, 'fill')
      if (row.engine === MINE) renameSync(folderOf(context, row), `${folderOf(context, row)}-filled`)
    }
    for (let rep = 0; rep < Math.max(REPS_LEAST, context.reps); rep++) {
      for (const row of rows) {
        if (row.why !== undefined) continue
        // As the crash left it: who opens a store folds its tail.
        if (row.engine === MINE) copyStore(`${folderOf(context, row)}-filled`, folderOf(context, row))
        // What was written just now is not to be written again in the time that is measured.
        spawnSync('sync')
        if (row.cache === 'dropped') await dropped(context)
        else fillPageCache(folderOf(context, row))
        row.results.push(await run(context, row, 'open'))
      }
    }
    return {
      text: [show(rows)],
      bounds: boundsOf(context, sizes, rows),
      data: rows,
      missing: rows.flatMap(row => (row.why === undefined ? [] : [`restart: ${row.engine}, ${row.keys} keys, ${row.cache}: ${row.why}`])),
    }
  },
}

async function run(
  context: Context,
  { engine, keys }: Pick<Row, 'engine' | 'keys'>,
  role: RestartAssignment['role'],
): Promise<RestartResult> {
  const folder = folderOf(context, { engine, keys })
  mkdirSync(folder, { recursive: true })
  const begin = performance.now()
  const job: RestartAssignment = { engine, folder, role, keys }
  const { result } = await runChild<RestartResult>(beside(import.meta.url, 'worker'), job)
  if (role === 'fill') context.progress(`${engine}: ${keys} keys filled in ${((performance.now() - begin) / 1000).toFixed(0)} s`)
  return result
}

function folderOf(context: Context, { engine, keys }: Pick<Row, 'engine' | 'keys'>): string {
  return join(context.folder, `${engine}-${keys}`)
}

/** The cache without the store's files, but with the programs: what is asked for is a store that nobody has read, on a machine that runs. */
async function dropped(context: Context): Promise<void> {
  dropPageCache()
  const folder = join(context.folder, 'warm')
  await runChild<RestartResult>(beside(import.meta.url, 'worker'), { engine: MINE, folder, role: 'open', keys: 0 })
  rmSync(folder, { recursive: true, force: true })
}

function show(rows: readonly Row[]): string {
  const head = ['', 'keys', 'page cache', 'open ms', 'to first get ms', 'cold get us p50', 'p99', 'first 2,000: p50', 'p99', 'RSS MB']
  head.push('records of the tail')
  return table(
    head,
    rows.map(({ engine, keys, cache, results, why }) => {
      if (why !== undefined) return [engine, keys, cache, why]
      const of = (pick: (result: RestartResult) => number, digits: number): string => withSpread(results.map(pick), digits)
      const asked = engine === MINE && keys > 0
      return [
        engine,
        keys,
        cache,
        of(result => result.openMs, 1),
        of(result => result.firstGetMs, 1),
        asked ? of(result => result.coldGetUs.p50, 0) : undefined,
        asked ? of(result => result.coldGetUs.p99, 0) : undefined,
        asked ? of(result => result.firstColdGetUs.p50, 0) : undefined,
        asked ? of(result => result.firstColdGetUs.p99, 0) : undefined,
        // Its memory is that of another process.
        engine === 'redis' ? undefined : of(result => result.rssBytes / 1e6, 0),
        engine === MINE ? median(results.map(result => result.tail)) : undefined,
      ]
    }),
  )
}

function boundsOf(context: Context, sizes: readonly number[], rows: readonly Row[]): Bound[] {
  const of = (keys: number, pick: (result: RestartResult) => number, cache: Row['cache'] = 'warm'): number =>
    medianOfAll(rows.filter(row => row.engine === MINE && row.keys === keys && row.cache === cache).flatMap(row => row.results.map(pick)))
  const firstGet = (keys: number, cache?: Row['cache']): number => of(keys, result => result.firstGetMs, cache)
  const bounds: Bound[] = []
  const loose = context.quick ? 5 : 1
  for (const keys of sizes.filter(size => size > 0)) {
    const bound = (what: string, measured: number, limit: number, unit: string): void => {
      bounds.push({ name: `restart, ${keys} keys: ${what}`, measured, sense: 'at most', limit: limit * loose, unit, robust: false })
    }
    bound('open and first get beyond an empty store', firstGet(keys) - firstGet(0), 40, 'ms')
    const dropped = firstGet(keys, 'dropped') - firstGet(0, 'dropped')
    const wasDropped = rows.some(row => row.engine === MINE && row.keys === keys && row.cache === 'dropped' && row.why === undefined)
    if (wasDropped) bound('the same, page cache dropped', dropped, 80, 'ms')
    bound(
      'cold get, median',
      of(keys, result => result.coldGetUs.p50),
      50,
      'us',
    )
    bound(
      'cold get, p99',
      of(keys, result => result.coldGetUs.p99),
      500,
      'us',
    )
    bounds.push({
      name: `restart, ${keys} keys: records of the tail, least`,
      measured: Math.min(
        ...rows.filter(row => row.engine === MINE && row.keys === keys).flatMap(row => row.results.map(({ tail }) => tail)),
      ),
      sense: 'at least',
      limit: Math.min(TAIL_KEYS, keys),
      unit: '',
      robust: true,
    })
    const memory = of(keys, result => result.rssBytes) - of(0, result => result.rssBytes)
    bound('memory on demand, above an empty store', memory / 1e6, 150, 'MB')
  }
  const [, small, large] = sizes
  if (small !== undefined && large !== undefined) {
    const measured = firstGet(large) / firstGet(small)
    bounds.push({ name: 'restart: 10M keys against 1M', measured, sense: 'at most', limit: 1.3, unit: 'x', robust: false })
  }
  return bounds
}
