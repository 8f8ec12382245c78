/**
 * Writes one segment file, in the order of places. Byte table: docs/format/segment.md.
 *
 * What: fills blocks record by record, compresses each by itself, hands them out in the appends its caller asks for, and ends the file with what describes them.
 * Owns: the open file, its length, its hash, what the filter and the index need. Does not own: which records go in, pace, manifests.
 * Invariants: places rise; a call of `add` compresses one block at most; what waits in memory is what the caller has not flushed; an entry
 * is given out only of a file that is on the device under a durable name and was read back whole.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { assert, STOPPED, TidemarkError } from '../base/errors.ts'
import {
  SEGMENT_APPEND_BYTES,
  SEGMENT_BLOCKS_MAX,
  SEGMENT_FLUSH_BYTES,
  SEGMENT_INDEX_BYTES_MAX,
  SEGMENT_READ_BACK_BYTES,
  SEGMENT_RECORDS_MAX,
  SEGMENT_STORED_BYTES_MAX,
  SEGMENT_SYNC_BYTES,
} from '../base/limits.ts'
import {
  COMPRESSION_NONE,
  type Compress,
  encodeHeaderOf,
  encodeSegmentFacts,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  hashPlace,
  SEGMENT_BLOCK,
  SEGMENT_FACTS,
  SEGMENT_FILTER,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_INDEX,
  type SegmentEntry,
  SegmentIndexWriter,
  segmentNumbers,
} from '../format/index.ts'
import { isErrno, type Storage, type StorageFile } from '../storage/index.ts'
import { BlockBuilder, type ClosedBlock, type SegmentRecord } from './block-builder.ts'
import { addToFilter, emptyFilter } from './filter.ts'

export interface SegmentStart {
  readonly storage: Storage
  /** `segmentName(token, sequence)`: a name that never existed. Its folder exists. */
  readonly file: string
  /** Random, 32 bits: takes part in every checksum of the file. */
  readonly salt: number
  readonly compress: Compress
  /** Raw bytes of a block; default SEGMENT_BLOCK_RAW_BYTES. */
  readonly blockBytes?: number
}

/** `appended`: bytes of the description that went to the file since the last call. */
export type Breathe = (appended?: number) => Promise<void> | undefined

/** Hashes come in pieces: growing one large array would be a pause. */
const HASHES_PER_PIECE = 16_384

export class SegmentWriter {
  readonly file: string
  readonly #start: SegmentStart
  readonly #handle: StorageFile
  readonly #hash = createHash('sha256')
  readonly #builder: BlockBuilder
  readonly #index = new SegmentIndexWriter()
  readonly #hashes: Uint32Array[] = []
  /** Complete blocks that wait for their append. */
  #waiting: Uint8Array[] = []
  #pendingBytes = 0
  /** Of the file, what waits included. */
  #length = SEGMENT_HEADER_BYTES
  #unsynced = SEGMENT_HEADER_BYTES
  #state: 'open' | 'finishing' | 'finished' | 'failed' | 'abandoned' = 'open'
  /** The change of the file that is under way. */
  #busy: Promise<void> | undefined

  private constructor(start: SegmentStart, handle: StorageFile) {
    this.file = start.file
    this.#start = start
    this.#handle = handle
    this.#builder = new BlockBuilder(start.blockBytes)
  }

  /** Makes the file. Nothing is left of it when this rejects, where it could be removed. */
  static async create(start: SegmentStart): Promise<SegmentWriter> {
    const { storage, file } = start
    const handle = await storage.open(file, 'create').catch(async error => {
      // The answer was an error, and the file may be there all the same; one that was there before is another's.
      if (!isErrno(error, 'EEXIST')) await storage.remove(file).catch(() => {})
      throw error
    })
    const writer = new SegmentWriter(start, handle)
    try {
      const header = writer.#header(0)
      writer.#hash.update(header)
      await handle.append([header])
      return writer
    } catch (error) {
      await writer.abandon()
      throw error
    }
  }

  /** Taken so far, tombstones included. */
  get records(): number {
    return this.#builder.records
  }

  get tombstones(): number {
    return this.#builder.tombstones
  }

  /** Bytes of the records taken, before compression. */
  get rawBytes(): number {
    return this.#builder.rawBytes
  }

  /** Bytes of the file so far, those that wait included; without the open block and the description. */
  get storedBytes(): number {
    return this.#length
  }

