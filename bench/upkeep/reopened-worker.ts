/**
 * Commits beside hydration: the same small checkpoints on a store that was just opened behind a tail of many tables, so that it folds as well, with
 * entries coming home and without. Or makes that store, and ends as a crash does.
 */
import { open, type Settings } from 'tidemark'
import { assignment, deliver, sleep, turn } from '../harness/child.ts'
import { calmMsOf, commit, FOLDED_RECORDS, fill, untilAtRest } from '../harness/upkeep.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { ReopenedAssignment, ReopenedPhase } from './contract.ts'
import { smallCommits } from './small-commits.ts'

const job = assignment<ReopenedAssignment>()
const SETTINGS: Settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 0 } }
const KEYS_PER_TURN = 1000
/** Of upkeep: one table may be under way when the store opens. */
const TABLES_MIN = 1.5
/** Beyond every version that was put by then. */
const VERSION = 1_000_000_000
const keys = playerKeys(job.keys)

await deliver(async (): Promise<ReopenedPhase | undefined> => (job.role === 'fill' ? await fillStore() : await reopen(job.role)))

async function fillStore(): Promise<undefined> {
  const store = await open(job.folder, SETTINGS)
  const players = store.map<Player, string>('players')
  const put = (index: number, version: number): void => void players.set(keys[index] as string, makePlayer(index, version))
  await untilAtRest(store, await fill(store, keys.length, index => put(index, 0)), calmMsOf(keys.length))
  for (let index = 0; index < job.tail; index++) {
    put(index, 1)
    if (index % KEYS_PER_TURN === 0) await turn()
  }
  // The process ends behind it: no fold that it brings gets to its manifest.
  await commit(store)
}

async function reopen(hydrate: 'background' | 'on-demand'): Promise<ReopenedPhase> {
  const store = await open(job.folder, { ...SETTINGS, restore: { hydrate } })
  const players = store.map<Player, string>('players')
  const { segmentBytes } = store.stats().upkeep
  const begin = performance.now()
  let hydratedMs = Number.NaN
  let hydratedAtEpoch = Number.POSITIVE_INFINITY
  const { epoch } = store.stats()
  void store.hydrated().then(() => {
    hydratedMs = performance.now() - begin
    hydratedAtEpoch = store.stats().epoch
  })
  const tablesOf = (bytes: number): number => bytes / ((segmentBytes / keys.length) * FOLDED_RECORDS)
  const isOver = (): boolean => {
    const { foldBytes, mergeBytes } = store.stats().upkeep
    return Number.isFinite(hydratedMs) && tablesOf(foldBytes + mergeBytes) > TABLES_MIN
  }
  const phase = await smallCommits({ store, players, keys, seconds: job.seconds, isOver, version: VERSION, pause: () => sleep(1) })
  const tables = tablesOf(phase.upkeepBytes)
  return { ...phase, hydratedMs, commitsBefore: Math.min(hydratedAtEpoch, store.stats().epoch) - epoch, tables }
}
