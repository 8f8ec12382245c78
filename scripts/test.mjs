/**
 * The test command. Sets itself up, checks, builds, runs every test file in a process of its own and ends with one line,
 * `N passed, N failed`, over everything: each stage is one check, each node:test case is one test.
 *
 *   npm test                        everything
 *   npm test -- --only <substring>  the test files whose path contains it (no lint)
 *   node scripts/test.mjs --tests   the test files alone, on what is built already
 *   ... --tests --again             without those that judge text, or tests and benchmarks, and a third of each sweep: for another Node.js,
 *                                   where all has passed on one
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { byLength, NOT_AGAIN } from './order.mjs'
import { root, setUpPackages, setUpSystem, tool } from './setup.mjs'

/**
 * A test file that runs longer is killed and counted as failed, by name, before the build is over time. The longest takes some minutes on two busy
 * cores; a machine that is much slower asks for more.
 */
const FILE_MS_MAX = Number(process.env.TIDEMARK_TEST_FILE_MS_MAX ?? 8 * 60_000)
/** Output kept of one test file; it is shown only when the file fails. */
const OUTPUT_CHARACTERS_MAX = 200_000
/** Test files run side by side; more would only disturb those that measure time. */
const PROCESSES_MAX = 2

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    tests: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
})
const totals = { passed: 0, failed: 0, notRun: [] }

function indent(text, by = '    ') {
  return text.trimEnd().replace(/^/gm, by)
}

/** Runs this same Node.js in a group of its own, which ends with this process: all that it started in turn, too. */
function startGroup(args, env) {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }
  process.once('exit', end)
  // What it started and left behind ends with it.
  child.on('exit', end)
  child.on('close', () => process.removeListener('exit', end))
  return { child, end }
}

/** One check that is not a test file. */
async function stage(name, args) {
  const start = performance.now()
  const { child } = startGroup(args, process.env)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => (output += chunk))
  child.on('error', error => (output += error))
  const ok = await new Promise(resolve => child.on('close', code => resolve(code === 0)))
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}  ${seconds(performance.now() - start)}`)
  if (ok) totals.passed++
  else {
    totals.failed++
    console.log(indent(output))
  }
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`
}

/** Test files, as paths from the root, in a fixed order: the longest, those beside the code, then those in test/. */
function findTests() {
  const found = []
  const walk = folder => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (entry.name.endsWith('.test.ts')) found.push(path)
    }
  }
  for (const folder of ['src', 'test']) walk(folder)
  const asked = path => flags.only === undefined || flags.only.some(part => path.includes(part))
  return byLength(found.filter(path => asked(path) && !(flags.again && NOT_AGAIN.includes(path))))
}

/** Runs one test file; resolves with what it reported and how its process ended. */
function runFile(path, reportFolder) {
  const report = join(reportFolder, `${path.replaceAll('/', '_')}.jsonl`)
  const args = [
    '--enable-source-maps',
    `--test-reporter=${new URL('./reporter.mjs', import.meta.url).href}`,
    `--test-reporter-destination=${report}`,
    join(root, '.build', path.replace(/\.ts$/, '.js')),
  ]
  // What a debugger or a loader of the developer adds would be in every process that a test starts, and in what it says.
  const { NODE_OPTIONS: _options, TIDEMARK_TEST_AGAIN: _again, ...inherited } = process.env
  const env = flags.again ? { ...inherited, TIDEMARK_TEST_AGAIN: '1' } : inherited
  return new Promise(resolve => {
    const start = performance.now()
    // Also one that hangs is ended with everything it started.
    const { child, end } = startGroup(args, env)
    let output = ''
    const keep = chunk => {
      if (output.length < OUTPUT_CHARACTERS_MAX) output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    let expired = false
    const timer = setTimeout(() => {
      expired = true
      end()
    }, FILE_MS_MAX)
    child.on('error', error => keep(String(error)))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      let lines = []
      try {
        lines = readFileSync(report, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map(line => JSON.parse(line))
      } catch {
        // No report was written: no tests, or an early end; account() says so.
      }
      resolve({ lines, output, code, signal, expired, ms: performance.now() - start })
    })
  })
}

