/**
 * Fills the blocks of a segment and counts what goes in.
 *
 * Owns: the open block, the last place, the facts. Does not own: compression, frames, the file.
 * Invariants: places rise; a block holds whole records, at most SEGMENT_BLOCK_RAW_BYTES unless one record is larger, which then has a block
 * of its own; a closed block's bytes are good until the next call.
 */
import { ByteWriter } from '../base/bytes.ts'
import { assert } from '../base/errors.ts'
import { SEGMENT_BLOCK_RAW_BYTES } from '../base/limits.ts'
import {
  beginRecord,
  compareBytes,
  endKey,
  endSegmentBlock,
  endValue,
  type Place,
  RECORD_PUT,
  RECORD_TOMBSTONE,
  SEGMENT_OFFSET_BYTES,
  type SegmentCollection,
  type SegmentFacts,
} from '../format/index.ts'
import type { LayerCursor } from './layer.ts'

/** The record a cursor stands on. */
export type SegmentRecord = Pick<LayerCursor, 'collection' | 'put' | 'bytes' | 'keyStart' | 'keyEnd' | 'start' | 'end'>

export interface ClosedBlock {
  readonly raw: Buffer
  /** A place above the last one of the block before and not above the first of this one: collection, and bytes up to `betweenEnd`. */
  readonly collection: number
  readonly between: Buffer
  readonly betweenEnd: number
}

/** Flags, collection and both lengths at their longest. */
const RECORD_HEAD_BYTES_MAX = 14
/** No record is smaller, so no block holds more of them. */
const RECORD_BYTES_MIN = 6
/** The buffer of a larger block is not kept. */
const KEPT_BLOCKS_MAX = 4

export class BlockBuilder {
  records = 0
  tombstones = 0
  rawBytes = 0
  /** Raw bytes of a block. */
  readonly #bytesMax: number
  #block: ByteWriter
  readonly #offsets: Uint16Array
  #count = 0
  #collection = -1
  /** The last key, in `#last`. */
  #lastBytes = Buffer.alloc(256)
  #lastLength = 0
  #first: Place | undefined
  /** Where the open block begins: see ClosedBlock. */
  #between = Buffer.alloc(0)
  #betweenCollection = 0
  readonly #collections: { id: number; schema: number; records: number; tombstones: number; rawBytes: number }[] = []

  constructor(bytesMax = SEGMENT_BLOCK_RAW_BYTES) {
    this.#bytesMax = bytesMax
    this.#block = new ByteWriter(2 * bytesMax)
    this.#offsets = new Uint16Array(bytesMax / RECORD_BYTES_MIN)
  }

  /** Takes a record; the block that it does not fit into any more, closed. */
  add(record: SegmentRecord): ClosedBlock | undefined {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = record
    const order = this.#collection - collection || compareBytes(this.#lastBytes, 0, this.#lastLength, bytes, keyStart, keyEnd)
    assert(order < 0, 'the places of a segment rise')
    const most = RECORD_HEAD_BYTES_MAX + keyEnd - keyStart + (put ? end - start : 0) + SEGMENT_OFFSET_BYTES
    const closed =
      this.#count > 0 && this.#block.length + most + (this.#count + 1) * SEGMENT_OFFSET_BYTES > this.#bytesMax ? this.end() : undefined
    if (this.#count === 0) this.#begin(collection, bytes, keyStart, keyEnd)
    // For all the block then holds: a large record would be copied when the offsets come, into twice the room.
    this.#block.reserve(most + (this.#count + 1) * SEGMENT_OFFSET_BYTES)
    this.#append(record)
    this.#remember(bytes, keyStart, keyEnd)
    this.#collection = collection
    this.#first ??= { collection, key: bytes.toString('hex', keyStart, keyEnd) }
    return closed
  }

  /** Closes the open block; undefined when it is empty. */
  end(): ClosedBlock | undefined {
    if (this.#count === 0) return undefined
    const block = this.#block
    endSegmentBlock(block, this.#offsets, this.#count)
    const raw = block.view()
    // The next block is built in other bytes when this was a large one: the memory of one large record is not kept.
    this.#block = block.bytes.length > KEPT_BLOCKS_MAX * this.#bytesMax ? new ByteWriter(2 * this.#bytesMax) : this.#other(block)
    this.#count = 0
    return { raw, collection: this.#betweenCollection, between: this.#between, betweenEnd: this.#between.length }
  }

  facts(): Omit<SegmentFacts, 'from' | 'through'> {
    const { records, tombstones, rawBytes } = this
    const last = { collection: this.#collection, key: this.#lastBytes.toString('hex', 0, this.#lastLength) }
    const collections: readonly SegmentCollection[] = this.#collections
    return { records, tombstones, rawBytes, first: this.#first ?? last, last, collections }
  }

  #spare: ByteWriter | undefined

  /** Two buffers take turns: the closed block is still being compressed when the next record comes in. */
  #other(block: ByteWriter): ByteWriter {
    const other = this.#spare ?? new ByteWriter(2 * this.#bytesMax)
    other.reset()
    this.#spare = block
    return other
  }

  /** The shortest key that lies between the blocks. */
  #begin(collection: number, bytes: Buffer, keyStart: number, keyEnd: number): void {
    this.#betweenCollection = collection
    let common = 0
    if (collection === this.#collection) {
      const most = Math.min(this.#lastLength, keyEnd - keyStart)
      while (common < most && this.#lastBytes[common] === bytes[keyStart + common]) common++
      common++
    }
    this.#between = Buffer.from(bytes.subarray(keyStart, keyStart + common))
  }

  #append({ collection, put, bytes, keyStart, keyEnd, start, end }: SegmentRecord): void {
    const block = this.#block
    const begin = block.length
    this.#offsets[this.#count++] = begin
    const kind = put ? RECORD_PUT : RECORD_TOMBSTONE
    const keyAt = beginRecord(block, kind, collection)
    block.raw(bytes, keyStart, keyEnd)
    const valueAt = endKey(block, keyAt, kind)
    if (put) {
      block.raw(bytes, start, end)
      endValue(block, valueAt)
    }
    let counts = this.#collections.at(-1)
    if (counts === undefined || counts.id !== collection) {
      counts = { id: collection, schema: 0, records: 0, tombstones: 0, rawBytes: 0 }
      this.#collections.push(counts)
    }
    const rawBytes = block.length - begin
    this.records++
    this.rawBytes += rawBytes
    counts.records++
    counts.rawBytes += rawBytes
    if (put) return
    this.tombstones++
    counts.tombstones++
  }

  #remember(bytes: Buffer, keyStart: number, keyEnd: number): void {
    this.#lastLength = keyEnd - keyStart
    if (this.#lastLength > this.#lastBytes.length) this.#lastBytes = Buffer.alloc(this.#lastLength * 2)
    const last = this.#lastBytes
    for (let at = 0; at < this.#lastLength; at++) last[at] = bytes[keyStart + at] as number
  }
}
