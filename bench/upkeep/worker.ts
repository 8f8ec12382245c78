/** A store under updates: what upkeep writes for them and when, what it leaves on disk, and what it gives back. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { open, type Store, type TidemarkMap } from 'tidemark'
import { assignment, deliver, sleep, turn } from '../harness/child.ts'
import { folderSize } from '../harness/files.ts'
import { COLLECTED_MS, calmMsOf, commit, FOLDED_RECORDS, fill, untilAtRest } from '../harness/upkeep.ts'
import { bytesWritten } from '../harness/written.ts'
import { makeOperations } from '../workload/operations.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { Footprint, LongResult, SteadyResult, UpkeepAssignment } from './contract.ts'

const job = assignment<UpkeepAssignment>()
const KEYS_PER_TURN = 2000
const TURN_MS_MAX = 5
const WINDOW_MS = 100
/** Of the steady load before what is sampled: folds and merges find their rhythm, and a round of merges has begun. */
const SETTLE_SECONDS = job.collect ? 120 : 2
/** One key in so many stays when the others are deleted. */
const LEFT = 20
const CALM_MS = calmMsOf(job.keys)
/** Sizes of the folder while the load runs. */
const LOOK_MS = 1000
const keys = playerKeys(job.keys)
const versions = new Uint32Array(job.keys)

const settle = job.role === 'steady' ? job.perSecond * SETTLE_SECONDS : 0
const operations = makeOperations({ keys: job.keys, count: settle + job.updates, theta: job.theta, reads: 0 })

await deliver(async () => (job.role === 'long' ? await long() : await steady()))

function openStore(folder: string): Promise<Store> {
  // The barriers are the benchmark's; nothing of the past is kept.
  return open(folder, { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 0 } })
}

/** All keys in their newest version; gives the epoch that is folded. */
async function load(store: Store, players: TidemarkMap<string, Player>): Promise<void> {
  const folded = await fill(store, keys.length, index => players.set(keys[index] as string, makePlayer(index, versions[index] as number)))
  await untilAtRest(store, folded, CALM_MS)
}

function footprint(): Footprint {
  const of = (name: string): number => folderSize(join(job.folder, name)).bytes
  return { segments: of('segment'), log: of('log'), all: folderSize(job.folder).bytes }
}

interface Run {
  readonly seconds: number
  readonly checkpoints: number
  readonly skipped: number
}

/** Makes the updates as they come due, a checkpoint each interval, and one after the last. */
async function update(store: Store, players: TidemarkMap<string, Player>, from: number, to: number): Promise<Run> {
  const { keyIndex } = operations
  const stepMs = 1000 / job.perSecond
  const begin = performance.now()
  let running: Promise<unknown> | undefined
  let failure: { readonly error: unknown } | undefined
  let next = begin + job.intervalMs
  let checkpoints = 0
  let skipped = 0
  for (let at = from; at < to; ) {
    const start = performance.now()
    while (at < to && begin + (at - from) * stepMs <= start && performance.now() - start < TURN_MS_MAX) {
      for (const end = Math.min(to, at + 50); at < end; at++) {
        const index = keyIndex[at] as number
        versions[index] = (versions[index] as number) + 1
        players.set(keys[index] as string, makePlayer(index, versions[index] as number))
      }
    }
    if (start >= next) {
      next += job.intervalMs
      if (running !== undefined) skipped++
      else {
        checkpoints++
        running = commit(store).then(
          () => {
            running = undefined
          },
          error => {
            failure = { error }
          },
        )
      }
    }
    if (failure !== undefined) throw failure.error
    if (begin + (at - from) * stepMs > performance.now()) await sleep(1)
    else await turn()
  }
  await running
  if (failure !== undefined) throw failure.error
  await commit(store)
  return { seconds: (performance.now() - begin) / 1000, checkpoints: checkpoints + 1, skipped }
}

