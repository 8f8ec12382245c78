/**
 * Keys that are followed: one row of numbers each, found by 64 bits of hash.
 *
 * Owns: the rows. Does not own: which keys are followed, what the numbers mean beyond the fields named here.
 * Invariants: rows lie without gaps from 0 to `count`; memory is ROW_FIELDS doubles a row and as many places of the index again as rows fit.
 */

/** Followed for spans of so many intervals at once; the first is the epoch itself. */
export const FACTORS = [1, 2, 4, 8] as const

export const HASH = 0
const HASH_2 = 1
export const RECORDS = 2
export const BYTES = 3
/** Of the last record. */
export const LAST_BYTES = 4
export const PRINT = 5
export const REDUNDANT = 6
export const REDUNDANT_BYTES = 7
/** What a key that is not in the sample is kept by. */
export const CREDIT = 8
/** Of each factor: number of the last span with a record of it, spans with one, bytes of the last record in each of them. */
export const SPAN = 9
export const SPANS = SPAN + FACTORS.length
export const SPAN_BYTES = SPANS + FACTORS.length
export const ROW_FIELDS = SPAN_BYTES + FACTORS.length

const ROWS_FIRST = 64
const EMPTY = -1

export class KeyTable {
  rows = new Float64Array(ROWS_FIRST * ROW_FIELDS)
  count = 0
  #index = new Int32Array(2 * ROWS_FIRST).fill(EMPTY)

  /** Where the row of the key begins in `rows`; a new one is zeros behind its hashes. */
  find(hash: number, hash2: number): number {
    const mask = this.#index.length - 1
    let at = (hash2 ^ (hash >>> 7)) & mask
    for (;;) {
      const row = this.#index[at] as number
      if (row === EMPTY) break
      const from = row * ROW_FIELDS
      if (this.rows[from] === hash && this.rows[from + HASH_2] === hash2) return from
      at = (at + 1) & mask
    }
    if ((this.count + 1) * ROW_FIELDS > this.rows.length) {
      const grown = new Float64Array(2 * this.rows.length)
      grown.set(this.rows)
      this.rows = grown
      this.#reindex()
      return this.find(hash, hash2)
    }
    const from = this.count * ROW_FIELDS
    this.rows[from] = hash
    this.rows[from + HASH_2] = hash2
    for (let field = 0; field < FACTORS.length; field++) this.rows[from + SPAN + field] = EMPTY
    this.#index[at] = this.count++
    return from
  }

  /** Keeps the rows that `stays` wants; those it does not want have been offered to it, and are gone after it. */
  sieve(stays: (from: number) => boolean): void {
    let kept = 0
    for (let row = 0; row < this.count; row++) {
      const from = row * ROW_FIELDS
      if (!stays(from)) continue
      if (kept !== row) this.rows.copyWithin(kept * ROW_FIELDS, from, from + ROW_FIELDS)
      kept++
    }
    this.rows.fill(0, kept * ROW_FIELDS, this.count * ROW_FIELDS)
    this.count = kept
    this.#reindex()
  }

  /** Takes the row over that begins at `from` of another table. */
  adopt(rows: Float64Array, from: number): number {
    const to = this.find(rows[from] as number, rows[from + HASH_2] as number)
    this.rows.set(rows.subarray(from, from + ROW_FIELDS), to)
    return to
  }

  #reindex(): void {
    const places = (2 * this.rows.length) / ROW_FIELDS
    if (this.#index.length !== places) this.#index = new Int32Array(places)
    this.#index.fill(EMPTY)
    const mask = places - 1
    for (let row = 0; row < this.count; row++) {
      const from = row * ROW_FIELDS
      const hash = this.rows[from] as number
      let at = ((this.rows[from + HASH_2] as number) ^ (hash >>> 7)) & mask
      while (this.#index[at] !== EMPTY) at = (at + 1) & mask
      this.#index[at] = row
    }
  }
}
