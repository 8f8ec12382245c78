/**
 * How many keys a second are written, as far as looks can tell: by how much the lists of changed keys have grown.
 *
 * Owns: what was listed when that was last seen. Does not own: the lists, what is made of the rate.
 * Invariant: a key that is listed still, or again, counts once: what a barrier leaves out goes on being listed, and what a void or a failed epoch
 * gives back was counted when it was written.
 */
import type { Changed } from './types.ts'

export class Written {
  /** Keys a second. */
  rate = 0
  /** Since the look before; 0 where they are not counted. */
  keys = 0
  /** Listed at the last look or since the barrier, and what came before a barrier since the look. */
  #listed = 0
  #before = 0

  /** `ms`: since the last look. */
  look(ms: number, changed: readonly Changed[], counted: boolean): void {
    const listed = keysOf(changed)
    this.keys = counted ? this.#before + Math.max(0, listed - this.#listed) : 0
    // Where keys are not counted any more, they are written as before.
    if (counted) this.rate = (this.keys * 1000) / ms
    this.#before = 0
    this.#listed = listed
  }

  /** The barrier falls: the lists begin anew. */
  cut(changed: readonly Changed[]): void {
    this.#before += Math.max(0, keysOf(changed) - this.#listed)
    this.#listed = 0
  }

  /** The barrier that has just fallen leaves this out: it is listed still. */
  leaves(changed: readonly Changed[]): void {
    this.#listed = keysOf(changed)
  }

  /** What a barrier took is listed again. Until it is seen, nobody knows how much of that is new. */
  givenBack(): void {
    this.#listed = Number.POSITIVE_INFINITY
  }
}

export function keysOf(changed: readonly Changed[]): number {
  return changed.reduce((sum, { keys }) => sum + keys, 0)
}