/** Adds a file's result to the totals and prints it: one line, and every failure in full. */
function account(path, { lines, output, code, signal, expired, ms }) {
  const diagnostics = lines.flatMap(line => line.diagnostic ?? [])
  const cases = lines.filter(line => !line.end && line.diagnostic === undefined)
  const failures = []
  let passed = 0
  let skipped = 0
  for (const entry of cases) {
    if (entry.todo !== undefined && entry.todo !== false) failures.push({ name: entry.name, error: 'a test may not be left to do' })
    else if (entry.skip !== undefined && entry.skip !== false) {
      const reason = typeof entry.skip === 'string' ? entry.skip : ''
      if (reason === '') failures.push({ name: entry.name, error: 'skipped without a reason' })
      else if (process.env.CI) failures.push({ name: entry.name, error: `CI skips nothing, but this was skipped: ${reason}` })
      else {
        skipped++
        totals.notRun.push(`${path}: ${entry.name}: ${reason}`)
      }
    } else if (entry.passed) passed++
    else if (entry.suite && entry.echo) continue
    else failures.push({ name: entry.name, error: entry.echo ? '' : entry.error })
  }
  if (expired) failures.push({ name: path, error: `still running after ${seconds(FILE_MS_MAX)}` })
  else if (!lines.some(line => line.end))
    failures.push({ name: path, error: `it has no tests, or ended before they did (${signal ?? `exit status ${code}`})` })
  else if (cases.length === 0) failures.push({ name: path, error: 'no tests in this file' })
  else if (code !== 0 && failures.length === 0)
    failures.push({ name: path, error: `tests passed, but the process ended with ${signal ?? code}` })
  totals.passed += passed
  totals.failed += failures.length
  const counts = `${passed} passed${failures.length > 0 ? `, ${failures.length} failed` : ''}${skipped > 0 ? `, ${skipped} not run` : ''}`
  console.log(`${failures.length > 0 ? 'FAIL' : 'ok  '} ${path}  ${counts}  ${seconds(ms)}`)
  for (const { name, error } of failures) {
    console.log(`  failed: ${name}`)
    if (error) console.log(indent(error))
  }
  if (failures.length > 0 && diagnostics.length > 0) console.log(`  diagnostics:\n${indent(diagnostics.join('\n'))}`)
  if (failures.length > 0 && output.trim() !== '') console.log(`  output:\n${indent(output)}`)
}

async function runTests() {
  const files = findTests()
  mkdirSync(join(root, '.build'), { recursive: true })
  const reportFolder = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  const results = files.map(() => undefined)
  let next = 0
  const work = async () => {
    while (next < files.length) {
      const at = next++
      results[at] = await runFile(files[at], reportFolder)
      account(files[at], results[at])
    }
  }
  await Promise.all(Array.from({ length: Math.min(PROCESSES_MAX, availableParallelism()) }, work))
  rmSync(reportFolder, { recursive: true, force: true })
  if (files.length === 0) {
    console.log('FAIL no test files found')
    totals.failed++
  }
}

// So that what is under way ends with this process, which its 'exit' listener sees to.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

console.log(`Node.js ${process.versions.node}, ${process.platform} ${process.arch}`)
setUpPackages()
const missing = setUpSystem()
if (!flags.tests) {
  if (flags.only === undefined) await stage('lint and format (biome)', [tool('biome'), 'check', '--error-on-warnings', '.'])
  await stage('types, type tests and tests compiled (tsc)', [tool('tsc'), '-p', 'tsconfig.json'])
  await stage('package built (tsc, esbuild)', [join(root, 'scripts/build.mjs')])
}
await runTests()
for (const entry of missing) console.log(`missing here: ${entry.program} (Debian package ${entry.package}), which ${entry.why}`)
for (const line of totals.notRun) console.log(`not run: ${line}`)
console.log(`${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0
