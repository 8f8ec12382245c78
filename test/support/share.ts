/**
 * How much a soak, a sweep or a random program does: the whole, or about a third where the whole has passed on another Node.js and this run
 * proves that one behaves alike (`--again` of scripts/test.mjs, which alone sets the variable).
 */
/** From one case of a sweep to the next. */
export const STRIDE = process.env['TIDEMARK_TEST_AGAIN'] === undefined ? 1 : 3

/** So many of a number, one at least. */
export function share(count: number): number {
  return Math.ceil(count / STRIDE)
}

/** Each, or each third from the first on. */
export function sweep<T>(cases: readonly T[]): readonly T[] {
  return cases.filter((_, at) => at % STRIDE === 0)
}
