/** What a checkpointer has done since it began. Owns the sums. */
import { Histogram } from '../base/histogram.ts'
import type { Spared } from '../capture/index.ts'
import { laggingIn } from '../format/index.ts'
import type { CommittedMessage } from '../writer/index.ts'
import type { Flight } from './flight.ts'
import type { CheckpointPoint } from './types.ts'

export class Counters {
  checkpoints = 0
  failures = 0
  voids = 0
  forced = 0
  bytes = 0
  rawBytes = 0
  records = 0
  #spared: Spared = { records: 0, bytes: 0 }
  /** From the commit's append to its read-back. */
  readonly commits = new Histogram()
  readonly syncs = new Histogram()

  /** Of these, which are all since `open`: what was spared since the last call. */
  spared({ records, bytes }: Spared): Spared {
    const before = this.#spared
    this.#spared = { records, bytes }
    return { records: records - before.records, bytes: bytes - before.bytes }
  }

  /** An attempt failed, and what it spared is taken back. What is spared still, as `spared` takes it, belongs to no epoch. */
  failed(spared: Spared): void {
    this.failures++
    this.spared(spared)
  }

  /** An epoch became durable; gives it as callers see it. `now`: milliseconds of the clock that `flight.started` is of. */
  committed(flight: Flight, { logBytes, rawBytes, commitMs, syncMs }: CommittedMessage, now: number): CheckpointPoint {
    const { epoch, time, entries, records, redundant, written, refused, started } = flight
    const lagging = laggingIn(written)
    this.checkpoints++
    this.bytes += logBytes
    this.rawBytes += rawBytes
    this.records += records
    this.commits.record(commitMs)
    this.syncs.record(syncMs)
    const sizes = { bytes: logBytes, rawBytes, entries, records, redundant }
    return { epoch, time, ...sizes, lagging, refused: refused.first, refusedCount: refused.count, durationMs: now - started }
  }
}
