/** Proof that the crash test would notice a broken engine. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLANTS } from './crash/plant.ts'
import { run, SEED } from './crash/short.ts'

const LIVES_MAX = 24

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
