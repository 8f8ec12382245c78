/**
 * What a segment says of the collections it holds, read by itself: not for a look-up, and so without the filter, which is most of what describes it.
 * Owns nothing. Invariant: nothing is given before its checksum held and it agrees with the manifest's entry.
 */
import {
  decodeHeaderOf,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
  type SegmentEntry,
  type SegmentFacts,
} from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import { factsOf, readDescription } from './description.ts'
import { filterBytes } from './filter.ts'

/** @throws TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_STORAGE */
export async function readFacts(storage: Storage, entry: SegmentEntry): Promise<SegmentFacts> {
  const { describedAt, bytes } = entry
  const file = await storage.open(entry.file, 'read')
  try {
    const part = async (start: number, end: number): Promise<{ start: number; bytes: Buffer }> => {
      const from = Math.min(start, bytes)
      return { start: from, bytes: await file.read(from, Math.min(end, bytes) - from) }
    }
    const header = await part(bytes - SEGMENT_HEADER_BYTES, bytes)
    const head = await part(describedAt, describedAt + FRAME_HEADER_BYTES)
    const salt = decodeSegmentHeader(header.bytes, 0, entry.file)?.salt ?? 0
    const index = decodeHeaderOf(SEGMENT_FRAMES, head.bytes, 0, salt, describedAt)
    const filterAt = describedAt + FRAME_HEADER_BYTES + (index?.storedLength ?? 0)
    const factsAt = filterAt + FRAME_HEADER_BYTES + filterBytes(entry.records)
    const parts = [await part(describedAt, filterAt), await part(factsAt, bytes)]
    // What lies elsewhere than it should is missed here, which is damage.
    const steps = readDescription(entry, (offset, length) => {
      const found = parts.find(({ start, bytes }) => offset >= start && offset + length <= start + bytes.length)
      return found === undefined ? Buffer.alloc(0) : found.bytes.subarray(offset - found.start, offset - found.start + length)
    })
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return factsOf(entry, value)
    }
  } finally {
    await file.close()
  }
}
