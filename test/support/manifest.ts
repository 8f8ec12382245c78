/** A manifest with something in each of its parts. */
import { FIRST_PLACE, FOLDED_FORMAT, logName, type Manifest, type SegmentEntry, segmentName } from '../../src/format/index.ts'

export const manifest: Manifest = {
  number: 12,
  storeId: 'ab'.repeat(16),
  lineage: [
    { id: '01'.repeat(16), forkEpoch: 0 },
    { id: '02'.repeat(16), forkEpoch: 5 },
  ],
  token: 3,
  writer: '03'.repeat(16),
  format: FOLDED_FORMAT,
  createdBy: 'tidemark 0.1.0',
  log: [
    { file: logName(1, 1), end: { bytes: 1024, epoch: 5, digest: 'cd'.repeat(32) } },
    { file: logName(3, 2), end: null },
  ],
  catalogue: { epoch: 5, collections: [{ id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 3, bytes: 100 }] },
  fold: {
    file: logName(3, 2),
    bytes: 1500,
    epoch: 9,
    digest: 'ce'.repeat(32),
    timeMs: 1_700_000_000_000,
    nextId: 2,
    catalogue: [{ id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 4, bytes: 10 }],
  },
  young: [segment(3, 9, 5)],
  base: [
    { start: FIRST_PLACE, through: 5, segment: segment(2, 5, 0) },
    { start: { collection: 1, key: '3062' }, through: 0, segment: null },
  ],
  retained: [{ number: 7, epoch: 5, timeMs: 1_600_000_000_000 }],
}

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
