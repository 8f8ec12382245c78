/** What the run found out: plain data, and the same as a table. */
import type { Lane, Restart } from './lane.ts'
import { type LatencySummary, summarize } from './latency.ts'
import type { Load } from './load.ts'
import type { Options } from './options.ts'
import type { Comparison } from './verify.ts'

export interface Report {
  readonly ok: boolean
  readonly seconds: { readonly unpack: number; readonly fly: number; readonly compare: number }
  readonly settings: Pick<
    Options,
    'events' | 'keepDays' | 'batchFlights' | 'flightsPerSecond' | 'requestsPerSecond' | 'checkpointIntervalMs' | 'seed'
  >
  readonly eventsPerSecond: { readonly withEngine: number; readonly withoutEngine: number }
  readonly checkpoints: { readonly count: number; readonly records: number; readonly bytes: number }
  readonly latency: {
    readonly withEngine: LatencySummary
    readonly withoutEngine: LatencySummary
    readonly withEngineCold: LatencySummary
    readonly withoutEngineCold: LatencySummary
    readonly driverLateness: LatencySummary
  }
  readonly requests: { readonly cutOff: number; readonly missed: number }
  /** Of the lives of the service, the highest p99 and the highest maximum. */
  readonly stalls: { readonly p99Ms: number; readonly maxMs: number }
  /** Likewise: engine time inside calls of the service. */
  readonly access: { readonly p99Ms: number; readonly maxMs: number }
  readonly kills: number
  readonly restarts: readonly Restart[]
  /** Of the state in memory at the end, and of the state after it was closed and opened again. */
  readonly compared: readonly Comparison[]
  readonly problems: readonly string[]
}

export interface Findings {
  readonly options: Options
  readonly seconds: Report['seconds']
  readonly engine: Lane
  readonly control: Lane
  readonly load: Load
  readonly compared: readonly Comparison[]
  readonly problems: readonly string[]
}

export function makeReport({ options, seconds, engine, control, load, compared, problems }: Findings): Report {
  const { events, keepDays, batchFlights, flightsPerSecond, requestsPerSecond, checkpointIntervalMs, seed } = options
  const lives = engine.figures.filter(figures => figures !== undefined)
  return {
    ok: problems.length === 0 && compared.every(({ differences }) => differences === 0),
    seconds,
    settings: { events, keepDays, batchFlights, flightsPerSecond, requestsPerSecond, checkpointIntervalMs, seed },
    eventsPerSecond: { withEngine: rate(engine), withoutEngine: rate(control) },
    checkpoints: { ...engine.checkpoints },
    latency: {
      withEngine: summarize(engine.latencies),
      withoutEngine: summarize(control.latencies),
      withEngineCold: summarize(engine.coldLatencies),
      withoutEngineCold: summarize(control.coldLatencies),
      driverLateness: summarize(load.lateness),
    },
    requests: { cutOff: engine.cutOff, missed: engine.missed },
    stalls: { p99Ms: highest(lives.map(life => life.stallP99Ms)), maxMs: highest(lives.map(life => life.stallMaxMs)) },
    access: { p99Ms: highest(lives.map(life => life.accessP99Ms)), maxMs: highest(lives.map(life => life.accessMaxMs)) },
    kills: engine.kills,
    restarts: engine.restarts,
    compared,
    problems,
  }
}

function highest(values: readonly number[]): number {
  return Math.max(0, ...values)
}

function rate(lane: Lane): number {
  return lane.fedMs === 0 ? 0 : (lane.fedFlights / lane.fedMs) * 1000
}

function both({ p99Ms, maxMs }: LatencySummary): string {
  return `${ms(p99Ms)} / ${ms(maxMs)}`
}

