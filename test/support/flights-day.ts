/** The days of the flights data as a load: their hours, a state like that of examples/flights, and what upkeep writes in which of them. */
import { type Components, openStore } from '../../src/open.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'

/** Flights in ten thousand by hour of the day, of the first 300,000 in `flights-3m.parquet`. */
const HOURS = [36, 23, 4, 1, 1, 130, 659, 693, 679, 612, 564, 608, 584, 637, 564, 598, 572, 663, 582, 578, 509, 360, 253, 92]
const FLIGHTS_A_DAY = 16_600
const PARTS = 96
/** The twelve hours with the fewest flights. */
const QUIET = new Set(
  HOURS.map((flights, hour) => ({ flights, hour }))
    .sort((one, other) => one.flights - other.flights)
    .slice(0, 12)
    .map(({ hour }) => hour),
)

export interface FlightsDays {
  readonly store: Store
  /** Bytes of segments written, by day and hour. */
  readonly written: number[][]
  /** Raw bytes and records behind the fold point at most. */
  readonly tailBytesMax: number
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

export const quietShare = (day: readonly number[]): number =>
  day.reduce((sum, bytes, hour) => sum + (QUIET.has(hour) ? bytes : 0), 0) /
  Math.max(
    1,
    day.reduce((sum, bytes) => sum + bytes, 0),
  )

/** Days of `dayMs` each, of which the first has taught nothing yet. */
export async function flightsDays(
  days: number,
  dayMs: number,
  settings: Settings,
  { flightsADay = FLIGHTS_A_DAY, thresholds = {} }: { flightsADay?: number; thresholds?: NonNullable<Components['thresholds']> } = {},
): Promise<FlightsDays> {
  const scheduler = new SimulatedScheduler({ seed: 3, tasksMax: 20_000_000 })
  const { clock } = scheduler
  // The wall clock begins at midnight of the compressed day.
  clock.jump(-(clock.now() % dayMs))
  const storage = new SimulatedStorage({ seed: 3, scheduler })
  const random = new SeededRandom(3)
  let load = 0.05
  const components = { storage, scheduler, clock, random: new SeededRandom(4), loopLoad: () => load, thresholds }
  const store = await scheduler.run(openStore('simulated', { compression: 'none', ...settings }, components))
  const written = Array.from({ length: days + 1 }, () => new Array<number>(24).fill(0))
  storage.onCall = ({ operation, path, bytes }) => {
    if (operation !== 'append' || !path.startsWith('segment')) return
    const at = clock.monotonic() / dayMs
    const day = written[Math.min(days, Math.floor(at))] as number[]
    day[Math.floor((at % 1) * 24)] = (day[Math.floor((at % 1) * 24)] as number) + bytes
  }
  const airports = store.map<unknown, string>('airports')
  const routes = store.map<unknown, string>('routes')
  const recent = store.map<unknown, number>('recent')
  let position = 0
  let oldest = 0
  let tailBytesMax = 0
  let tailBytes = 0
  let folded = 0
  const epochs: { readonly epoch: number; readonly rawBytes: number }[] = []
  store.on('checkpoint', ({ epoch, rawBytes }) => {
    epochs.push({ epoch, rawBytes })
    tailBytes += rawBytes
    folded = store.stats().upkeep.foldedEpoch
    while (epochs.length > 0 && (epochs[0] as { epoch: number }).epoch <= folded)
      tailBytes -= (epochs.shift() as { rawBytes: number }).rawBytes
    tailBytesMax = Math.max(tailBytesMax, tailBytes)
  })
  const begin = clock.monotonic()
  const steps = PARTS * 4
  for (let step = 0; step < days * steps; step++) {
    const hour = Math.floor(((step % steps) / steps) * 24)
    const share = (HOURS[hour] as number) / 10_000
    load = 0.03 + share * 6
    const flights = Math.round(((flightsADay * share * 24) / steps) * (0.8 + 0.4 * random.float()))
    const keep = position - flightsADay * 2
    for (let n = 0; n < flights; n++) {
      const origin = Math.floor(200 * random.float() ** 3)
      const destination = Math.floor(200 * random.float() ** 3)
      const statistics = { flights: position, delays: position * 7, histogram: [1, 2, 3, 4, 5, 6, 7, position % 100] }
      airports.set(`A${origin}/${hour}`, { departures: statistics, arrivals: statistics })
      airports.set(`A${destination}/${hour}`, { departures: statistics, arrivals: statistics })
      routes.set(`A${origin}-A${destination}/${hour}`, statistics)
      recent.set(position, { origin: `A${origin}`, destination: `A${destination}`, time: clock.now(), delay: n, distance: 500 })
      position++
    }
    for (; oldest < keep; oldest++) recent.delete(oldest)
    await scheduler.run(begin + ((step + 1) * dayMs) / steps)
  }
  return { store, written, tailBytesMax, run: promise => scheduler.run(promise) }
}
