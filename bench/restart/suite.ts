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
import { CALM_TAIL_KEYS, TAIL_KEYS } from './state.ts'

const MINE = 'tidemark'
const REPS_LEAST = 5

export interface Row {
  readonly engine: string
  readonly keys: number
  readonly tail: number
  readonly cache: 'warm' | 'dropped'
  readonly results: RestartResult[]
  /** Why there are no results. */
  readonly why?: string | undefined
}

export const restart: Suite = {
  name: 'restart',
  about: 'open and first get after a crash, cold gets, memory: 1M and 10M keys, against an empty store and beside peers',
  async run(context) {
    // A tail is a part of what there is, with --quick too.
    const sizes = context.quick ? [0, 100_000] : [0, 1_000_000, 10_000_000]
    const peers = PEER_NAMES.filter(name => context.engines === undefined || context.engines.includes(name))
    const rows: Row[] = []
    const measure = (engine: string, keys: number, cache: Row['cache'], why: string | undefined, tail = TAIL_KEYS): void => {
      rows.push({ engine, keys, tail: Math.min(tail, keys), cache, results: [], why })
    }
    const cold = dropPageCache() ? undefined : 'not measured: dropping the page cache is not permitted'
    for (const keys of sizes) {
      measure(MINE, keys, 'warm', undefined)
      measure(MINE, keys, 'dropped', cold)
      // Of the smaller size alone: filling the other takes minutes.
      if (keys === sizes[1]) measure(MINE, keys, 'warm', undefined, CALM_TAIL_KEYS)
      if (keys > 0) for (const peer of peers) measure(peer, keys, 'warm', unavailable(peer, keys))
    }
    await measureAll(context, rows, Math.max(REPS_LEAST, context.reps))
    return {
      text: [show(rows)],
      bounds: boundsOf(context, sizes, rows),
      data: rows,
      missing: rows.flatMap(row => (row.why === undefined ? [] : [`restart: ${row.engine}, ${row.keys} keys, ${row.cache}: ${row.why}`])),
    }
  },
}

/** Fills each and opens it again and again, always as the crash left it: who opens a store folds its tail, and a peer recovers its own. */
export async function measureAll(
  context: Pick<Context, 'folder' | 'progress'>,
  rows: readonly Row[],
  reps: number,
  runOne: typeof run = run,
): Promise<void> {
  for (const row of rows.filter(({ cache, why }) => cache === 'warm' && why === undefined)) {
    await runOne(context, row, 'fill')
    renameSync(folderOf(context, row), `${folderOf(context, row)}-filled`)
  }
  for (let rep = 0; rep < reps; rep++) {
    for (const row of rows) {
      if (row.why !== undefined) continue
      copyStore(`${folderOf(context, row)}-filled`, folderOf(context, row))
      // What was written just now is not to be written again in the time that is measured.
      spawnSync('sync')
      if (row.cache === 'dropped') await dropped(context)
      else fillPageCache(folderOf(context, row))
      row.results.push(await runOne(context, row, 'open'))
      rmSync(folderOf(context, row), { recursive: true })
    }
  }
}

async function run(
  context: Pick<Context, 'folder' | 'progress'>,
  row: Pick<Row, 'engine' | 'keys' | 'tail'>,
  role: RestartAssignment['role'],
): Promise<RestartResult> {
  const { engine, keys, tail } = row
  const folder = folderOf(context, row)
  mkdirSync(folder, { recursive: true })
  const begin = performance.now()
  const job: RestartAssignment = { engine, folder, role, keys, tail }
  const { result } = await runChild<RestartResult>(beside(import.meta.url, 'worker'), job)
  if (role === 'fill')
    context.progress(`${engine}: ${keys} keys filled, ${tail} of them twice, in ${((performance.now() - begin) / 1000).toFixed(0)} s`)
  return result
}