export function tableOf(report: Report): string {
  const { settings, latency, checkpoints, restarts } = report
  const { unpack, fly, compare } = report.seconds
  const rows: string[][] = [
    ['', 'with the engine', 'without'],
    ['flights/s in memory (paced)', count(report.eventsPerSecond.withEngine), count(report.eventsPerSecond.withoutEngine)],
    ['requests measured', count(latency.withEngine.requests), count(latency.withoutEngine.requests)],
    ['request latency p50', ms(latency.withEngine.p50Ms), ms(latency.withoutEngine.p50Ms)],
    ['request latency p99', ms(latency.withEngine.p99Ms), ms(latency.withoutEngine.p99Ms)],
    ['request latency max', ms(latency.withEngine.maxMs), ms(latency.withoutEngine.maxMs)],
    ["  of it the driver's own, p50 / p99", `${ms(latency.driverLateness.p50Ms)} / ${ms(latency.driverLateness.p99Ms)}`, 'the same'],
    ['  just after a start, p99 / max', both(latency.withEngineCold), both(latency.withoutEngineCold)],
    ['engine stalls p99 / max', `${ms(report.stalls.p99Ms)} / ${ms(report.stalls.maxMs)}`, '–'],
    ['engine inside calls p99 / max', `${ms(report.access.p99Ms)} / ${ms(report.access.maxMs)}`, '–'],
    ['checkpoints', count(checkpoints.count), '–'],
    ['bytes written', `${(checkpoints.bytes / 1e6).toFixed(1)} MB`, '–'],
    ['records written', count(checkpoints.records), '–'],
  ]
  const lives: string[][] = [
    [
      'ended by',
      'in memory',
      'durable',
      'went on at',
      'replayed',
      'entries',
      'on disk',
      'open',
      'listening to answer',
      'start to answer',
      'read by then',
    ],
    ...restarts.map(restart => [
      restart.kills > 1 ? `${restart.after} x${restart.kills}` : restart.after,
      count(restart.positionBefore),
      count(restart.durableBefore),
      count(restart.position),
      count(restart.replayed),
      count(restart.entries),
      megabytes(restart.stateBytes),
      ms(restart.openMs),
      ms(restart.sinceListeningMs),
      ms(restart.sinceSpawnMs),
      restart.readBytes === null ? '–' : megabytes(restart.readBytes),
    ]),
  ]
  return [
    `${count(settings.events)} flights in batches of ${settings.batchFlights}, one transaction each; flights of the last ${settings.keepDays} days`,
    `kept one by one; a checkpoint every ${settings.checkpointIntervalMs} ms; ${settings.requestsPerSecond} requests/s at random moments, latency counted from the`,
    'moment each was due; service with and service without the engine took turns, the other resting; first moments after a start apart.',
    '',
    align(rows),
    '',
    `${report.kills} times SIGKILL; ${report.requests.cutOff} requests cut off, ${report.requests.missed} due while the service was down`,
    '',
    align(lives),
    '',
    ...fullRestart(report),
    ...report.compared.map(verdict),
    ...report.problems.map(problem => `PROBLEM: ${problem}`),
    `seed ${settings.seed}; ${(unpack + fly + compare).toFixed(1)} s: unpack ${unpack.toFixed(1)}, fly ${fly.toFixed(1)}, compare ${compare.toFixed(1)}`,
  ].join('\n')
}

/** The last one: nothing is missing from the state any more. */
function fullRestart({ restarts }: Report): string[] {
  const last = restarts.at(-1)
  if (last === undefined) return []
  const { entries, stateBytes, sinceSpawnMs, openMs, sinceListeningMs, replayed, readBytes } = last
  const read = readBytes === null ? '' : `; ${megabytes(readBytes)} read by then`
  return [
    `restart to the first answer at the full state, ${count(entries)} entries in ${megabytes(stateBytes)} on disk: ${ms(sinceSpawnMs)},`,
    `of it open ${ms(openMs)} and the answer ${ms(sinceListeningMs)}; ${count(replayed)} flights replayed${read}`,
    '',
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function verdict({ airportHours, routeHours, recent, position, differences, shown }: Comparison, i: number): string {
  const what = `${count(airportHours)} hours of airports, ${count(routeHours)} hours of routes, ${count(recent)} recent flights, position ${count(position)}`
  const when = i === 0 ? 'as served at the end' : 'after close and open'
  if (differences === 0) return `EQUAL to a straight computation over the file, ${when}: ${what}`
  return [`DIFFERENT from a straight computation over the file, ${when}: ${differences} differences in ${what}`, ...shown].join('\n  ')
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? []
  return rows
    .map(row => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('   '))
    .join('\n')
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}
