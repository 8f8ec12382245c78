/**
 * Commits and the main thread beside upkeep: the same small checkpoints, every 50 ms, on a store at rest and on one that folds and merges as
 * fast as it may.
 */
import { open } from 'tidemark'
import { assignment, deliver, sleep, turn } from '../harness/child.ts'
import { calmMsOf, commit, fill, untilAtRest } from '../harness/upkeep.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { IsolationAssignment, IsolationPhase, IsolationResult } from './contract.ts'

const job = assignment<IsolationAssignment>()
const EVERY_MS = 50
/** Of each checkpoint: so few that a phase alone brings no fold. */
const UPDATES = 50
const keys = playerKeys(job.keys)
/** A request comes so often, whatever the service does. */
const REQUEST_MS = 1
let version = 0

await deliver(async (): Promise<IsolationResult> => {
  const store = await open(job.folder, { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 0 } })
  const players = store.map<Player, string>('players')
  const put = (index: number): void => void players.set(keys[index] as string, makePlayer(index, version++))
  const folded = await fill(store, keys.length, put)
  await untilAtRest(store, folded, calmMsOf(keys.length))

  const phase = async (): Promise<IsolationPhase> => {
    const before = store.stats().upkeep
    const commits: number[] = []
    const delays: number[] = []
    let running = false
    let failure: unknown
    const begin = performance.now()
    let next = begin
    let due = begin
    let index = 0
    while (due - begin < job.seconds * 1000) {
      await turn()
      const now = performance.now()
      for (; due <= now; due += REQUEST_MS) delays.push(now - due)
      if (failure !== undefined) throw failure
      if (now < next || running) continue
      next += EVERY_MS
      for (let update = 0; update < UPDATES; update++) put((index += 7919) % keys.length)
      running = true
      const asked = performance.now()
      store.checkpoint().then(
        () => {
          commits.push(performance.now() - asked)
          running = false
        },
        error => {
          failure = error
          running = false
        },
      )
    }
    while (running) await sleep(1)
    if (failure !== undefined) throw failure
    const { foldBytes, mergeBytes } = store.stats().upkeep
    return { commits, delays, upkeepBytes: foldBytes + mergeBytes - before.foldBytes - before.mergeBytes }
  }

  const rest = await phase()
  for (let index = 0; index < job.burst; index++) {
    put((index * 3) % keys.length)
    if (index % 1000 === 0) await turn()
  }
  await commit(store)
  return { rest, busy: await phase() }
})
