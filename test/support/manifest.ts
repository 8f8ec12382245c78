/** What a manifest says of a segment, made up. */
import { type SegmentEntry, segmentName } from '../../src/format/index.ts'

export function segment(sequence: number, through: number, from: number): SegmentEntry {
  return {
    file: segmentName(3, sequence),
    bytes: 5000,
    sha256: 'ef'.repeat(32),
    describedAt: 4000,
    from,
    through,
    records: 10,
    tombstones: 1,
    rawBytes: 9000,
    first: { collection: 1, key: '3061' },
    last: { collection: 1, key: '306162' },
  }
}
