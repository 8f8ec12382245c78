/**
 * One engine under one open loop over a state that does not fit into what it may take.
 *
 * Keys are made when they are asked for, as a service gets them with its requests: a list of ten million strings would be memory of its own.
 */
import { open, type Store } from 'tidemark'
import { assignment, deliver, sleep, turn } from '../harness/child.ts'
import { GcWatch } from '../harness/gc.ts'
import { median, percentile } from '../harness/stats.ts'
import { calmMsOf, commit, fill, untilAtRest } from '../harness/upkeep.ts'
import { makeOperations, type Operations } from '../workload/operations.ts'
import { makePlayer, type Player, playerKey } from '../workload/players.ts'
import type { LargerAssignment, LargerFilled, LargerResult } from './contract.ts'

const job = assignment<LargerAssignment>()
const NAP_MS = 0.2
const TURN_OPERATIONS_MAX = 2000
const SETTLE_TURN_MS = 5
const SAMPLE_MS = 100
const READS = 0.5
const THETA = 0.99
const nap = new Int32Array(new SharedArrayBuffer(4))
const versions = new Uint16Array(job.keys)

interface Engine {
  get(key: string): Player | undefined
  set(key: string, value: Player): unknown
  checkpoint(): Promise<unknown>
  store?: Store
}

await deliver(async () => (job.role === 'fill' ? await fillStore() : await serve()))

function openStore(): Promise<Store> {
  return open(job.folder, {
    checkpoint: { intervalMs: 0 },
    restore: { hydrate: 'on-demand' },
    budget: { memoryBytesMax: job.memoryBytesMax },
    retention: { keepLast: 1, keepMs: 0 },
  })
}

async function fillStore(): Promise<LargerFilled> {
  const store = await openStore()
  const players = store.map<Player, string>('players')
  let rssMaxBytes = 0
  const sample = setInterval(() => {
    rssMaxBytes = Math.max(rssMaxBytes, process.memoryUsage.rss())
  }, SAMPLE_MS)
  const folded = await fill(store, job.keys, index => players.set(playerKey(index), makePlayer(index, 0)))
  await untilAtRest(store, folded, calmMsOf(job.keys))
  clearInterval(sample)
  await store.close()
  return { rssMaxBytes }
}

async function engineOf(role: 'plain' | 'tidemark'): Promise<Engine> {
  if (role === 'plain') {
    const map = new Map<string, Player>()
    for (let at = 0; at < job.keys; at++) {
      map.set(playerKey(at), makePlayer(at, 0))
      if (at % 5000 === 0) await turn()
    }
    return { get: key => map.get(key), set: (key, value) => map.set(key, value), checkpoint: async () => {} }
  }
  const store = await openStore()
  await store.hydrated()
  const players = store.map<Player, string>('players')
  return { get: key => players.get(key), set: (key, value) => players.set(key, value), checkpoint: () => commit(store), store }
}

function check(index: number, value: Player | undefined): void {
  if (value?.id === index && value.v === versions[index]) return
  throw new Error(`${job.role}: ${playerKey(index)} holds ${JSON.stringify(value)}, not version ${versions[index]}`)
}

/**
 * What a service that has run for a while has in its heap: as much as may be, from a walk, and of it what is asked for most. As fast as it goes,
 * giving way every few milliseconds.
 */
async function settle(engine: Engine): Promise<void> {
  const { store } = engine
  if (store !== undefined) {
    let end = 0
    for (const [, value] of store.map<Player, string>('players')) {
      check(value.id, value)
      if (performance.now() < end) continue
      if ((store.stats().memory?.evicted ?? 0) > 0) break
      await turn()
      end = performance.now() + SETTLE_TURN_MS
    }
  }
  const { count, keyIndex } = makeOperations({ keys: job.keys, count: job.settleReads, theta: THETA, reads: 1, seed: 7 })
  for (let at = 0; at < count; await turn()) {
    for (const end = performance.now() + SETTLE_TURN_MS; at < count && performance.now() < end; at++) {
      const index = keyIndex[at] as number
      check(index, engine.get(playerKey(index)))
    }
  }
}

