/**
 * What lies behind the fold point, how it grows, and so when it is to be folded and how fast.
 *
 * Owns: its size, the flow of commits, since when it is too long. Does not own: the work, the reports.
 * Invariants: pure but for its state; the time comes with each call.
 */
import { TABLE_LOG_BYTES, TABLE_RAW_BYTES, TABLE_RECORDS } from '../base/limits.ts'
import { Flow, foldAt, foldBarMs, foldDueAt, foldRate, type Work } from '../pace/index.ts'

export interface TailSize {
  readonly rawBytes: number
  readonly records: number
  /** Of the log as LogLength has it: commits without a record have a length, too. */
  readonly logBytes: number
}

export interface TailLimits {
  readonly bytes: number
  readonly records: number
  readonly logBytes: number
}

/** One table. */
export const TAIL_LIMITS: TailLimits = { bytes: TABLE_RAW_BYTES, records: TABLE_RECORDS, logBytes: TABLE_LOG_BYTES }

/**
 * Tables behind the fold point beyond which a fold is pressed: it ends in a part of an interval, and beyond half as many again it goes as fast
 * as it can. Where commits are larger than tables, so many commits: one that is folded before the next comes, and a little.
 */
const LONG_TABLES = 2
const LONG_COMMITS = 1.25
const FLAT_OUT_LENGTH = 1.5
const PRESSED_SHARE = 0.5
const PRESSED_MS_MAX = 3000
/** A tail that long for so long, and for so many intervals: upkeep is behind. */
const BEHIND_MS = 5000
const BEHIND_INTERVALS = 4

export class Tail {
  readonly flow: Flow
  readonly #limits: TailLimits
  #rawBytes: number
  #records: number
  #logBytes: number
  /** Of what the fold under way does not take. */
  #takenBytes = 0
  #takenRecords = 0
  #takenLogBytes = 0
  #longSince: number | undefined
  #more = 0
  #leave = 0
  /** Bytes of the log behind the fold point that somebody waits for. */
  #asked = 0
  /** What folds from the fold point on took, by the epoch they end with: their manifests were begun. */
  readonly #begun = new Map<number, TailSize>()

  constructor(limits: TailLimits, start: TailSize, now: number) {
    this.#limits = limits
    this.#rawBytes = start.rawBytes
    this.#records = start.records
    this.#logBytes = start.logBytes
    this.flow = new Flow(now)
    this.#look(now)
  }

  /** How much it is, in what is folded at once. */
  get tables(): number {
    return this.#tables(this.#rawBytes, this.#records, this.#logBytes)
  }

  get size(): TailSize {
    return { rawBytes: this.#rawBytes, records: this.#records, logBytes: this.#logBytes }
  }

  committed(now: number, { rawBytes, records, logBytes }: TailSize): void {
    this.flow.committed(now, rawBytes, records)
    this.#rawBytes += rawBytes
    this.#records += records
    this.#logBytes += logBytes
    this.#look(now)
  }

  /**
   * A fold begins, and takes so much: all there is, but where more is let lie behind the fold point, as much of it as may lie there stays. So a
   * hold is made full use of to its end.
   */
  take(): TailSize & { readonly all: boolean } {
    const { tables } = this
    const all = this.#asked > 0 || this.#more <= 0 || tables <= this.#more
    const share = all ? 1 : 1 - this.#more / tables
    this.#takenBytes = this.#rawBytes * share
    this.#takenRecords = this.#records * share
    this.#takenLogBytes = this.#logBytes * share
    return { rawBytes: this.#takenBytes, records: this.#takenRecords, logBytes: this.#takenLogBytes, all }
  }

  /** So many tables more are let lie behind the fold point; negative: so many fewer. What lies there by leave is not too long until it is folded. */
  allow(tables: number): void {
    this.#more = tables
    this.#leave = Math.max(this.#leave, tables)
  }

  /** So much more lies in segments, and with it whatever an earlier fold may have taken. */
  folded(now: number, { rawBytes, records, logBytes }: TailSize): void {
    this.#begun.clear()
    this.#rawBytes = Math.max(0, this.#rawBytes - rawBytes)
    this.#records = Math.max(0, this.#records - records)
    this.#logBytes = Math.max(0, this.#logBytes - logBytes)
    this.#leave = Math.max(0, this.#more)
    this.#asked = Math.max(0, this.#asked - logBytes)
    this.#look(now)
  }

  /** A fold up to `epoch`, which took so much, begins its manifest; it may come to count though the fold fails: `reached` tells. */
  begun(epoch: number, size: TailSize): void {
    this.#begun.set(epoch, size)
  }

  /** The fold point of the newest manifest lies at the end of `epoch`. */
  reached(now: number, epoch: number): void {
    const size = this.#begun.get(epoch)
    if (size !== undefined) this.folded(now, size)
  }

  /** Somebody waits for what lies there by now to be in segments: more than what a fold under way takes. */
  ask(): void {
    this.#asked = this.#logBytes
  }

  get isAsked(): boolean {
    return this.#asked > 0
  }

  get isDue(): boolean {
    if (this.isAsked) return true
    const at = foldAt(this.flow.tables(this.#limits))
    return this.tables >= Math.max(at / 2, at + this.#more)
  }

  /** Memory and restart stay bounded, whatever the pace was meant to be. */
  get isLong(): boolean {
    return this.#length >= 1
  }

  /** Of a tail that is too long. */
  get #length(): number {
    const long = Math.max(LONG_TABLES, LONG_COMMITS * this.flow.tables(this.#limits))
    return this.tables / (long + this.#leave)
  }

  /** Ms for which it has been too long; 0: upkeep is not behind. */
  behindMs(now: number): number {
    if (this.#longSince === undefined) return 0
    const ms = now - this.#longSince
    return ms > Math.max(BEHIND_MS, BEHIND_INTERVALS * this.flow.intervalMs) ? ms : 0
  }

  /** The rate of a fold that begins now, behind `take`. */
  rate(now: number): Work['rate'] {
    const barMs = (): number => foldBarMs(now, this.#dueAt(), this.flow.intervalMs)
    const bar = { begin: now, barMs: barMs() }
    return (left, at, total) => {
      const length = this.#length
      if (length >= FLAT_OUT_LENGTH) return Number.POSITIVE_INFINITY
      const rate = foldRate({ ...bar, work: total }, left, at, barMs())
      if (length < 1 && this.#asked === 0) return rate
      // Of the whole: a part of what is left, again and again, never ends.
      return Math.max(rate, (total * 1000) / this.#pressedMs)
    }
  }

  /** No interval is known before the first commit of a process. */
  get #pressedMs(): number {
    const { intervalMs } = this.flow
    return intervalMs > 0 ? Math.min(PRESSED_MS_MAX, intervalMs * PRESSED_SHARE) : PRESSED_MS_MAX
  }

  #dueAt(): number {
    const come = this.#tables(this.#rawBytes - this.#takenBytes, this.#records - this.#takenRecords, this.#logBytes - this.#takenLogBytes)
    return foldDueAt(this.flow, this.flow.tables(this.#limits), Math.max(0, come) - this.#more)
  }

  #look(now: number): void {
    if (!this.isLong) this.#longSince = undefined
    else this.#longSince ??= now
  }

  #tables(rawBytes: number, records: number, logBytes: number): number {
    return Math.max(rawBytes / this.#limits.bytes, records / this.#limits.records, logBytes / this.#limits.logBytes)
  }
}
