/** What a manifest says, made up: one of a store with a map, and a segment of it. Whoever needs something else says so. */
import { EMPTY_BASE, type FoldPoint, type Manifest, type SegmentEntry, segmentName } from '../../src/format/index.ts'

const LOG = 'log/00000001-00000001.log'

export function segment(overrides: Partial<SegmentEntry> = {}): SegmentEntry {
  return {
    ...{ file: segmentName(1, 1), bytes: 5000, sha256: 'ab'.repeat(32), describedAt: 4000, from: 0, through: 1 },
    ...{ records: 10, tombstones: 0, rawBytes: 9000, first: { collection: 1, key: '3061' }, last: { collection: 1, key: '306162' } },
    ...overrides,
  }
}

/** `fold`: what of it differs; without it nothing is folded. */
export function manifest(overrides: Partial<Omit<Manifest, 'fold'>> & { readonly fold?: Partial<FoldPoint> } = {}): Manifest {
  const catalogue = [{ id: 1, kind: 'map' as const, name: 'map', codec: 'tide', entries: 20, bytes: 1 }]
  const point = { file: LOG, bytes: 1, epoch: 1, digest: 'ab'.repeat(32), timeMs: 1, nextId: 2, catalogue }
  return {
    ...{ number: 1, storeId: 'ab'.repeat(16), lineage: [{ id: '01'.repeat(16), forkEpoch: 0 }], token: 1, writer: '03'.repeat(16) },
    ...{ format: 2, createdBy: 'tidemark', log: [{ file: LOG, end: null }], catalogue: null, young: [], base: EMPTY_BASE, retained: [] },
    ...overrides,
    fold: overrides.fold === undefined ? null : { ...point, ...overrides.fold },
  }
}
