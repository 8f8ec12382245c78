/** One engine under one load: fills it, lets it settle, measures it, and ends without a word, or in the middle of everything. */
import { type Engine, loadEngine } from '../engines/index.ts'
import { plain } from '../engines/plain.ts'
import { assignment, deliver } from '../harness/child.ts'
import { openControl, turnsTaken } from '../harness/control.ts'
import { GcWatch } from '../harness/gc.ts'
import { bucketsOf } from '../harness/histogram.ts'
import { waitedMs } from '../harness/machine.ts'
import { percentile } from '../harness/stats.ts'
import { TurnWatch, untimed } from '../open-loop/turn-watch.ts'
import { Barriers } from './barriers.ts'
import type { Percentiles, SpikesAssignment, SpikesResult } from './contract.ts'
import { weighGiant } from './giant.ts'
import { GIANT_KEY, type Load, makeLoad, POSITION_KEY, SEQUENCE_MAX } from './loads.ts'
import { countOf, type Served, serve } from './serve.ts'
import { aliveBytes, Switches } from './switches.ts'

const job = assignment<SpikesAssignment>()
/** V8 compiles what is new in threads of its own, which take the main thread's core: everything is made to happen before (open-loop). */
const WARM_CHECKPOINT_MS = 250
const REHEARSAL_SECONDS = 3
const LOOK_AHEAD_MS = 50
const watch = new TurnWatch()
watch.install()

const turn = (): Promise<void> => new Promise(resolve => untimed.immediate(resolve))
const sleep = (ms: number): Promise<void> => new Promise(resolve => untimed.after(resolve, ms))
const epochMs = (ms: number): number => performance.timeOrigin + ms

await deliver(async (): Promise<SpikesResult> => {
  const first = job.load.kind === 'flights' ? makeLoad(job.load, 0) : undefined
  const total = job.warmSeconds + job.settleSeconds + job.seconds
  const load = first ?? makeLoad(job.load, operationsMax(total))
  if (job.warmSeconds === 0) await rehearse()
  // Of what the engine takes, not of what the benchmark needs for itself.
  const bytesBefore = job.arrivals.kind === 'closed' ? aliveBytes() : 0
  const engine = await openEngine()
  const barriers = new Barriers(engine, job, watch)
  const from = job.restarted === true ? await takeUp(engine, load) : 0
  if (from === 0) await fill(engine, load)
  let next = await warmUp(engine, load, barriers, from)
  const giant = hasGiant() && job.engine === 'tidemark' ? await weighGiant(engine, job.load) : undefined
  barriers.begin()
  next = (await serveFor(job.arrivals.kind === 'timetable' ? 0 : job.settleSeconds, engine, load, barriers, next)).next
  return await measure(engine, load, barriers, next, { from, giant, bytesBefore })
})

/** A killed process and the one that goes on must have the same sequence. */
function operationsMax(seconds: number): number {
  return job.killed === true || job.restarted === true ? SEQUENCE_MAX : 2 * countOf(job.arrivals, undefined, seconds)
}

function hasGiant(): boolean {
  return job.load.kind === 'sessions' && job.load.giant !== undefined
}

async function openEngine(): Promise<Engine> {
  if (job.control !== undefined) return openControl(job.control)
  return await (await loadEngine(job.engine)).open(job.folder, job.barriers === undefined ? {} : { barriers: job.barriers })
}

async function fill(engine: Engine, load: Load): Promise<void> {
  for (let at = 0; at < load.entries; ) {
    for (const end = Math.min(load.entries, at + 2000); at < end; at++) load.put(engine, at)
    await turn()
  }
  await engine.checkpoint()
  await engine.rest?.()
}

/** Where the killed process was: the operations whose turn the recovered state holds. */
async function takeUp(engine: Engine, load: Load): Promise<number> {
  const done = (engine.get(POSITION_KEY) as { done: number } | undefined)?.done
  if (done === undefined) return 0
  load.skip?.(done)
  return done
}

/** What comes behind `open` is measured from its first moment, so the load alone is made known to V8, on a plain Map of its own. */
async function rehearse(): Promise<void> {
  const map = await plain.open<unknown>('')
  const load = makeLoad(job.load, countOf(job.arrivals, undefined, REHEARSAL_SECONDS))
  for (let at = 0; at < load.entries; at++) load.put(map, at)
  await serve({
    target: map,
    load,
    watch,
    arrivals: job.arrivals.kind === 'timetable' ? { kind: 'closed', perTurn: 100 } : job.arrivals,
    from: 0,
    seconds: job.arrivals.kind === 'timetable' ? REHEARSAL_SECONDS / 10 : REHEARSAL_SECONDS,
    progress: () => {},
  })
}

async function warmUp(engine: Engine, load: Load, barriers: Barriers, from: number): Promise<number> {
  if (job.warmSeconds === 0) return from
  const every = barriers.often(Math.min(WARM_CHECKPOINT_MS, job.intervalMs))
  const { next } = await serveFor(job.warmSeconds, engine, load, barriers, from)
  await every.stop()
  // No collection by hand: it would shrink V8's heap limit and provoke major collections in the run.
  await sleep(300)
  return next
}

