/**
 * Small checkpoints every 50 ms on a store, whatever else it does: how long each takes from when it was due, and how long requests wait meanwhile.
 * One that came due and had no turn any more counts with its age.
 */
import type { Store, TidemarkMap } from 'tidemark'
import { turn } from '../harness/child.ts'
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
  readonly now?: () => number
}

export async function smallCommits({
  store,
  players,
  keys,
  seconds,
  isOver = () => true,
  version,
  pause = turn,
  now = () => performance.now(),
}: Load): Promise<IsolationPhase> {
  const before = store.stats().upkeep
  const commits: number[] = []
  const delays: number[] = []
  let running = false
  let failure: unknown
  const begin = now()
  let next = begin
  let due = begin
  let index = 0
  let updates = 0
  while (due - begin < (isOver() ? seconds : SECONDS_MAX) * 1000) {
    await pause()
    const at = now()
    for (; due <= at; due += REQUEST_MS) delays.push(at - due)
    if (failure !== undefined) throw failure
    if (at < next || running) continue
    // From when it was due: what came due while the one before took long is late by that.
    const asked = next
    next += EVERY_MS
    for (let update = 0; update < UPDATES; update++) {
      index = (index + 7919) % keys.length
      players.set(keys[index] as string, makePlayer(index, version + updates++))
    }
    running = true
    store.checkpoint().then(
      () => {
        commits.push(now() - asked)
        running = false
      },
      error => {
        failure = error
        running = false
      },
    )
  }
  while (running) await pause()
  if (failure !== undefined) throw failure
  for (; next < due; next += EVERY_MS) commits.push(now() - next)
  const { foldBytes, mergeBytes } = store.stats().upkeep
  return { commits, delays, upkeepBytes: foldBytes + mergeBytes - before.foldBytes - before.mergeBytes }
}
