/**
 * The content of a segment's block: records in the order of places, then where each begins. Byte table: docs/format/segment.md.
 *
 * Owns: the layout. Does not own: frames, compression, which records.
 * Invariant: a block of more than SEGMENT_BLOCK_RAW_BYTES_MAX holds one record, so two bytes are enough for where a record begins.
 */
import type { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { compareBytes } from './place.ts'
import { RECORD_PUT, RecordCursor } from './record.ts'

/** Bytes that a record takes beside itself, and a block beside its records. */
export const SEGMENT_OFFSET_BYTES = 2
const COUNT_BYTES = 2

/** Ends the block that `writer` holds the records of. */
export function endSegmentBlock(writer: ByteWriter, offsets: Uint16Array, count: number): void {
  for (let at = 0; at < count; at++) writer.u16(offsets[at] as number)
  writer.u16(count)
}

/** Steps to records of one raw block. Bytes that are no block throw TIDEMARK_VALUE_DAMAGED. */
export class SegmentBlockReader {
  readonly raw: Buffer
  readonly count: number
  /** Stands on the record that `go` went to. */
  readonly record: RecordCursor
  readonly #offsetsAt: number

  constructor(raw: Buffer) {
    this.raw = raw
    this.count = raw.length < COUNT_BYTES ? 0 : raw.readUInt16LE(raw.length - COUNT_BYTES)
    this.#offsetsAt = raw.length - COUNT_BYTES - this.count * SEGMENT_OFFSET_BYTES
    if (this.count === 0 || this.#offsetsAt <= 0) throw damaged(`a block of ${raw.length} bytes does not hold ${this.count} records`)
    this.record = new RecordCursor(raw, 0, this.#offsetsAt)
  }

  get put(): boolean {
    return this.record.kind === RECORD_PUT
  }

  offsetOf(index: number): number {
    return this.raw.readUInt16LE(this.#offsetsAt + index * SEGMENT_OFFSET_BYTES)
  }

  go(index: number): RecordCursor {
    this.record.at = this.offsetOf(index)
    if (!this.record.next()) throw damaged('a record of a block begins behind the last')
    return this.record
  }

  /** The first record whose place is not before this one; `count` when there is none. */
  lowerBound(collection: number, key: Uint8Array): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(middle, collection, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The record of this place; undefined when there is none. */
  find(collection: number, key: Uint8Array): RecordCursor | undefined {
    let low = 0
    let high = this.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const difference = this.#compare(middle, collection, key)
      if (difference === 0) return this.record
      if (difference < 0) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }

  #compare(index: number, collection: number, key: Uint8Array): number {
    const record = this.go(index)
    return record.collection - collection || compareBytes(this.raw, record.keyStart, record.keyEnd, key, 0, key.length)
  }
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', what)
}
