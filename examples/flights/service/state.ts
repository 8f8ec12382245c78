/**
 * The state of the service and the one place that changes it.
 * Everything lives in one store and a batch of flights is one transaction, so what survives a crash is always the statistics, the
 * recent flights and the position of the same instant, and the flights after that position count exactly once.
 */
import type { Flight } from '../input/rows.ts'
import {
  type AirportStatistics,
  countFlight,
  emptyAirport,
  emptyStatistics,
  HOURS,
  hourKey,
  hourOf,
  type Statistics,
} from './statistics.ts'

/** What the service uses of a store. A Tidemark store is one; so is `plainState()`, which keeps nothing. */
export interface State {
  map<V, K extends Key = string>(name: string): StateMap<V, K>
  value<V>(name: string, initial: V): StateValue<V>
  transaction(change: () => void): void
}

export type Key = string | number | bigint

export interface StateMap<V, K extends Key = string> extends ReadonlyMap<K, V> {
  set(key: K, value: V): unknown
  delete(key: K): boolean
  update(key: K, change: (value: V | undefined) => V): unknown
}

export interface StateValue<V> {
  get(): V
  set(value: V): unknown
}

const HOUR_MS = 3_600_000

export class Flights {
  /** By `airport/hour`. */
  readonly airports: StateMap<AirportStatistics>
  /** By `origin-destination/hour`. */
  readonly routes: StateMap<Statistics>
  /** Every flight of the last days, by its position in the input. Expires by whole hours. */
  readonly recent: StateMap<Flight, number>
  /** By hour since 1970: the position of its first flight. Says what expires without a look at the flights. */
  readonly hourStarts: StateMap<number, number>
  readonly #position: StateValue<number>
  /** Position of the oldest flight in `recent`. */
  readonly #oldest: StateValue<number>
  readonly #state: State
  readonly #keepHours: number

  constructor(state: State, keepDays: number) {
    this.#state = state
    this.#keepHours = keepDays * HOURS
    this.airports = state.map<AirportStatistics>('airports')
    this.routes = state.map<Statistics>('routes')
    this.recent = state.map<Flight, number>('recent')
    this.hourStarts = state.map<number, number>('hourStarts')
    this.#position = state.value('position', 0)
    this.#oldest = state.value('oldest', 0)
  }

  /** How many flights of the input are counted. */
  get position(): number {
    return this.#position.get()
  }

  /** Position of the oldest recent flight. */
  get oldest(): number {
    return this.#oldest.get()
  }

  /** Of all collections, the two values included. */
  get entries(): number {
    return this.airports.size + this.routes.size + this.recent.size + this.hourStarts.size + 2
  }

  /** Counts the flights that come next in the input. */
  add(flights: readonly Flight[]): void {
    this.#state.transaction(() => {
      let position = this.#position.get()
      let hour = 0
      for (const flight of flights) {
        this.#count(flight)
        this.recent.set(position, flight)
        hour = Math.floor(flight.time / HOUR_MS)
        if (!this.hourStarts.has(hour)) this.hourStarts.set(hour, position)
        position++
      }
      this.#position.set(position)
      this.#expire(hour - this.#keepHours)
    })
  }

  /** Counts a flight that was never there. */
  falsify(flight: Flight): void {
    this.#state.transaction(() => this.#count(flight))
  }

  /** The hours of the day in which flights left for, or from, this airport. */
  airportHours(airport: string): [hour: number, statistics: AirportStatistics][] {
    return hoursOf(this.airports, airport)
  }

  routeHours(route: string): [hour: number, statistics: Statistics][] {
    return hoursOf(this.routes, route)
  }

  #count({ origin, destination, time, delay }: Flight): void {
    const hour = hourOf(time)
    this.airports.update(hourKey(origin, hour), (airport = emptyAirport()) => {
      countFlight(airport.departures, delay)
      return airport
    })
    this.airports.update(hourKey(destination, hour), (airport = emptyAirport()) => {
      countFlight(airport.arrivals, delay)
      return airport
    })
    this.routes.update(hourKey(`${origin}-${destination}`, hour), (route = emptyStatistics()) => {
      countFlight(route, delay)
      return route
    })
  }

  /** Drops the recent flights of the hours before `hourMin`. */
  #expire(hourMin: number): void {
    // At most a few days of hours, in no order: after a restart keys that were not touched yet come first.
    let first = Number.POSITIVE_INFINITY
    for (const [hour, start] of this.hourStarts) {
      if (hour < hourMin) this.hourStarts.delete(hour)
      else first = Math.min(first, start)
    }
    if (first === Number.POSITIVE_INFINITY || first <= this.#oldest.get()) return
    for (let oldest = this.#oldest.get(); oldest < first; oldest++) {
      // What is gone by the end is compared with nothing: a flight that a crash took would not be missed otherwise.
      if (!this.recent.delete(oldest)) throw new Error(`the recent flight ${oldest} is not there: it was lost, or expired before its time`)
    }
    this.#oldest.set(first)
  }
}

function hoursOf<V>(map: StateMap<V>, name: string): [hour: number, statistics: V][] {
  const found: [number, V][] = []
  for (let hour = 0; hour < HOURS; hour++) {
    const statistics = map.get(hourKey(name, hour))
    if (statistics !== undefined) found.push([hour, statistics])
  }
  return found
}
