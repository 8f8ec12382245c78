/**
 * What a manifest says of the keys of segments: so much of each that it stays small, and enough to tell what a segment cannot hold (RFC 0006, 3.1).
 *
 * Owns nothing. Invariants: the key of an end lies from the end as it is up to `highest` of it; a key of MANIFEST_KEY_BYTES_MAX bytes or fewer
 * stands whole.
 */
import { MANIFEST_KEY_BYTES_MAX } from '../base/limits.ts'
import type { Place, SegmentEnd, SegmentEntry } from './manifest-types.ts'

const DIGITS_MAX = 2 * MANIFEST_KEY_BYTES_MAX

/** The entry as a manifest names it; what is cut already, or need not be, is as it was. */
export function cutEnds(entry: SegmentEntry): SegmentEntry {
  const { first, last } = entry
  if (first.key.length <= DIGITS_MAX && last.key.length <= DIGITS_MAX) return entry
  return { ...entry, first: cutEnd(first), last: cutEnd(last) }
}

function cutEnd(end: SegmentEnd): SegmentEnd {
  const { collection, key } = end
  return key.length <= DIGITS_MAX ? end : { collection, key: beginning(key, DIGITS_MAX), cut: true }
}

/** Not below the key of the end: compares as a place does and is none, for it lies above all keys that begin so. */
export function highest(end: SegmentEnd): Place {
  // Behind all hex digits.
  return end.cut === true ? { collection: end.collection, key: `${end.key}~` } : end
}

/** Whether `place`, whole, may be what the end was cut from, or is what it says. */
export function isEnd(end: SegmentEnd, place: Place): boolean {
  if (end.collection !== place.collection) return false
  return end.cut === true ? place.key.length > end.key.length && place.key.startsWith(end.key) : place.key === end.key
}

/** Where a range starts that holds `first` and what follows, and not `last`, the place before it; both whole. */
export function startBetween(last: Place, first: Place): Place {
  const { collection, key } = first
  if (key.length <= DIGITS_MAX) return { collection, key }
  if (last.collection !== collection) return { collection, key: '' }
  let common = 0
  while (common < last.key.length && last.key[common] === key[common]) common++
  // Up to the first byte that differs, with both of its digits.
  return { collection, key: beginning(key, common - (common % 2) + 2) }
}

/** A copy: part of a text keeps all of it in memory. */
function beginning(key: string, digits: number): string {
  return Buffer.from(key.slice(0, digits), 'latin1').toString('latin1')
}
