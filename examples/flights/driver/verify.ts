/**
 * The same figures by a straight computation over the original file: plain loops, no code of the service, no engine.
 * Then every figure the service gave is compared with it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { FlightColumns } from '../input/flights-file.ts'

const HOUR_MS = 60 * 60 * 1000
const DIFFERENCES_SHOWN = 10
const CLASSES = ['early', 'onTime', 'late15', 'late30', 'late60', 'late120', 'later'] as const
/** Least delay of each class but the first, in minutes. */
const CLASS_STARTS = [-14, 1, 16, 31, 61, 121] as const

type Tally = Record<'flights' | 'delaySum' | (typeof CLASSES)[number], number>

interface RecentFlight {
  time: number
  delay: number
  distance: number
  origin: string
  destination: string
}

export interface Expected {
  readonly position: number
  /** Position of the first recent flight. */
  readonly oldest: number
  /** Position of the first flight of each hour since 1970 of which flights are recent. */
  readonly hourStarts: Map<number, number>
  readonly airports: Map<string, { departures: Tally; arrivals: Tally }>
  readonly routes: Map<string, Tally>
  readonly recent: Map<number, RecentFlight>
}

type Hours<T> = (T | undefined)[]

/** Takes the file in pieces, in order. */
export class StraightComputation {
  readonly #keepMs: number
  readonly #airports = new Map<string, Hours<{ departures: Tally; arrivals: Tally }>>()
  readonly #routes = new Map<string, Map<string, Hours<Tally>>>()
  #tail: RecentFlight[] = []
  #position = 0

  constructor(keepDays: number) {
    this.#keepMs = keepDays * 24 * HOUR_MS
  }

  add({ date, delay, distance, origin, destination }: FlightColumns): void {
    const lastHour = new Date(date[date.length - 1] as Date).setUTCMinutes(0, 0, 0)
    const limit = lastHour - this.#keepMs
    this.#tail = this.#tail.filter(flight => flight.time >= limit)
    for (let i = 0; i < date.length; i++) {
      const from = origin[i] as string
      const to = destination[i] as string
      const time = (date[i] as Date).getTime()
      const hour = Math.floor(time / HOUR_MS) % 24
      const minutes = Number(delay[i])
      tally(this.#airport(from, hour).departures, minutes)
      tally(this.#airport(to, hour).arrivals, minutes)
      tally(this.#route(from, to, hour), minutes)
      if (time >= limit) this.#tail.push({ time, delay: minutes, distance: Number(distance[i]), origin: from, destination: to })
    }
    this.#position += date.length
  }

  result(): Expected {
    const oldest = this.#position - this.#tail.length
    const recent = new Map(this.#tail.map((flight, i) => [oldest + i, flight]))
    const hourStarts = new Map<number, number>()
    for (const [position, { time }] of recent) {
      const hour = Math.floor(time / HOUR_MS)
      if (!hourStarts.has(hour)) hourStarts.set(hour, position)
    }
    const airports: Expected['airports'] = new Map()
    for (const [airport, hours] of this.#airports) put(airports, airport, hours)
    const routes: Expected['routes'] = new Map()
    for (const [from, to] of this.#routes) for (const [destination, hours] of to) put(routes, `${from}-${destination}`, hours)
    return { position: this.#position, oldest, hourStarts, airports, routes, recent }
  }

  #airport(airport: string, hour: number): { departures: Tally; arrivals: Tally } {
    let hours = this.#airports.get(airport)
    if (hours === undefined) this.#airports.set(airport, (hours = []))
    hours[hour] ??= { departures: newTally(), arrivals: newTally() }
    return hours[hour]
  }

  #route(from: string, to: string, hour: number): Tally {
    let routes = this.#routes.get(from)
    if (routes === undefined) this.#routes.set(from, (routes = new Map()))
    let hours = routes.get(to)
    if (hours === undefined) routes.set(to, (hours = []))
    hours[hour] ??= newTally()
    return hours[hour]
  }
}

/** By `name/hour`, as the service has them. */
function put<T>(into: Map<string, T>, name: string, hours: Hours<T>): void {
  hours.forEach((one, hour) => {
    if (one !== undefined) into.set(`${name}/${hour}`, one)
  })
}

function newTally(): Tally {
  return { flights: 0, delaySum: 0, early: 0, onTime: 0, late15: 0, late30: 0, late60: 0, late120: 0, later: 0 }
}

function tally(into: Tally, minutes: number): void {
  into.flights += 1
  into.delaySum += minutes
  let place = 0
  for (const start of CLASS_STARTS) if (minutes >= start) place++
  into[CLASSES[place] as (typeof CLASSES)[number]] += 1
}

export interface Comparison {
  readonly airportHours: number
  readonly routeHours: number
  readonly recent: number
  readonly position: number
  readonly differences: number
  /** The first of them, in words. */
  readonly shown: readonly string[]
}

/** `dump`: the answer to `/dump`, one line of JSON for each entry. */
export function compare(expected: Expected, dump: string): Comparison {
  const actual = new Map<string, Map<string | number, unknown>>()
  for (const line of dump.split('\n')) {
    if (line === '') continue
    const [collection, key, value] = JSON.parse(line) as [string, string | number, unknown]
    const entries = actual.get(collection) ?? new Map<string | number, unknown>()
    actual.set(collection, entries)
    if (entries.has(key)) throw new Error(`the dump has ${collection} ${key} twice`)
    entries.set(key, value)
  }
  let differences = 0
  const shown: string[] = []
  const check = (name: string, wanted: ReadonlyMap<string | number, unknown>): void => {
    const found = actual.get(name) ?? new Map<string | number, unknown>()
    for (const key of new Set([...wanted.keys(), ...found.keys()])) {
      if (isDeepStrictEqual(wanted.get(key), found.get(key))) continue
      differences++
      if (shown.length < DIFFERENCES_SHOWN) shown.push(`${name} ${key}: ${describe(wanted.get(key), found.get(key))}`)
    }
  }
  check('position', new Map([['', expected.position]]))
  check('oldest', new Map([['', expected.oldest]]))
  check('hourStarts', expected.hourStarts)
  check('end', new Map([['', expected.position]]))
  check('airports', expected.airports)
  check('routes', expected.routes)
  check('recent', expected.recent)
  const { airports, routes, recent, position } = expected
  return { airportHours: airports.size, routeHours: routes.size, recent: recent.size, position, differences, shown }
}

/** The first place in which two values differ. */
function describe(wanted: unknown, found: unknown, path = ''): string {
  if (isObject(wanted) && isObject(found)) {
    for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
      if (!isDeepStrictEqual(wanted[key], found[key])) return describe(wanted[key], found[key], `${path}.${key}`)
    }
  }
  return `${path === '' ? '' : `${path.slice(1)} `}should be ${JSON.stringify(wanted)}, is ${JSON.stringify(found)}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
