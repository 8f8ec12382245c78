/**
 * The service process: opens the state, goes on where it stopped, answers over HTTP while it works.
 * Started by the driver with its settings as one JSON argument; ends with its state closed on SIGINT, SIGTERM, SIGHUP, or when the driver is gone.
 */
import type { AddressInfo } from 'node:net'
import { RowReader } from '../input/rows.ts'
import type { DriverMessage, ServiceMessage, ServiceSettings } from '../messages.ts'
import { bytesIn, bytesRead } from './disk.ts'
import { DurablePosition } from './durable-position.ts'
import { Feed } from './feed.ts'
import { createFlightsServer, onFirstAnswer } from './http.ts'
import { type Checkpoint, openState } from './open-state.ts'
import { Flights } from './state.ts'

const FIGURES_INTERVAL_MS = 250

/** From the first moment on: a driver may be gone, or want this to end, before the state is open. */
let ending = false
let closing = false
let end: () => void = () => {
  ending = true
}
for (const event of ['disconnect', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(event, () => end())

const settings = JSON.parse(process.argv[2] ?? '{}') as ServiceSettings
const openedMs = performance.now()
const readBefore = bytesRead()
const state = await openState(settings, {
  onBarrier: epoch => durable.barrier(epoch),
  onCheckpoint: reportCheckpoint,
  onProblem: text => tell({ type: 'problem', text }),
})
const openMs = performance.now() - openedMs

const flights = new Flights(state.store, settings.keepDays)
const startPosition = flights.position
const durable = new DurablePosition(startPosition)

const rows = await RowReader.open(settings.inputFolder)
let seen = 0
const feed = new Feed(flights, rows, {
  flightsPerSecond: settings.flightsPerSecond,
  batchFlights: settings.batchFlights,
  seen: () => seen,
  onBatch: position => {
    if (settings.engine === 'tidemark') durable.added(position)
    tell({ type: 'position', position })
    if (settings.falsifyAt !== null && position >= settings.falsifyAt && position - settings.batchFlights < settings.falsifyAt) falsify()
  },
})

const server = createFlightsServer(flights, () => ({
  engine: settings.engine,
  position: flights.position,
  durablePosition: durable.position,
  flights: rows.count,
  airportHours: flights.airports.size,
  routeHours: flights.routes.size,
  recent: flights.recent.size,
  store: state.stats(),
}))
server.on('connection', () => seen++)
server.on('request', () => seen++)
onFirstAnswer(server, () => {
  const now = bytesRead()
  const readBytes = now === undefined || readBefore === undefined ? null : now - readBefore
  tell({ type: 'answered', readBytes, entries: flights.entries, stateBytes: bytesIn(settings.stateFolder) })
})
// Clients that come back after a while find their connection open.
server.keepAliveTimeout = 0
server.listen(settings.port, '127.0.0.1', () => {
  tell({ type: 'listening', port: (server.address() as AddressInfo).port, position: startPosition, openMs })
})

const figuresTimer = setInterval(tellFigures, FIGURES_INTERVAL_MS)

process.on('message', (message: DriverMessage) => {
  if (message.type === 'feed') feed.start()
  else feed.stop().then(() => tell({ type: 'paused' }))
})
end = () => void close()
if (ending || (process.send !== undefined && !process.connected)) end()

function reportCheckpoint(point: Checkpoint): void {
  durable.checkpoint(point.epoch)
  tell({ type: 'checkpoint', position: durable.position, bytes: point.bytes, records: point.records })
}

/** The planted fault: one flight too many, for the comparison at the end to find. */
function falsify(): void {
  const fake = { time: 0, delay: 1, distance: 1, origin: 'ATL', destination: 'LAX' }
  flights.falsify(fake)
}

function tellFigures(): void {
  const figures = state.figures()
  if (figures !== undefined) tell({ type: 'figures', figures })
}

function tell(message: ServiceMessage): void {
  // Of a driver that is gone tells 'disconnect'; what was said to it just before is lost, and no error of ours.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

async function close(): Promise<void> {
  if (closing) return
  closing = true
  clearInterval(figuresTimer)
  await feed.stop()
  server.close()
  server.closeAllConnections()
  await state.close()
  await rows.close()
  tellFigures()
  if (process.connected) process.disconnect()
}
