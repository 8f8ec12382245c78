/** The epoch under way, from its barrier to its acknowledgement. Owns nothing: the checkpointer has it, one at a time. */
import { PRE_IMAGE_BYTES_MAX, TIME_MS_MAX } from '../base/limits.ts'
import type { Block, Capture, Collection, LinkGroup, Spared, VoidReason } from '../capture/index.ts'
import { type CatalogueEntry, entriesOf } from '../format/index.ts'
import type { ToWriter } from '../writer/index.ts'
import type { Count } from './count.ts'
import { REFUSALS_LISTED, type Refusal } from './refusals.ts'

export interface Flight {
  readonly epoch: number
  /** Of the barrier, ms since 1970: the format has no time before that. */
  time: number
  readonly started: number
  capture: Capture
  /** Once all is captured. */
  count: Count | undefined
  catalogue: readonly Omit<CatalogueEntry, 'bytes'>[]
  entries: number
  refused: { count: number; readonly first: Refusal[] }
  voids: number
  /** Voids by what the service did to a frozen value: they may go on for ever. */
  torn: number
  /** Of the next cut. */
  preImageBytesMax: number
  /** There was something that could be lost when a cut of it fell. */
  exposed: boolean
  /** False between a void and the new cut. */
  cut: boolean
  committing: boolean
  /** Written before the cut that counts. */
  records: number
  redundant: Spared
  /** Somebody waits for everything: nothing may be left out. */
  whole: boolean
  /** When all is to be captured, at the latest, for the `rpoMs` of collections that have changes in it; by the monotonic clock. */
  captureBy: number
  /** What the cut left out, and its entries of the catalogue; undefined before the first cut. */
  left: ReadonlySet<Collection> | undefined
  leftEntries: readonly Omit<CatalogueEntry, 'bytes'>[]
  /** Groups of collections that had to be in one cut, and are in this one. */
  linked: readonly LinkGroup[]
  /** As it is committed. */
  written: readonly CatalogueEntry[]
  /** When all is to be captured, by the monotonic clock; slices come evenly until then, unless hurried. */
  readonly dueAt: number
  /** Somebody waits for it. */
  readonly asked: boolean
  hurried: boolean
}

/** `capture` is set by the cut. */
export function newFlight(of: Pick<Flight, 'epoch' | 'started' | 'records' | 'dueAt' | 'asked' | 'hurried' | 'whole'>): Flight {
  return {
    ...of,
    time: 0,
    capture: undefined as unknown as Capture,
    count: undefined,
    catalogue: [],
    entries: 0,
    refused: { count: 0, first: [] },
    voids: 0,
    torn: 0,
    preImageBytesMax: PRE_IMAGE_BYTES_MAX,
    exposed: false,
    cut: false,
    committing: false,
    redundant: { records: 0, bytes: 0 },
    captureBy: Number.POSITIVE_INFINITY,
    left: undefined,
    leftEntries: [],
    linked: [],
    written: [],
  }
}

/** The cut falls, for the first time or again. */
export function noteCut(flight: Flight, capture: Capture): void {
  flight.capture = capture
  flight.count = undefined
  flight.cut = true
}

/** The cut is void. One that was by its pre-images may keep twice as many the next time; as each key is kept once at most, some cut will do. */
export function noteVoid(flight: Flight, reason: VoidReason): void {
  flight.cut = false
  flight.voids++
  if (reason === 'pre-images beyond the bound') flight.preImageBytesMax *= 2
  else flight.torn++
}

/** The cut that was void moves to now: what it wrote stands. */
export function noteMoved(flight: Flight): void {
  flight.records += flight.capture.records
  flight.refused = { count: 0, first: [] }
  flight.hurried = true
}

export function noteRefused({ refused }: Flight, refusal: Refusal): void {
  if (++refused.count <= REFUSALS_LISTED) refused.first.push(refusal)
}

/** The cut falls now: the time of the epoch, as a commit can have it. */
export function noteTime(flight: Flight, now: number): void {
  flight.time = Math.min(TIME_MS_MAX, Math.max(0, Math.trunc(now)))
}

/** The cut takes these. */
export function noteTaken(flight: Flight, taken: Iterable<Collection>): void {
  flight.catalogue = catalogueOf(taken, flight.leftEntries)
  flight.entries = entriesOf(flight.catalogue)
}

/** What a commit says: of the collections as they are now, but for the bytes, and of those it leaves out; in the order of their ids. */
function catalogueOf(
  collections: Iterable<Collection>,
  leftEntries: readonly Omit<CatalogueEntry, 'bytes'>[],
): Omit<CatalogueEntry, 'bytes'>[] {
  const catalogue = [...leftEntries]
  for (const { id, kind, name, codec, sizeMax } of collections) catalogue.push({ id, kind, name, codec: codec.name, entries: sizeMax })
  return catalogue.sort((one, other) => one.id - other.id)
}

/** All is captured and counted. */
export function complete(flight: Flight, redundant: Spared): void {
  const { capture, count } = flight
  flight.committing = true
  flight.entries -= count?.total ?? 0
  flight.records += capture.records
  flight.redundant = redundant
  flight.written = capture.complete(flight.catalogue, count?.existed ?? new Map())
}

/** What makes a complete epoch durable; `block`: its last records. */
export function commitOf(flight: Flight, attempt: number, { bytes, records }: Block): Extract<ToWriter, { type: 'commit' }> {
  const { epoch, time: timeMs, written: catalogue, refused } = flight
  return { type: 'commit', attempt, epoch, timeMs, bytes, records, catalogue, refused: refused.count }
}
