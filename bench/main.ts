/**
 * `npm run bench`: every number the engine promises, measured side by side, with its bound.
 * Ends with one table of bounds and exit status 1 when one is not met.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bytes } from './bytes/suite.ts'
import { closedLoop } from './closed-loop/suite.ts'
import { codec } from './codec/suite.ts'
import { checkEngine } from './engines/index.ts'
import { removeNow } from './harness/files.ts'
import { describeMachine } from './harness/machine.ts'
import { originOf } from './harness/origin.ts'
import { type Bound, holds, type Outcome, outcomeOf, type Suite } from './harness/suite.ts'
import { table } from './harness/table.ts'
import { hydration } from './hydration/suite.ts'
import { largerThanMemory } from './larger-than-memory/suite.ts'
import { oneKey } from './one-key/suite.ts'
import { openLoop } from './open-loop/suite.ts'
import { restart } from './restart/suite.ts'
import { size } from './size/suite.ts'
import { awkward, documents, evenness, flatOut, flightsDay, slowStorage, ticks } from './spikes/index.ts'
import { startUp } from './start-up/suite.ts'
import { tracking } from './tracking/suite.ts'
import { transactions } from './transactions/suite.ts'
import { upkeep } from './upkeep/suite.ts'

const SUITES: readonly Suite[] = [
  size,
  startUp,
  restart,
  hydration,
  largerThanMemory,
  upkeep,
  oneKey,
  bytes,
  transactions,
  closedLoop,
  openLoop,
  evenness,
  ticks,
  documents,
  flatOut,
  awkward,
  slowStorage,
  flightsDay,
  tracking,
  codec,
]
const SUBJECTED = new Intl.ListFormat('en-GB').format(SUITES.filter(suite => suite.takesSubject).map(suite => suite.name))
/** Of the compiled benchmark: `.build/bench/main.js`. */
const root = fileURLToPath(new URL('../../', import.meta.url))

const HELP = `npm run bench -- [options]
  --quick         small scale and loose bounds, some minutes; asserts only what holds on any machine
  --only <name>   only this benchmark; may be given more than once
  --reps <n>      alternating runs of each measurement, at least 3 for a result (default 3, with --quick 1)
  --engine <name> only this engine (open-loop), peer (evenness), way (tracking), shape (awkward) or fault (slow-storage), beside what is always
                  there; may be repeated
  --seconds <n>   measured in each run (evenness, ticks, documents, flat-out, awkward, slow-storage, flights-day)
  --subject <name> judges another engine in place of this one (${SUBJECTED}): the naive ones have to fail
  --json <file>   where to write all figures (default .data/bench.json)
  --data <folder> where to keep stores meanwhile (default .data)
benchmarks:
${SUITES.map(suite => `  ${suite.name.padEnd(14)}${suite.about}${suite.onRequest ? ' (only on request)' : ''}`).join('\n')}`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    reps: { type: 'string' },
    engine: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    subject: { type: 'string' },
    json: { type: 'string', default: join(root, '.data', 'bench.json') },
    data: { type: 'string', default: join(root, '.data') },
    help: { type: 'boolean', default: false },
  },
})

function chosen(): readonly Suite[] {
  const only = values.only
  if (only === undefined) return SUITES.filter(suite => !suite.onRequest)
  return only.map(name => {
    const suite = SUITES.find(candidate => candidate.name === name)
    if (suite === undefined) throw new Error(`no benchmark '${name}'; there are ${SUITES.map(candidate => candidate.name).join(', ')}`)
    return suite
  })
}

/** Before anything is measured: a figure of the wrong engine would look like one. */
function checkSubject(subject: string, suites: readonly Suite[]): void {
  checkEngine(subject)
  const others = suites.filter(suite => !suite.takesSubject).map(suite => suite.name)
  if (others.length > 0) throw new Error(`--subject is for ${SUBJECTED}, not for ${others.join(', ')}: say --only`)
}

