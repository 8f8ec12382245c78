/**
 * A segment file to be read: look-ups, walks, and blocks that come to stay. Byte table: docs/format/segment.md.
 *
 * Owns: the descriptor, what describes the blocks once it was read, the blocks at home. Does not own: which segments count, the cache.
 * Invariants: no byte is trusted before its checksum held at its offset in this file; what describes the file agrees with the manifest's
 * entry; after the last block came home the file is not read any more.
 */
import { crc32 } from 'node:zlib'
import { hasCode, TidemarkError } from '../base/errors.ts'
import {
  compareBytes,
  type DecompressEvery,
  decodeHeaderOf,
  decodeSegmentFacts,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  hashPlace,
  openEveryDecompress,
  payloadMatches,
  RECORD_PUT,
  SEGMENT_BLOCK,
  SEGMENT_FACTS,
  SEGMENT_FILTER,
  SEGMENT_FOLDER,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_INDEX,
  SegmentBlockReader,
  type SegmentEntry,
  type SegmentFacts,
  SegmentIndex,
  segmentNumbers,
  type TouchedPlace,
} from '../format/index.ts'
import type { Storage, StorageFile } from '../storage/index.ts'
import { BlockCache } from './block-cache.ts'
import { filterBytes, filterHas } from './filter.ts'
import type { Found, Layer, LayerCursor, Range } from './layer.ts'
import { SegmentCursor } from './segment-cursor.ts'

/** Bytes checked in one step: a quarter of a millisecond. */
const CHECK_BYTES = 256 * 1024

/**
 * Where the stored bytes of a block are while it is unpacked, in one go. Memory of their own for each would be garbage outside of the heap,
 * which makes V8 collect all of the heap the sooner.
 */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

export interface SegmentOptions {
  /** Raw blocks read last, shared by as many segments as like; default one of its own. */
  readonly cache?: BlockCache
}

interface Description {
  readonly salt: number
  readonly index: SegmentIndex
  readonly filter: Buffer
  readonly facts: SegmentFacts
}

interface Bound {
  readonly collection: number
  readonly key: Uint8Array
}

/** Satisfies `ColdSegment` (src/cold) and `SegmentLayer` (src/image). Damage throws TIDEMARK_SEGMENT_DAMAGED, a failing disk TIDEMARK_STORAGE. */
export class Segment implements Layer {
  readonly entry: SegmentEntry
  comesHome = false
  readonly #file: StorageFile
  readonly #decompress: DecompressEvery
  readonly #cache: BlockCache
  /** Blocks in the cache. */
  readonly #cached = new Map<number, Buffer>()
  readonly #home: Buffer[] = []
  #homeCount = 0
  #described: Description | undefined
  /** What describes the blocks is damaged: it is not read at each call. */
  #undescribed: TidemarkError | undefined
  /** The index, as a whole. */
  #isChecked = false
  #ends: { readonly first: Bound; readonly last: Bound } | undefined

  private constructor(entry: SegmentEntry, file: StorageFile, decompress: DecompressEvery, cache: BlockCache) {
    this.entry = entry
    this.#file = file
    this.#decompress = decompress
    this.#cache = cache
  }

  /** Opens the descriptor; no byte is read. From then on the name may go. */
  static async open(storage: Storage, entry: SegmentEntry, options: SegmentOptions = {}): Promise<Segment> {
    const decompress = await openEveryDecompress()
    return new Segment(entry, await storage.open(entry.file, 'read'), decompress, options.cache ?? new BlockCache())
  }

