/**
 * A walk over the blocks of one segment.
 * Owns: the place of the walk. Does not own: where blocks come from. Invariant: after damage, or a read that failed, it throws
 * again or goes on where it was, and never passes over a record.
 */
import { compareBytes, type RecordCursor, SegmentBlockReader, type SegmentIndex } from '../format/index.ts'
import type { LayerCursor, Range } from './layer.ts'

/** What a walk needs of a segment. */
export interface BlockSource {
  /** Reads it when nobody did yet. */
  readonly index: SegmentIndex
  /** As far as can be told unread: the block need not be looked into by a walk from `place` on. */
  endsBefore(block: number, place: NonNullable<Range['from']>): boolean
  raw(block: number): Buffer
  /** Why it is not to be had, told of this segment: `error` is what was thrown, here or there. */
  failed(block: number, error: unknown): unknown
}

export class SegmentCursor implements LayerCursor {
  collection = 0
  put = false
  bytes: Buffer = Buffer.alloc(0)
  keyStart = 0
  keyEnd = 0
  start = 0
  end = 0
  readonly #source: BlockSource
  readonly #range: Range
  /** The block the walk is in; one that could not be read is come to again. */
  #block = -1
  #reading = 0
  #reader: SegmentBlockReader | undefined
  #at = 0
  #ended = false

  constructor(source: BlockSource, range: Range) {
    this.#source = source
    this.#range = range
  }

  next(): boolean {
    if (this.#ended) return false
    try {
      return this.#step()
    } catch (error) {
      throw this.#source.failed(this.#reading, error)
    }
  }

  #step(): boolean {
    const index = this.#source.index
    if (this.#block < 0) this.#begin(index)
    while (this.#reader === undefined || this.#at >= this.#reader.count) {
      if (this.#block + 1 >= index.count) return this.#end()
      const block = this.#block + 1
      if (this.#range.to !== undefined && index.compare(block, this.#range.to.collection, this.#range.to.key) >= 0) return this.#end()
      this.#reader = new SegmentBlockReader(this.#read(block))
      this.#block = block
      this.#at = 0
    }
    const record = this.#reader.go(this.#at)
    this.#at++
    if (this.#isBehind(record)) return this.#end()
    this.collection = record.collection
    this.put = this.#reader.put
    this.bytes = this.#reader.raw
    this.keyStart = record.keyStart
    this.keyEnd = record.keyEnd
    this.start = record.valueStart
    this.end = record.valueEnd
    return true
  }

  #begin(index: SegmentIndex): void {
    const { from } = this.#range
    const block = from === undefined ? -1 : index.find(from.collection, from.key)
    if (from === undefined || block < 0) return
    if (this.#source.endsBefore(block, from)) {
      this.#block = block
      return
    }
    const reader = new SegmentBlockReader(this.#read(block))
    this.#at = reader.lowerBound(from.collection, from.key)
    this.#reader = reader
    this.#block = block
  }

  #read(block: number): Buffer {
    this.#reading = block
    return this.#source.raw(block)
  }

  #isBehind(record: RecordCursor): boolean {
    const { to } = this.#range
    if (to === undefined) return false
    const difference = record.collection - to.collection
    return (difference || compareBytes(record.bytes, record.keyStart, record.keyEnd, to.key, 0, to.key.length)) >= 0
  }

  #end(): false {
    this.#ended = true
    this.#reader = undefined
    return false
  }
}