async function long(): Promise<LongResult> {
  const store = await openStore(job.folder)
  const players = store.map<Player, string>('players')
  await load(store, players)
  const loaded = footprint()
  const before = store.stats()
  const writtenBefore = bytesWritten() ?? Number.NaN
  let peakBytes = 0
  const look = setInterval(() => {
    peakBytes = Math.max(peakBytes, footprintOrNothing())
  }, LOOK_MS)
  const run = await update(store, players, 0, job.updates)
  clearInterval(look)
  const resting = performance.now()
  // What the last checkpoints hold may be too little to be folded.
  await untilAtRest(store, before.upkeep.foldedEpoch, CALM_MS)
  const restMs = performance.now() - resting
  const written = (bytesWritten() ?? Number.NaN) - writtenBefore
  const stats = store.stats()
  if (job.collect) await untilAtRest(store, 0, COLLECTED_MS)
  const after = footprint()
  const liveBytes = await freshBytes()
  const emptiedKeys = await empty(store, players)
  const emptied = footprint()
  return {
    ...run,
    deltaBytes: stats.bytesWritten - before.bytesWritten,
    bytesWritten: written,
    foldBytes: stats.upkeep.foldBytes - before.upkeep.foldBytes,
    mergeBytes: stats.upkeep.mergeBytes - before.upkeep.mergeBytes,
    folds: stats.upkeep.folds - before.upkeep.folds,
    merges: stats.upkeep.merges - before.upkeep.merges,
    restMs,
    loaded,
    peakBytes,
    after,
    liveBytes,
    emptied,
    emptiedKeys,
  }
}

/** A file may go while the folder is looked at. */
function footprintOrNothing(): number {
  try {
    return folderSize(job.folder).bytes
  } catch {
    return 0
  }
}

/** The same state in a store that has seen nothing else. */
async function freshBytes(): Promise<number> {
  const store = await openStore(`${job.folder}-fresh`)
  await load(store, store.map<Player, string>('players'))
  const { segmentBytes } = store.stats().upkeep
  await store.close()
  return segmentBytes
}

/** Deletes all but one key in twenty, and lets upkeep rest; gives how many are left. */
async function empty(store: Store, players: TidemarkMap<string, Player>): Promise<number> {
  for (let index = 0; index < keys.length; index++) {
    if (index % LEFT !== 0) players.delete(keys[index] as string)
    if (index % KEYS_PER_TURN === 0) await turn()
  }
  const epoch = await commit(store)
  await untilAtRest(store, job.keys * (1 - 1 / LEFT) >= FOLDED_RECORDS ? epoch : 0, job.collect ? COLLECTED_MS : CALM_MS)
  return players.size
}

async function steady(): Promise<SteadyResult> {
  const store = await openStore(job.folder)
  const players = store.map<Player, string>('players')
  await load(store, players)
  await update(store, players, 0, settle)
  const before = store.stats()
  const all: number[] = []
  const segments: number[] = []
  const log: number[] = []
  const grown = growth(join(job.folder, 'segment'))
  const logged = growth(join(job.folder, 'log'))
  grown()
  logged()
  let last = bytesWritten()
  let at = performance.now()
  const sampler = setInterval(() => {
    const now = performance.now()
    // A timer that came late stands for as many windows as it took.
    const windows = Math.max(1, Math.round((now - at) / WINDOW_MS))
    at = now
    const bytes = bytesWritten()
    const each = (sum: number): number[] => Array.from({ length: windows }, () => sum / windows)
    if (bytes !== undefined && last !== undefined) all.push(...each(bytes - last))
    last = bytes
    segments.push(...each(grown()))
    log.push(...each(logged()))
  }, WINDOW_MS)
  await update(store, players, settle, settle + job.updates)
  clearInterval(sampler)
  const { upkeep, checkpoints } = store.stats()
  return {
    windowMs: WINDOW_MS,
    all: all.length > 0 ? all : undefined,
    segments,
    log,
    folds: upkeep.folds - before.upkeep.folds,
    merges: upkeep.merges - before.upkeep.merges,
    checkpoints: checkpoints - before.checkpoints,
  }
}

/** Bytes by which the files of a folder have grown since the last call. */
function growth(folder: string): () => number {
  let known = new Map<string, number>()
  return () => {
    const sizes = new Map<string, number>()
    for (const name of readdirSync(folder)) {
      const size = lstatSync(join(folder, name), { throwIfNoEntry: false })?.size
      if (size !== undefined) sizes.set(name, size)
    }
    let sum = 0
    for (const [name, size] of sizes) sum += Math.max(0, size - (known.get(name) ?? 0))
    known = sizes
    return sum
  }
}
