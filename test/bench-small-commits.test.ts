/** The small checkpoints of the benchmark of upkeep are due every 50 ms: one that takes long makes all that come due meanwhile late. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store, TidemarkMap } from 'tidemark'
import { percentile } from '../bench/harness/stats.ts'
import { smallCommits } from '../bench/upkeep/small-commits.ts'
import type { Player } from '../bench/workload/players.ts'

/** On a clock that goes on by a millisecond a turn, with checkpoints that take one, but for the third. */
async function commitsOf(seconds: number, thirdMs: number): Promise<readonly number[]> {
  let ms = 0
  let asked = 0
  let acknowledge: { at: number; resolve: () => void } | undefined
  const store = {
    stats: () => ({ upkeep: { foldBytes: 0, mergeBytes: 0 } }),
    checkpoint: () => new Promise<void>(resolve => (acknowledge = { at: ms + (++asked === 3 ? thirdMs : 1), resolve })),
  } as unknown as Store
  const pause = async (): Promise<void> => {
    ms++
    if (acknowledge !== undefined && ms >= acknowledge.at) acknowledge.resolve()
  }
  const players = { set: () => {} } as unknown as TidemarkMap<string, Player>
  return (await smallCommits({ store, players, keys: ['key'], seconds, version: 0, pause, now: () => ms })).commits
}

test('an outage counts for every checkpoint that came due in it', async () => {
  const calm = await commitsOf(30, 1)
  assert.equal(calm.length, 600)
  assert.ok(percentile(calm, 100) < 10)
  const commits = await commitsOf(30, 1000)
  assert.equal(commits.length, 600)
  // Twenty of the six hundred are late by 1000, 950, 900 …
  assert.ok(percentile(commits, 99) > 700)
  assert.ok(percentile(commits, 90) < 10)
})

test('what never got its turn counts with its age', async () => {
  const commits = await commitsOf(3, 5000)
  assert.equal(commits.length, 60)
  assert.ok(percentile(commits, 50) > 3000)
})
