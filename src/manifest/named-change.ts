/**
 * What a manifest names, told as the difference from what was told before: at 100 GB the lists have thousands of entries, and the main thread reads what it
 * is sent in one turn.
 *
 * Owns, at the end that is told, the lists. Does not own: how changes get there.
 * Invariants: the first change is made from nothing, so it is whole; each is taken once, in the order in which they were made: a list that missed one would
 * name what does not stand, so that is a broken invariant.
 */
import { assert } from '../base/errors.ts'
import type { BaseRange, Manifest, NamedSegments, SegmentEntry } from '../format/index.ts'

/** From `at` on so many are gone, and these stand in their place. */
interface ListChange<T> {
  readonly at: number
  readonly gone: number
  readonly come: readonly T[]
}

export interface NamedChange {
  /** The first is 1. */
  readonly sequence: number
  readonly young: ListChange<SegmentEntry>
  readonly base: ListChange<BaseRange>
  readonly fold: NamedSegments['fold']
}

/** `before`: of the change before this one. What both name as the very same object is not told again. */
export function namedChange(sequence: number, before: Manifest | undefined, { young, base, fold }: Manifest): NamedChange {
  return {
    sequence,
    young: listChange(before?.young ?? [], young),
    base: listChange(before?.base ?? [], base),
    fold: fold === null ? null : { epoch: fold.epoch },
  }
}

function listChange<T>(before: readonly T[], after: readonly T[]): ListChange<T> {
  const most = Math.min(before.length, after.length)
  let at = 0
  while (at < most && before[at] === after[at]) at++
  let behind = 0
  while (behind < most - at && before[before.length - 1 - behind] === after[after.length - 1 - behind]) behind++
  return { at, gone: before.length - behind - at, come: after.slice(at, after.length - behind) }
}

/** At the end that is told. */
export class Named {
  #sequence = 0
  #segments: NamedSegments = { young: [], base: [], fold: null }

  /** What is named now. */
  take({ sequence, young, base, fold }: NamedChange): NamedSegments {
    assert(sequence === this.#sequence + 1, 'what a manifest names is told without a gap')
    this.#segments = { young: changed(this.#segments.young, young), base: changed(this.#segments.base, base), fold }
    this.#sequence = sequence
    return this.#segments
  }
}

function changed<T>(list: readonly T[], { at, gone, come }: ListChange<T>): readonly T[] {
  assert(at + gone <= list.length, 'a change is of the list that is there')
  return gone === 0 && come.length === 0 ? list : [...list.slice(0, at), ...come, ...list.slice(at + gone)]
}
