/** The epoch under way, from its barrier to its acknowledgement. Owns nothing: the checkpointer has it, one at a time. */
import type { Capture, Collection, Spared } from '../capture/index.ts'
import type { CatalogueEntry } from '../format/index.ts'
import type { Count } from './count.ts'
import type { Refusal } from './refusals.ts'

export interface Flight {
  readonly epoch: number
  time: number
  readonly started: number
  capture: Capture
  /** Once all is captured. */
  count: Count | undefined
  catalogue: readonly Omit<CatalogueEntry, 'bytes'>[]
  entries: number
  refusals: Refusal[]
  voids: number
  /** False between a void and the new cut. */
  cut: boolean
  committing: boolean
  /** The catalogue with the bytes, once the commit is posted. */
  written: readonly CatalogueEntry[]
  /** Written before the cut that counts. */
  records: number
  redundant: Spared
  /** When all is to be captured, by the monotonic clock; slices come evenly until then, unless hurried. */
  readonly dueAt: number
  hurried: boolean
}

/** `capture` is set by the cut. */
export function newFlight(of: Pick<Flight, 'epoch' | 'started' | 'records' | 'dueAt' | 'hurried'>): Flight {
  return {
    ...of,
    time: 0,
    capture: undefined as unknown as Capture,
    count: undefined,
    catalogue: [],
    entries: 0,
    refusals: [],
    voids: 0,
    cut: false,
    committing: false,
    written: [],
    redundant: { records: 0, bytes: 0 },
  }
}

/** What a commit says of the collections as they are now, but for the bytes; in the order of their ids. */
export function catalogueOf(collections: Iterable<Collection>): Omit<CatalogueEntry, 'bytes'>[] {
  const catalogue: Omit<CatalogueEntry, 'bytes'>[] = []
  for (const { id, kind, name, codec, sizeMax } of collections) catalogue.push({ id, kind, name, codec: codec.name, entries: sizeMax })
  return catalogue.sort((one, other) => one.id - other.id)
}
