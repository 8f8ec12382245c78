/** The crash test in short: a kill at every named point, and kills at random moments. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NEED_A_STORE } from './crash/chain.ts'
import { PLACES } from './crash/failpoints.ts'
import { run, SEED } from './crash/short.ts'
import { sweep } from './support/share.ts'

test('killed at every named point of append, sync, commit, roll, manifest and takeover', { concurrency: 2 }, async t => {
  await Promise.all(
    sweep([...PLACES.entries()]).map(([at, place]) =>
      t.test(place, async () => {
        let reached = 0
        for (let attempt = 0; attempt < 4 && reached === 0; attempt++) {
          const result = await run({
            seed: SEED + 100 * attempt + at,
            lives: attempt + (NEED_A_STORE.test(place) ? 2 : 1),
            failpoints: [place],
            always: true,
          })
          assert.deepEqual(result.failures, [])
          reached += result.reached
        }
        assert.ok(reached > 0, `no life came to ${place}`)
      }),
    ),
  )
})

test('killed at random moments', { concurrency: 2 }, async t => {
  await Promise.all(
    sweep([1, 2]).map(chain =>
      t.test(`chain ${chain}`, async () => {
        const { failures, acks } = await run({ seed: SEED * chain, lives: 6, failpoints: [] })
        assert.deepEqual(failures, [])
        assert.ok(acks > 0)
      }),
    ),
  )
})
