/** One collection as fast as it goes: the Map itself, or the engine's. */
import { open } from 'tidemark'
import { assignment, deliver, turn } from '../harness/child.ts'
import { GcWatch } from '../harness/gc.ts'
import { median } from '../harness/stats.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { ClosedLoopAssignment, ClosedLoopResult } from './contract.ts'

const job = assignment<ClosedLoopAssignment>()
/** Sets in one turn of the event loop. */
const BATCH = 1 << 18

interface MapLike {
  get(key: string): Player | undefined
  set(key: string, value: Player): unknown
}

function heapMB(): number {
  const gc = (globalThis as { gc?: () => void }).gc
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

const perMicrosecond = (operations: number, ms: number): number => operations / ms / 1000

await deliver(async (): Promise<ClosedLoopResult> => {
  const { operations, passes } = job
  const keys = playerKeys(job.keys)
  const order = new Uint32Array(operations)
  let state = 12_345
  for (let at = 0; at < operations; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    order[at] = state % job.keys
  }
  const store = job.engine === 'tidemark' ? await open(job.folder, { checkpoint: { intervalMs: 0 } }) : undefined
  const map: MapLike = store?.map<Player>('players') ?? new Map<string, Player>()
  // Collected by hand only where memory is measured: a collection by hand shrinks V8's limits.
  const clean = async (): Promise<void> => {
    await store?.checkpoint()
    await turn()
  }

  let begin = performance.now()
  for (let at = 0; at < job.keys; ) {
    for (const end = Math.min(job.keys, at + 5000); at < end; at++) map.set(keys[at] as string, makePlayer(at, 0))
    await turn()
  }
  const insert = perMicrosecond(job.keys, performance.now() - begin)
  await clean()

  let sink = 0
  const setAll = async (version: number): Promise<void> => {
    for (let from = 0; from < operations; from += BATCH) {
      const end = Math.min(operations, from + BATCH)
      for (let at = from; at < end; at++) {
        const index = order[at] as number
        map.set(keys[index] as string, makePlayer(index, version))
      }
      await turn()
    }
  }
  const gets: number[] = []
  const sets: number[] = []
  const durable: number[] = []
  const saturated: number[] = []
  const gc = new GcWatch()
  for (let pass = 0; pass <= passes; pass++) {
    await turn()
    begin = performance.now()
    for (let at = 0; at < operations; at++) sink += (map.get(keys[order[at] as number] as string) as Player).v
    const getMs = performance.now() - begin
    await turn()
    begin = performance.now()
    await setAll(pass)
    const setMs = performance.now() - begin
    await store?.checkpoint()
    const durableMs = performance.now() - begin
    await clean()
    if (pass === 0) continue
    gets.push(perMicrosecond(operations, getMs))
    sets.push(perMicrosecond(operations, setMs))
    durable.push(perMicrosecond(operations, durableMs))
  }
  for (let written = 0; written <= 2 * job.keys + 2 * 65_536; written += operations) await setAll(1)
  for (let pass = 0; pass < passes; pass++) {
    begin = performance.now()
    await setAll(pass)
    saturated.push(perMicrosecond(operations, performance.now() - begin))
  }
  await clean()
  gc.stop()
  for (let at = 0; at < job.keys; at++) map.set(keys[at] as string, makePlayer(at, 9))
  const heapDirty = heapMB()
  for (let at = 0; at < job.keys; at++) map.set(keys[at] as string, makePlayer(at, 10))
  const heapLongest = heapMB()
  await clean()
  const heapNew = await heapOfNew(keys, store === undefined ? new Map<string, Player>() : store.map<Player>('new'), heapMB())
  if (!(sink > 0)) throw new Error('nothing was read')
  return {
    insert,
    get: median(gets),
    set: median(sets),
    setSaturated: median(saturated),
    setDurable: median(durable),
    heapNew,
    heapDirty,
    heapLongest,
    gcMs: gc.summary().minorMs + gc.summary().majorMs,
  }
})

async function heapOfNew(keys: readonly string[], map: MapLike, before: number): Promise<number> {
  for (let at = 0; at < keys.length; at++) map.set(keys[at] as string, makePlayer(at, 0))
  const after = heapMB()
  if (map.get(keys[0] as string) === undefined) throw new Error('nothing was stored')
  return after - before
}
