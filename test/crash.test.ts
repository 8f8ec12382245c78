/** The crash test in short: a kill at every named point, kills at random moments, and proof that a broken engine would be noticed. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { Chain, type ChainOptions, NEED_A_STORE } from './crash/chain.ts'
import { PLACES } from './crash/failpoints.ts'
import { PLANTS } from './crash/plant.ts'

const SEED = 20_240_607
const LIVES_MAX = 24

async function run(
  options: Omit<ChainOptions, 'onLife'>,
): Promise<{ failures: readonly string[]; reached: number; acks: number; lives: number }> {
  let reached = 0
  let acks = 0
  let lives = 0
  const chain = new Chain({
    ...options,
    onLife: result => {
      lives++
      acks += result.acks
      if (result.end === 'failpoint') reached++
    },
  })
  try {
    return { failures: await chain.run(), reached, acks, lives }
  } finally {
    rmSync(chain.directory, { recursive: true, force: true })
  }
}

test('killed at every named point of append, sync, commit, roll, manifest and takeover', { concurrency: 2 }, async t => {
  await Promise.all(
    PLACES.map((place, at) =>
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
    [1, 2].map(chain =>
      t.test(`chain ${chain}`, async () => {
        const { failures, acks } = await run({ seed: SEED * chain, lives: 6, failpoints: [] })
        assert.deepEqual(failures, [])
        assert.ok(acks > 0)
      }),
    ),
  )
})

for (const plant of PLANTS) {
  test(`an engine that is broken on purpose is noticed: ${plant}`, async () => {
    const { failures, lives } = await run({
      // Between a barrier and its commit: at a random moment what was told early may be true already.
      ...{ seed: SEED, lives: LIVES_MAX, failpoints: plant === 'early' ? ['commit.append'] : [], always: true, plant },
      // However fast the machine is.
      ...(plant === 'mute' ? { ackMsMax: 500 } : {}),
    })
    assert.ok(failures.length > 0, `not noticed in ${lives} lives`)
    if (plant === 'mute') assert.match(failures[0] as string, /no acknowledgement in/)
  })
}
