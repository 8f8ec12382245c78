/**
 * Follows keys of one collection in bounded memory: which are written how often, and again within how many intervals.
 *
 * Does: follows every key while it may; then those whose hash lies below a limit, which is halved whenever asked. A key that is followed is
 * followed from its first record, so its numbers are exact, and a sum over the sample is an estimate with a known error. A few keys make
 * most records where writing is skewed, and chance would take them or not: so keys that fall out of the sample, and others while they are
 * frequent, are held (Misra and Gries, 1982, in batches); a held key is missing `#given` records at most, which is at most 1 / HELD_MAX of all.
 * Owns: the tables. Does not own: what is done about memory over all collections (profiler.ts), spans.
 * Invariants: a key is in one table at most; `limit` falls only; the held table has at most 2 * HELD_MAX rows.
 */
import { PROFILE_HELD_KEYS_MAX } from '../base/limits.ts'
import {
  BYTES,
  CREDIT,
  FACTORS,
  HASH,
  KeyTable,
  LAST_BYTES,
  PRINT,
  RECORDS,
  REDUNDANT,
  REDUNDANT_BYTES,
  ROW_FIELDS,
  SPAN,
  SPAN_BYTES,
  SPANS,
} from './key-table.ts'
import type { Spans } from './spans.ts'

const HASHES = 2 ** 32
/** A key counts as heavy from so many times the records a held one may be missing. */
const HEAVY_TIMES = 4
const HEAVY_RECORDS_MIN = 16

/** A number with what may be wrong with it: one standard error, in its unit. */
export interface Estimate {
  readonly value: number
  readonly error: number
}

export interface Estimates {
  readonly distinct: Estimate
  /** Records, of all, with the same bytes as the one before of their key; and their bytes. */
  readonly redundant: Estimate
  readonly redundantBytes: Estimate
  /** By factor: what is left with the last record of a key in each span. */
  readonly merged: readonly { readonly records: Estimate; readonly bytes: Estimate }[]
}

/** Keys of so many records each. */
export interface Weight {
  readonly records: number
  readonly bytes: number
  readonly keys: number
}

export interface HotKeys {
  readonly keys50: number
  readonly keys90: number
  readonly bytes90: number
  /** Of all keys. */
  readonly bytes: number
}

export class KeySample {
  /** Keys with a hash below it are in the sample. */
  #limit = HASHES
  #records = 0
  #bytes = 0
  readonly #sample = new KeyTable()
  readonly #held = new KeyTable()
  readonly #heldMax: number
  /** Taken from each held key so far. */
  #given = 0

  constructor(heldMax = PROFILE_HELD_KEYS_MAX) {
    this.#heldMax = heldMax
  }

  get sampledKeys(): number {
    return this.#sample.count
  }

  /** For tests. */
  get heldKeys(): number {
    return this.#held.count
  }

  /** Share of all keys. */
  get share(): number {
    return this.#limit / HASHES
  }

  /** One record. `print`: of kind and value. What keys of the sample say of the spans under way goes into `spans`. */
  add(hash: number, hash2: number, bytes: number, print: number, spans: Spans): void {
    this.#records++
    this.#bytes += bytes
    if (hash < this.#limit) {
      count(this.#sample, this.#sample.find(hash, hash2), bytes, print, spans, 1 / this.share)
      return
    }
    const from = this.#held.find(hash, hash2)
    const { rows } = this.#held
    rows[from + CREDIT] = (rows[from + CREDIT] as number) + 1
    count(this.#held, from, bytes, print, spans, 0)
    if (this.#held.count >= 2 * this.#heldMax) this.#pruneHeld()
  }

  /** Half as many keys. Those that fall out are held while they are frequent. */
  halve(): void {
    this.#limit = Math.floor(this.#limit / 2)
    const { rows } = this.#sample
    this.#sample.sieve(from => {
      if ((rows[from + HASH] as number) < this.#limit) return true
      const to = this.#held.adopt(rows, from)
      this.#held.rows[to + CREDIT] = rows[from + RECORDS] as number
      if (this.#held.count >= 2 * this.#heldMax) this.#pruneHeld()
      return false
    })
  }

  /** Takes from every key the credit of the one that is HELD_MAX-th; whoever has none left goes. */
  #pruneHeld(): void {
    const { rows, count: held } = this.#held
    const credits = new Float64Array(held)
    for (let row = 0; row < held; row++) credits[row] = rows[row * ROW_FIELDS + CREDIT] as number
    credits.sort()
    const least = credits[held - this.#heldMax] as number
    this.#given += least
    this.#held.sieve(from => {
      rows[from + CREDIT] = (rows[from + CREDIT] as number) - least
      return (rows[from + CREDIT] as number) > 0
    })
  }

  /** Records from which a key is heavy; Infinity when every key is followed. */
  get #heavy(): number {
    return this.share === 1 ? Number.POSITIVE_INFINITY : Math.max(HEAVY_RECORDS_MIN, HEAVY_TIMES * this.#given)
  }

  /** Calls for every heavy key, and for every other one of the sample. */
  #each(heavy: (rows: Float64Array, from: number) => void, other: (rows: Float64Array, from: number) => void): void {
    const least = this.#heavy
    for (const table of [this.#sample, this.#held]) {
      for (let from = 0; from < table.count * ROW_FIELDS; from += ROW_FIELDS) {
        if ((table.rows[from + RECORDS] as number) >= least) heavy(table.rows, from)
        else if (table === this.#sample) other(table.rows, from)
      }
    }
  }

  #distinct(): Estimate {
    let heavy = 0
    let others = 0
    this.#each(
      () => heavy++,
      () => others++,
    )
    const { share } = this
    return { value: heavy + others / share, error: Math.sqrt(others * (1 - share)) / share }
  }

