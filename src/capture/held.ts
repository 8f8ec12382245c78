/**
 * Objects that were evicted and that somebody may still hold.
 *
 * What: a weak reference per evicted object, so that a get gives the same object for as long as anybody has it.
 * Owns: the references. Does not own: which keys are cold; a key that is written or comes home is taken out by its owner.
 * Invariants: spread over pieces, so that no growth is a pause; dead references are found by a hand that walks the pieces a few steps at a
 * time, because finalizers would come in bursts of the collector's choosing.
 */
import type { Key } from '../codec/index.ts'
import { hashKey } from './pieces.ts'

const PIECES = 256

export class Held {
  size = 0
  /** From the first one on: most stores evict nothing, and may have very many collections. */
  #pieces: (Map<Key, WeakRef<object>> | undefined)[] | undefined
  #at = 0
  #hand: Iterator<[Key, WeakRef<object>]> | undefined

  keep(key: Key, object: object): void {
    const place = hashKey(key) & (PIECES - 1)
    this.#pieces ??= new Array(PIECES).fill(undefined)
    let piece = this.#pieces[place]
    if (piece === undefined) {
      piece = new Map()
      this.#pieces[place] = piece
    }
    const before = piece.size
    piece.set(key, new WeakRef(object))
    this.size += piece.size - before
  }

  /** The object of this key, when it lives. */
  peek(key: Key): object | undefined {
    return this.size === 0 ? undefined : this.#pieces?.[hashKey(key) & (PIECES - 1)]?.get(key)?.deref()
  }

  forget(key: Key): void {
    if (this.size > 0 && this.#pieces?.[hashKey(key) & (PIECES - 1)]?.delete(key) === true) this.size--
  }

  /** Looks at so many references and drops the dead ones. */
  sweep(steps: number): void {
    if (this.#pieces === undefined) return
    for (let left = Math.min(steps, this.size + PIECES); left > 0; left--) {
      this.#hand ??= this.#pieces[this.#at]?.entries()
      const result = this.#hand?.next()
      if (result === undefined || result.done === true) {
        this.#hand = undefined
        this.#at = (this.#at + 1) & (PIECES - 1)
      } else if (result.value[1].deref() === undefined) this.forget(result.value[0])
    }
  }
}
