/** Brings the operations to an engine as they come due, or as fast as it goes, and takes the time of each. */
import { type TurnWatch, untimed } from '../open-loop/turn-watch.ts'
import type { Arrivals } from './contract.ts'
import type { Load, Target } from './loads.ts'

/** Slept when nothing is due: the floor of every latency. */
const NAP_MS = 0.2
/** The same for the event loop, where the engine must see that it is idle. A timer takes no less. */
const IDLE_MS = 1
/** Operations in one turn, so that a backlog does not keep the engine from its turns. */
const TURN_OPERATIONS_MAX = 2000
const nap = new Int32Array(new SharedArrayBuffer(4))

export interface Served {
  /** The operation to go on with. */
  readonly next: number
  /** One for each operation, or for each turn of a closed loop, in ms. */
  readonly latencies: Float64Array
  readonly unserved: number
  readonly seconds: number
}

export interface Serving {
  readonly target: Target
  readonly load: Load
  readonly arrivals: Arrivals
  readonly watch: TurnWatch
  /** The first operation. */
  readonly from: number
  readonly seconds: number
  /** Called after each turn with the operations done so far. */
  readonly progress: (operations: number) => void
}

export function serve(serving: Serving): Promise<Served> {
  return serving.arrivals.kind === 'closed' ? serveClosed(serving, serving.arrivals.perTurn) : serveOpen(serving, serving.arrivals)
}

/** How many operations come in so many seconds; of a closed loop more than there can be. */
export function countOf(arrivals: Arrivals, load: Load | undefined, seconds: number): number {
  if (arrivals.kind === 'open') return Math.round(arrivals.perSecond * seconds)
  return arrivals.kind === 'timetable' ? (load?.due?.length ?? 0) : Number.MAX_SAFE_INTEGER
}

/** Latency is from the scheduled arrival; what never got a turn counts with its age. */
function serveOpen(
  { target, load, arrivals, watch, from, seconds, progress }: Serving,
  { idle, ...how }: Exclude<Arrivals, { kind: 'closed' }>,
): Promise<Served> {
  const count = countOf(arrivals, load, seconds)
  const latencies = new Float64Array(count)
  const { due } = load
  const stepMs = how.kind === 'open' ? 1000 / how.perSecond : 0
  const dueAt = due === undefined ? (at: number): number => at * stepMs : (at: number): number => due[at] as number
  const begin = performance.now() + 20
  const end = begin + seconds * 1500
  let at = 0
  return new Promise((resolve, reject) => {
    const finish = (now: number): void => {
      for (let rest = at; rest < count; rest++) latencies[rest] = now - (begin + dueAt(rest))
      resolve({ next: from + at, latencies, unserved: count - at, seconds: (now - begin) / 1000 })
    }
    const step = (): void => {
      watch.tick()
      let now = performance.now()
      const before = at
      try {
        for (let budget = TURN_OPERATIONS_MAX; at < count && begin + dueAt(at) <= now && budget > 0; budget--) {
          load.make(target, from + at)
          now = performance.now()
          latencies[at] = now - (begin + dueAt(at))
          at++
        }
        if (at > before) load.turnEnd?.(target, from + at)
      } catch (error) {
        reject(error)
        return
      }
      if (at > before) progress(from + at)
      if (at >= count || now > end) {
        finish(now)
        return
      }
      const waiting = begin + dueAt(at) > now
      if (idle === 'timer' && waiting) return void untimed.after(step, IDLE_MS)
      if (waiting) Atomics.wait(nap, 0, 0, NAP_MS)
      untimed.immediate(step)
    }
    step()
  })
}

/** A sample is one turn with all that fell between it and the next, so that no stall is lost. */
function serveClosed({ target, load, watch, from, seconds, progress }: Serving, perTurn: number): Promise<Served> {
  const latencies: number[] = []
  const begin = performance.now()
  let at = from
  let last = begin
  return new Promise((resolve, reject) => {
    const step = (): void => {
      watch.tick()
      const now = performance.now()
      if (at > from) latencies.push(now - last)
      last = now
      if (now - begin >= seconds * 1000) {
        resolve({ next: at, latencies: Float64Array.from(latencies), unserved: 0, seconds: (now - begin) / 1000 })
        return
      }
      try {
        for (let left = perTurn; left > 0; left--) load.make(target, at++)
        load.turnEnd?.(target, at)
      } catch (error) {
        reject(error)
        return
      }
      progress(at)
      untimed.immediate(step)
    }
    step()
  })
}
