/**
 * The table of a restart: its blocks are checked when they come, and get into the table when there is time.
 *
 * What for: tens of thousands of records put into a table are a good part of what it takes to be back, and the first look-ups can do without: a search
 * for the bytes of a place in the blocks that wait takes a millisecond or two.
 * Owns: which blocks wait. Does not own: the table, when there is time (`settleSome`).
 * Invariants: what it answers is the same at every moment; a block waits only after all its records were found whole; no more waits than WAITING_BYTES_MAX
 * and WAITING_RECORDS_MAX, and it is searched no more than LOOKS_MAX times: the next look-up puts all of it into the table, or, while there is no memory
 * for that, searches it, too.
 */
import { ByteWriter } from '../base/bytes.ts'
import { isOutOfMemory } from '../base/out-of-memory.ts'
import { compareBytes, RECORD_PUT, RecordCursor } from '../format/index.ts'
import type { Found, Layer, LayerCursor, Range } from '../segment/index.ts'
import { RecordTable } from './table.ts'

/** More than a full tail, less than one whose folding was held: what waits is searched, or put into the table, in one turn. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024
const WAITING_RECORDS_MAX = 80_000
/** Of a full tail each takes a sixth of what the table takes: so many cost less than they spare. */
const LOOKS_MAX = 4

export class TailTable implements Layer {
  readonly #table = new RecordTable({ bulk: true })
  /** Oldest first; of the first some may be in the table, where memory or the stack ended in it. */
  readonly #waiting: { readonly bytes: Buffer; readonly records: number }[] = []
  #waitingBytes = 0
  #waitingRecords = 0
  #looks = 0

  /** No record was added. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#table.records === 0
  }

  /** Distinct places, tombstones included; all that waits is put into the table. */
  get records(): number {
    this.#settle()
    return this.#table.records
  }

  /** Bytes of all blocks that were added. */
  get rawBytes(): number {
    return this.#table.rawBytes + this.#waitingBytes
  }

  /** The highest id of a collection of which a put was added. */
  get highestId(): number {
    return this.#table.highestId
  }

  /** So many records will be added: room for them is made at once. */
  expect(records: number): void {
    this.#table.expect(this.#waitingRecords + records)
  }

  /** Takes a block of whole records, which must not change. @throws TIDEMARK_VALUE_DAMAGED for bytes that are none */
  add(bytes: Buffer): void {
    if (bytes.length === 0) return
    const records = this.#table.check(bytes)
    if (records < 0) {
      this.#settle()
      this.#table.add(bytes)
      return
    }
    this.#waiting.push({ bytes, records })
    this.#waitingBytes += bytes.length
    this.#waitingRecords += records
    while (this.#waitingBytes > WAITING_BYTES_MAX || this.#waitingRecords > WAITING_RECORDS_MAX) this.settleSome()
  }

  /** Puts a block that waits into the table; true when none waits any more. */
  settleSome(): boolean {
    const first = this.#waiting[0]
    if (first !== undefined) {
      // Where there is no room for it, it goes on waiting; what is added twice counts once.
      this.#table.add(first.bytes)
      this.#waiting.shift()
      this.#waitingBytes -= first.bytes.length
      this.#waitingRecords -= first.records
    }
    return this.#waiting.length === 0
  }

  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    return this.#search(collection, key) ?? this.#table.find(collection, key, hash)
  }

  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    return this.#search(collection, key) !== undefined || this.#table.mayHave(collection, key, hash)
  }

  /** Counts the puts of each collection among the records from `from` up to before `to`; records stand in no order. Linear. */
  countPuts(counts: Map<number, number>, from = 0, to = this.records): void {
    this.#settle()
    this.#table.countPuts(counts, from, to)
  }

  /** Settles, or sorts on, about `moves` records' worth; true when the order is known. */
  sortSome(moves: number): boolean {
    return this.settleSome() && this.#table.sortSome(moves)
  }

  cursor(range: Range = {}): LayerCursor {
    this.#settle()
    return this.#table.cursor(range)
  }

  #settle(): void {
    while (!this.settleSome());
  }

  /** False while there is no memory, or no stack, for the table to take what waits. */
  #settles(): boolean {
    try {
      this.#settle()
      return true
    } catch (error) {
      if (isOutOfMemory(error)) return false
      throw error
    }
  }

  /** In what waits, newest first. */
  #search(collection: number, key: Uint8Array): Found | undefined {
    if (this.#waiting.length === 0) return undefined
    if (this.#looks < LOOKS_MAX) this.#looks++
    else if (this.#settles()) return undefined
    const place = placeBytes(collection, key)
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const { bytes } = this.#waiting[at] as { readonly bytes: Buffer }
      // It may be part of a value.
      const found = bytes.includes(place) ? lastOf(bytes, collection, key) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** As they stand in a record, behind its kind. */
function placeBytes(collection: number, key: Uint8Array): Buffer {
  const writer = new ByteWriter(key.length + 16)
  writer.varint(collection)
  writer.u32(key.length)
  writer.raw(key)
  return writer.view()
}

/** The last record of a place in a block. */
function lastOf(bytes: Buffer, collection: number, key: Uint8Array): Found | undefined {
  let found: Found | undefined
  for (const cursor = new RecordCursor(bytes); cursor.next(); ) {
    const { keyStart, keyEnd, valueStart, valueEnd, kind } = cursor
    if (cursor.collection !== collection || compareBytes(bytes, keyStart, keyEnd, key, 0, key.length) !== 0) continue
    found = { put: kind === RECORD_PUT, bytes, start: valueStart, end: valueEnd }
  }
  return found
}