function checkSeconds(seconds: number, suites: readonly Suite[]): void {
  for (const suite of suites) {
    const least = suite.secondsLeast?.({ quick: values.quick, engines: values.engine }) ?? 0
    if (seconds < least) throw new Error(`--seconds wants at least ${least} for what ${suite.name} is to measure, not '${seconds}'`)
  }
}

async function run(): Promise<number> {
  const reps = Number(values.reps ?? (values.quick ? 1 : 3))
  if (!Number.isInteger(reps) || reps < 1) throw new Error(`--reps wants a whole number from 1, not '${values.reps}'`)
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
  if (seconds !== undefined && !(seconds > 0 && Number.isFinite(seconds))) {
    throw new Error(`--seconds wants a number above 0, not '${values.seconds}'`)
  }
  const suites = chosen()
  if (seconds !== undefined) checkSeconds(seconds, suites)
  if (values.subject !== undefined) checkSubject(values.subject, suites)
  const machine = describeMachine()
  const origin = originOf(root, process.argv.slice(2))
  // Those of an earlier run would pass for this one's, should it not come to its end.
  rmSync(values.json, { force: true })
  console.log(
    Object.entries(machine)
      .map(([name, value]) => `${name}: ${value}`)
      .join(', '),
  )
  mkdirSync(values.data, { recursive: true })
  const outcomes: { suite: Suite; outcome: Outcome }[] = []
  for (const suite of suites) {
    console.log(`\n== ${suite.name}: ${suite.about}`)
    const folder = mkdtempSync(join(resolve(values.data), `bench-${suite.name}-`))
    current = folder
    const begin = performance.now()
    try {
      const outcome = await outcomeOf(suite, {
        quick: values.quick,
        reps,
        engines: values.engine,
        seconds,
        subject: values.subject,
        folder,
        progress: line => console.log(`   ${line}`),
      })
      outcomes.push({ suite, outcome })
      console.log(`\n${outcome.text.join('\n\n')}`)
      console.log(`(${((performance.now() - begin) / 1000).toFixed(0)} s)`)
    } finally {
      clear()
    }
  }
  const bounds = outcomes.flatMap(({ outcome }) => outcome.bounds)
  const missed = bounds.filter(bound => !holds(bound) && asserted(bound))
  console.log(`\n== bounds${values.quick ? ' (loose, at small scale: they show that everything works, not how fast it is)' : ''}`)
  console.log(table(['', 'measured', 'bound', ''], bounds.map(row)))
  for (const { outcome } of outcomes) for (const reason of outcome.missing ?? []) console.log(`not measured: ${reason}`)
  const empty = outcomes.filter(({ outcome }) => outcome.text.length === 0)
  for (const { suite } of empty) console.log(`not measured: ${suite.name}: nothing in it is called ${values.engine?.join(' or ')}`)
  mkdirSync(dirname(resolve(values.json)), { recursive: true })
  const figures = Object.fromEntries(outcomes.map(({ suite, outcome }) => [suite.name, outcome.data]))
  const report = { ...origin, machine, quick: values.quick, reps, bounds: bounds.map(bound => ({ ...bound, met: holds(bound) })), figures }
  writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`)
  if (empty.length === outcomes.length) throw new Error('nothing was measured: see what --engine names')
  console.log(
    `\n${missed.length === 0 ? 'all bounds are met' : `${missed.length} of ${bounds.length} bounds are NOT MET`}; all figures: ${values.json}`,
  )
  return missed.length === 0 ? 0 : 1
}

/** Of the benchmark under way. */
let current: string | undefined
function clear(): void {
  if (current !== undefined) removeNow(current)
  current = undefined
}

function asserted(bound: Bound): boolean {
  return bound.robust || !values.quick
}

function row(bound: Bound): (string | number)[] {
  const verdict = holds(bound) ? 'ok' : asserted(bound) ? 'NOT MET' : 'not met (not asserted here)'
  return [bound.name, bound.measured.toFixed(2), `${bound.sense} ${bound.limit} ${bound.unit}`, verdict]
}

process.on('exit', clear)
// An end by default would leave the workers (harness/child.ts) and the folder behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

if (values.help) console.log(HELP)
else process.exitCode = await run()
