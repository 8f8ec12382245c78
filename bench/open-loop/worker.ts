/** One engine under one open loop: operations arrive at a fixed rate, whether the process keeps up or not. */
import { type Engine, loadEngine } from '../engines/index.ts'
import { plain } from '../engines/plain.ts'
import { assignment, deliver } from '../harness/child.ts'
import { openControl, turnsTaken } from '../harness/control.ts'
import { GcWatch } from '../harness/gc.ts'
import { bucketsOf } from '../harness/histogram.ts'
import { median, percentile } from '../harness/stats.ts'
import { bytesWritten } from '../harness/written.ts'
import { makeOperations, type Operations } from '../workload/operations.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { OpenLoopAssignment, OpenLoopResult } from './contract.ts'
import { TurnWatch, untimed } from './turn-watch.ts'

const job = assignment<OpenLoopAssignment>()
/** Slept when nothing is due: the floor of every latency. */
const NAP_MS = 0.2
/** The same behind a restart, for the event loop: what waits for it to be idle must see that it is. A timer takes no less. */
const IDLE_MS = 1
/** Operations in one turn, so that a backlog does not keep the engine from its turns. */
const TURN_OPERATIONS_MAX = 2000
/**
 * Served before what is measured, with frequent checkpoints, the same for every engine: V8 compiles what is new in threads of its own, and
 * on two cores these take the core of the main thread for milliseconds at a time. A service meets that in its first seconds only.
 */
const WARM_SECONDS = 6
const WARM_CHECKPOINT_MS = 250
/** Before a restart the load itself is warmed up, on a plain Map of so many keys: what is new then is the engine. */
const REHEARSAL_KEYS = 50_000
const REHEARSAL_SECONDS = 3
const nap = new Int32Array(new SharedArrayBuffer(4))
const watch = new TurnWatch()
watch.install()

const turn = (): Promise<void> => new Promise(resolve => untimed.immediate(resolve))
const sleep = (ms: number): Promise<void> => new Promise(resolve => untimed.after(resolve, ms))

async function load(engine: Engine<Player>, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; ) {
    for (const end = Math.min(keys.length, at + 5000); at < end; at++) engine.set(keys[at] as string, makePlayer(at, 0))
    await turn()
  }
  await engine.checkpoint()
}

/**
 * Serves the operations, the first of them in a moment; returns each one's latency from its scheduled arrival, in ms. An unserved one counts
 * with its age. `versions`: how often each key was written, by calls before too.
 */
function serve(
  engine: Engine<Player>,
  keys: readonly string[],
  versions: Uint32Array,
  operations: Operations,
): Promise<{ latencies: Float64Array; unserved: number }> {
  const { count, keyIndex, isRead } = operations
  const latencies = new Float64Array(count)
  const stepMs = 1000 / job.perSecond
  const begin = performance.now() + 20
  const end = begin + count * stepMs * 1.5
  let at = 0
  return new Promise((resolve, reject) => {
    const step = (): void => {
      watch.tick()
      let now = performance.now()
      for (let budget = TURN_OPERATIONS_MAX; at < count && begin + at * stepMs <= now && budget > 0; budget--) {
        const index = keyIndex[at] as number
        const key = keys[index] as string
        if (isRead[at] === 1) {
          const value = engine.get(key)
          if (value?.id !== index || value.v !== versions[index]) {
            reject(new Error(`${job.engine}: ${key} holds ${JSON.stringify(value)}`))
            return
          }
        } else {
          versions[index] = (versions[index] as number) + 1
          engine.set(key, makePlayer(index, versions[index] as number))
        }
        now = performance.now()
        latencies[at] = now - (begin + at * stepMs)
        at++
      }
      if (at >= count || now > end) {
        for (let rest = at; rest < count; rest++) latencies[rest] = now - (begin + rest * stepMs)
        resolve({ latencies, unserved: count - at })
        return
      }
      const due = begin + at * stepMs <= now
      if (job.restarted === true && !due) return void untimed.after(step, IDLE_MS)
      if (!due) Atomics.wait(nap, 0, 0, NAP_MS)
      untimed.immediate(step)
    }
    step()
  })
}

function part({ keyIndex, isRead }: Operations, from: number, end: number): Operations {
  return { count: end - from, keyIndex: keyIndex.subarray(from, end), isRead: isRead.subarray(from, end) }
}

