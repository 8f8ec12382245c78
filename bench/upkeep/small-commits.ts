/** Small checkpoints every 50 ms on a store, whatever else it does: how long each takes, and how long requests wait meanwhile. */
import type { Store, TidemarkMap } from 'tidemark'
import { sleep, turn } from '../harness/child.ts'
import { makePlayer, type Player } from '../workload/players.ts'
import type { IsolationPhase } from './contract.ts'

const EVERY_MS = 50
/** Of each checkpoint: so few that a phase alone brings no fold. */
const UPDATES = 50
/** A request comes so often, whatever the service does. */
const REQUEST_MS = 1
const SECONDS_MAX = 40

export interface Load {
  readonly store: Store
  readonly players: TidemarkMap<string, Player>
  readonly keys: readonly string[]
  readonly seconds: number
  /** What is to happen meanwhile has happened: until then it goes on, but no longer than SECONDS_MAX. */
  readonly isOver?: () => boolean
  /** Where versions begin: no update is one that was made before. */
  readonly version: number
  /** Between its turns: without a pause the event loop is seen to be busy. */
  readonly pause?: () => Promise<void>
}

export async function smallCommits({
  store,
  players,
  keys,
  seconds,
  isOver = () => true,
  version,
  pause = turn,
}: Load): Promise<IsolationPhase> {
  const before = store.stats().upkeep
  const commits: number[] = []
  const delays: number[] = []
  let running = false
  let failure: unknown
  const begin = performance.now()
  let next = begin
  let due = begin
  let index = 0
  let updates = 0
  while (due - begin < (isOver() ? seconds : SECONDS_MAX) * 1000) {
    await pause()
    const now = performance.now()
    for (; due <= now; due += REQUEST_MS) delays.push(now - due)
    if (failure !== undefined) throw failure
    if (now < next || running) continue
    next += EVERY_MS
    for (let update = 0; update < UPDATES; update++) {
      index = (index + 7919) % keys.length
      players.set(keys[index] as string, makePlayer(index, version + updates++))
    }
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
