/** What a manifest says. Owns the words; the bytes are manifest.ts, the checks manifest-fields.ts. */
import { type CatalogueEntry, GENESIS_DIGEST } from './commit.ts'

/** The format of the store: what a reader must understand beyond this file. This version writes it, and opens none above it. */
export const STORE_FORMAT = 2
/** The first format with segments and a fold point (RFC 0006); a store without them is opened as one in which nothing is folded. */
export const FOLDED_FORMAT = 2

/** A place in the log behind a commit: nothing of the file beyond `bytes` counts. */
export interface LogEnd {
  readonly bytes: number
  readonly epoch: number
  readonly digest: string
}

export interface LogEntry {
  /** Relative to the store: `log/<token>-<sequence>.log`. */
  readonly file: string
  /** `null`: the file is open, its end is found by reading it. Only the last one may be. */
  readonly end: LogEnd | null
}

/** The end of the accepted log: the last epoch that counts and where it ends; no file before the first one. */
export interface LogPosition {
  readonly file: string | null
  readonly bytes: number
  readonly epoch: number
  readonly digest: string
}

export const GENESIS: LogPosition = { file: null, bytes: 0, epoch: 0, digest: GENESIS_DIGEST }

/** A place in the order of everything: by collection, then by key bytes. */
export interface Place {
  readonly collection: number
  /** Key bytes as hex digits; empty: before every key of the collection. */
  readonly key: string
}

export const FIRST_PLACE: Place = { collection: 0, key: '' }

/** The first or the last key of a segment, as far as a manifest names it. As a place it is the lower bound; the upper one is `highest` of it. */
export interface SegmentEnd extends Place {
  /** The key begins so, and goes on. */
  readonly cut?: true
}

/** A segment file, as far as it must be known before it is opened. */
export interface SegmentEntry {
  /** Relative to the store: `segment/<token>-<sequence>.seg`. */
  readonly file: string
  readonly bytes: number
  /** Of the whole file, 64 hex digits. */
  readonly sha256: string
  /** Offset of what describes the blocks: index, filter, facts. */
  readonly describedAt: number
  /** It holds records of the epochs after `from` up to and with `through`; a base segment: from 0. */
  readonly from: number
  readonly through: number
  /** Tombstones included. */
  readonly records: number
  readonly tombstones: number
  readonly rawBytes: number
  readonly first: SegmentEnd
  readonly last: SegmentEnd
}

/** A range of places, from `start` to the start of the next: all that was known up to epoch `through` lies in this segment, or nothing. */
export interface BaseRange {
  readonly start: Place
  readonly through: number
  /** It may hold records outside of the range: they do not count here. */
  readonly segment: SegmentEntry | null
}

/** The epoch that the segments cover, and where the log goes on behind it. */
export interface FoldPoint extends LogPosition {
  readonly timeMs: number
  /** Above every collection id that was ever committed. */
  readonly nextId: number
  /** As of `epoch`, in the order of ids, as a commit has it; `entries` are exact, unless `refused` is there. */
  readonly catalogue: readonly CatalogueEntry[]
  /** Of the commit, where there were any: entries that were counted without a look at whether they have a record. */
  readonly refused?: number
}

/** An earlier manifest whose fold point is kept. */
export interface RetainedPoint {
  readonly number: number
  readonly epoch: number
  readonly timeMs: number
}

export interface LineageEntry {
  /** 32 hex digits. */
  readonly id: string
  /** The last epoch taken over from the lineage before; 0 for the first. */
  readonly forkEpoch: number
}

export interface Manifest {
  readonly number: number
  readonly storeId: string
  readonly lineage: readonly LineageEntry[]
  readonly token: number
  /** Random, one per opening: tells a manifest of one's own from that of a rival with the same idea. 32 hex digits. */
  readonly writer: string
  readonly format: number
  readonly createdBy: string
  /** From the oldest fold point that is kept on. */
  readonly log: readonly LogEntry[]
  /** Of the last commit known when this was written; for people, never relied upon. */
  readonly catalogue: { readonly epoch: number; readonly collections: readonly CatalogueEntry[] } | null
  /** `null`: nothing is folded, the log is the store. */
  readonly fold: FoldPoint | null
  /** Newest first. */
  readonly young: readonly SegmentEntry[]
  /** In the order of places, without a gap; the first starts at FIRST_PLACE. */
  readonly base: readonly BaseRange[]
  /** Oldest first. */
  readonly retained: readonly RetainedPoint[]
}

/** What of a manifest says which segments stand for the state, and up to which epoch: all that who follows it needs. */
export interface NamedSegments extends Pick<Manifest, 'young' | 'base'> {
  readonly fold: Pick<FoldPoint, 'epoch'> | null
}

/** The base of a store in which nothing was merged. */
export const EMPTY_BASE: readonly BaseRange[] = [{ start: FIRST_PLACE, through: 0, segment: null }]

export function comparePlaces(a: Place, b: Place): number {
  if (a.collection !== b.collection) return a.collection - b.collection
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}
