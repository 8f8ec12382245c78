/**
 * The order of a table's places, found in steps.
 *
 * What: a merge sort from the bottom up over the numbers of records. Keys of one collection often begin alike, so that the six bytes behind
 * what all of them share are kept as a number, and most pairs are told apart without a look at the keys.
 * Owns: the arrays of the sort. Does not own: the records; they must not change before it is done.
 * Invariants: between two chances to stop at most STRIDE records are looked at or moved; places are distinct, so the order is the only one.
 */
import { compareBytes } from '../format/index.ts'

/** The places of a table; of record `at` for `at` < `count`. */
export interface Places {
  readonly count: number
  readonly collection: Uint32Array
  readonly keyStart: Uint32Array
  readonly keyEnd: Uint32Array
  bytesOf(at: number): Uint8Array
}

/** Records between two chances to stop. */
export const STRIDE = 32
/** Records put in order by insertion; longer runs are merged. */
const RUN_RECORDS = 8
/** As many as a number holds exactly. */
const HEAD_BYTES = 6

/** Yields at every chance to stop; returns the numbers of the records in the order of their places. */
export function* sortPlaces(places: Places): Generator<undefined, Uint32Array, undefined> {
  const { count } = places
  const shared = yield* sharedBytes(places)
  const head = new Float64Array(count)
  let from = new Uint32Array(count)
  for (let at = 0; at < count; at++) {
    from[at] = at
    head[at] = headOf(places, at, shared.get(places.collection[at] as number) as number)
    if (at % STRIDE === STRIDE - 1) yield
  }
  const sort = new Sort(places, head, shared)
  for (let low = 0; low < count; low += RUN_RECORDS) {
    sort.insert(from, low, Math.min(low + RUN_RECORDS, count))
    if (low % STRIDE === 0) yield
  }
  let to = new Uint32Array(count)
  for (let width = RUN_RECORDS; width < count; width *= 2) {
    for (let low = 0; low < count; low += 2 * width) {
      const middle = Math.min(low + width, count)
      const high = Math.min(low + 2 * width, count)
      let left = low
      for (let at = low; at < high; ) {
        // Up to the next multiple of STRIDE, counted over all pairs of runs.
        const until = Math.min(high, at - (at % STRIDE) + STRIDE)
        left = sort.merge(from, to, left, middle, high, at, until)
        at = until
        if (at % STRIDE === 0) yield
      }
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** How many bytes all keys of a collection begin with alike, for each collection. */
function* sharedBytes(places: Places): Generator<undefined, Map<number, number>, undefined> {
  const { count, collection, keyStart, keyEnd } = places
  /** The first record of each collection. */
  const first = new Map<number, number>()
  const shared = new Map<number, number>()
  for (let at = 0; at < count; at++) {
    const id = collection[at] as number
    const one = first.get(id)
    const start = keyStart[at] as number
    const length = (keyEnd[at] as number) - start
    if (one === undefined) {
      first.set(id, at)
      shared.set(id, length)
    } else {
      const known = shared.get(id) as number
      const alike = alikeBytes(places.bytesOf(one), keyStart[one] as number, places.bytesOf(at), start, Math.min(known, length))
      if (alike < known) shared.set(id, alike)
    }
    if (at % STRIDE === STRIDE - 1) yield
  }
  return shared
}

function alikeBytes(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, most: number): number {
  let alike = 0
  while (alike < most && a[aStart + alike] === b[bStart + alike]) alike++
  return alike
}

/** The six bytes of the key behind the first `skip`, zeros behind its end: where two differ, the keys differ alike. */
function headOf(places: Places, at: number, skip: number): number {
  const bytes = places.bytesOf(at)
  const start = (places.keyStart[at] as number) + skip
  const end = Math.min(start + HEAD_BYTES, places.keyEnd[at] as number)
  let head = 0
  for (let byte = start; byte < end; byte++) head = head * 256 + (bytes[byte] as number)
  return head * 256 ** (HEAD_BYTES - (end - start))
}

class Sort {
  readonly #places: Places
  readonly #collection: Uint32Array
  readonly #head: Float64Array
  readonly #shared: ReadonlyMap<number, number>

  constructor(places: Places, head: Float64Array, shared: ReadonlyMap<number, number>) {
    this.#places = places
    this.#collection = places.collection
    this.#head = head
    this.#shared = shared
  }

  insert(order: Uint32Array, low: number, high: number): void {
    for (let next = low + 1; next < high; next++) {
      const one = order[next] as number
      let at = next
      for (; at > low && this.#before(one, order[at - 1] as number); at--) order[at] = order[at - 1] as number
      order[at] = one
    }
  }

  /** Fills `to` from `at` up to `until` with what comes next of two runs, [.., middle) and [middle, high). Returns the place in the left one. */
  merge(from: Uint32Array, to: Uint32Array, start: number, middle: number, high: number, at: number, until: number): number {
    let left = start
    // As many are left to be given as both runs still hold.
    let right = at + (middle - left)
    for (let next = at; next < until; next++) {
      const takeLeft = left < middle && (right >= high || this.#before(from[left] as number, from[right] as number))
      to[next] = from[takeLeft ? left++ : right++] as number
    }
    return left
  }

  #before(a: number, b: number): boolean {
    const collection = this.#collection[a] as number
    const other = this.#collection[b] as number
    if (collection !== other) return collection < other
    const difference = (this.#head[a] as number) - (this.#head[b] as number)
    return difference !== 0 ? difference < 0 : this.#beforeByKey(a, b, collection)
  }

  #beforeByKey(a: number, b: number, collection: number): boolean {
    const { keyStart, keyEnd } = this.#places
    const skip = this.#shared.get(collection) as number
    const aStart = (keyStart[a] as number) + skip
    const bStart = (keyStart[b] as number) + skip
    return compareBytes(this.#places.bytesOf(a), aStart, keyEnd[a] as number, this.#places.bytesOf(b), bStart, keyEnd[b] as number) < 0
  }
}
