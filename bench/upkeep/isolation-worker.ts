/**
 * Commits and the main thread beside upkeep: the same small checkpoints, every 50 ms, on a store at rest and on one that folds and merges as
 * fast as it may.
 */
import { open } from 'tidemark'
import { assignment, deliver, turn } from '../harness/child.ts'
import { calmMsOf, commit, fill, untilAtRest } from '../harness/upkeep.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { IsolationAssignment, IsolationPhase, IsolationResult } from './contract.ts'
import { smallCommits } from './small-commits.ts'

const job = assignment<IsolationAssignment>()
const keys = playerKeys(job.keys)

await deliver(async (): Promise<IsolationResult> => {
  const store = await open(job.folder, { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 0 } })
  const players = store.map<Player, string>('players')
  let version = 0
  const put = (index: number): void => void players.set(keys[index] as string, makePlayer(index, version++))
  const folded = await fill(store, keys.length, put)
  await untilAtRest(store, folded, calmMsOf(keys.length))
  const phase = (): Promise<IsolationPhase> => smallCommits({ store, players, keys, seconds: job.seconds, version })

  const rest = await phase()
  for (let index = 0; index < job.burst; index++) {
    put((index * 3) % keys.length)
    if (index % 1000 === 0) await turn()
  }
  await commit(store)
  return { rest, busy: await phase() }
})
