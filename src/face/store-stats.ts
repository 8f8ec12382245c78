/** What `stats()` says of a store. Owns nothing. */
import { Histogram } from '../base/histogram.ts'
import type { Collection, Space } from '../capture/index.ts'
import type { Checkpointer, EngineStatus } from '../checkpoint/index.ts'
import type { Cadence } from '../schedule/index.ts'
import { type CollectionStats, collectionStats } from './collection-stats.ts'
import { memoryStats } from './memory.ts'
import { scheduleStats } from './schedule.ts'
import type { Restored, StoreStats } from './types.ts'
import type { Upkeep } from './upkeep.ts'

/** What it is told by. */
export interface StatsParts {
  readonly space: Space
  readonly access: Histogram
  readonly coldReads: Histogram
  /** Of a store that is open read-only. */
  readonly reader: Pick<Checkpointer, 'stalls' | 'stallBudget'>
  readonly collections: ReadonlyMap<string, Collection>
  readonly upkeep: Upkeep
  readonly checkpointer: Checkpointer | undefined
  readonly cadence: Cadence | undefined
  readonly restored: Restored
  hydration(): StoreStats['hydration']
  /** Of live entries, where they are bounded. */
  memory(): Omit<NonNullable<StoreStats['memory']>, 'held'> | undefined
}

/** `closed`: nothing is in its collections any more. */
export function storeStats(parts: StatsParts, status: EngineStatus, closed: boolean): StoreStats {
  const { checkpointer, collections, access, coldReads, restored, space, upkeep } = parts
  const byName: Record<string, CollectionStats> = Object.create(null)
  let dirtyMax = 0
  let entries = 0
  if (!closed) {
    for (const collection of collections.values()) {
      byName[collection.name] = collectionStats(collection)
      dirtyMax += collection.dirtyKeysMax
      entries += collection.sizeMax
    }
  }
  const { stalls, stallBudget } = checkpointer ?? parts.reader
  const counters = checkpointer?.counters
  return {
    status,
    epoch: checkpointer?.epoch ?? restored.epoch,
    collections: byName,
    dirtyMax,
    entries,
    stalls: stalls.snapshot(),
    stallsOver: stallBudget.broken,
    giants: space.giants.list(),
    access: access.snapshot(),
    coldReads: coldReads.snapshot(),
    commits: (counters?.commits ?? new Histogram()).snapshot(),
    syncs: (counters?.syncs ?? new Histogram()).snapshot(),
    checkpoints: counters?.checkpoints ?? 0,
    failures: counters?.failures ?? 0,
    voids: counters?.voids ?? 0,
    forcedSlices: counters?.forced ?? 0,
    bytesWritten: counters?.bytes ?? 0,
    writeAmplification: upkeep.amplification(counters?.bytes ?? 0),
    bytesRaw: counters?.rawBytes ?? 0,
    recordsWritten: counters?.records ?? 0,
    bytesInFlight: checkpointer?.outbox.inFlight ?? 0,
    drain: checkpointer?.drained ?? { records: 0, bytes: 0, wasteRecords: 0, wasteBytes: 0 },
    refused: checkpointer?.refusals ?? [],
    degradedBy: (checkpointer?.degradedBy ?? upkeep.unread)?.message,
    hydration: parts.hydration(),
    memory: memoryStats(parts.memory(), collections.values()),
    upkeep: upkeep.stats,
    schedule: scheduleStats(parts.cadence, checkpointer, closed ? [] : collections.values()),
    restored,
  }
}
