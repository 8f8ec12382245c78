/** The words of the checkpointer. */
import type { TidemarkError } from '../base/errors.ts'
import type { Collection, Space, Spared, VoidReason } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import type { Lagging } from '../format/index.ts'
import type { Cadence } from '../schedule/index.ts'
import type { UpkeepMessage, WriterHost } from '../writer/index.ts'
import type { HoldsParts } from './holds.ts'
import type { Refusal } from './refusals.ts'

/** A committed epoch, as `checkpoint()` and the `checkpoint` event give it. */
export interface CheckpointPoint {
  readonly epoch: number
  /** Time of the barrier, ms since 1970; of the last one where the cut moved. */
  readonly time: number
  /** Bytes appended to the log for it, framing included, by the attempt that came through; without the seal before it, which a RecoveryPoint counts. */
  readonly bytes: number
  /** Record bytes before compression. */
  readonly rawBytes: number
  /** Live entries of all collections at the barrier; of those in `lagging`, as of the epoch that is named there. */
  readonly entries: number
  /** Records written: changed and deleted keys. */
  readonly records: number
  /** Keys that were set and not written, because their encoding is that of their last record, and the bytes that this spared. */
  readonly redundant: Spared
  /** Rebuildable collections that the epoch left out, each with the earlier epoch whose state of it this point has. */
  readonly lagging: readonly Lagging[]
  /** Entries that could not be encoded and kept their last good value on disk: the first 1,000. */
  readonly refused: readonly Refusal[]
  /** How many these are in all. */
  readonly refusedCount: number
  /** From the barrier to the acknowledgement; from the first barrier of the epoch where the cut moved. */
  readonly durationMs: number
}

/** A turn of the engine's own that took longer than the budget. */
export interface StallInfo {
  readonly ms: number
  readonly budgetMs: number
  /** The largest value captured in it, when there was a large one: a value cannot be captured in pieces. */
  readonly collection?: string
  readonly key?: Key
  /** Of its record. */
  readonly bytes?: number
}

export type EngineStatus = 'ok' | 'degraded' | 'failed' | 'closed'

export interface CheckpointerEvents {
  checkpoint(point: CheckpointPoint): void
  degraded(error: TidemarkError): void
  recovered(): void
  failed(error: TidemarkError): void
  refused(refusal: Refusal): void
  voided(info: { reason: VoidReason; collection: string; key: Key | undefined; voids: number }): void
  holdBroken(info: { ms: number }): void
  stall(info: StallInfo): void
  /** A barrier falls now; synchronous. */
  barrier(info: { epoch: number; time: number }): void
  upkeep(message: UpkeepMessage): void
  /** The scheduler has looked at the engine. */
  looked(): void
}

export interface CheckpointerParts extends HoldsParts {
  readonly space: Space
  readonly collections: ReadonlyMap<string, Collection>
  readonly host: WriterHost
  readonly events: CheckpointerEvents
  readonly cadence: Cadence
  readonly stallMsMax: number
  /** Durability does not keep up: rebuildable collections may lag. Default: while the pressure is high. */
  readonly pressed?: (() => boolean) | undefined
  /** The newest committed epoch, 0 for a new store. */
  readonly epoch: number
  /** What listeners of events took so far: it is not the engine's. Default: nothing. */
  readonly listenersMs?: () => number
}