/** Leaves nothing behind that would be measured: no arrivals that wait, no checkpoint under way, nothing for the next one to write. */
async function warmUp(engine: Engine<Player>, keys: readonly string[], versions: Uint32Array, operations: Operations): Promise<void> {
  let running: Promise<void> | undefined
  const tick = (): void => {
    running ??= engine.checkpoint().then(() => {
      running = undefined
    })
  }
  const timer = untimed.repeat(tick, Math.min(WARM_CHECKPOINT_MS, job.intervalMs))
  await serve(engine, keys, versions, operations)
  clearInterval(timer)
  await running
  await engine.checkpoint()
  // No collection by hand: it would shrink V8's heap limit and provoke major collections in the run.
  await sleep(300)
}

/** The engine with all keys in it, and nothing under way that would be measured, unless that is what is measured. */
async function prepare(keys: readonly string[], versions: Uint32Array, warm: Operations): Promise<Engine<Player>> {
  const open = async (): Promise<Engine<Player>> =>
    job.control !== undefined ? openControl<Player>(job.control) : await (await loadEngine(job.engine)).open<Player>(job.folder)
  if (job.restarted !== true) {
    const engine = await open()
    await load(engine, keys)
    await warmUp(engine, keys, versions, warm)
    return engine
  }
  await rehearse(keys.slice(0, REHEARSAL_KEYS))
  const engine = await open()
  if (engine.hydrated === undefined) await load(engine, keys)
  return engine
}

async function rehearse(keys: readonly string[]): Promise<void> {
  const engine = await plain.open<Player>('')
  await load(engine, keys)
  const count = job.perSecond * REHEARSAL_SECONDS
  const operations = makeOperations({ keys: keys.length, count, theta: job.theta, reads: job.reads })
  await serve(engine, keys, new Uint32Array(keys.length), operations)
}

await deliver(async (): Promise<OpenLoopResult> => {
  const keys = playerKeys(job.keys)
  const warm = job.restarted === true ? 0 : job.perSecond * WARM_SECONDS
  const count = warm + job.perSecond * job.seconds
  const operations = makeOperations({ keys: job.keys, count, theta: job.theta, reads: job.reads })
  const versions = new Uint32Array(keys.length)
  const engine = await prepare(keys, versions, part(operations, 0, warm))
  const opened = performance.now()
  let hydratedMs = Number.NaN
  void engine.hydrated?.().then(() => {
    hydratedMs = performance.now() - opened
  })
  const bytesBefore = bytesWritten() ?? Number.NaN
  const gc = new GcWatch()
  const checkpointMs: number[] = []
  const callMs: number[] = []
  let skipped = 0
  let running: Promise<void> | undefined
  const checkpoint = (): Promise<void> => {
    const start = performance.now()
    const promise = watch.run(() => engine.checkpoint())
    callMs.push(performance.now() - start)
    running = promise.then(() => {
      running = undefined
      checkpointMs.push(performance.now() - start)
    })
    return running
  }
  watch.start()
  const begin = performance.now()
  const timer = untimed.repeat(() => {
    if (running !== undefined) skipped++
    else void checkpoint()
  }, job.intervalMs)
  const { latencies, unserved } = await serve(engine, keys, versions, part(operations, warm, count))
  clearInterval(timer)
  const seconds = (performance.now() - begin) / 1000
  // From here on nothing else has turns, and one slice follows the other.
  watch.stop()
  await running
  await checkpoint()
  await sleep(20)
  gc.stop()
  const spans = watch.spans
  const stalls = spans.map(({ startMs, endMs }) => endMs - startMs)
  const own = spans.map(({ startMs, endMs }) => endMs - startMs - gc.within(startMs, endMs))
  return {
    engine: job.engine,
    latencyMs: {
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      p999: percentile(latencies, 99.9),
      max: percentile(latencies, 100),
    },
    unserved,
    stallMs: { count: stalls.length, p50: percentile(stalls, 50), p999: percentile(stalls, 99.9), max: percentile(stalls, 100) },
    stallBuckets: bucketsOf(stalls),
    stallWithoutGcMs: { p999: percentile(own, 99.9), max: percentile(own, 100) },
    scheduledTurns: watch.scheduled,
    ...turnsTaken(stalls, seconds),
    gc: gc.summary(),
    checkpoints: checkpointMs.length,
    skipped,
    checkpointMs: median(checkpointMs),
    callMs: Math.max(...callMs),
    hydratedMs,
    megabytes: ((bytesWritten() ?? Number.NaN) - bytesBefore) / 1e6,
    stats: engine.stats?.(),
  }
})
