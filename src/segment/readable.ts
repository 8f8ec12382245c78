/**
 * Whether this runtime can decompress what segments hold, asked before a store stands on them.
 *
 * Does: where this runtime lacks a compression, looks which one the first block of each file names. Owns nothing.
 * Invariants: where nothing is lacking no byte is read; what the device does not give back, and what is damaged, is left to whoever needs it, and so is a
 * later block: one that did not shrink is not compressed.
 */
import {
  COMPRESSION_ZSTD,
  decodeHeaderOf,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  openDecompress,
  SEGMENT_FRAMES,
  SEGMENT_HEADER_BYTES,
} from '../format/index.ts'
import { unpackError } from '../storage/index.ts'
import type { Segment } from './segment.ts'

/** @throws TIDEMARK_COMPRESSION_UNAVAILABLE */
export async function assertDecompressible(segments: readonly Segment[]): Promise<void> {
  if (segments.length === 0) return
  const refusal = await openDecompress(COMPRESSION_ZSTD).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (refusal === undefined) return
  for (const segment of segments) {
    const { file } = segment.entry
    if ((await firstCompression(segment).catch(() => undefined)) !== COMPRESSION_ZSTD) continue
    throw unpackError(file, refusal)
  }
}

async function firstCompression(segment: Segment): Promise<number | undefined> {
  const bytes = await segment.read(0, SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES)
  const header = decodeSegmentHeader(bytes, 0, segment.entry.file)
  if (header === undefined) return undefined
  return decodeHeaderOf(SEGMENT_FRAMES, bytes, SEGMENT_HEADER_BYTES, header.salt, SEGMENT_HEADER_BYTES)?.compression
}
