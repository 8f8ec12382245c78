/**
 * What a manifest may grow to: folds and merges leave room in it, so that rolls, takeovers and files that are given up find some when nothing is
 * folded any more.
 *
 * Owns the reckoning alone. Invariant: a manifest that becomes shorter is never refused for its bytes, however long it is: it is the way out.
 */
import type { CatalogueEntry } from './commit.ts'
import { encodeManifest } from './manifest.ts'
import { manifestFull } from './manifest-errors.ts'
import { tooLong } from './manifest-fields.ts'
import type { Manifest, Place, SegmentEntry } from './manifest-types.ts'

/** Each with the longest numbers, and without its keys and names. */
const FIXED_BYTES = 1500
const LINEAGE_BYTES = 100
const LOG_BYTES = 250
const COLLECTION_BYTES = 200
const SEGMENT_BYTES = 600
const RANGE_BYTES = 120
const RETAINED_BYTES = 100
/** Of a character of a name, spelled as JSON may have to. */
const CHARACTER_BYTES = 6

/** @throws TIDEMARK_MANIFEST_FULL where `next` has more than `bytesMax` bytes, and more than `old`, or is longer than a reader allows */
export function assertRoom(old: Manifest, next: Manifest, bytesMax: number): void {
  const long = tooLong(next)
  if (long !== undefined) throw manifestFull(long)
  // Nearly always, without the turn that encoding takes.
  if (manifestBytesMost(next) <= bytesMax) return
  const { length } = encodeManifest(next)
  if (length > bytesMax && length > encodeManifest(old).length) throw manifestFull(`${length} bytes`)
}

/** At least the bytes of the manifest, by a look at each of its parts. */
export function manifestBytesMost({ lineage, log, catalogue, fold, young, base, retained }: Manifest): number {
  let bytes = FIXED_BYTES + lineage.length * LINEAGE_BYTES + log.length * LOG_BYTES + retained.length * RETAINED_BYTES
  bytes += collectionsMost(catalogue?.collections ?? []) + collectionsMost(fold?.catalogue ?? [])
  for (const entry of young) bytes += segmentMost(entry)
  for (const { start, segment } of base) bytes += RANGE_BYTES + keyMost(start) + (segment === null ? 0 : segmentMost(segment))
  return bytes
}

function collectionsMost(collections: readonly CatalogueEntry[]): number {
  return collections.reduce((sum, { name, codec }) => sum + COLLECTION_BYTES + CHARACTER_BYTES * (name.length + codec.length), 0)
}

function segmentMost({ first, last }: SegmentEntry): number {
  return SEGMENT_BYTES + keyMost(first) + keyMost(last)
}

/** Hex digits. */
function keyMost({ key }: Place): number {
  return key.length
}