  /**
   * Reads what describes the blocks, once. A synchronous call that comes earlier reads it itself, holding the turn. `pause` is awaited before
   * each piece of the work: a filter is up to a megabyte and more, whose checksum alone takes a millisecond.
   */
  async describe(pause: () => Promise<void> | undefined = () => undefined): Promise<void> {
    if (this.#isChecked) return
    if (this.#undescribed !== undefined) throw this.#undescribed
    if (this.#described === undefined) {
      const { describedAt, bytes } = this.entry
      const steps = this.#parse(await this.#file.read(describedAt, bytes - describedAt))
      do {
        await pause()
        // Unless somebody could not wait.
        if (this.#described !== undefined) break
        const step = steps.next()
        if (step.done === true) this.#described = step.value
      } while (this.#described === undefined)
    }
    await pause()
    this.#checkIndex()
  }

  #checkIndex(): void {
    try {
      this.#description().index.check()
      this.#isChecked = true
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_VALUE_DAMAGED')) throw error
      this.#described = undefined
      this.#undescribed = this.#damage(this.entry.describedAt, (error as Error).message, error)
      throw this.#undescribed
    }
  }

  /** Of what it holds, by collection; described first. */
  get facts(): SegmentFacts {
    return this.#description().facts
  }

  get index(): SegmentIndex {
    return this.#description().index
  }

  get blocks(): number {
    return this.index.count
  }

  get atHome(): boolean {
    return this.#described !== undefined && this.#homeCount === this.#described.index.count
  }

  has(block: number): boolean {
    return this.#home[block] !== undefined
  }

  /** Of a key that was cut it is the block in which such keys begin. */
  blockOf({ collection, key, cut }: TouchedPlace): number {
    const { filter, index } = this.#description()
    const { first, last } = this.#bounds()
    if (isBefore(collection, key, first) || isBefore(last.collection, last.key, { collection, key })) return -1
    return cut || filterHas(filter, hashPlace(collection, key)) ? index.find(collection, key) : -1
  }

  #bounds(): { readonly first: Bound; readonly last: Bound } {
    const { first, last } = this.entry
    this.#ends ??= {
      first: { collection: first.collection, key: Buffer.from(first.key, 'hex') },
      last: { collection: last.collection, key: Buffer.from(last.key, 'hex') },
    }
    return this.#ends
  }

  storedRange(block: number): { readonly offset: number; readonly length: number } {
    const { index } = this.#description()
    return { offset: index.offset(block), length: index.length(block) }
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#file.read(offset, length)
  }

  /** The raw block of its stored bytes, checked. */
  unpack(block: number, stored: Buffer): Buffer {
    const { salt, index } = this.#description()
    try {
      const header = decodeHeaderOf(SEGMENT_FRAMES, stored, 0, salt, index.offset(block))
      const payload = stored.subarray(FRAME_HEADER_BYTES)
      if (header?.kind !== SEGMENT_BLOCK || stored.length !== index.length(block) || !payloadMatches(header, payload)) {
        throw this.damaged(block)
      }
      return this.#decompress(header.compression, payload, header.rawLength)
    } catch (error) {
      throw hasCode(error, 'TIDEMARK_VALUE_DAMAGED') ? this.damaged(block, error) : error
    }
  }

  /** What is a small view into a larger piece of memory is copied: a block would keep all that was read with it. */
  keep(block: number, raw: Buffer): void {
    if (this.#home[block] === undefined) this.#homeCount++
    this.#home[block] = isMostOfItsMemory(raw) ? raw : copyOf(raw)
    if (this.atHome) this.#cache.forget(this.#cached)
  }

  /** Gives the descriptor back; safe to call twice. What is at home goes on answering. */
  async close(): Promise<void> {
    this.#cache.forget(this.#cached)
    await this.#file.close()
  }

  /** Reads a block at most. The bytes found stay good as long as they are held. */
  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    const { filter, index } = this.#description()
    if (!filterHas(filter, hash)) return undefined
    let block = -1
    try {
      block = index.find(collection, key)
      if (block < 0) return undefined
      const reader = new SegmentBlockReader(this.raw(block))
      const record = reader.find(collection, key)
      if (record === undefined) return undefined
      return { put: record.kind === RECORD_PUT, bytes: reader.raw, start: record.valueStart, end: record.valueEnd }
    } catch (error) {
      throw hasCode(error, 'TIDEMARK_VALUE_DAMAGED') ? this.damaged(block, error) : error
    }
  }

  /** By the filter alone. */
  mayHave(_collection: number, _key: Uint8Array, hash: number): boolean {
    return filterHas(this.#description().filter, hash)
  }

  /** Reads block by block, each when the walk comes to it; a merge takes a ReadAhead instead. */
  cursor(range: Range = {}): LayerCursor {
    const source = {
      index: () => this.index,
      raw: (block: number) => this.raw(block),
      damaged: (block: number, cause: unknown) => this.damaged(block, cause),
    }
    return new SegmentCursor(source, range)
  }

  /** A raw block: at home, in the cache, or read now; then it stays at home, or in the cache. */
  raw(block: number): Buffer {
    const known = this.#home[block] ?? this.#cached.get(block)
    if (known !== undefined) return known
    const raw = this.readBlock(block)
    if (this.comesHome) this.keep(block, raw)
    else this.#cache.add(this.#cached, block, raw)
    return raw
  }

  /** Reads a block now, past the cache. */
  readBlock(block: number): Buffer {
    const { offset, length } = this.storedRange(block)
    const raw = this.unpack(block, this.#file.readNow(offset, length, scratch))
    return raw.buffer === scratch.buffer ? copyOf(raw) : raw
  }

  damaged(block: number, cause?: unknown): TidemarkError {
    const offset = block < 0 ? this.entry.describedAt : (this.#described?.index.offset(block) ?? 0)
    return this.#damage(offset, `block ${block} does not verify`, cause)
  }

  #description(): Description {
    if (this.#described !== undefined) return this.#described
    if (this.#undescribed !== undefined) throw this.#undescribed
    const { describedAt, bytes } = this.entry
    const steps = this.#parse(this.#file.readNow(describedAt, bytes - describedAt))
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    this.#described = step.value
    return step.value
  }

  *#parse(bytes: Buffer): Generator<undefined, Description, undefined> {
    try {
      return yield* this.#check(bytes)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED')) this.#undescribed = error as TidemarkError
      throw error
    }
  }

  *#check(bytes: Buffer): Generator<undefined, Description, undefined> {
    const { entry } = this
    const { file, describedAt } = entry
    const end = bytes.length - SEGMENT_HEADER_BYTES
    const header = decodeSegmentHeader(bytes, end, file)
    const numbers = segmentNumbers(file.slice(SEGMENT_FOLDER.length + 1))
    if (header === undefined || describedAt + bytes.length !== entry.bytes) throw this.#damage(describedAt, 'it does not end as it should')
    if (header.token !== numbers?.token || header.sequence !== numbers.sequence || header.describedAt !== describedAt) {
      throw this.#damage(describedAt + end, 'it is another file than its name says')
    }
    let at = 0
    const parts: Buffer[] = []
    for (const kind of [SEGMENT_INDEX, SEGMENT_FILTER, SEGMENT_FACTS]) {
      const frame: FrameHeader<number> | undefined = decodeHeaderOf(SEGMENT_FRAMES, bytes, at, header.salt, describedAt + at)
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + (frame?.storedLength ?? 0))
      let sum = 0
      for (let from = 0; from < payload.length; from += CHECK_BYTES) {
        sum = crc32(payload.subarray(from, from + CHECK_BYTES), sum)
        yield
      }
      if (frame?.kind !== kind || payload.length !== frame.storedLength || sum !== frame.payloadCrc) {
        throw this.#damage(describedAt + at, 'its description does not verify')
      }
      at += FRAME_HEADER_BYTES + payload.length
      parts.push(payload)
    }
    const [index, filter, factBytes] = parts as [Buffer, Buffer, Buffer]
    try {
      const facts = decodeSegmentFacts(factBytes)
      if (at !== end || filter.length !== filterBytes(facts.records) || !agrees(facts, entry)) {
        throw this.#damage(describedAt, 'it does not hold what the manifest says')
      }
      return { salt: header.salt, index: new SegmentIndex(index, describedAt), filter, facts }
    } catch (error) {
      throw hasCode(error, 'TIDEMARK_VALUE_DAMAGED') ? this.#damage(describedAt, (error as Error).message, error) : error
    }
  }

  #damage(offset: number, what: string, cause?: unknown): TidemarkError {
    const { file } = this.entry
    return new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', `${file} is damaged at ${offset}: ${what}`, {
      file,
      info: { offset },
      hint: 'keep a copy of the directory, then restore it from one, or open at an earlier recovery point',
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** A decoder may leave as much again behind what it decoded. */
function isMostOfItsMemory(raw: Buffer): boolean {
  return raw.buffer.byteLength <= 2 * raw.length
}

function copyOf(raw: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(raw.length)
  raw.copy(copy)
  return copy
}

function isBefore(collection: number, key: Uint8Array, other: Bound): boolean {
  return (collection - other.collection || compareBytes(key, 0, key.length, other.key, 0, other.key.length)) < 0
}

function agrees(facts: SegmentFacts, entry: SegmentEntry): boolean {
  return (
    facts.from === entry.from &&
    facts.through === entry.through &&
    facts.records === entry.records &&
    facts.tombstones === entry.tombstones &&
    facts.rawBytes === entry.rawBytes &&
    facts.first.collection === entry.first.collection &&
    facts.first.key === entry.first.key &&
    facts.last.collection === entry.last.collection &&
    facts.last.key === entry.last.key
  )
}
