/** A day of flights: each counts in an hour of two airports and of a route, stays for some hours, and goes. */
import type { LoadSpec } from './contract.ts'
import { DAY_MINUTES, readDay } from './flights-input.ts'
import type { Load } from './loads.ts'

/** How long a flight stays. */
const KEEP_MINUTES = 180
const DELAY_BINS = 12

interface Statistics {
  flights: number
  delay: number
  readonly bins: number[]
}

export function flights({ file, seconds, days }: LoadSpec & { kind: 'flights' }): Load {
  const { delay, origin, destination, airports, minute: ofDay } = readDay(file)
  const ofADay = ofDay.length
  /** Since the first noon. */
  const minute = Float64Array.from(
    { length: ofADay * days },
    (_, at) => (ofDay[at % ofADay] as number) + Math.floor(at / ofADay) * DAY_MINUTES,
  )
  const due = minute.map(minutes => (minutes / DAY_MINUTES) * seconds * 1000)
  /** For each flight the first that is still there when it comes. */
  const oldest = new Uint32Array(minute.length)
  for (let at = 0, first = 0; at < minute.length; at++) {
    while ((minute[first] as number) < (minute[at] as number) - KEEP_MINUTES) first++
    oldest[at] = first
  }
  return {
    entries: 0,
    due,
    put: () => {},
    make: (target, at) => {
      const hour = Math.floor((ofDay[at % ofADay] as number) / 60)
      const from = airports[origin[at % ofADay] as number] as string
      const to = airports[destination[at % ofADay] as number] as string
      const late = delay[at % ofADay] as number
      const count = (key: string): void => {
        const statistics = (target.get(key) as Statistics | undefined) ?? { flights: 0, delay: 0, bins: new Array(DELAY_BINS).fill(0) }
        statistics.flights++
        statistics.delay += late
        const bin = Math.max(0, Math.min(DELAY_BINS - 1, 3 + Math.floor(late / 15)))
        statistics.bins[bin] = (statistics.bins[bin] as number) + 1
        target.set(key, statistics)
      }
      count(`${from}/out/${hour}`)
      count(`${to}/in/${hour}`)
      count(`${from}-${to}/${hour}`)
      target.set(`flight:${at}`, { from, to, late, minute: minute[at] as number })
      for (let gone = at === 0 ? 0 : (oldest[at - 1] as number); gone < (oldest[at] as number); gone++) target.delete(`flight:${gone}`)
    },
  }
}
