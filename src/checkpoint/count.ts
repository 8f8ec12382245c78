/**
 * Counts what a commit says of its entries: how many of the keys that were set without a look were stored before.
 *
 * Does: asks the cold side, a key at a time, between the capture and the commit. Owns: how far it has come.
 * Invariants: it asks about the state before the epoch, which the cold side goes on showing. Where damage keeps that from saying, a key counts
 * as new: the count of entries is an upper bound then, for one that is too low would hide entries; and no damage keeps a commit from being made,
 * nor does a block that the device does not give back, however often it is asked.
 */
import { hasCode } from '../base/errors.ts'
import { type Capture, type Cold, isUnread } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { mayStayUnread } from '../storage/index.ts'

export class Count {
  /** By incarnation: keys that existed. */
  readonly existed = new Map<number, number>()
  total = 0
  asked = 0
  /** Keys of which the device says nothing. */
  unread = 0
  readonly #givesUp: boolean
  readonly #steps: Generator<undefined, undefined, undefined>

  /** `givesUp`: what the device failed to read is not tried again. */
  constructor(capture: Capture, givesUp: boolean) {
    this.#givesUp = givesUp
    this.#steps = this.#walk(capture)
  }

  /** True when all is counted; false when the time is up. */
  run(expired: () => boolean): boolean {
    while (this.#steps.next().done !== true) if (expired()) return false
    return true
  }

  *#walk(capture: Capture): Generator<undefined, undefined, undefined> {
    for (const { id, cold, keys } of capture.unresolved()) {
      let existed = 0
      for (const piece of keys.flatMap(set => set.pieces())) {
        for (const key of piece.keys()) {
          if (this.#existedIn(cold, key)) existed++
          yield undefined
        }
      }
      this.existed.set(id, existed)
      this.total += existed
    }
    capture.resolved(this.existed)
    return undefined
  }

  /**
   * @throws TIDEMARK_STORAGE: it can be tried again. What is damaged, or cannot be decompressed by this runtime, stays so: the record that is being
   * written takes its place
   */
  #existedIn(cold: Cold, key: Key): boolean {
    this.asked++
    try {
      return cold.has(key)
    } catch (error) {
      if (this.#givesUp && mayStayUnread(error)) this.unread++
      else if (hasCode(error, 'TIDEMARK_STORAGE') || !isUnread(error)) throw error
      return false
    }
  }
}
