/**
 * How much is left of what is folded, as the last fold that wrote something had it.
 *
 * Owns: the two shares. Does not own: what is made of them.
 * Invariants: a share is no less than SHARE_MIN and no more than 1.
 */
import { bytesOf, type SegmentEntry } from '../format/index.ts'

/** Less than this share of what is folded is not expected to be left of it: where the next fold has more to write, the floor would be a burst. */
const SHARE_MIN = 1 / 16

export class Density {
  /** Stored bytes of a raw byte of the log. */
  stored = 0.3
  /** Raw bytes of it that are left. */
  left = 1

  /** `rawBytes` of the log became `segments`. */
  folded(rawBytes: number, segments: readonly SegmentEntry[]): void {
    if (rawBytes === 0 || segments.length === 0) return
    this.stored = shareOf(bytesOf(segments), rawBytes)
    this.left = shareOf(
      segments.reduce((sum, entry) => sum + entry.rawBytes, 0),
      rawBytes,
    )
  }
}

function shareOf(bytes: number, rawBytes: number): number {
  return Math.min(1, Math.max(SHARE_MIN, bytes / rawBytes))
}
