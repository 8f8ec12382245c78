/**
 * Writes one segment file, in the order of places. Byte table: docs/format/segment.md.
 *
 * What: fills blocks record by record, compresses each by itself, hands them out in large appends, and ends the file with what describes them.
 * Owns: the open file, its length, its hash, what the filter and the index need. Does not own: which records go in, pace, manifests.
 * Invariants: places rise; a call of `add` compresses one block at most; what waits in memory is what the caller has not flushed; an entry
 * is given out only of a file that is on the device under a durable name and was read back whole.
 */
import type { Compress, SegmentEntry } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import type { LayerCursor } from './layer.ts'

export interface SegmentStart {
  readonly storage: Storage
  /** `segmentName(token, sequence)`: a name that never existed. Its folder exists. */
  readonly file: string
  /** Random, 32 bits: takes part in every checksum of the file. */
  readonly salt: number
  readonly compress: Compress
}

/** The record a cursor stands on. */
export type SegmentRecord = Pick<LayerCursor, 'collection' | 'put' | 'bytes' | 'keyStart' | 'keyEnd' | 'start' | 'end'>

export declare class SegmentWriter {
  private constructor()

  /** Makes the file. Nothing is left of it when this rejects, where it could be removed. */
  static create(start: SegmentStart): Promise<SegmentWriter>

  readonly file: string
  /** Taken so far, tombstones included. */
  get records(): number
  get tombstones(): number
  /** Bytes of the records taken, before compression. */
  get rawBytes(): number
  /** Bytes of the file so far, those that wait included; without the open block and the description. */
  get storedBytes(): number
  /** Bytes of complete blocks that wait for `flush`. The caller flushes at SEGMENT_FLUSH_BYTES or earlier. */
  get pendingBytes(): number
  /** Records, blocks or bytes are at a bound of the format: finish it, and go on in another. */
  get full(): boolean

  /**
   * Takes the record that the cursor stands on; its bytes are copied. Synchronous: compresses one block at most. A place that is not above
   * the one before is TIDEMARK_BUG.
   */
  add(record: SegmentRecord): void
  /** Appends what waits, and syncs now and then. One call at a time; `add` may be called meanwhile. After an error only `abandon` is left. */
  flush(): Promise<void>
  /**
   * Ends the file: description, sync, durable name, read back and hashed. Needs one record at least. `breathe` is awaited between steps of
   * less than a millisecond. After an error only `abandon` is left.
   */
  finish(epochs: { readonly from: number; readonly through: number }, breathe: () => Promise<void>): Promise<SegmentEntry>
  /** Closes and removes the file, also while a flush is under way or after an error; not after `finish` resolved. Never rejects: what cannot be removed is named by nothing. */
  abandon(): Promise<void>
}
