/** `npm start`: the whole run. Prepares the input, drives the services, compares, prints. See README.md. */

import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { planDrill, runDrill } from './driver/drill.ts'
import { Lane } from './driver/lane.ts'
import { Load, SAMPLE_FLIGHTS } from './driver/load.ts'
import { type Options, readOptions, USAGE, UsageError } from './driver/options.ts'
import { print } from './driver/output.ts'
import { Progress } from './driver/progress.ts'
import { createRandom } from './driver/random.ts'
import { makeReport, type Report, tableOf } from './driver/report.ts'
import { request } from './driver/service-process.ts'
import { computeStraight } from './driver/straight.ts'
import { compare } from './driver/verify.ts'
import { prepareRows } from './input/prepare.ts'
import { RowReader } from './input/rows.ts'
import type { ServiceSettings } from './messages.ts'

const { signals } = constants
const WORK_FOLDER = '.data'
const WARM_UP_MS_MAX = 1500
const DRAW_MS = 200

const progress = new Progress()
let lanes: Lane[] = []
const problems: string[] = []
/** The report is made: a problem that comes later is told when it comes. */
let reported = false

// Who has seen enough of the progress may still want the report; without one the run has failed.
process.stderr.on('error', () => {})
process.stdout.on('error', unwritten)

try {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') tell(USAGE)
  else process.exitCode = await main(options)
} catch (error) {
  progress.end()
  process.stderr.write(`${told(error)}\n`)
  process.exitCode = 1
} finally {
  await Promise.allSettled(lanes.map(lane => lane.kill()))
}

async function main(options: Options): Promise<number> {
  if (options.port !== 0) await assertFree(options.port)
  await mkdir(WORK_FOLDER, { recursive: true })
  const folder = await mkdtemp(join(WORK_FOLDER, 'flights-'))
  // However this process ends: also by an error that nobody caught, when the services are still there.
  process.once('exit', () => {
    for (const lane of lanes) lane.kill()
    if (!options.keep) removeNow(folder)
  })
  let stopServing: (() => void) | undefined
  const interrupted = (signal: NodeJS.Signals): void => {
    // From then on a signal that comes again changes nothing: a Ctrl-C comes twice where npm start passes it on too.
    if (stopServing !== undefined) {
      stopServing()
      return
    }
    Promise.allSettled(lanes.map(lane => lane.kill())).then(() => process.exit(128 + signals[signal]))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted)
  try {
    const { report, engine } = await run(options, folder)
    tell(options.json ? JSON.stringify(report, undefined, 2) : tableOf(report))
    if (options.serve) {
      const stopped = new Promise<void>(resolve => {
        stopServing = resolve
        progress.say(`serving on http://127.0.0.1:${engine.port}/airports/ATL (also /routes/ATL-LAX, /status, /dump); Ctrl-C ends it`)
      })
      await Promise.race([stopped.then(() => progress.say('closing')), engine.ended])
    }
    // Here, not on the way out: what goes wrong at the last close counts too.
    await Promise.all(lanes.map(lane => lane.terminate()))
    return report.ok && problems.length === 0 ? 0 : 1
  } finally {
    await Promise.allSettled(lanes.map(lane => lane.terminate()))
    if (options.keep) progress.say(`left behind: ${folder}`)
  }
}

/** What was asked for: the report, or the options. */
function tell(text: string): void {
  reported = true
  try {
    print(`${text}\n`)
  } catch (error) {
    unwritten(error as Error)
  }
}

function unwritten(error: Error): void {
  problem(`the report could not be written: ${error.message}`)
  process.exitCode = 1
}

function problem(text: string): void {
  problems.push(text)
  if (reported) progress.say(`PROBLEM: ${text}`)
}

/** What was asked wrongly is told in words; of what should not happen it is told where. */
function told(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  return error instanceof UsageError ? `${error.message}\nnpm start -- --help tells the options` : (error.stack ?? error.message)
}

async function run(options: Options, folder: string): Promise<{ report: Report; engine: Lane }> {
  const startMs = performance.now()
  const since = (beginMs: number): number => (performance.now() - beginMs) / 1000
  const random = createRandom(options.seed)
  progress.say(`seed ${options.seed}`)

  progress.stage('unpack')
  const unpacking = prepareRows(folder, options.events, unpacked => {
    progress.update(unpacked / options.events, `${unpacked.toLocaleString('en-US')} flights`)
  })
  // Both are over before anything is measured.
  const [rows, expected] = await Promise.all([unpacking, computeStraight(options.events, options.keepDays)])

  const unpack = since(startMs)

  const load = new Load(await requestPaths(folder), options.requestsPerSecond, random)
  const plan = planDrill({ flights: rows, oldest: expected.oldest, ...options }, random)
  const warmUpMs = Math.min(WARM_UP_MS_MAX, plan.controlMs)
  const settings = serviceSettings(options, folder, rows)
  const completeAt = Math.min(rows, SAMPLE_FLIGHTS)
  const engine = new Lane(settings, load, completeAt, warmUpMs, text => problem(`with the engine: ${text}`))
  const plain: ServiceSettings = { ...settings, engine: 'plain', port: 0, falsifyAt: null }
  const control = new Lane(plain, load, completeAt, warmUpMs, text => problem(`without: ${text}`))
  lanes = [engine, control]

  progress.stage('fly')
  const flyMs = performance.now()
  const draw = setInterval(() => {
    const flights = engine.position.toLocaleString('en-US')
    progress.update(engine.position / rows, `${flights} flights, ${engine.checkpoints.count} checkpoints, ${engine.kills} kills`)
  }, DRAW_MS)
  load.start()
  try {
    await runDrill(plan, engine, control)
  } finally {
    clearInterval(draw)
    await load.stop()
  }
  await control.terminate()
  const fly = since(flyMs)

  progress.stage('compare')
  const compareMs = performance.now()
  progress.update(0, 'as served')
  const compared = [compare(expected, await request(engine.port, '/dump'))]
  progress.update(0.5, 'closed and opened again')
  await engine.terminate()
  await engine.start('close')
  compared.push(compare(expected, await request(engine.port, '/dump')))
  progress.end()
  const seconds = { unpack, fly, compare: since(compareMs) }
  return { report: makeReport({ options, seconds, engine, control, load, compared, problems }), engine }
}

/** Tried before all the rest, which takes a while. */
async function assertFree(port: number): Promise<void> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', error => reject(new UsageError(`port ${port} cannot be listened on: ${error.message}; --port takes another`)))
    probe.listen(port, '127.0.0.1', resolve)
  })
  await new Promise(resolve => probe.close(resolve))
}

function serviceSettings(options: Options, folder: string, rows: number): ServiceSettings {
  const { port, flightsPerSecond, batchFlights, keepDays, checkpointIntervalMs } = options
  return {
    engine: 'tidemark',
    stateFolder: join(folder, 'state'),
    inputFolder: folder,
    port,
    flightsPerSecond,
    batchFlights,
    keepDays,
    checkpointIntervalMs,
    falsifyAt: options.falsify ? Math.floor(rows / 2) : null,
  }
}

async function requestPaths(folder: string): Promise<string[]> {
  const rows = await RowReader.open(folder)
  const flights = await rows.read(0, SAMPLE_FLIGHTS)
  await rows.close()
  return [...flights.flatMap(({ origin, destination }) => [`/airports/${origin}`, `/routes/${origin}-${destination}`]), '/status']
}

/** On the way out a process that is being ended may still make files: Node.js 20 tries again only to remove the folder itself. */
function removeNow(folder: string): void {
  for (let tries = 0; tries < 20; tries++) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}
