/**
 * A segment file to be read: look-ups, walks, and blocks that come to stay. Byte table: docs/format/segment.md.
 *
 * Owns: the descriptor, what describes the blocks once it was read, the blocks at home. Does not own: which segments count, the cache.
 * Invariants: no byte is trusted before its checksum held at its offset in this file; what describes the file agrees with the manifest's
 * entry; after the last block came home the file is not read any more.
 */
import { hasCode, type TidemarkError } from '../base/errors.ts'
import { SEGMENT_AHEAD_BYTES } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  type DecompressEvery,
  hashPlace,
  openEveryDecompress,
  RECORD_PUT,
  SegmentBlockReader,
  type SegmentEntry,
  type SegmentFacts,
  type SegmentIndex,
  type TouchedPlace,
} from '../format/index.ts'
import { type Storage, type StorageFile, unpackError, withFile } from '../storage/index.ts'
import { BlockCache } from './block-cache.ts'
import {
  type Description,
  factsOf,
  type ReadPart,
  readDescription,
  readFilter,
  readUnfiltered,
  segmentDamage,
  within,
} from './description.ts'
import { Ends, type Place } from './ends.ts'
import { filterHas } from './filter.ts'
import { HomeBlocks, isMostOfItsMemory } from './home-blocks.ts'
import type { Found, Layer, LayerCursor, Range } from './layer.ts'
import { SegmentCursor } from './segment-cursor.ts'
import type { StoredRange } from './together.ts'
import { type BlocksWanted, unpackBlock } from './unpack.ts'

/**
 * Look-ups that come before the filter was read and do without: each reads a block, where reading and checking the filter of a large segment takes as
 * long as fifty of them. Calls of any kind do so after the device did not give it back: each try may take it seconds.
 */
const UNFILTERED_MAX = 16

/** A filter of so many bytes costs no more than a block; and all that describes the blocks, read as one, less than its seven parts. */
const SMALL_BYTES = 64 * 1024

/**
 * Where the stored bytes of a block are while it is unpacked, in one go. Memory of their own for each would be garbage outside of the heap,
 * which makes V8 collect all of the heap the sooner.
 */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

export interface SegmentOptions {
  /** Raw blocks read last, shared by as many segments as like; default one of its own. */
  readonly cache?: BlockCache
}

/** Satisfies `ColdSegment` (src/cold) and `SegmentLayer` (src/image). Damage throws TIDEMARK_SEGMENT_DAMAGED, a failing disk TIDEMARK_STORAGE. */
export class Segment implements Layer {
  readonly entry: SegmentEntry
  comesHome = false
  readonly #ends: Ends
  readonly #file: StorageFile
  readonly #decompress: DecompressEvery
  readonly #cache: BlockCache
  /** Blocks in the cache. */
  readonly #cached = new Map<number, Buffer>()
  readonly #home = new HomeBlocks()
  #described: Description | undefined
  /** What describes the blocks could not be read as one. */
  #inParts = false
  /** Undefined: not read yet. */
  #filter: Buffer | undefined
  /** Calls that did without it, since it was last tried. */
  #unfiltered = 0
  #filterUnread = false
  /** What describes the blocks is damaged, or the filter alone: neither is read at each call. */
  #undescribed: TidemarkError | undefined
  #filterDamage: TidemarkError | undefined
  /** The index, as a whole. */
  #isChecked = false

