/**
 * Keys that matter until the stored state holds an epoch: those written or deleted since.
 *
 * What: two generations. The younger takes every key; a barrier closes it, unless one is closed already; it is dropped whole when the stored
 * state holds the epoch of that barrier.
 * Owns: the keys. Does not own: what membership means, when the stored state is exchanged.
 * Invariants: a key that was added before the barrier of epoch E, and not taken out, is there until the stored state holds E; where the cut of
 * E was lost, until it holds the epoch of the barrier that falls next: E itself may be repeated without these keys. A key stays longer
 * than it has to by one closed generation at most: what was added up to the newest barrier goes with its epoch even when no barrier follows.
 */
import type { Key } from '../codec/index.ts'
import { KeySet } from './key-set.ts'

/** Of a generation whose barrier is void. Beyond every epoch. */
const UNKNOWN = Number.POSITIVE_INFINITY

export class Generations {
  #open = new KeySet()
  #closed: { epoch: number; readonly keys: KeySet } | undefined
  #newest = 0
  /** The newest barrier, when nothing was added since. */
  #quietSince: number | undefined

  add(key: Key): void {
    this.#open.add(key)
    this.#quietSince = undefined
  }

  delete(key: Key): void {
    this.#open.delete(key)
    this.#closed?.keys.delete(key)
  }

  has(key: Key): boolean {
    return this.#open.has(key) || this.#closed?.keys.has(key) === true
  }

  /** Keys of both generations; one that is in both counts twice. */
  get size(): number {
    return this.#open.size + (this.#closed?.keys.size ?? 0)
  }

  /** A barrier falls that ends this epoch. */
  barrier(epoch: number): void {
    this.#newest = this.#quietSince = epoch
    if (this.#closed?.epoch === UNKNOWN) this.#closed.epoch = epoch
    if (this.#closed !== undefined || this.#open.size === 0) return
    this.#closed = { epoch, keys: this.#open }
    this.#open = new KeySet()
  }

  /** The cut of the newest barrier is lost: what it was to bring into the stored state comes with a later barrier, of whatever epoch. */
  lost(): void {
    if (this.#closed?.epoch === this.#newest) this.#closed.epoch = UNKNOWN
    this.#quietSince = undefined
  }

  /** The stored state holds every epoch up to `through`, all of them acknowledged. True when keys were dropped. */
  held(through: number): boolean {
    const { size } = this
    if (this.#closed !== undefined && this.#closed.epoch <= through) this.#closed = undefined
    if (this.#quietSince !== undefined && this.#quietSince <= through && this.#open.size > 0) this.#open = new KeySet()
    return this.size < size
  }
}
