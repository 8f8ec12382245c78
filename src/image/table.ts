/**
 * A table of records: what a writer keeps of the epochs it committed and has not folded, and a restart of the tail of the log.
 *
 * What: record bytes stay in the blocks they came in; an open-addressing hash over places and a few numbers a record find them. No strings, no
 * objects a record. Sorting is put off until the order is needed, and can be done in steps.
 * Owns: the index over the blocks; the blocks are kept, not copied, and must not change. Does not own: epochs, catalogues, I/O.
 * Invariants: nothing takes more than PROBES_MAX looks at slots, whatever keys are chosen: where a place would, texts of places in a Map take over;
 * of several records of one place the one added last counts; a walk sees every place once, in order. Records added during a walk
 * do it no harm: places that were new to the table are not in it, and of the others it gives what is newest when it comes to them.
 */
import { compareBytes, hashPlace, RECORD_PUT, RecordCursor } from '../format/index.ts'
import type { Found, Layer, LayerCursor, Range } from '../segment/index.ts'
import { BLOCK_BYTES_MAX, BulkColumns, type Columns, plainColumns, roomInBulk } from './bulk-columns.ts'
import { STRIDE, sortPlaces } from './sort.ts'

const RECORDS_FIRST = 1024

/**
 * Slots that are looked at for one place. At random none of a million records is so far from where its hash says; keys that are chosen to collide are,
 * for the hash is part of the format and has no secret.
 */
const PROBES_MAX = 128

export class RecordTable implements Layer {
  /** Distinct places, tombstones included. */
  records = 0
  tombstones = 0
  /** Bytes of all blocks that were added. */
  rawBytes = 0
  /** The highest id of a collection of which a put was added. */
  highestId = 0
  readonly #blocks: Buffer[] = []
  /** The last of them, while adding it has not come to its end. */
  #begun: Buffer | undefined
  #block!: Uint32Array
  #collection!: Uint32Array
  #keyStart!: Uint32Array
  #keyEnd!: Uint32Array
  #put!: Uint8Array
  #hash!: Uint32Array
  /** Index of a record plus one; 0: free. At most half full. */
  #slots!: Uint32Array
  #order: Uint32Array | undefined
  #sorting: Generator<undefined, Uint32Array, undefined> | undefined
  #isBulk: boolean
  #bulk: BulkColumns | undefined
  /** Indices of records by the texts of their places, instead of the slots: the hash of a Map differs from process to process. */
  #byText: Map<string, number> | undefined

  /** `bulk`: it is filled once, at a restart (bulk-columns.ts). */
  constructor({ bulk = false }: { readonly bulk?: boolean } = {}) {
    this.#isBulk = bulk
    this.#use(plainColumns(RECORDS_FIRST))
  }

  /** Too many places collided: it is a Map that finds them. For tests. */
  get crowded(): boolean {
    return this.#byText !== undefined
  }

