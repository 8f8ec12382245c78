/**
 * What a segment says of the collections it holds, read by itself: not for a look-up, and so without the filter, which is most of what describes it.
 * Owns nothing. Invariant: nothing is given before its checksum held and it agrees with the manifest's entry.
 */
import type { SegmentEntry, SegmentFacts } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import { factsOf, readDescription, readUnfiltered } from './description.ts'

/** @throws TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE */
export async function readFacts(storage: Storage, entry: SegmentEntry): Promise<SegmentFacts> {
  const file = await storage.open(entry.file, 'read')
  try {
    const steps = readDescription(entry, await readUnfiltered(entry, (offset, length) => file.read(offset, length)))
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return factsOf(entry, value)
    }
  } finally {
    await file.close()
  }
}