function folderOf(context: Pick<Context, 'folder'>, { engine, keys, tail }: Pick<Row, 'engine' | 'keys' | 'tail'>): string {
  return join(context.folder, `${engine}-${keys}-${tail}`)
}

/** The cache without the store's files, but with the programs: what is asked for is a store that nobody has read, on a machine that runs. */
async function dropped(context: Pick<Context, 'folder'>): Promise<void> {
  dropPageCache()
  const folder = join(context.folder, 'warm')
  await runChild<RestartResult>(beside(import.meta.url, 'worker'), { engine: MINE, folder, role: 'open', keys: 0, tail: 0 })
  rmSync(folder, { recursive: true, force: true })
}

function show(rows: readonly Row[]): string {
  const head = [
    '',
    'keys',
    'changed last',
    'page cache',
    'open ms',
    'to first get ms',
    'cold get us p50',
    'p99',
    'first 2,000: p50',
    'p99',
    'RSS MB',
  ]
  head.push('records of the tail')
  return table(
    head,
    rows.map(({ engine, keys, tail, cache, results, why }) => {
      if (why !== undefined) return [engine, keys, tail, cache, why]
      const of = (pick: (result: RestartResult) => number, digits: number): string => withSpread(results.map(pick), digits)
      const asked = engine === MINE && keys > 0
      return [
        engine,
        keys,
        tail,
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

/** What is not said to be of a calm store is of one whose tail is full. */
export function boundsOf(context: Pick<Context, 'quick'>, sizes: readonly number[], rows: readonly Row[]): Bound[] {
  const mine = (keys: number, tail: number): Row[] =>
    rows.filter(row => row.engine === MINE && row.keys === keys && row.tail === Math.min(tail, keys))
  const of = (keys: number, pick: (result: RestartResult) => number, cache: Row['cache'] = 'warm', tail = TAIL_KEYS): number =>
    medianOfAll(mine(keys, tail).flatMap(row => (row.cache === cache ? row.results.map(pick) : [])))
  const firstGet = (keys: number, cache?: Row['cache'], tail?: number): number => of(keys, result => result.firstGetMs, cache, tail)
  const bounds: Bound[] = []
  const loose = context.quick ? 5 : 1
  for (const keys of sizes.filter(size => size > 0)) {
    const bound = (what: string, measured: number, limit: number, unit: string): void => {
      bounds.push({ name: `restart, ${keys} keys: ${what}`, measured, sense: 'at most', limit: limit * loose, unit, robust: false })
    }
    bound('open and first get beyond an empty store', firstGet(keys) - firstGet(0), 40, 'ms')
    const dropped = firstGet(keys, 'dropped') - firstGet(0, 'dropped')
    const wasDropped = mine(keys, TAIL_KEYS).some(row => row.cache === 'dropped' && row.why === undefined)
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
    const records = (what: string, tail: number): void => {
      const measured = Math.min(...mine(keys, tail).flatMap(row => row.results.map(result => result.tail)))
      const limit = Math.min(tail, keys)
      bounds.push({ name: `restart, ${keys} keys: ${what}`, measured, sense: 'at least', limit, unit: '', robust: true })
    }
    records('records of the tail, least', TAIL_KEYS)
    const memory = of(keys, result => result.rssBytes)
    bound('memory on demand, above an empty process', memory / 1e6, 150, 'MB')
    if (mine(keys, CALM_TAIL_KEYS).length === 0) continue
    bound('tail of a calm store, open and first get', firstGet(keys, 'warm', CALM_TAIL_KEYS) - firstGet(0), 40, 'ms')
    records('tail of a calm store, records, least', CALM_TAIL_KEYS)
  }
  const [, small, large] = sizes
  if (small !== undefined && large !== undefined) {
    const measured = firstGet(large) / firstGet(small)
    bounds.push({ name: 'restart: 10M keys against 1M', measured, sense: 'at most', limit: 1.3, unit: 'x', robust: false })
  }
  return bounds
}
