/**
 * The looking over of a transaction: everything written is encoded, so that a value that cannot be stored is refused at its end. That calls codecs, which
 * may write themselves.
 *
 * Owns: what codecs wrote meanwhile and still waits. Does not own: the keys of the transaction, and how one is encoded (undo.ts).
 * Invariants: what is written meanwhile is looked over, too, in rounds: each takes what was written in the one before; where that goes on and on it is
 * refused, by what waits as well as by what was done.
 */
import { VALIDATIONS_MORE_MAX, VALIDATIONS_MORE_TIMES } from '../base/limits.ts'
import { endless } from './transaction-refusals.ts'
import type { Undo } from './undo.ts'

export class Validation {
  readonly #validate: (undo: Undo) => void
  /** In this round, by codecs. */
  #written = new Set<Undo>()
  /** Of this round, not looked at yet. */
  #waiting = new Set<Undo>()
  #made = 0
  #most = Number.POSITIVE_INFINITY

  constructor(validate: (undo: Undo) => void) {
    this.#validate = validate
  }

  /** By a codec, meanwhile. */
  wrote(undo: Undo): void {
    this.#written.add(undo)
  }

  /** The key is about to go. What goes need not be looked at, and waits for nothing. */
  goes(undo: Undo): void {
    this.#written.delete(undo)
    this.#waiting.delete(undo)
  }

  /** @throws what `validate` throws; TIDEMARK_VALUE_REFUSED where this would never end */
  look(undo: Undo): void {
    if (!undo.mayCount) return
    this.#made++
    // What waits comes to it as well: each call may have written many. Some of it went meanwhile with all that its collection held.
    if (this.#isTooMuch()) {
      for (const waiting of [this.#waiting, this.#written]) for (const other of waiting) if (!other.mayCount) waiting.delete(other)
      if (this.#isTooMuch()) throw endless(undo.collection.name)
    }
    this.#validate(undo)
  }

  /** What codecs wrote while all others were looked at, and so on. @throws as `look` */
  lookAtWritten(): void {
    for (let round = 1; this.#written.size > 0; round++) {
      this.#waiting = this.#written
      this.#written = new Set()
      for (const undo of this.#waiting) {
        this.#waiting.delete(undo)
        this.look(undo)
      }
      if (round === 1) this.#most = this.#made + VALIDATIONS_MORE_MAX + VALIDATIONS_MORE_TIMES * this.#made
    }
  }

  #isTooMuch(): boolean {
    return this.#made + this.#waiting.size + this.#written.size > this.#most
  }
}