  private constructor(entry: SegmentEntry, file: StorageFile, decompress: DecompressEvery, cache: BlockCache) {
    this.entry = entry
    this.#ends = new Ends(entry)
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
   * Reads what describes the blocks, once. A synchronous call that comes earlier reads what it needs of it itself, holding the turn. `pause` is
   * awaited before each piece of the work: a filter is up to a megabyte and more, whose checksum alone takes a millisecond. Where the filter cannot be
   * read all else is, before that is thrown.
   */
  async describe(pause: Pauser = () => undefined): Promise<void> {
    let unread: unknown
    try {
      if (this.#filter === undefined) await this.#bringFilter(pause)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
      unread = error
    }
    await this.describeBlocks(pause)
    if (unread !== undefined) throw unread
    if (this.#filterDamage !== undefined) throw this.#filterDamage
  }

  /** All of it but the filter, of which no byte is read: what a walk needs, and look-ups can do with. */
  async describeBlocks(pause: Pauser = () => undefined): Promise<void> {
    if (this.#isChecked) return
    if (this.#undescribed !== undefined) throw this.#undescribed
    if (this.#described === undefined) {
      const read = await readUnfiltered(this.entry, (offset, length) => this.#file.read(offset, length))
      await this.#bring(read, () => this.#described !== undefined, pause)
    }
    await pause()
    this.#checkIndex()
  }

  /** With all that is not known yet, which is one read. */
  async #bringFilter(pause: Pauser): Promise<void> {
    if (this.#undescribed !== undefined) throw this.#undescribed
    if (this.#filterDamage !== undefined) return
    const { describedAt, bytes } = this.entry
    const { filterAt, filterLength } = this.#described ?? { filterAt: describedAt, filterLength: bytes - describedAt }
    const read = within(filterAt, await this.#file.read(filterAt, filterLength))
    await this.#bring(read, () => this.#filter !== undefined || this.#filterDamage !== undefined, pause)
  }

  /** Reads on until `there`: by itself, or because somebody could not wait. */
  async #bring(read: ReadPart, there: () => boolean, pause: Pauser): Promise<void> {
    const steps = this.#reading(read)
    while (!there()) {
      await pause()
      steps.next()
    }
  }

  #checkIndex(): void {
    try {
      this.#description().index.check()
      this.#isChecked = true
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_VALUE_DAMAGED')) throw error
      this.#described = undefined
      this.#undescribed = segmentDamage(this.entry.file, this.entry.describedAt, (error as Error).message, error)
      throw this.#undescribed
    }
  }

  /** Of what it holds, by collection, decoded at each call; described first. */
  get facts(): SegmentFacts {
    return factsOf(this.entry, this.#description())
  }

  get index(): SegmentIndex {
    return this.#description().index
  }

  get blocks(): number {
    return this.index.count
  }

  /** The filter may be missing then: what it would spare is a look into a block. */
  get atHome(): boolean {
    return this.#described !== undefined && this.#home.count === this.#described.index.count
  }

  get sharedBytes(): number {
    return this.#home.sharedBytes
  }

  has(block: number): boolean {
    return this.#home.of(block) !== undefined
  }

  /** Of a key that was cut it is the block in which such keys begin. */
  blockOf({ collection, key, cut }: TouchedPlace): number {
    const { index } = this.#description()
    if (this.#ends.exclude(collection, key)) return -1
    return cut || filterHas(this.#filterNow(), hashPlace(collection, key)) ? index.find(collection, key) : -1
  }

  /** As far as can be told unread, and asked of large blocks only: no place of the block is this one or behind it. */
  endsBefore(block: number, { collection, key }: Place): boolean {
    const { index } = this.#description()
    // So large a block holds one record; of the first key that begins it the index has the beginning, of that of the file the manifest has more.
    if (index.length(block) <= SEGMENT_AHEAD_BYTES) return false
    return block === 0 ? this.#ends.beginBefore(collection, key) : index.beginsBefore(block, collection, key)
  }

  storedRange(block: number): StoredRange {
    const { index } = this.#description()
    return { offset: index.offset(block), length: index.length(block) }
  }

  /** What somebody needs who unpacks them elsewhere; in the order of the file. */
  wanted(blocks: readonly number[]): BlocksWanted {
    const { salt, index } = this.#description()
    const ranges = new Float64Array(2 * blocks.length)
    for (let at = 0; at < blocks.length; at++) {
      const block = blocks[at] as number
      ranges[2 * at] = index.offset(block)
      ranges[2 * at + 1] = index.length(block)
    }
    return { file: this.entry.file, salt, ranges }
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#file.read(offset, length)
  }

  /** The raw block of its stored bytes, checked. */
  unpack(block: number, stored: Buffer): Buffer {
    const { salt } = this.#description()
    let raw: Buffer | undefined
    try {
      raw = unpackBlock(this.#decompress, salt, this.storedRange(block), stored)
    } catch (error) {
      throw hasCode(error, 'TIDEMARK_VALUE_DAMAGED') ? this.damaged(block, error) : unpackError(this.entry.file, error)
    }
    if (raw === undefined) throw this.damaged(block)
    return raw
  }

  /**
   * What is a small view into a larger piece of memory is copied: a block would keep all that was read with it. `together`: not that, for all of
   * it stays, with the blocks around this one.
   */
  keep(block: number, raw: Buffer, together = false): void {
    this.#home.keep(block, together || isMostOfItsMemory(raw) ? raw : this.#copyOf(raw))
    if (this.atHome) this.#cache.forget(this.#cached)
  }

  /** Gives the descriptor back; safe to call twice. What is at home goes on answering. */
  async close(): Promise<void> {
    this.#cache.forget(this.#cached)
    await this.#file.close()
  }

  /** Reads a block at most. The bytes found stay good as long as they are held. */
  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    if (this.#ends.exclude(collection, key)) return undefined
    const { index, filterLength } = this.#description()
    const filter = this.#filter ?? this.#filterWhenDue(filterLength > SMALL_BYTES)
    if (filter !== undefined && !filterHas(filter, hash)) return undefined
    let block = -1
    try {
      block = index.find(collection, key)
      if (block < 0) return undefined
      const reader = new SegmentBlockReader(this.raw(block))
      const record = reader.find(collection, key)
      if (record === undefined) return undefined
      return { put: record.kind === RECORD_PUT, bytes: reader.raw, start: record.valueStart, end: record.valueEnd }
    } catch (error) {
      // Without the filter a block was asked that need not have been.
      if (filter === undefined && !this.#mayHold(hash)) return undefined
      throw this.failed(block, error)
    }
  }

  /** By its ends and the filter alone; where that one cannot be read, by its ends. */
  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    if (this.#ends.exclude(collection, key)) return false
    this.#description()
    return this.#mayHold(hash)
  }

  #mayHold(hash: number): boolean {
    const filter = this.#filter ?? this.#filterWhenDue()
    return filter === undefined || filterHas(filter, hash)
  }

  /** Reads block by block, each when the walk comes to it; a merge takes a ReadAhead instead. */
  cursor(range: Range = {}): LayerCursor {
    return new SegmentCursor(this, range)
  }

  /** A raw block: at home, in the cache, or read now; then it stays at home, or in the cache. */
  raw(block: number): Buffer {
    const known = this.#home.of(block) ?? this.#cached.get(block)
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
    return raw.buffer === scratch.buffer ? this.#copyOf(raw) : raw
  }

  #copyOf(raw: Buffer): Buffer {
    try {
      const copy = Buffer.allocUnsafeSlow(raw.length)
      raw.copy(copy)
      return copy
    } catch (error) {
      throw unpackError(this.entry.file, error)
    }
  }

  /** Of what reading a block threw: bytes that are none of ours are damage, and whatever is wrong with them names the file. */
  failed(block: number, error: unknown): unknown {
    return hasCode(error, 'TIDEMARK_VALUE_DAMAGED') ? this.damaged(block, error) : withFile(this.entry.file, error)
  }

  damaged(block: number, cause?: unknown): TidemarkError {
    const offset = block < 0 ? this.entry.describedAt : (this.#described?.index.offset(block) ?? 0)
    return segmentDamage(this.entry.file, offset, `block ${block} does not verify`, cause)
  }

  #description(): Description {
    if (this.#described === undefined) this.#bringNow(() => this.#described !== undefined)
    return this.#described as Description
  }

  #filterNow(): Buffer {
    if (this.#filter === undefined) this.#readFilterNow()
    if (this.#filter === undefined) throw this.#filterDamage
    return this.#filter
  }

  /** Until it is there, or known to be damaged. */
  #readFilterNow(): void {
    this.#bringNow(() => this.#filter !== undefined || this.#filterDamage !== undefined)
  }

  /** Undefined: it is done without, being damaged, not given back by the device when last tried, or so large that it may wait; or all is at home. */
  #filterWhenDue(mayWait = false): Buffer | undefined {
    if (this.atHome || ((mayWait || this.#filterUnread) && ++this.#unfiltered <= UNFILTERED_MAX)) return undefined
    try {
      this.#readFilterNow()
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
      this.#filterUnread = true
      this.#unfiltered = 0
    }
    return this.#filter
  }

  /** Reads on until `there`, holding the turn; at once to the end where all of it was one read. */
  #bringNow(there: () => boolean): void {
    if (this.#undescribed !== undefined) throw this.#undescribed
    const whole = this.#wholeNow()
    const steps = this.#reading(whole ?? ((offset, length) => this.#file.readNow(offset, length)))
    while (whole !== undefined || !there()) if (steps.next().done === true) return
  }

  /** Undefined: not so small, or it cannot be read as one, which says nothing of its parts. */
  #wholeNow(): ReadPart | undefined {
    const { describedAt, bytes } = this.entry
    if (this.#described !== undefined || this.#inParts || bytes - describedAt > SMALL_BYTES) return undefined
    try {
      return within(describedAt, this.#file.readNow(describedAt, bytes - describedAt))
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
      this.#inParts = true
      return undefined
    }
  }

  /** Reads and keeps what is not known yet of what describes the blocks, the filter last. Damage of that one alone is kept, not thrown. */
  *#reading(read: ReadPart): Generator<undefined, void, undefined> {
    let described: Description
    try {
      described = this.#described ??= yield* readDescription(this.entry, read)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED')) this.#undescribed = error as TidemarkError
      throw error
    }
    yield
    try {
      this.#filter ??= yield* readFilter(this.entry, described, read)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED')) throw error
      this.#filterDamage = error as TidemarkError
    }
  }
}
