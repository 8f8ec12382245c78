/**
 * The hand-off: what the main thread and the writer say to each other. All of it is plain data.
 *
 * Invariants: messages are taken in order; one epoch is in flight at a time; the bytes of every batch and commit are credited once,
 * whether they were written or dropped; after 'failed' nothing of that attempt is taken until 'reset'; after 'fenced' nothing at all.
 */
import type { ErrorCode } from '../base/errors.ts'
import type { TailSize, Thresholds } from '../fold/index.ts'
import type { CatalogueEntry, CompressionPreference, LogPosition, Manifest } from '../format/index.ts'
import type { EpochPlace } from '../log/index.ts'
import type { NamedChange, Retention } from '../manifest/index.ts'
import type { UpkeepLevel } from '../schedule/index.ts'
import type { BlocksWanted, RawBlocks } from '../segment/index.ts'

export interface BatchMessage {
  readonly type: 'batch'
  readonly attempt: number
  /** Whole records. The thread host transfers the memory. */
  readonly bytes: Uint8Array
  readonly records: number
}

export interface CommitMessage {
  readonly type: 'commit'
  readonly attempt: number
  /** Above every epoch before it. */
  readonly epoch: number
  readonly timeMs: number
  /** The last block; may be empty. */
  readonly bytes: Uint8Array
  readonly records: number
  /** Every live collection after this epoch; an id that is missing was dropped. */
  readonly catalogue: readonly CatalogueEntry[]
  readonly refused: number
}

/** What heavy upkeep may do from now on, for at most `ms`; then it is 'slow' again. */
export interface UpkeepLevelMessage {
  readonly type: 'upkeep-level'
  readonly level: UpkeepLevel
  readonly ms: number
}

export type ToWriter =
  | BatchMessage
  | CommitMessage
  | UpkeepLevelMessage
  /** What was committed so far is to be in segments soon, however little it is: entries wait for it that are to leave the heap. */
  | { readonly type: 'fold' }
  | { readonly type: 'reset'; readonly attempt: number }
  /** A close has begun, and `close` will come behind its last epoch: taken at once, for what was posted before it may wait. */
  | { readonly type: 'ending' }
  | { readonly type: 'close' }

/** A TidemarkError that crossed a thread. */
export interface ErrorData {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly file?: string
  readonly info?: Readonly<Record<string, unknown>>
  readonly cause?: { readonly message: string; readonly code?: string }
}

export interface CommittedMessage {
  readonly type: 'committed'
  readonly attempt: number
  readonly epoch: number
  /** Behind this epoch. */
  readonly position: LogPosition
  readonly records: number
  readonly blocks: number
  readonly rawBytes: number
  /** Bytes this epoch takes in the log. */
  readonly logBytes: number
  /** Length of the log file after it. */
  readonly fileBytes: number
  /** A new file was begun for this epoch. */
  readonly rolled: boolean
  /** Of the commit's own sync. */
  readonly syncMs: number
  /** From the commit's append to its read-back. */
  readonly commitMs: number
  /** From taking up the commit message to this one, token check included. */
  readonly totalMs: number
}

/** What upkeep did; no answer is expected. */
export interface UpkeepMessage {
  readonly type: 'upkeep'
  readonly did: 'folded' | 'merged' | 'collected' | 'failed' | 'behind' | 'caughtUp'
  /** The epoch up to which segments cover the state; 0: none. */
  readonly foldedEpoch: number
  readonly segments: number
  readonly segmentBytes: number
  /** Of segments, written by this job. */
  readonly bytesWritten: number
  /** All that upkeep wrote since the message before, manifests included. */
  readonly allBytes: number
  readonly ms: number
  /** Files removed by this job. */
  readonly files: number
  /** With 'behind': for how long the tail of the log has been too long, and what lies in it. */
  readonly behind?: { readonly ms: number; readonly rawBytes: number; readonly records: number }
  readonly error?: ErrorData
  /** With 'failed': it is the log behind the fold point that is damaged or not given back, and a restart would need it. */
  readonly unread?: boolean
  /**
   * What the newest manifest names, for a host that asked to follow it, as it differs from what was sent before; not where it is the same. The log, the
   * points that are kept and the catalogues are no part of it: whoever reads this is the main thread, in one turn.
   */
  readonly named?: NamedChange
}

/** The bytes of a batch or commit were taken in. */
export interface CreditMessage {
  readonly type: 'credit'
  readonly attempt: number
  readonly bytes: number
  /** Of a batch that was written: how long that took, and how much of it the writer worked, and waited for nobody. */
  readonly took?: { readonly ms: number; readonly workMs: number } | undefined
}

export type FromWriter =
  | UpkeepMessage
  | CreditMessage
  | CommittedMessage
  | { readonly type: 'failed'; readonly attempt: number; readonly error: ErrorData; readonly fatal: boolean }
  | { readonly type: 'fenced'; readonly error: ErrorData }
  | { readonly type: 'closed' }

/** For the thread, beside the writer: blocks of a segment are wanted raw, and the main thread is not to be held up by that. */
export interface UnpackMessage {
  readonly type: 'unpack'
  readonly id: number
  readonly wanted: BlocksWanted
}

/** `raw` null: it could not. The memory is shared, and the thread forgets it. */
export interface UnpackedMessage {
  readonly type: 'unpacked'
  readonly id: number
  readonly raw: RawBlocks | null
}

/** What a writer needs to know; plain data. */
export interface WriterFacts {
  /** The newest manifest, made by this opener. */
  readonly manifest: Manifest
  /** The end of the accepted log; GENESIS for a new store. */
  readonly acceptedEnd: LogPosition
  /** Where the epoch that ends there begins, while nobody knows whether it is on the device; null: it is. */
  readonly unproven: EpochPlace | null
  readonly compression: CompressionPreference
  /** Bytes a second that may be written, log and upkeep together. Default Infinity. */
  readonly ioBytesPerSecondMax?: number
  /** Without it nothing is folded, merged or collected. */
  readonly upkeep?: UpkeepFacts
}

export interface UpkeepFacts {
  readonly retention: Retention
  /** What lies behind the fold point at the start. */
  readonly tail: TailSize
  /** What is alive behind it. */
  readonly catalogue: readonly CatalogueEntry[]
  /** News of upkeep bring what the manifest names, where that is something else than before. */
  readonly follow: boolean
  /** Tests take less. */
  readonly thresholds?: Partial<Thresholds>
}

/** The door to a writer, wherever it runs. */
export interface WriterHost {
  /** Throws where a message of an attempt cannot be posted; any other is advice, and is dropped then. */
  post(message: ToWriter): void
  /** One listener; messages that came before it are kept for it. */
  onMessage(listener: (message: FromWriter) => void): void
  /** Posts 'close' and resolves when the writer has ended, at the latest after what was posted before is done. Safe to call twice. */
  close(): Promise<void>
  /** Stops at once; whatever is under way is left as a crash leaves it. */
  terminate(): void
  /**
   * Unpacks blocks of a segment where it holds up nobody on the main thread, beside what is written. Undefined: it cannot, or has ended meanwhile.
   * Never rejects. Absent where the writer has no thread of its own.
   */
  unpack?(wanted: BlocksWanted): Promise<RawBlocks | undefined>
  /** Whether the writer keeps the process alive even when it is idle; a commit under way, and blocks that are being unpacked, always do. Off at the start. */
  keepAlive(on: boolean): void
}
