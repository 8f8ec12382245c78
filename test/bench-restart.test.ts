/** The restart benchmark measures only a store that brings back all that it should: one that comes back without its tail has no time. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { open } from 'tidemark'
import { runChild } from '../bench/harness/child.ts'
import type { RestartAssignment, RestartResult } from '../bench/restart/contract.ts'
import { makeSession, roundsOf, type Session } from '../bench/restart/state.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

/** More than are in the tail, and than are asked for. */
const KEYS = 40_000
const WRONG = /brought back|came back/
const worker = join(root, '.build/bench/restart/worker.js')

async function measured(t: TestContext, roundOf: (id: number) => number): Promise<RestartResult> {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const sessions = store.map<Session, number>('sessions')
  for (let id = 0; id < KEYS; id++) sessions.set(id, makeSession(id, roundOf(id)))
  await store.close()
  const job: RestartAssignment = { engine: 'tidemark', folder, role: 'open', keys: KEYS }
  return (await runChild<RestartResult>(worker, job)).result
}

test('a store as it was filled has a time', async t => {
  const rounds = roundsOf(KEYS)
  assert.ok((await measured(t, id => rounds[id] as number)).firstGetMs > 0)
})

test('a store that ignores its tail, or part of it, has none', async t => {
  const rounds = roundsOf(KEYS)
  await assert.rejects(
    measured(t, () => 1),
    WRONG,
  )
  // Of those that are asked for as any other key, none.
  const asked = new Set(Array.from({ length: 10_000 }, (_, at) => (at * 7919 + 13) % KEYS))
  await assert.rejects(
    measured(t, id => (asked.has(id) ? (rounds[id] as number) : 1)),
    WRONG,
  )
})

test('a store that brings back something newer than there was has none', async t => {
  await assert.rejects(
    measured(t, () => 2),
    WRONG,
  )
})
