/**
 * Files that retained manifests stand on, in memory for one entry a file, however many manifests name it.
 *
 * Owns: between which manifests each file is named. Does not own: reading them, which are retained.
 * Invariant: a file that one of them names is had for as long as that one is kept. A file is named by neighbours; where one between two that name
 * it does without, it counts for that one, too: too long never harms.
 */
export class RetainedNames {
  /** By name: the first and the last manifest that names it. */
  readonly #spans = new Map<string, { first: number; last: number }>()
  /** Those that were read. */
  readonly #known = new Set<number>()

  knows(number: number): boolean {
    return this.#known.has(number)
  }

  has(file: string): boolean {
    return this.#spans.has(file)
  }

  /** `files` undefined: it cannot be read now, and is to be looked at again. */
  add(number: number, files: Iterable<string> | undefined): void {
    if (files === undefined) return
    this.#known.add(number)
    for (const file of files) {
      const span = this.#spans.get(file)
      if (span === undefined) this.#spans.set(file, { first: number, last: number })
      else {
        span.first = Math.min(span.first, number)
        span.last = Math.max(span.last, number)
      }
    }
  }

  /** Only these are kept; `numbers` rise. What none of them names is forgotten. */
  keep(numbers: readonly number[]): void {
    const kept = new Set(numbers)
    let dropped = false
    for (const number of this.#known) if (!kept.has(number)) dropped = this.#known.delete(number) || dropped
    if (!dropped) return
    const known = numbers.filter(number => this.#known.has(number))
    for (const [file, { first, last }] of this.#spans) {
      const next = known[firstAtLeast(known, first)]
      if (next === undefined || next > last) this.#spans.delete(file)
    }
  }
}

/** Where the first of them stands that is no smaller; they rise. */
function firstAtLeast(numbers: readonly number[], least: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((numbers[middle] as number) < least) low = middle + 1
    else high = middle
  }
  return low
}
