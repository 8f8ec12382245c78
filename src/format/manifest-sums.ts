/** What a manifest names, and sums over what is listed there. Pure functions. */
import type { CatalogueEntry } from './commit.ts'
import type { Manifest, NamedSegments, SegmentEntry } from './manifest-types.ts'

/** Young before base, each as it is listed. */
export function segmentsOf({ young, base }: Pick<Manifest, 'young' | 'base'>): SegmentEntry[] {
  return [...young, ...base.flatMap(range => range.segment ?? [])]
}

/** On disk. */
export function bytesOf(segments: readonly SegmentEntry[]): number {
  return segments.reduce((sum, entry) => sum + entry.bytes, 0)
}

/** What a list of segments has of each. */
export interface Held {
  readonly bytes: number
  readonly records: number
  readonly tombstones: number
}

export function held(entries: readonly SegmentEntry[]): Held {
  return {
    bytes: bytesOf(entries),
    records: entries.reduce((sum, entry) => sum + entry.records, 0),
    tombstones: entries.reduce((sum, entry) => sum + entry.tombstones, 0),
  }
}

/** How much is folded, and up to where. */
export function foldedIn(manifest: NamedSegments): { foldedEpoch: number; segments: number; segmentBytes: number } {
  const segments = segmentsOf(manifest)
  return { foldedEpoch: manifest.fold?.epoch ?? 0, segments: segments.length, segmentBytes: bytesOf(segments) }
}

/** Of all collections together. */
export function entriesOf(catalogue: readonly Pick<CatalogueEntry, 'entries'>[]): number {
  return catalogue.reduce((sum, { entries }) => sum + entries, 0)
}