  estimates(): Estimates {
    const records = (field: number): Estimate => this.#sum(field, RECORDS, this.#records)
    const bytes = (field: number): Estimate => this.#sum(field, BYTES, this.#bytes)
    return {
      distinct: this.#distinct(),
      redundant: records(REDUNDANT),
      redundantBytes: bytes(REDUNDANT_BYTES),
      merged: FACTORS.map((_, index) => ({ records: records(SPANS + index), bytes: bytes(SPAN_BYTES + index) })),
    }
  }

  /** Of a field over all keys: what the heavy ones have, and what the others have for a unit of `by`, of which there is `total` in all. */
  #sum(field: number, by: number, total: number): Estimate {
    let heavy = 0
    let heavyBy = 0
    let sum = 0
    let sumBy = 0
    this.#each(
      (rows, from) => {
        heavy += rows[from + field] as number
        heavyBy += rows[from + by] as number
      },
      (rows, from) => {
        sum += rows[from + field] as number
        sumBy += rows[from + by] as number
      },
    )
    if (sumBy === 0) return { value: heavyBy === 0 ? 0 : (heavy * total) / heavyBy, error: 0 }
    const ratio = sum / sumBy
    const rest = total - heavyBy
    let squares = 0
    this.#each(
      () => {},
      (rows, from) => {
        squares += ((rows[from + field] as number) - ratio * (rows[from + by] as number)) ** 2
      },
    )
    return { value: heavy + rest * ratio, error: (rest * Math.sqrt((1 - this.share) * squares)) / sumBy }
  }

  /** For `hottest`. */
  weights(): Weight[] {
    const found: Weight[] = []
    const add = (keys: number) => (rows: Float64Array, from: number) => {
      found.push({ records: rows[from + RECORDS] as number, bytes: rows[from + LAST_BYTES] as number, keys })
    }
    this.#each(add(1), add(1 / this.share))
    return found
  }
}

/** The fewest keys that make half, and nine tenths, of the records. Sorts `weights`. */
export function hottest(weights: Weight[]): HotKeys {
  weights.sort((a, b) => b.records - a.records)
  const total = weights.reduce((sum, { records, keys }) => sum + records * keys, 0)
  let seen = 0
  let count = 0
  let bytes = 0
  let keys50 = 0
  for (const { records, bytes: each, keys } of weights) {
    if (records === 0) break
    // Of an entry that stands for many keys only as many as it takes.
    const missing = (0.9 * total - seen) / records
    const taken = Math.min(keys, Math.max(0, missing))
    if (keys50 === 0 && seen + records * keys >= total / 2) keys50 = count + Math.max(0, (total / 2 - seen) / records)
    seen += records * taken
    count += taken
    bytes += each * taken
    if (missing <= keys) break
  }
  const last = weights.reduce((sum, weight) => sum + weight.bytes * weight.keys, 0)
  const whole = (keys: number): number => Math.max(0, Math.ceil(keys - 1e-6))
  return { keys50: whole(keys50), keys90: whole(count), bytes90: Math.round(bytes), bytes: Math.round(last) }
}

/** `weight`: how many keys this one stands for in the spans. */
function count({ rows }: KeyTable, from: number, bytes: number, print: number, spans: Spans, weight: number): void {
  const before = rows[from + LAST_BYTES] as number
  if ((rows[from + RECORDS] as number) > 0 && before === bytes && rows[from + PRINT] === print) {
    rows[from + REDUNDANT] = (rows[from + REDUNDANT] as number) + 1
    rows[from + REDUNDANT_BYTES] = (rows[from + REDUNDANT_BYTES] as number) + bytes
  }
  rows[from + RECORDS] = (rows[from + RECORDS] as number) + 1
  rows[from + BYTES] = (rows[from + BYTES] as number) + bytes
  rows[from + LAST_BYTES] = bytes
  rows[from + PRINT] = print
  const { numbers, bytes: inSpan, left } = spans
  for (let factor = 0; factor < FACTORS.length; factor++) {
    const span = numbers[factor] as number
    const again = rows[from + SPAN + factor] === span
    const more = bytes - (again ? before : 0)
    if (!again) rows[from + SPANS + factor] = (rows[from + SPANS + factor] as number) + 1
    rows[from + SPAN + factor] = span
    rows[from + SPAN_BYTES + factor] = (rows[from + SPAN_BYTES + factor] as number) + more
    inSpan[factor] = (inSpan[factor] as number) + weight * bytes
    left[factor] = (left[factor] as number) + weight * more
  }
}