  /** Bytes of complete blocks that wait for `flush`. The caller flushes at SEGMENT_FLUSH_BYTES or earlier. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Records, blocks or bytes are at a bound of the format: finish it, and go on in another. */
  get full(): boolean {
    return (
      this.records >= SEGMENT_RECORDS_MAX ||
      this.#index.count >= SEGMENT_BLOCKS_MAX - 2 ||
      this.#index.bytes >= SEGMENT_INDEX_BYTES_MAX ||
      this.#length >= SEGMENT_STORED_BYTES_MAX
    )
  }

  /**
   * Takes the record that the cursor stands on; its bytes are copied. Synchronous: compresses one block at most. A place that is not above
   * the one before is TIDEMARK_BUG.
   */
  add(record: SegmentRecord): void {
    // No text a record: it would be garbage.
    assert(this.#state === 'open', 'a record for a file that takes none')
    assert(!this.full, 'a record for a file that is full')
    const closed = this.#builder.add(record)
    if (closed !== undefined) this.#take(closed)
    this.#note(hashPlace(record.collection, record.bytes, record.keyStart, record.keyEnd))
  }

  /** Appends what waits, and syncs now and then. One call at a time; `add` may be called meanwhile. After an error only `abandon` is left. */
  async flush(): Promise<void> {
    assert(this.#state === 'open', `a flush of ${this.file}, which is ${this.#state}`)
    await this.#flush()
  }

  /**
   * Ends the file: description, sync, durable name, read back and hashed. Needs one record at least. `breathe` is awaited between steps of
   * less than a millisecond, and is told of bytes of the description that were appended. After an error only `abandon` is left. An `abandon` that comes meanwhile rejects it with STOPPED.
   */
  async finish(epochs: { readonly from: number; readonly through: number }, breathe: Breathe): Promise<SegmentEntry> {
    assert(this.#state === 'open', `an end of ${this.file}, which is ${this.#state}`)
    assert(this.records > 0, `${this.file} has no record`)
    assert(this.#busy === undefined, `an end of ${this.file} during a flush`)
    this.#state = 'finishing'
    try {
      const last = this.#builder.end()
      if (last !== undefined) this.#take(last)
      await this.#flush()
      await breathe()
      const describedAt = this.#length
      const facts = { ...epochs, ...this.#builder.facts() }
      const parts = await this.#describe(encodeSegmentFacts(facts), breathe)
      for (const piece of grouped(parts)) {
        const bytes = bytesOf(piece)
        await this.#change(() => this.#append(piece, bytes))
        await breathe(bytes)
      }
      await this.#change(() => this.#handle.sync())
      await this.#start.storage.syncFolder(SEGMENT_FOLDER)
      const sha256 = this.#hash.digest('hex')
      await this.#readBack(sha256, breathe)
      await this.#handle.close()
      this.#mustGoOn()
      this.#state = 'finished'
      const { from, through, records, tombstones, rawBytes, first, last: end } = facts
      return { file: this.file, bytes: this.#length, sha256, describedAt, from, through, records, tombstones, rawBytes, first, last: end }
    } catch (error) {
      // What goes wrong in a file that is being removed is no news.
      this.#mustGoOn()
      this.#state = 'failed'
      throw error
    }
  }

  /**
   * Closes and removes the file, also while a flush or `finish` is under way or after an error; not after `finish` resolved. Never rejects:
   * what cannot be removed is named by nothing.
   */
  async abandon(): Promise<void> {
    assert(this.#state !== 'finished', `${this.file} is finished`)
    this.#state = 'abandoned'
    await this.#busy?.catch(() => {})
    await this.#handle.close().catch(() => {})
    await this.#start.storage.remove(this.file).catch(() => {})
  }

  /** A block goes to those that wait. */
  #take({ raw, collection, between, betweenEnd }: ClosedBlock): void {
    const { id, payload } = this.#start.compress(raw)
    // What is not compressed stands in the buffer that the next block is built in.
    const stored = id === COMPRESSION_NONE ? Buffer.from(payload) : payload
    this.#index.add(this.#length, collection, between, betweenEnd)
    this.#wait(this.#frame(SEGMENT_BLOCK, id, raw.length, stored.length, crc32(stored)), stored)
  }

  #note(hash: number): void {
    const at = (this.records - 1) % HASHES_PER_PIECE
    if (at === 0) this.#hashes.push(new Uint32Array(HASHES_PER_PIECE))
    ;(this.#hashes.at(-1) as Uint32Array)[at] = hash
  }

  #wait(...parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#hash.update(part)
      this.#waiting.push(part)
      this.#pendingBytes += part.length
      this.#length += part.length
    }
  }

  async #flush(): Promise<void> {
    const parts = this.#waiting
    const bytes = this.#pendingBytes
    if (bytes === 0) return
    this.#waiting = []
    this.#pendingBytes = 0
    await this.#change(() => this.#append(parts, bytes))
  }

  async #append(parts: readonly Uint8Array[], bytes: number): Promise<void> {
    await this.#handle.append(parts)
    this.#unsynced += bytes
    if (this.#unsynced < SEGMENT_SYNC_BYTES) return
    await this.#handle.sync()
    this.#unsynced = 0
  }

  /** An `abandon` may have come while something was awaited. */
  #mustGoOn(): void {
    if (this.#state === 'abandoned') throw STOPPED
  }

  async #change(run: () => Promise<void>): Promise<void> {
    this.#mustGoOn()
    assert(this.#busy === undefined, `two changes of ${this.file} at a time`)
    this.#busy = run()
    try {
      await this.#busy
    } catch (error) {
      if (this.#state === 'open') this.#state = 'failed'
      throw error
    } finally {
      this.#busy = undefined
    }
  }

  /** Index, filter, facts and the header once more, as one piece; a step at a time. */
  async #describe(facts: Buffer, breathe: Breathe): Promise<Uint8Array[]> {
    const describedAt = this.#length
    const filter = emptyFilter(this.records)
    let left = this.records
    for (const piece of this.#hashes) {
      addToFilter(filter, piece, Math.min(left, HASHES_PER_PIECE))
      left -= HASHES_PER_PIECE
      await breathe()
    }
    const parts: Uint8Array[] = []
    for (const [kind, payload] of [
      [SEGMENT_INDEX, this.#index.encode()],
      [SEGMENT_FILTER, filter],
      [SEGMENT_FACTS, facts],
    ] as const) {
      let crc = 0
      for (const piece of pieces(payload)) {
        crc = crc32(piece, crc)
        await breathe()
      }
      const header = this.#frame(kind, COMPRESSION_NONE, payload.length, payload.length, crc)
      this.#hash.update(header)
      for (const piece of pieces(payload)) {
        this.#hash.update(piece)
        await breathe()
      }
      this.#length += FRAME_HEADER_BYTES + payload.length
      parts.push(header, payload)
    }
    const end = this.#header(describedAt)
    this.#hash.update(end)
    this.#length += end.length
    parts.push(end)
    return parts
  }

  /** The whole file again: a write that says it was whole may not have been. */
  async #readBack(sha256: string, breathe: Breathe): Promise<void> {
    const hash = createHash('sha256')
    for (let at = 0; at < this.#length; at += SEGMENT_READ_BACK_BYTES) {
      hash.update(await this.#handle.read(at, Math.min(SEGMENT_READ_BACK_BYTES, this.#length - at)))
      await breathe()
    }
    if ((await this.#handle.size()) === this.#length && hash.digest('hex') === sha256) return
    throw new TidemarkError('TIDEMARK_STORAGE', `${this.file} does not read back as it was written`, {
      file: this.file,
      info: { operation: 'read-back' },
      hint: 'what it held is written again to a new file; check the device',
    })
  }

  #frame(kind: number, compression: number, rawLength: number, storedLength: number, payloadCrc: number): Buffer {
    return encodeHeaderOf(SEGMENT_FRAMES, { kind, compression, rawLength, storedLength, payloadCrc }, this.#start.salt, this.#length)
  }

  #header(describedAt: number): Buffer {
    const numbers = segmentNumbers(this.file.slice(SEGMENT_FOLDER.length + 1))
    assert(numbers !== undefined && this.file.startsWith(`${SEGMENT_FOLDER}/`), `${this.file} is no name of a segment`)
    return encodeSegmentHeader({ ...numbers, salt: this.#start.salt, describedAt })
  }
}

/** The same bytes in appends of SEGMENT_APPEND_BYTES each. */
function* grouped(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let group: Uint8Array[] = []
  let room = SEGMENT_APPEND_BYTES
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const end = Math.min(part.length, at + room)
      group.push(part.subarray(at, end))
      room -= end - at
      at = end
      if (room > 0) continue
      yield group
      group = []
      room = SEGMENT_APPEND_BYTES
    }
  }
  if (group.length > 0) yield group
}

function bytesOf(parts: readonly Uint8Array[]): number {
  let bytes = 0
  for (const part of parts) bytes += part.length
  return bytes
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += SEGMENT_FLUSH_BYTES) yield bytes.subarray(at, at + SEGMENT_FLUSH_BYTES)
}
