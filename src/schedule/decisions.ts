/**
 * What was decided of late.
 *
 * Owns: a ring of decisions. Does not own: the decisions, who is told.
 * Invariants: bounded by DECISIONS_KEPT; a decision like the one before it is counted there instead of taking a place, so that an ordinary
 * day does not push out what was not ordinary.
 */
import { DECISIONS_KEPT } from '../base/limits.ts'
import type { StoredDecision } from '../format/index.ts'
import type { Decision } from './types.ts'

export class Decisions {
  #list: StoredDecision[] = []
  /** Rises with every decision. */
  made = 0

  /** Newest last. */
  list(): readonly StoredDecision[] {
    return [...this.#list]
  }

  add({ time, type, reason, numbers }: Decision): void {
    this.made++
    const last = this.#list.at(-1)
    // An RPO is known by its length: there is that of the store, and those of critical collections.
    const isLike = last?.type === type && last.reason === reason && last.numbers['rpoMsMax'] === numbers['rpoMsMax']
    if (last !== undefined && isLike) {
      this.#list[this.#list.length - 1] = { ...last, numbers, times: last.times + 1, until: time }
      return
    }
    this.#list.push({ time, type, reason, numbers, times: 1, until: time })
    if (this.#list.length > DECISIONS_KEPT) this.#list.shift()
  }

  /** Those of earlier runs come before what was decided since. */
  remember(earlier: readonly StoredDecision[]): void {
    this.#list = [...earlier, ...this.#list].slice(-DECISIONS_KEPT)
  }
}
