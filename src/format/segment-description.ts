/**
 * What describes the blocks of a segment: the index over them and the facts of the file. Byte table: docs/format/segment.md.
 *
 * Owns: both layouts. Does not own: frames, the filter (segment/filter.ts).
 * Invariants: the index is searched in its own bytes, no objects a block; no offset of it is believed that lies out of bounds or of order with its
 * neighbour, looked at one by one as they are used, and all of them by `check`; decoding takes every byte or fails.
 */
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { KEY_BYTES_MAX, SEGMENT_BLOCKS_MAX } from '../base/limits.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'
import type { Place } from './manifest-types.ts'
import { compareBytes } from './place.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

const COUNT_BYTES = 4
const ENTRY_BYTES = 8
const COLLECTION_BYTES = 4
const COLLECTION_FACT_BYTES = 32

/** Collects where blocks lie and a place between each and the one before. */
export class SegmentIndexWriter {
  readonly #entries = new ByteWriter(4096)
  readonly #places = new ByteWriter(4096)
  count = 0

  get bytes(): number {
    return COUNT_BYTES + this.#entries.length + this.#places.length
  }

  /** `key[0..keyEnd]`: above the last place of the block before, not above the first of this one. */
  add(offset: number, collection: number, key: Uint8Array, keyEnd: number): void {
    this.#entries.u32(offset)
    this.#entries.u32(this.#places.length)
    this.#places.u32(collection)
    this.#places.raw(key, 0, keyEnd)
    this.count++
  }

