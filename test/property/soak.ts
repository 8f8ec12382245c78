/** Random programs for as long as asked: `npm run soak -- --minutes 10 [--seed N]`. Ends with a minimal program when one fails. */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { type Program, program } from './program.ts'
import { runProgram } from './run.ts'
import { noTotals } from './totals.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, path: { type: 'string' } } })
const ROUND_MS_MIN = 2000
const end = performance.now() + Number(values.minutes) * 60_000
const first = values.seed === undefined ? Date.now() & 0x7fffffff : Number(values.seed)
const totals = noTotals()
const begin = performance.now()
let seed = first
let failed = false

async function run(one: Program): Promise<void> {
  try {
    await runProgram(one, totals)
  } catch (error) {
    // The first failure at once; making it smaller takes its time.
    if (!failed) console.log(error)
    failed = true
    throw error
  }
}

do {
  console.log(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(program, run), {
    seed,
    numRuns: 500,
    ...(values.path === undefined ? {} : { path: values.path }),
    interruptAfterTimeLimit: Math.max(1, end - performance.now()),
  })
  seed++
  // A round that is cut off before its first program counts as failed.
} while (end - performance.now() > ROUND_MS_MIN)
console.log(`${Math.round((performance.now() - begin) / 1000)} s`, totals)
