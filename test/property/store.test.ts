/**
 * Random programs against a model that copies the whole state at every barrier: what a restart brings back is always one of these copies,
 * of an epoch not older than the last one acknowledged, whatever the programs, the storage and the power did. Longer: `npm run soak`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { share } from '../support/share.ts'
import { program } from './program.ts'
import { runProgram } from './run.ts'
import { noTotals } from './totals.ts'

/** Another one finds other programs; this one makes every run the same. */
const SEED = 20_260_101
const ALL = 66
const PROGRAMS = share(ALL)

test('a restart brings back the state at a barrier, nothing acknowledged is missing', async context => {
  const totals = noTotals()
  context.diagnostic(`seed ${SEED}`)
  await fc.assert(
    fc.asyncProperty(program, one => runProgram(one, totals)),
    // A failure names its program by seed and path; `npm run soak -- --seed N` makes it smaller.
    { seed: SEED, numRuns: PROGRAMS, endOnFailure: true },
  )
  context.diagnostic(JSON.stringify(totals))
  const happens = [
    'commits',
    'failures',
    'refused',
    'rollbacks',
    'stale',
    'folds',
    'merges',
    'removed',
    'evicted',
    'crashes',
    'voids',
    'drained',
    'points',
    'beside',
    'back',
    'reopened',
    'rotten',
    'overtaken',
    'fenced',
    'closedWithin',
  ] as const
  // A third of them may do without what few do.
  const rare: readonly string[] = PROGRAMS < ALL ? ['back', 'reopened', 'fenced', 'closedWithin', 'folds', 'merges'] : []
  for (const what of happens.filter(one => !rare.includes(one))) assert.ok(totals[what] > 0, `no ${what}`)
})
