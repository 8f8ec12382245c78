/** Waiting before what failed is tried again. */
const FIRST_MS = 1000
const MOST_MS = 60_000

/** How long, after so many failures in a row before this one: twice as long each time. */
export function backOffMs(before: number): number {
  return Math.min(FIRST_MS * 2 ** before, MOST_MS)
}
