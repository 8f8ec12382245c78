/**
 * Merges walks over layers into one, in the order of places; of several words on a place the newest is given.
 *
 * Owns: the heap over the sources. Does not own: which layers have a say where (image.ts).
 * Invariants: every source in the heap stands on a record; the record given stays at the top until the next step, so that its bytes stay good;
 * an older word on the place of a given record is passed over before that record is left.
 */
import { compareBytes } from '../format/index.ts'
import type { LayerCursor } from '../segment/index.ts'

/** Cursors over rising places that do not overlap, opened one after another, each when the one before has ended. */
export type Walks = Iterator<LayerCursor, undefined, undefined>

/** One layer of the merge, the base being one. The lower its age, the newer. */
class Source {
  readonly age: number
  readonly #walks: Walks
  /** Stands on a record after `next` returned true. */
  cursor: LayerCursor | undefined

  constructor(walks: Walks, age: number) {
    this.#walks = walks
    this.age = age
  }

  next(): boolean {
    while (this.cursor === undefined || !this.cursor.next()) {
      this.cursor = undefined
      const opened = this.#walks.next()
      if (opened.done === true) return false
      this.cursor = opened.value
    }
    return true
  }
}

export class MergeCursor implements LayerCursor {
  collection = 0
  put = false
  bytes: Buffer = Buffer.alloc(0)
  keyStart = 0
  keyEnd = 0
  start = 0
  end = 0
  /** A binary heap by place and age, once begun. */
  readonly #heap: Source[] = []
  /** Of all sources, newest first, until begun; the first `#opened` of them are open. */
  #waiting: readonly Walks[] | undefined
  #opened = 0
  #failure: { readonly error: unknown } | undefined

  /** `walks`: newest first. */
  constructor(walks: readonly Walks[]) {
    this.#waiting = walks
  }

  next(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error
    try {
      return this.#step()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  /** Opens one source more, which reads up to its first record; `next` opens all that are left. False: all are open. */
  open(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error
    try {
      return this.#openNext()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  #openNext(): boolean {
    const walks = this.#waiting?.[this.#opened]
    if (walks === undefined) return false
    const source = new Source(walks, this.#opened++)
    if (source.next()) this.#heap.push(source)
    return true
  }

  #step(): boolean {
    const heap = this.#heap
    if (this.#waiting !== undefined) {
      while (this.#openNext());
      this.#waiting = undefined
      for (let at = (heap.length >>> 1) - 1; at >= 0; at--) this.#sift(at)
    } else if (heap.length > 0) {
      this.#passOlder()
      this.#advance(0)
    }
    const top = heap[0]?.cursor
    if (top === undefined) return false
    this.collection = top.collection
    this.put = top.put
    this.bytes = top.bytes
    this.keyStart = top.keyStart
    this.keyEnd = top.keyEnd
    this.start = top.start
    this.end = top.end
    return true
  }

  /** Moves every other source on that stands at the place of the top. */
  #passOlder(): void {
    const heap = this.#heap
    while (heap.length > 1) {
      const child = heap.length > 2 && before(heap[2] as Source, heap[1] as Source) ? 2 : 1
      if (comparePlaces(heap[child] as Source, heap[0] as Source) !== 0) return
      this.#advance(child)
    }
  }

  /** The top or a child of it a record on; out of the heap when there is none. What takes its place there only ever sinks. */
  #advance(at: number): void {
    const heap = this.#heap
    if (!(heap[at] as Source).next()) {
      const last = heap.pop() as Source
      if (at === heap.length) return
      heap[at] = last
    }
    this.#sift(at)
  }

  #sift(from: number): void {
    const heap = this.#heap
    const source = heap[from] as Source
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Source, heap[child] as Source)) child++
      if (before(source, heap[child] as Source)) break
      heap[at] = heap[child] as Source
      at = child
    }
    heap[at] = source
  }
}

function before(a: Source, b: Source): boolean {
  const difference = comparePlaces(a, b)
  return difference < 0 || (difference === 0 && a.age < b.age)
}

function comparePlaces(a: Source, b: Source): number {
  const one = a.cursor as LayerCursor
  const other = b.cursor as LayerCursor
  const difference = one.collection - other.collection
  if (difference !== 0) return difference
  return compareBytes(one.bytes, one.keyStart, one.keyEnd, other.bytes, other.keyStart, other.keyEnd)
}