async function serveFor(seconds: number, engine: Engine, load: Load, barriers: Barriers, from: number): Promise<Served> {
  if (seconds === 0) return { next: from, latencies: new Float64Array(0), unserved: 0, seconds: 0 }
  return await serve({ target: engine, load, arrivals: job.arrivals, watch, from, seconds, progress: done => barriers.progress(done) })
}

interface Before {
  readonly bytesBefore: number
  readonly from: number
  readonly giant: Omit<NonNullable<SpikesResult['giant']>, 'named'> | undefined
}

interface After {
  readonly weighed?: Awaited<ReturnType<Switches['begin']>>
  readonly heapBytes?: number
  readonly waited?: number
}

async function measure(
  engine: Engine,
  load: Load,
  barriers: Barriers,
  start: number,
  { from, giant, bytesBefore }: Before,
): Promise<SpikesResult> {
  // A timetable is not interrupted: what comes before is served in the same go, and left out.
  const skippedMs = job.arrivals.kind === 'timetable' ? job.settleSeconds * 1000 : 0
  let statsBefore = engine.stats?.()
  // Ahead of what counts, so that to look is no part of it.
  const looking = skippedMs > 0 ? untimed.after(() => (statsBefore = engine.stats?.()), Math.max(0, skippedMs - LOOK_AHEAD_MS)) : undefined
  const gc = new GcWatch()
  const faults = new Switches(job)
  const waitedBefore = waitedMs()
  const begin = performance.now()
  barriers.measure()
  watch.start()
  let told: SpikesResult['told'] = { count: 0, longestMs: 0, longestKey: undefined }
  engine.onStall?.((ms, key) => {
    const longest = ms > told.longestMs ? { longestMs: ms, longestKey: key === undefined ? undefined : String(key) } : {}
    told = { ...told, ...longest, count: told.count + 1 }
  })
  const stuck = faults.begin(engine)
  if (job.killed === true) killLater(barriers, served => result(served, performance.now()))
  const served = await serveFor(job.seconds, engine, load, barriers, start)
  const end = performance.now()
  clearTimeout(looking)
  barriers.over()
  const waited = waitedMs() - waitedBefore
  watch.stop()
  faults.end()
  const weighed = await stuck
  const heapBytes = job.arrivals.kind === 'closed' ? aliveBytes() - bytesBefore : Number.NaN
  await barriers.end()
  await sleep(20)
  gc.stop()
  return result(served, end, { weighed, heapBytes, waited })

  function result(served: Served, end: number, { weighed, heapBytes = Number.NaN, waited = Number.NaN }: After = {}): SpikesResult {
    const dueFrom = load.due?.findIndex(ms => ms >= skippedMs) ?? 0
    const latencies = served.latencies.subarray(dueFrom)
    const spans = watch.spans.filter(({ startMs }) => startMs >= begin + skippedMs)
    const stalls = spans.map(({ startMs, endMs }) => endMs - startMs)
    const own = spans.map(({ startMs, endMs }) => endMs - startMs - gc.within(startMs, endMs))
    const sum = (list: readonly number[]): number => list.reduce((total, ms) => total + ms, 0)
    const taken = turnsTaken(stalls, (end - begin - skippedMs) / 1000)
    const stats = engine.stats?.()
    return {
      engine: job.engine,
      operations: served.next,
      acknowledged: barriers.acknowledged,
      from,
      samples: latencies.length,
      unserved: served.unserved,
      perSecond: (served.next - start) / served.seconds,
      latencyMs: percentiles(latencies),
      stallMs: percentiles(stalls),
      stallBuckets: bucketsOf(stalls),
      stallWithoutGcMs: { p999: percentile(own, 99.9), max: percentile(own, 100) },
      ...taken,
      scheduledTurns: watch.scheduled,
      shortTotalMs: sum(stalls) - taken.longTotalMs,
      gc: gc.summary(),
      beginMs: epochMs(begin),
      endMs: epochMs(end),
      ...barriers.figures(weighed?.releasedMs),
      alive: weighed?.alive,
      giant: giant === undefined ? undefined : { ...giant, named: isNamed(told, stats) },
      told,
      heapBytes,
      waitedMs: waited,
      statsBefore,
      stats,
    }
  }
}

function isNamed({ longestKey }: SpikesResult['told'], stats: unknown): boolean {
  const { giants } = stats as { giants?: readonly { readonly key: unknown }[] }
  return longestKey === GIANT_KEY && giants?.some(({ key }) => key === GIANT_KEY) === true
}

/** The process ends under load; what is told is told just before. */
function killLater(barriers: Barriers, result: (served: Served) => SpikesResult): void {
  untimed.after(() => {
    const latencies = new Float64Array(0)
    const served = { next: barriers.operations, latencies, unserved: 0, seconds: job.seconds }
    // Without an ending of its own: the message is out, and then there is nothing.
    process.send?.({ result: result(served), cpuMs: process.cpuUsage().user / 1000 }, () => process.kill(process.pid, 'SIGKILL'))
  }, job.seconds * 900)
}

function percentiles(values: readonly number[] | Float64Array): Percentiles {
  const of = (percent: number): number => percentile(values, percent)
  return { p50: of(50), p99: of(99), p999: of(99.9), max: of(100) }
}
