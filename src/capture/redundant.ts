/**
 * Records that say what is stored already: a key was set, and its encoding is byte for byte that of its last record.
 *
 * What: `RecordMemory` keeps the last records of keys as a processor's cache keeps lines: by the hash of its key a record has one set of four
 * places, each names bytes in a ring, and what the ring has written over is forgotten. `Redundancy` decides for one collection which of its
 * keys take part: all of them while that pays, otherwise one in 64, other ones from time to time, so that it is seen when it begins to pay.
 * Owns: the copies, the shares, the sums. Does not own: when a record is written, what becomes of the epoch it belongs to.
 * Invariants: every record that is written is shown here in the order of the log, or its key is forgotten; equality is that of all bytes of the
 * record, collection and key included, never of a hash; after a failure nothing is known, because what was written and not committed is on
 * no disk; memory is bounded, whatever is written.
 *
 * Why it is right: a record that is left out equals the newest one of its key, which is committed, or was written in an epoch that is not: when
 * that one fails, all is forgotten, and the key is dirty again: it was frozen, or it is listed among those drained, because a cut may record
 * keys that it did not freeze. A cut that moves leaves its records standing. A tombstone makes its key forgotten. An emptied collection has
 * another id, and the id stands in the record.
 */
import { REDUNDANT_ENTRIES, REDUNDANT_RECORD_BYTES_MAX, REDUNDANT_RING_BYTES } from '../base/limits.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import type { Key } from '../codec/index.ts'
import { hashKey } from './pieces.ts'

const WAYS = 4
/** Keys a set may have on average before there have to be more sets: with more of them too many sets are asked for five. */
const FULL_KEYS = 2

/** Records that were not written, and their bytes. */
export interface Spared {
  readonly records: number
  readonly bytes: number
}

/** What a memory begins with; it doubles, forgetting all, when its ring is full for the first time, or its places nearly are. */
const FIRST_RING_BYTES = REDUNDANT_RING_BYTES / 32
const FIRST_ENTRIES = REDUNDANT_ENTRIES / 32

export class RecordMemory {
  /** Of all collections. */
  readonly spared = { records: 0, bytes: 0 }
  /** Whether the last record of the key was known, at the last look. */
  known = false
  readonly entriesMax: number
  readonly #ringBytesMax: number
  #ringBytes: number
  #sets: number
  /** That were given a place since it is as large as it is. */
  #keys = 0
  #ring: Buffer | undefined
  #tags = new Int32Array(0)
  #lengths = new Uint32Array(0)
  /** Where a record begins, counted from the beginning of time; 0: nowhere. */
  #places = new Float64Array(0)
  #head: number
  /** What lies before it does not count. */
  #floor: number

  /** `ringBytesMax` and `entriesMax` are powers of two. */
  constructor(ringBytesMax = REDUNDANT_RING_BYTES, entriesMax = REDUNDANT_ENTRIES) {
    this.#ringBytesMax = ringBytesMax
    this.entriesMax = entriesMax
    this.#ringBytes = Math.min(ringBytesMax, FIRST_RING_BYTES)
    this.#sets = Math.min(entriesMax, FIRST_ENTRIES) / WAYS
    this.#head = this.#floor = ringBytesMax
  }

  /** Later records lie behind it. */
  get head(): number {
    return this.#head
  }