function load(engine: Engine, { count, keyIndex, isRead }: Operations): Promise<{ latencies: Float64Array; unserved: number }> {
  const latencies = new Float64Array(count)
  const stepMs = 1000 / job.perSecond
  const begin = performance.now() + 20
  const end = begin + count * stepMs * 1.5
  let at = 0
  return new Promise((resolve, reject) => {
    const step = (): void => {
      let now = performance.now()
      try {
        for (let budget = TURN_OPERATIONS_MAX; at < count && begin + at * stepMs <= now && budget > 0; budget--) {
          const index = keyIndex[at] as number
          const key = playerKey(index)
          if (isRead[at] === 1) check(index, engine.get(key))
          else {
            versions[index] = (versions[index] as number) + 1
            engine.set(key, makePlayer(index, versions[index] as number))
          }
          now = performance.now()
          latencies[at] = now - (begin + at * stepMs)
          at++
        }
      } catch (error) {
        reject(error)
        return
      }
      if (at >= count || now > end) {
        for (let rest = at; rest < count; rest++) latencies[rest] = now - (begin + rest * stepMs)
        resolve({ latencies, unserved: count - at })
        return
      }
      if (begin + at * stepMs > now) Atomics.wait(nap, 0, 0, NAP_MS)
      setImmediate(step)
    }
    step()
  })
}

async function serve(): Promise<LargerResult> {
  const engine = await engineOf(job.role as 'plain' | 'tidemark')
  await settle(engine)
  const warm = job.perSecond * job.warmSeconds
  const count = warm + job.perSecond * job.seconds
  const operations = makeOperations({ keys: job.keys, count, theta: THETA, reads: READS })
  let running: Promise<unknown> | undefined
  let skipped = 0
  const checkpointMs: number[] = []
  const checkpoint = (): void => {
    if (running !== undefined) return void skipped++
    const start = performance.now()
    running = engine.checkpoint().then(() => {
      running = undefined
      checkpointMs.push(performance.now() - start)
    })
  }
  const timer = setInterval(checkpoint, job.intervalMs)
  await load(engine, part(operations, 0, warm))
  const before = engine.store?.stats()
  checkpointMs.length = skipped = 0
  const gc = new GcWatch()
  let rssMaxBytes = 0
  const sample = setInterval(() => {
    rssMaxBytes = Math.max(rssMaxBytes, process.memoryUsage.rss())
  }, SAMPLE_MS)
  const { latencies, unserved } = await load(engine, part(operations, warm, count))
  clearInterval(timer)
  clearInterval(sample)
  const { rss: rssBytes, heapUsed: heapUsedBytes } = process.memoryUsage()
  gc.stop()
  const stats = engine.store?.stats()
  await running
  await sleep(20)
  return {
    latencyMs: {
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      p999: percentile(latencies, 99.9),
      max: percentile(latencies, 100),
    },
    unserved,
    rssBytes,
    rssMaxBytes: Math.max(rssMaxBytes, rssBytes),
    heapUsedBytes,
    gc: gc.summary(),
    checkpoints: checkpointMs.length,
    skipped,
    checkpointMs: median(checkpointMs),
    evictedPerSecond: ((stats?.memory?.evicted ?? 0) - (before?.memory?.evicted ?? 0)) / job.seconds,
    coldReadsPerSecond: ((stats?.memory?.reads.count ?? 0) - (before?.memory?.reads.count ?? 0)) / job.seconds,
    stallMs: { p999: stats?.stalls.p999Ms ?? 0, max: stats?.stalls.maxMs ?? 0 },
    stats,
  }
}

function part({ keyIndex, isRead }: Operations, from: number, end: number): Operations {
  return { count: end - from, keyIndex: keyIndex.subarray(from, end), isRead: isRead.subarray(from, end) }
}
