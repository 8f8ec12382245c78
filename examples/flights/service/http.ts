/** The service's answers. Bound to loopback. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import type { Flights, Key } from './state.ts'
import { dayAnswer } from './statistics.ts'

/** Entries written to a dump between two turns of the event loop. */
const DUMP_SLICE = 500

export function createFlightsServer(flights: Flights, status: () => object): Server {
  return createServer((request, response) => {
    const [, first = '', second = '', ...rest] = (request.url ?? '/').split('?', 1)[0]?.split('/') ?? []
    if (request.method !== 'GET' || rest.length > 0) answer(response, 404, { error: 'not found' })
    else if (first === 'airports' && second !== '') answerAirport(response, flights, decode(second))
    else if (first === 'routes' && second !== '') answerRoute(response, flights, decode(second))
    else if (first === 'status' && second === '') answer(response, 200, status())
    else if (first === 'dump' && second === '') dump(response, flights).catch(error => response.destroy(error as Error))
    else answer(response, 404, { error: 'not found', try: ['/airports/ATL', '/routes/ATL-LAX', '/status', '/dump'] })
  })
}

/** Calls back once, at the end of the answer that ends first: somebody may ask before the driver does, and never take the answer. */
export function onFirstAnswer(server: Server, fn: () => void): void {
  const finished = (): void => {
    server.off('request', requested)
    if (told) return
    told = true
    fn()
  }
  const requested = (_request: IncomingMessage, response: ServerResponse): void => void response.once('finish', finished)
  let told = false
  server.on('request', requested)
}

function answerAirport(response: ServerResponse, flights: Flights, airport: string): void {
  const hours = flights.airportHours(airport)
  const departures = dayAnswer(hours.map(([hour, statistics]) => [hour, statistics.departures]))
  const arrivals = dayAnswer(hours.map(([hour, statistics]) => [hour, statistics.arrivals]))
  if (hours.length === 0) answer(response, 404, { error: 'no flight from or to this airport yet', airport })
  else answer(response, 200, { airport, departures, arrivals })
}

function answerRoute(response: ServerResponse, flights: Flights, route: string): void {
  const hours = flights.routeHours(route)
  if (hours.length === 0) answer(response, 404, { error: 'no flight on this route yet', route })
  else answer(response, 200, { route, ...dayAnswer(hours) })
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The whole state as lines of JSON, each `[collection, key, value]`. */
async function dump(response: ServerResponse, flights: Flights): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.write(line('position', '', flights.position))
  response.write(line('oldest', '', flights.oldest))
  const { airports, routes, recent, hourStarts } = flights
  const collections = { airports, routes, recent, hourStarts }
  for (const [name, collection] of Object.entries(collections)) {
    let lines: string[] = []
    for (const [key, value] of collection as ReadonlyMap<Key, unknown>) {
      lines.push(line(name, key, value))
      if (lines.length < DUMP_SLICE) continue
      response.write(lines.join(''))
      lines = []
      await setImmediate()
    }
    response.write(lines.join(''))
  }
  response.end(line('end', '', flights.position))
}

function line(collection: string, key: Key, value: unknown): string {
  return `${JSON.stringify([collection, key, value])}\n`
}
