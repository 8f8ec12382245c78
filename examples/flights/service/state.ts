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
  map<V>(name: string): StateMap<V>
  value<V>(name: string, initial: V): StateValue<V>
  transaction(change: () => void): void
}

export type Key = string | number | bigint

export interface StateMap<V> extends ReadonlyMap<Key, V> {
  set(key: Key, value: V): unknown
  delete(key: Key): boolean
  update(key: Key, change: (value: V | undefined) => V): unknown
}

export interface StateValue<V> {
  get(): V
  set(value: V): unknown
}

const DAY_MS = 86_400_000

export class Flights {
  /** By `airport/hour`. */
  readonly airports: StateMap<AirportStatistics>
  /** By `origin-destination/hour`. */
  readonly routes: StateMap<Statistics>
  /** Every flight of the last days, by its position in the input. */
  readonly recent: StateMap<Flight>
  readonly #position: StateValue<number>
  /** Position of the oldest flight in `recent`. */
  readonly #oldest: StateValue<number>
  readonly #state: State
  readonly #keepMs: number

  constructor(state: State, keepDays: number) {
    this.#state = state
    this.#keepMs = keepDays * DAY_MS
    this.airports = state.map<AirportStatistics>('airports')
    this.routes = state.map<Statistics>('routes')
    this.recent = state.map<Flight>('recent')
    this.#position = state.value('position', 0)
    this.#oldest = state.value('oldest', 0)
  }

  /** How many flights of the input are counted. */
  get position(): number {
    return this.#position.get()
  }

  /** Counts the flights that come next in the input. */
  add(flights: readonly Flight[]): void {
    this.#state.transaction(() => {
      let position = this.#position.get()
      for (const flight of flights) {
        this.#count(flight)
        this.recent.set(position, flight)
        position++
      }
      this.#position.set(position)
      const last = flights.at(-1)
      if (last !== undefined) this.#expire(last.time - this.#keepMs)
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

  /** Drops the recent flights that departed before `limit`. */
  #expire(limit: number): void {
    let oldest = this.#oldest.get()
    for (;;) {
      const flight = this.recent.get(oldest)
      if (flight === undefined || flight.time >= limit) break
      this.recent.delete(oldest)
      oldest++
    }
    this.#oldest.set(oldest)
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
