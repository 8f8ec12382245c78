/** The restart benchmark measures only a store that brings back all that it should: one that comes back without its tail has no time. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { open } from 'tidemark'
import { runChild } from '../bench/harness/child.ts'
import { holds } from '../bench/harness/suite.ts'
import type { RestartAssignment, RestartResult } from '../bench/restart/contract.ts'
import { CALM_TAIL_KEYS, makeSession, roundsOf, type Session, TAIL_KEYS } from '../bench/restart/state.ts'
import { boundsOf, measureAll, type Row } from '../bench/restart/suite.ts'
import { TABLE_RECORDS } from '../src/base/limits.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

/** More than are in the tail, and than are asked for. */
const KEYS = 80_000
const WRONG = /brought back|came back/
const worker = join(root, '.build/bench/restart/worker.js')

async function measured(t: TestContext, roundOf: (id: number) => number): Promise<RestartResult> {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const sessions = store.map<Session, number>('sessions')
  for (let id = 0; id < KEYS; id++) sessions.set(id, makeSession(id, roundOf(id)))
  await store.close()
  const job: RestartAssignment = { engine: 'tidemark', folder, role: 'open', keys: KEYS, tail: TAIL_KEYS }
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

test('each open that is measured finds the state as it was filled, of the peers as well', async t => {
  const folder = temporaryFolder(t)
  const row = (engine: string): Row => ({ engine, keys: 5, tail: 5, cache: 'warm', results: [] })
  const rows = [row('tidemark'), row('classic-level')]
  await measureAll({ folder, progress: () => {} }, rows, 3, async (_, { engine, keys, tail }, role) => {
    const place = join(folder, `${engine}-${keys}-${tail}`)
    mkdirSync(place, { recursive: true })
    const [filled, recovered] = [join(place, 'filled'), join(place, 'recovered')]
    assert.deepEqual([existsSync(filled), existsSync(recovered)], [role === 'open', false], engine)
    writeFileSync(role === 'fill' ? filled : recovered, '')
    return {} as RestartResult
  })
  assert.deepEqual(
    rows.map(({ results }) => results.length),
    [3, 3],
  )
})

test('a tail that is shorter than it was meant to be has no bound that is met; memory is that above an empty process', () => {
  const of = (full: number, calm: number, rssBytes: number): string[] => {
    const cold = { p50: 1, p99: 1 }
    const row = (keys: number, tail: number, records: number): Row => {
      const result = { openMs: 1, firstGetMs: 1, coldGetUs: cold, firstColdGetUs: cold, rssBytes, tail: records }
      return { engine: 'tidemark', keys, tail, cache: 'warm', results: [result] }
    }
    const rows = [row(0, 0, 0), row(1e6, TAIL_KEYS, full), row(1e6, CALM_TAIL_KEYS, calm)]
    return boundsOf({ quick: false }, [0, 1e6], rows)
      .filter(bound => !holds(bound))
      .map(({ name }) => name.replace(/^[^:]*: /, ''))
  }
  assert.deepEqual(of(TAIL_KEYS, CALM_TAIL_KEYS, 149e6), [])
  assert.deepEqual(of(CALM_TAIL_KEYS, CALM_TAIL_KEYS, 149e6), ['records of the tail, least'])
  assert.deepEqual(of(TAIL_KEYS, 0, 149e6), ['tail of a calm store, records, least'])
  assert.deepEqual(of(TAIL_KEYS, CALM_TAIL_KEYS, 151e6), ['memory on demand, above an empty process'])
  assert.ok(CALM_TAIL_KEYS < TABLE_RECORDS && TAIL_KEYS > 1.9 * TABLE_RECORDS && TAIL_KEYS < 2 * TABLE_RECORDS)
})