  /** So many records will be added: room for them is made at once, as if all were of places that are new. */
  expect(records: number): void {
    let room = this.#isBulk ? Math.max(roomInBulk(this.records + records), this.#hash.length) : this.#hash.length
    while (room <= this.records + records) room *= 2
    if (room > this.#hash.length) this.#makeRoom(room)
  }

  /**
   * How many records the block holds: it may be added later then, and `highestId` counts it from now on. -1 where it is not whole records, or nothing
   * but adding it would tell.
   */
  check(bytes: Buffer): number {
    if (!this.#isBulk || bytes.length > BLOCK_BYTES_MAX) return -1
    if (this.#bulk === undefined) this.#makeRoom(Math.max(roomInBulk(this.records), this.#hash.length))
    return this.#bulk?.check(bytes, this) ?? -1
  }

  /**
   * Takes a block of whole records. @throws TIDEMARK_VALUE_DAMAGED for bytes that are none; what came before it stays, as it does where memory or the
   * stack ended: the same block may come again then, and counts once
   */
  add(bytes: Buffer): void {
    if (bytes !== this.#begun) this.#blocks.push(bytes)
    this.#begun = bytes
    this.#order = this.#sorting = undefined
    const block = this.#blocks.length - 1
    if (!this.#isBulk || !this.#addInBulk(bytes, block)) this.#addEach(bytes, block)
    this.rawBytes += bytes.length
    this.#begun = undefined
  }

  #addEach(bytes: Buffer, block: number): void {
    const cursor = new RecordCursor(bytes)
    while (cursor.next()) {
      const { collection, keyStart, keyEnd } = cursor
      const hash = hashPlace(collection, bytes, keyStart, keyEnd)
      if (this.records + 1 === this.#hash.length) this.#makeRoom(2 * this.#hash.length)
      const index = this.#take(collection, bytes, keyStart, keyEnd, hash)
      if (index === this.records) {
        this.records++
        this.#hash[index] = hash
        this.#collection[index] = collection
      } else if (this.#put[index] === 0) this.tombstones--
      const put = cursor.kind === RECORD_PUT
      if (!put) this.tombstones++
      else if (collection > this.highestId) this.highestId = collection
      this.#put[index] = put ? 1 : 0
      this.#block[index] = block
      this.#keyStart[index] = keyStart
      this.#keyEnd[index] = keyEnd
    }
  }

  /** False where it is left to be done, from the beginning: what is in the columns already counts once. */
  #addInBulk(bytes: Buffer, block: number): boolean {
    if (bytes.length > BLOCK_BYTES_MAX) return false
    if (this.#bulk?.takes(bytes.length, this.records) !== true) {
      this.#makeRoom(Math.max(roomInBulk(this.records), this.#hash.length))
    }
    return this.#bulk?.add(bytes, block, this, PROBES_MAX) === true
  }

  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    const index = this.#indexOf(collection, key, hash)
    return index < 0 ? undefined : this.#found(index)
  }

  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    return this.#indexOf(collection, key, hash) >= 0
  }

  /** Counts the puts of each collection among the records from `from` up to before `to`; records stand in no order. Linear. */
  countPuts(counts: Map<number, number>, from = 0, to = this.records): void {
    const end = Math.min(to, this.records)
    for (let index = from; index < end; index++) {
      if (this.#put[index] === 0) continue
      const collection = this.#collection[index] as number
      counts.set(collection, (counts.get(collection) ?? 0) + 1)
    }
  }

  /** Sorts on, about `moves` records' worth; true when the order is known. */
  sortSome(moves: number): boolean {
    if (this.#order !== undefined) return true
    const sorting = this.#sorting ?? this.#sort()
    // A generator that threw is at its end: the next call begins anew.
    this.#sorting = undefined
    for (let left = moves; left > 0; left -= STRIDE) {
      const step = sorting.next()
      if (step.done !== true) continue
      this.#order = step.value
      return true
    }
    this.#sorting = sorting
    return false
  }

  cursor(range: Range = {}): LayerCursor {
    this.sortSome(Number.POSITIVE_INFINITY)
    const order = this.#order as Uint32Array
    const at = range.from === undefined ? 0 : this.#lowerBound(order, range.from)
    const end = range.to === undefined ? order.length : this.#lowerBound(order, range.to)
    return new TableCursor(order, at, end, (index, cursor) => this.#show(index, cursor))
  }

  #found(index: number): Found {
    const bytes = this.#blockOf(index)
    const keyEnd = this.#keyEnd[index] as number
    if (this.#put[index] === 0) return { put: false, bytes, start: keyEnd, end: keyEnd }
    return { put: true, bytes, start: keyEnd + 4, end: keyEnd + 4 + bytes.readUInt32LE(keyEnd) }
  }

  #show(index: number, cursor: TableCursor): void {
    const bytes = this.#blockOf(index)
    const keyEnd = this.#keyEnd[index] as number
    cursor.collection = this.#collection[index] as number
    cursor.put = this.#put[index] !== 0
    cursor.bytes = bytes
    cursor.keyStart = this.#keyStart[index] as number
    cursor.keyEnd = keyEnd
    cursor.start = cursor.put ? keyEnd + 4 : keyEnd
    cursor.end = cursor.put ? cursor.start + bytes.readUInt32LE(keyEnd) : keyEnd
  }

  #blockOf(index: number): Buffer {
    return this.#blocks[this.#block[index] as number] as Buffer
  }

  /** Of the record of a place; below 0: there is none. */
  #indexOf(collection: number, key: Uint8Array, hash: number): number {
    if (this.#byText !== undefined) return this.#byText.get(textOf(collection, key, 0, key.length)) ?? -1
    const slot = this.#slot(collection, key, 0, key.length, hash)
    return slot < 0 ? -1 : (this.#slots[slot] as number) - 1
  }

  /** The index of the place's record; that of the next one, which it takes, where there is none. */
  #take(collection: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const slot = this.#byText === undefined ? this.#slot(collection, bytes, start, end, hash) : -1
    if (slot >= 0) {
      const index = (this.#slots[slot] as number) - 1
      if (index >= 0) return index
      this.#slots[slot] = this.records + 1
      return this.records
    }
    if (this.#byText === undefined) {
      this.#byText = this.#texts()
      this.#isBulk = false
      this.#bulk = undefined
    }
    const text = textOf(collection, bytes, start, end)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    this.#byText.set(text, this.records)
    return this.records
  }

  /** Where the place stands, or the free slot it would take; -1 where neither was found: a record that is there is no farther away. */
  #slot(collection: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1
    const stop = ((hash & mask) + PROBES_MAX) & mask
    for (let slot = hash & mask; slot !== stop; slot = (slot + 1) & mask) {
      const index = (this.#slots[slot] as number) - 1
      if (index < 0) return slot
      if (this.#hash[index] !== hash || this.#collection[index] !== collection) continue
      const from = this.#keyStart[index] as number
      if (compareBytes(this.#blockOf(index), from, this.#keyEnd[index] as number, bytes, start, end) === 0) return slot
    }
    return -1
  }

  /** Once, in one step, which takes a fraction of a microsecond a record. */
  #texts(): Map<string, number> {
    const byText = new Map<string, number>()
    for (let index = 0; index < this.records; index++) {
      const [start, end] = [this.#keyStart[index] as number, this.#keyEnd[index] as number]
      byText.set(textOf(this.#collection[index] as number, this.#blockOf(index), start, end), index)
    }
    return byText
  }

  #makeRoom(room: number): void {
    const same = (index: number, start: number, end: number): boolean => {
      const at = this.#keyStart[index] as number
      return compareBytes(this.#blockOf(index), at, this.#keyEnd[index] as number, this.#blocks.at(-1) as Buffer, start, end) === 0
    }
    const bulk = this.#isBulk ? BulkColumns.open(room, same) : undefined
    const columns = bulk?.columns ?? plainColumns(room)
    columns.block.set(this.#block)
    columns.collection.set(this.#collection)
    columns.keyStart.set(this.#keyStart)
    columns.keyEnd.set(this.#keyEnd)
    columns.hash.set(this.#hash)
    columns.put.set(this.#put)
    const byText = this.#byText ?? (fillSlots(columns, this.records) ? undefined : this.#texts())
    this.#use(columns)
    // The stack may end in any call: there is none from here on, or compiled code would add to columns that nobody reads.
    this.#bulk = byText === undefined ? bulk : undefined
    this.#isBulk = this.#bulk !== undefined
    this.#byText = byText
  }

  #use({ slots, block, collection, keyStart, keyEnd, hash, put }: Columns): void {
    this.#slots = slots
    this.#block = block
    this.#collection = collection
    this.#keyStart = keyStart
    this.#keyEnd = keyEnd
    this.#hash = hash
    this.#put = put
  }

  #lowerBound(order: Uint32Array, place: { readonly collection: number; readonly key: Uint8Array }): number {
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const index = order[middle] as number
      const difference =
        (this.#collection[index] as number) - place.collection ||
        compareBytes(this.#blockOf(index), this.#keyStart[index] as number, this.#keyEnd[index] as number, place.key, 0, place.key.length)
      if (difference < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #sort(): Generator<undefined, Uint32Array, undefined> {
    const [count, collection, keyStart, keyEnd] = [this.records, this.#collection, this.#keyStart, this.#keyEnd]
    return sortPlaces({ count, collection, keyStart, keyEnd, bytesOf: at => this.#blockOf(at) })
  }
}

/** False where a place would take more than PROBES_MAX looks. */
function fillSlots({ slots, hash }: Columns, records: number): boolean {
  const mask = slots.length - 1
  for (let index = 0; index < records; index++) {
    const home = (hash[index] as number) & mask
    let slot = home
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = index + 1
    if (((slot - home) & mask) >= PROBES_MAX) return false
  }
  return true
}

/** The number before it makes it no number itself: strings that are have a hash that everybody knows. */
function textOf(collection: number, bytes: Uint8Array, start: number, end: number): string {
  return `${collection} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', start, end)}`
}

class TableCursor implements LayerCursor {
  collection = 0
  put = false
  bytes: Buffer = Buffer.alloc(0)
  keyStart = 0
  keyEnd = 0
  start = 0
  end = 0
  readonly #order: Uint32Array
  #at: number
  readonly #until: number
  readonly #show: (index: number, cursor: TableCursor) => void

  constructor(order: Uint32Array, at: number, until: number, show: (index: number, cursor: TableCursor) => void) {
    this.#order = order
    this.#at = at
    this.#until = until
    this.#show = show
  }

  next(): boolean {
    if (this.#at >= this.#until) return false
    this.#show(this.#order[this.#at++] as number, this)
    return true
  }
}
