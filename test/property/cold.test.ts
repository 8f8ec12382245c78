/** A collection whose entries are partly cold is a Map, and its epochs are what was there at their barriers. */
import { test } from 'node:test'
import fc from 'fast-check'
import { share } from '../support/share.ts'
import { coldProgram } from './cold-program.ts'
import { ColdWorld } from './cold-world.ts'

const SEED = 20_261_123
const RUNS = Number(process.env.TIDEMARK_RUNS ?? share(700))

test('random programs: with cold entries, evicted ones and exchanged states, a collection is a Map', context => {
  context.diagnostic(`seed ${SEED}, ${RUNS} programs`)
  fc.assert(
    fc.property(coldProgram, ({ start, steps }) => {
      const world = new ColdWorld(start)
      for (const step of steps) world.do(step)
      world.end()
    }),
    { seed: SEED, numRuns: RUNS },
  )
})
