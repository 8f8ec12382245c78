/**
 * The columns of a RecordTable, plain, or in memory that compiled code reaches: add-block.wat checks a block and adds it to them.
 *
 * What for: a restart adds tens of thousands of records with code that was never run before. Interpreted they take 30 ms, which is half of what
 * it takes to be back; WebAssembly is compiled at once, in a millisecond.
 * Owns: where the columns lie in that memory. Does not own: what they say (table.ts).
 * Invariants: nothing but the time depends on it. Where there is no WebAssembly (`--jitless`), where it is not allowed, or there is no address space
 * for its memory, the columns are plain; a block that is too large for the memory, that is damaged, or whose places collide, is the table's own to
 * add.
 */
import { KEY_BYTES_MAX } from '../base/limits.ts'
import { type Wasm, withWasm } from '../base/wasm.ts'
import { ADD_BLOCK } from './add-block.ts'

/** Each of `room` numbers, and twice as many slots. */
export interface Columns {
  readonly slots: Uint32Array
  readonly block: Uint32Array
  readonly collection: Uint32Array
  readonly keyStart: Uint32Array
  readonly keyEnd: Uint32Array
  readonly hash: Uint32Array
  readonly put: Uint8Array
}

export function plainColumns(room: number): Columns {
  return columnsOf(
    room,
    words => new Uint32Array(words),
    bytes => new Uint8Array(bytes),
  )
}

function columnsOf(room: number, words: (count: number) => Uint32Array, bytes: (count: number) => Uint8Array): Columns {
  // In the order in which add-block.wat expects them.
  const slots = words(2 * room)
  const [block, collection, keyStart, keyEnd, hash] = [words(room), words(room), words(room), words(room), words(room)]
  return { slots, block, collection, keyStart, keyEnd, hash, put: bytes(room) }
}

interface Exports {
  readonly records: { value: number }
  readonly tombstones: { value: number }
  readonly highestId: { value: number }
  check(bytes: number, keyBytesMax: number): number
  add(bytes: number, number: number, room: number, columns: number, keyBytesMax: number, probesMax: number): number
}

const PAGE_BYTES = 65536
/** Larger blocks hold large values, and few of them. */
export const BLOCK_BYTES_MAX = 2 * PAGE_BYTES
/** A record has no fewer: flags, collection, length of the key. */
const RECORD_BYTES_MIN = 6
const COLUMNS_BYTES = 4 * 7 + 1

/** Whether the record at an index, of another block, has the key from `start` to `end` of the block that is being added. */
export type Same = (index: number, start: number, end: number) => boolean

/** What is counted besides the columns. */
export interface Tally {
  records: number
  tombstones: number
  highestId: number
}

/** The room for any block to be added to so many records: what a record takes is not known before. */
export function roomInBulk(records: number): number {
  let room = 1024
  while (records + BLOCK_BYTES_MAX / RECORD_BYTES_MIN >= room) room *= 2
  return room
}

let compiled: object | undefined

export class BulkColumns {
  readonly room: number
  readonly columns: Columns
  readonly #exports: Exports
  readonly #block: Uint8Array

  private constructor(wasm: Wasm, room: number, same: Same) {
    const pages = (BLOCK_BYTES_MAX + room * COLUMNS_BYTES + PAGE_BYTES - 1) / PAGE_BYTES
    const memory = new wasm.Memory({ initial: Math.floor(pages), maximum: Math.floor(pages) })
    compiled ??= new wasm.Module(Buffer.from(ADD_BLOCK, 'base64'))
    const imports = { memory, same: (index: number, start: number, end: number): number => (same(index, start, end) ? 1 : 0) }
    this.#exports = new wasm.Instance(compiled, { table: imports }).exports as Exports
    this.#block = new Uint8Array(memory.buffer, 0, BLOCK_BYTES_MAX)
    let at = BLOCK_BYTES_MAX
    const take = (bytes: number): number => {
      at += bytes
      return at - bytes
    }
    this.room = room
    this.columns = columnsOf(
      room,
      count => new Uint32Array(memory.buffer, take(4 * count), count),
      count => new Uint8Array(memory.buffer, take(count), count),
    )
  }

  /** Undefined where there is none. `room`: a power of two. */
  static open(room: number, same: Same): BulkColumns | undefined {
    return withWasm(wasm => new BulkColumns(wasm, room, same))
  }

  /** Whether a block of so many bytes, which is no larger than `BLOCK_BYTES_MAX`, can be added to a table of so many records. */
  takes(bytes: number, records: number): boolean {
    return records + bytes / RECORD_BYTES_MIN < this.room
  }

  /** How many records the block holds, which `highestId` counts then, and the columns do not; -1 where it is not whole records. */
  check(bytes: Uint8Array, tally: Tally): number {
    const { highestId, check } = this.#exports
    this.#block.set(bytes)
    highestId.value = tally.highestId
    const records = check(bytes.length, KEY_BYTES_MAX)
    if (records >= 0) tally.highestId = highestId.value >>> 0
    return records
  }

  /**
   * Block `number`, which it takes. False where a record is damaged, or its place is not found within so many slots: those before it are in the
   * columns, and counted, as they are where it throws, by `same` or for want of stack.
   */
  add(bytes: Uint8Array, number: number, tally: Tally, probesMax: number): boolean {
    const { records, tombstones, highestId, add } = this.#exports
    this.#block.set(bytes)
    records.value = tally.records
    tombstones.value = tally.tombstones
    highestId.value = tally.highestId
    try {
      return add(bytes.length, number, this.room, BLOCK_BYTES_MAX, KEY_BYTES_MAX, probesMax) !== 0
    } finally {
      tally.records = records.value
      tally.tombstones = tombstones.value
      tally.highestId = highestId.value >>> 0
    }
  }
}