  /** Whether the record in `bytes` is the last one of its key, as far as is known from `floor` on; it is from now on. */
  same(hash: number, bytes: Buffer, start: number, end: number, floor = 0): boolean {
    const length = end - start
    this.known = false
    if (length > REDUNDANT_RECORD_BYTES_MAX || length > this.#ringBytesMax / 8) {
      this.drop(hash)
      return false
    }
    const ring = this.#ringFor(length)
    if (ring === undefined) {
      this.drop(hash)
      return false
    }
    const oldest = Math.max(this.#floor, floor, this.#head - this.#ringBytes)
    const at = this.#find(hash)
    const place = this.#places[at] as number
    this.known = this.#tags[at] === hash && place >= oldest
    if (this.known && this.#lengths[at] === length) {
      const from = place % this.#ringBytes
      if (ring.compare(bytes, start, end, from, from + length) === 0) {
        // Soon it would be written over: what comes again and again stays.
        if (place - (this.#head - this.#ringBytes) < this.#ringBytes / 2) {
          const to = this.#room(length)
          ring.copyWithin(to % this.#ringBytes, from, from + length)
          this.#places[at] = to
        }
        return true
      }
    }
    if (this.#tags[at] !== hash) this.#keys++
    const to = this.#room(length)
    bytes.copy(ring, to % this.#ringBytes, start, end)
    this.#tags[at] = hash
    this.#lengths[at] = length
    this.#places[at] = to
    return false
  }

  /** The last record of this key is not known any more. */
  drop(hash: number): void {
    if (this.#ring === undefined) return
    const at = this.#find(hash)
    if (this.#tags[at] === hash) this.#places[at] = 0
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#floor = this.#head
  }

  /** Nothing is known any more, and nothing will be: the memory is given back. */
  end(): void {
    this.forget()
    this.#ring = undefined
    this.#tags = new Int32Array(0)
    this.#lengths = new Uint32Array(0)
    this.#places = new Float64Array(0)
  }

  /** Undefined: there is no memory for one in which a record of this length has its place. */
  #ringFor(length: number): Buffer | undefined {
    try {
      if (this.#ring === undefined) this.#make(this.#ringBytes, this.#sets)
      while (
        this.#ringBytes < this.#ringBytesMax &&
        (this.#head + length > this.#floor + this.#ringBytes || length > this.#ringBytes / 8 || this.#keys > this.#sets * FULL_KEYS)
      ) {
        this.#make(this.#ringBytes * 2, Math.min(this.entriesMax / WAYS, this.#sets * 2))
      }
    } catch (error) {
      if (!isAllocationFailure(error)) throw error
      if (length > this.#ringBytes / 8) return undefined
    }
    return this.#ring
  }

  /** An empty memory; places go on from where they were. */
  #make(ringBytes: number, sets: number): void {
    const entries = sets * WAYS
    // All of it before anything is changed: there may be no memory for one of them.
    const ring = Buffer.alloc(ringBytes)
    const [tags, lengths, places] = [new Int32Array(entries), new Uint32Array(entries), new Float64Array(entries)]
    this.#ring = ring
    this.#tags = tags
    this.#lengths = lengths
    this.#places = places
    this.#ringBytes = ringBytes
    this.#sets = sets
    this.#keys = 0
    this.#head = this.#floor = Math.ceil(this.#head / ringBytes) * ringBytes
  }

  /** Where the key of this hash is, or else the place in its set that was written longest ago. A hash has one place at most. */
  #find(hash: number): number {
    const first = (hash & (this.#sets - 1)) * WAYS
    let oldest = first
    for (let at = first; at < first + WAYS; at++) {
      if (this.#tags[at] === hash) return at
      if ((this.#places[at] as number) < (this.#places[oldest] as number)) oldest = at
    }
    return oldest
  }

  /** Room for so many bytes, in one piece. */
  #room(length: number): number {
    const left = this.#ringBytes - (this.#head % this.#ringBytes)
    if (left < length) this.#head += left
    const place = this.#head
    this.#head += length
    return place
  }
}

/** Looks after which it is judged whether they pay. */
const SAMPLE_LOOKS = 512
/** It pays where one look in so many spares a record: a look costs a tenth of what compressing, writing and folding a record costs. */
const LOOKS_PER_HIT_MAX = 16
/** Looks at known records that differed, after which fewer keys take part; while few are known, so many looks as records are remembered. */
const PATIENCE_LOOKS = 4096
/** The least share of the keys that take part: one in 64. */
const MASK_MAX = 63
/** Samples that have to pay before more keys take part: twice as many each time that this was too much, up to so many. */
const RESTS_MAX = 64

/** Of one collection. */
export class Redundancy {
  readonly spared = { records: 0, bytes: 0 }
  /** Sets to the very primitive that was there: of these no record is made. */
  unchanged = 0
  /** Keys take part whose hash has these bits as in `#turn`. */
  #mask = 0
  #turn = 0
  #floor = 0
  #looks = 0
  #hits = 0
  #known = 0
  #rests = 1
  #paying = 0
  /** More keys take part than did before, and it is not known for long whether that pays. */
  #widened = false

  /** One in so many keys takes part. For tests. */
  get oneIn(): number {
    return this.#mask + 1
  }

  /** A record of this key, in `bytes`, is about to be handed over; true when it need not be. */
  spares(memory: RecordMemory, id: number, key: Key, bytes: Buffer, start: number, end: number): boolean {
    const hash = hashOf(id, key)
    // Of these nothing is kept since the mask or the turn changed.
    if ((((hash >>> 20) ^ this.#turn) & this.#mask) !== 0) return false
    const same = memory.same(hash, bytes, start, end, this.#floor)
    this.#looks++
    if (memory.known) this.#known++
    if (same) {
      this.#hits++
      for (const spared of [this.spared, memory.spared]) {
        spared.records++
        spared.bytes += end - start
      }
    }
    if (this.#looks % SAMPLE_LOOKS === 0) this.#judge(memory)
    return same
  }

  /** A cut is void, or an epoch failed, that had spared so much: its keys are looked at again. */
  takeBack(memory: RecordMemory, { records, bytes }: Spared): void {
    for (const spared of [this.spared, memory.spared]) {
      spared.records -= records
      spared.bytes -= bytes
    }
  }

  /** A record of this key is handed over unseen: a tombstone, or one whose place in the log is not its place in time. */
  passed(memory: RecordMemory, id: number, key: Key): void {
    memory.drop(hashOf(id, key))
  }

  #judge(memory: RecordMemory): void {
    if (this.#hits * LOOKS_PER_HIT_MAX >= this.#looks) {
      this.#paying++
      if (this.#mask > 0 && this.#paying >= this.#rests) {
        // Those that took part go on doing so: what is known of them is right.
        this.#mask >>= 1
        this.#widened = true
        this.#paying = 0
      } else if (this.#paying >= RESTS_MAX) {
        this.#rests = 1
        this.#widened = false
      }
    } else if (this.#known - this.#hits >= PATIENCE_LOOKS || this.#looks >= Math.max(PATIENCE_LOOKS, memory.entriesMax)) {
      this.#mask = Math.min(MASK_MAX, this.#mask * 2 + 1)
      this.#turn++
      // Keys that take part no more may do so again: what is known of them now is not what will be right then.
      this.#floor = memory.head
      if (this.#widened) this.#rests = Math.min(RESTS_MAX, this.#rests * 2)
      this.#widened = false
      this.#paying = 0
    } else return
    this.#looks = this.#hits = this.#known = 0
  }
}

function hashOf(id: number, key: Key): number {
  return (hashKey(key) ^ Math.imul(id, 0x9e3779b1)) | 0
}
