/**
 * The most and the least of a list, however long: as arguments of one call, as `Math.max(...list)` passes it, a list of some 100,000 exceeds the stack.
 */

/** The most that `of` says of an item, and no less than `floor`, which is the answer for an empty list. Default -Infinity, as of `Math.max`. */
export function mostOf<T>(items: Iterable<T>, of: (item: T) => number, floor = Number.NEGATIVE_INFINITY): number {
  let most = floor
  for (const item of items) most = Math.max(most, of(item))
  return most
}

/** The least that `of` says of an item; Infinity for an empty list, as of `Math.min`. */
export function leastOf<T>(items: Iterable<T>, of: (item: T) => number): number {
  let least = Number.POSITIVE_INFINITY
  for (const item of items) least = Math.min(least, of(item))
  return least
}
