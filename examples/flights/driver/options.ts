/** The command line. */
import { parseArgs } from 'node:util'

export interface Options {
  readonly events: number
  readonly keepDays: number
  readonly batchFlights: number
  readonly flightsPerSecond: number
  readonly requestsPerSecond: number
  readonly kills: number
  readonly checkpointIntervalMs: number
  readonly seed: number
  readonly port: number
  readonly serve: boolean
  readonly json: boolean
  readonly keep: boolean
  readonly falsify: boolean
}

export const USAGE = `npm start -- [options]
  --events N      how many flights of the file, from its beginning (default and at most 3000000)
  --days N        days of flights kept one by one (default 2)
  --batch N       flights of one transaction (default 500, at most 10000)
  --rate N        flights a second (default 60000, fewer in a short run: it takes at least 6 seconds)
  --requests N    HTTP requests a second (default 300, at most 5000)
  --kills N       how often the service is killed (default 5, at most 1000)
  --interval MS   between checkpoints (default 1000, as the engine's; at most 2147483647)
  --seed N        of the moments of the kills and of the requests (default: chosen, and printed)
  --serve         keep serving afterwards, until SIGINT or SIGTERM
  --port N        of the service (default: 8080 with --serve, otherwise any)
  --json          print the table as data
  --keep          leave the work folder (input and state) behind
  --falsify       count one flight too many, to see the comparison fail`

const EVENTS_MAX = 3_000_000
const FLIGHTS_PER_SECOND_MAX = 60_000
const RUN_SECONDS_MIN = 6
/** The driver shares the machine with the service: of more it could not send each when it is due. */
const REQUESTS_PER_SECOND_MAX = 5000

const BATCH_FLIGHTS_MAX = 10_000
const KILLS_MAX = 1000
/** Of the engine, and of a timer. */
const INTERVAL_MS_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535

/** What was asked cannot be. */
export class UsageError extends Error {}

/** Throws on an option that is unknown or not a number. */
export function readOptions(args: string[]): Options | 'help' {
  try {
    return optionsOf(args)
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message)
  }
}

function optionsOf(args: string[]): Options | 'help' {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args,
    options: {
      events: text,
      days: text,
      batch: text,
      rate: text,
      requests: text,
      kills: text,
      interval: text,
      seed: text,
      port: text,
      serve: flag,
      json: flag,
      keep: flag,
      falsify: flag,
      help: { ...flag, short: 'h' },
    },
  })
  if (values.help) return 'help'
  const events = Math.min(EVENTS_MAX, whole('events', values.events, EVENTS_MAX, 1))
  return {
    events,
    keepDays: whole('days', values.days, 2, 1),
    batchFlights: whole('batch', values.batch, 500, 1, BATCH_FLIGHTS_MAX),
    flightsPerSecond: whole('rate', values.rate, Math.min(FLIGHTS_PER_SECOND_MAX, Math.ceil(events / RUN_SECONDS_MIN)), 1),
    requestsPerSecond: whole('requests', values.requests, 300, 1, REQUESTS_PER_SECOND_MAX),
    kills: whole('kills', values.kills, 5, 0, KILLS_MAX),
    checkpointIntervalMs: whole('interval', values.interval, 1000, 1, INTERVAL_MS_MAX),
    seed: whole('seed', values.seed, Math.floor(Math.random() * 2 ** 32), 0),
    port: whole('port', values.port, values.serve ? 8080 : 0, 0, PORT_MAX),
    serve: values.serve,
    json: values.json,
    keep: values.keep,
    falsify: values.falsify,
  }
}

function whole(name: string, text: string | undefined, otherwise: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < least || value > most || text === '') {
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
    throw new UsageError(`--${name} takes a whole number ${range}, not ${JSON.stringify(text)}`)
  }
  return value
}
