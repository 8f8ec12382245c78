/** What is counted about the flights of one hour of the day: integers only, so that sums are exact in any order. */

export const HOURS = 24
const HOUR_MS = 3_600_000

export interface Statistics {
  flights: number
  /** Sum of the delays, in minutes. */
  delaySum: number
  /** The histogram of the delays: at least 15 minutes early, early or on time, late by up to so many minutes, by more than two hours. */
  early: number
  onTime: number
  late15: number
  late30: number
  late60: number
  late120: number
  later: number
}

/** The same for the flights from an airport and for those to it. */
export interface AirportStatistics {
  readonly departures: Statistics
  readonly arrivals: Statistics
}

export function emptyStatistics(): Statistics {
  return { flights: 0, delaySum: 0, early: 0, onTime: 0, late15: 0, late30: 0, late60: 0, late120: 0, later: 0 }
}

export function emptyAirport(): AirportStatistics {
  return { departures: emptyStatistics(), arrivals: emptyStatistics() }
}

/** Of the scheduled departure. */
export function hourOf(time: number): number {
  return Math.floor(time / HOUR_MS) % HOURS
}

/** Statistics are kept by hour, each under a key of its own: what a flight changes, and what is written for it, stays small. */
export function hourKey(name: string, hour: number): string {
  return `${name}/${hour}`
}

export function countFlight(statistics: Statistics, delay: number): void {
  statistics.flights++
  statistics.delaySum += delay
  if (delay <= -15) statistics.early++
  else if (delay <= 0) statistics.onTime++
  else if (delay <= 15) statistics.late15++
  else if (delay <= 30) statistics.late30++
  else if (delay <= 60) statistics.late60++
  else if (delay <= 120) statistics.late120++
  else statistics.later++
}

/** As a client of the service sees it: all hours together, and each that has a flight. */
export function dayAnswer(hours: Iterable<readonly [hour: number, statistics: Statistics]>): object {
  let flights = 0
  let delaySum = 0
  const byHour: object[] = []
  for (const [hour, statistics] of hours) {
    if (statistics.flights === 0) continue
    flights += statistics.flights
    delaySum += statistics.delaySum
    const { delaySum: _, ...counts } = statistics
    byHour.push({ hour, ...counts, delayMean: mean(statistics.delaySum, statistics.flights) })
  }
  return { flights, delayMean: mean(delaySum, flights), hours: byHour }
}

function mean(sum: number, count: number): number | null {
  return count === 0 ? null : Math.round((sum / count) * 100) / 100
}