  encode(): Buffer {
    const count = Buffer.alloc(COUNT_BYTES)
    count.writeUInt32LE(this.count)
    return Buffer.concat([count, this.#entries.view(), this.#places.view()])
  }
}

/** The index of a file whose blocks end at `end`. Bytes that are none throw TIDEMARK_VALUE_DAMAGED, where they are used at the latest. */
export class SegmentIndex {
  readonly count: number
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #end: number
  readonly #placesAt: number

  constructor(bytes: Buffer, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.count = bytes.length < COUNT_BYTES ? 0 : bytes.readUInt32LE(0)
    this.#placesAt = COUNT_BYTES + this.count * ENTRY_BYTES
    if (this.count === 0 || this.count > SEGMENT_BLOCKS_MAX || this.#placesAt > bytes.length)
      throw damaged(`an index of ${this.count} blocks`)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /**
   * All of it, in one walk with nothing called on the way: thousands of blocks, in code that was never run before, which is why the first look-up
   * after a restart leaves it for later.
   */
  check(): void {
    const view = this.#view
    let offset = this.offset(0)
    let place = this.#placeAt(0)
    if (offset !== SEGMENT_HEADER_BYTES || place !== this.#placesAt) throw damaged('an index that begins elsewhere')
    for (let at = COUNT_BYTES + ENTRY_BYTES; at <= this.#placesAt; at += ENTRY_BYTES) {
      const last = at === this.#placesAt
      const nextOffset = last ? this.#end : view.getUint32(at, true)
      const nextPlace = last ? this.#bytes.length : this.#placesAt + view.getUint32(at + COUNT_BYTES, true)
      const keyBytes = nextPlace - place - COLLECTION_BYTES
      if (nextOffset - offset <= FRAME_HEADER_BYTES || keyBytes < 0 || keyBytes > KEY_BYTES_MAX) throw damaged('an index out of order')
      offset = nextOffset
      place = nextPlace
    }
  }

  offset(block: number): number {
    return block === this.count ? this.#end : this.#view.getUint32(COUNT_BYTES + block * ENTRY_BYTES, true)
  }

  /** Bytes of the block in the file, its frame's header included. */
  length(block: number): number {
    const offset = this.offset(block)
    const next = this.offset(block + 1)
    if (offset < SEGMENT_HEADER_BYTES || next - offset <= FRAME_HEADER_BYTES || next > this.#end) throw damaged('an index out of order')
    return next - offset
  }

  /** The only block that may hold the place; -1: none. */
  find(collection: number, key: Uint8Array): number {
    let low = -1
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.compare(middle, collection, key) <= 0) low = middle
      else high = middle - 1
    }
    return low
  }

  /** How the place that the block begins at stands to this one: below 0, 0 or above. */
  compare(block: number, collection: number, key: Uint8Array): number {
    const at = this.#placeAt(block)
    const end = this.#placeAt(block + 1)
    if (end - at < COLLECTION_BYTES || end > this.#bytes.length) throw damaged('an index out of order')
    const difference = this.#view.getUint32(at, true) - collection
    return difference || compareBytes(this.#bytes, at + COLLECTION_BYTES, end, key, 0, key.length)
  }

  /** The place that the block begins at is a beginning of this one. */
  begins(block: number, collection: number, key: Uint8Array): boolean {
    const at = this.#placeAt(block) + COLLECTION_BYTES
    const length = this.#placeAt(block + 1) - at
    return (
      this.#view.getUint32(at - COLLECTION_BYTES, true) === collection &&
      length <= key.length &&
      compareBytes(this.#bytes, at, at + length, key, 0, length) === 0
    )
  }

  /** Every key that begins as the block's first one does lies before this place. */
  beginsBefore(block: number, collection: number, key: Uint8Array): boolean {
    const at = this.#placeAt(block)
    const end = this.#placeAt(block + 1)
    if (end - at < COLLECTION_BYTES || end > this.#bytes.length) throw damaged('an index out of order')
    const difference = this.#view.getUint32(at, true) - collection
    if (difference !== 0) return difference < 0
    const length = Math.min(key.length, end - at - COLLECTION_BYTES)
    return compareBytes(this.#bytes, at + COLLECTION_BYTES, end, key, 0, length) < 0
  }

  #placeAt(block: number): number {
    return block === this.count
      ? this.#bytes.length
      : this.#placesAt + this.#view.getUint32(COUNT_BYTES + block * ENTRY_BYTES + COUNT_BYTES, true)
  }
}

/** What a segment holds of one collection. */
export interface SegmentCollection {
  readonly id: number
  /** 0: no version writes another yet. */
  readonly schema: number
  /** Tombstones included. */
  readonly records: number
  readonly tombstones: number
  readonly rawBytes: number
}

export interface SegmentSums {
  readonly from: number
  readonly through: number
  readonly records: number
  readonly tombstones: number
  readonly rawBytes: number
  readonly first: Place
  readonly last: Place
}

export interface SegmentFacts extends SegmentSums {
  /** In the order of ids; those of which it holds something. */
  readonly collections: readonly SegmentCollection[]
}

export function encodeSegmentFacts(facts: SegmentFacts): Buffer {
  const writer = new ByteWriter(256)
  writer.u64(facts.from)
  writer.u64(facts.through)
  writer.u64(facts.records)
  writer.u64(facts.tombstones)
  writer.u64(facts.rawBytes)
  for (const { collection, key } of [facts.first, facts.last]) {
    const bytes = Buffer.from(key, 'hex')
    writer.u32(collection)
    writer.u32(bytes.length)
    writer.raw(bytes)
  }
  writer.u32(facts.collections.length)
  for (const { id, schema, records, tombstones, rawBytes } of facts.collections) {
    writer.u32(id)
    writer.u32(schema)
    writer.u64(records)
    writer.u64(tombstones)
    writer.u64(rawBytes)
  }
  return writer.view()
}

/** All but the collections, which may be thousands. Throws TIDEMARK_VALUE_DAMAGED where the bytes cannot be facts. */
export function decodeSegmentSums(bytes: Buffer): SegmentSums {
  const reader = new ByteReader(bytes)
  const sums = readSums(reader)
  const left = reader.u32() * COLLECTION_FACT_BYTES
  if (reader.left !== left) throw damaged(`${reader.left} bytes of collections, not ${left}`)
  return sums
}

/** Throws TIDEMARK_VALUE_DAMAGED for anything that encodeSegmentFacts does not write, TIDEMARK_FORMAT_NEWER for a schema. */
export function decodeSegmentFacts(bytes: Buffer): SegmentFacts {
  const reader = new ByteReader(bytes)
  const sums = readSums(reader)
  const collections: SegmentCollection[] = []
  for (let left = reader.u32(); left > 0; left--) {
    const id = reader.u32()
    if (id <= (collections.at(-1)?.id ?? -1)) throw damaged('collections out of order')
    const schema = reader.u32()
    if (schema !== 0) {
      throw new TidemarkError('TIDEMARK_FORMAT_NEWER', `collection ${id} has schema ${schema}`, {
        hint: 'open this store with the version that wrote it',
      })
    }
    collections.push({ id, schema, records: reader.u64(), tombstones: reader.u64(), rawBytes: reader.u64() })
  }
  if (reader.left !== 0) throw damaged(`${reader.left} bytes behind the facts`)
  return { ...sums, collections }
}

function readSums(reader: ByteReader): SegmentSums {
  const [from, through, records, tombstones, rawBytes] = [reader.u64(), reader.u64(), reader.u64(), reader.u64(), reader.u64()]
  const place = (): Place => {
    const collection = reader.u32()
    const length = reader.u32()
    if (length > KEY_BYTES_MAX) throw damaged(`a key of ${length} bytes`)
    return { collection, key: reader.raw(length).toString('hex') }
  }
  const first = place()
  const last = place()
  return { from, through, records, tombstones, rawBytes, first, last }
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', what)
}
