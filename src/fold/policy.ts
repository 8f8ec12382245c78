/**
 * What to merge next: a pure function of the manifest (RFC 0006, 2).
 *
 * Owns: the shape that segments are kept in. Does not own: when and how fast, reading, writing.
 * Invariants: a round through the base goes on where it stopped, by looking at `through` alone; every plan makes the manifest smaller or
 * the base know more, so that plans end when nothing is folded meanwhile. What is stuck, for a file proved damaged, is in no plan and keeps the
 * others from nothing: the round goes on without it, and what is kept for it alone is cut down to what lies there;
 * young segments that are merged stand beside each other, so that none passes one that is stuck. Ranges that are joined know as much
 * as before, no more: what young segments say of them lies over them as it did. Counts of entries say when a round begins; what it
 * leaves out the records say.
 */
import { leastOf, mostOf } from '../base/extremes.ts'
import {
  BASE_SEGMENT_BYTES,
  BASE_SEGMENT_BYTES_MAX,
  BASE_SEGMENTS,
  SEGMENT_BLOCK_RAW_BYTES,
  SEGMENT_BLOCKS_MAX,
  SEGMENT_INDEX_BYTES_MAX,
  SEGMENT_RECORDS_MAX,
  TABLE_RECORDS,
  YOUNG_SEGMENT_BYTES_MAX,
} from '../base/limits.ts'
import {
  type BaseRange,
  comparePlaces,
  entriesOf,
  held,
  highest,
  type Manifest,
  type Place,
  type SegmentEntry,
  segmentsOf,
} from '../format/index.ts'
import { isDead, sweep, untouched, wordsOn } from '../manifest/index.ts'

/** When segments are merged. */
export interface MergeLimits {
  /** So many young segments of like size become one. */
  readonly fanIn: number
  /**
   * Up to so many times `fanIn` young segments are let be: a look-up asks their filters in a few microseconds, and the next round through the
   * base takes them all. Where the base is large, and the round far, each byte is merged among young ones first.
   */
  readonly fewTimes: number
  /** Young segments up to this size are alike; from `youngBytesMax` on, or when their file is half full, they are merged into the base alone. */
  readonly smallestBytes: number
  readonly youngBytesMax: number
  /** A base smaller than twice this is merged when the young segments hold so much. */
  readonly slackBytes: number
  readonly slackRecords: number
  /** A round through the base begins at so many times what begins one otherwise. */
  readonly rounds: number
  /** Stored bytes at which a base segment is closed, unless the base is large (`cutBytesOf`). */
  readonly baseBytes: number
}

export const MERGE_LIMITS: MergeLimits = {
  fanIn: 8,
  fewTimes: 4,
  smallestBytes: 1024 * 1024,
  youngBytesMax: YOUNG_SEGMENT_BYTES_MAX,
  slackBytes: 8 * 1024 * 1024,
  slackRecords: 8 * TABLE_RECORDS,
  rounds: 1,
  baseBytes: BASE_SEGMENT_BYTES,
}

/** Of what a round rewrites of the base: a smaller share would write more, a larger one keep more that is superseded. */
const ROUND_SHARE = 0.9
/**
 * Of its bytes: below it a round begins for no number of records, lest a few small ones have all of a large base written again. Those that wait
 * are no more files than full ones would be: one that is not merged with others any more is half full at least.
 */
const RECORDS_ROUND_SHARE = 1 / 8

/**
 * Of the base's records: when so many are deleted a round begins, however small the tombstones are. It frees three times what it writes: where
 * most of a store goes and comes again, a half would write as much as all else.
 */
const DELETED_SHARE = 0.75

/** Neighbours of the base that are joined although no young segment has a word on them. */
const JOINED_MIN = 8
/** No merge takes more ranges: each is a file that is open meanwhile. */
const RANGES_MAX = 64

/** Of what a file may hold: of halves eight become five files at most, of full ones eight again, without end. */
const FULL_SHARE = 0.5
/** Two blocks beside each other hold the raw bytes of one, and so much a record, at least: a file with as many blocks as it may have is half full. */
const RECORD_ROOM_BYTES = 16

export type MergePlan =
  /** `within`: only what lies there is needed. */
  | {
      readonly type: 'young'
      readonly run: readonly SegmentEntry[]
      readonly within?: { readonly start: Place; readonly end: Place | undefined }
    }
  | {
      readonly type: 'base'
      /** Neighbours; their records below `end` and the young segments' are put together. */
      readonly ranges: readonly BaseRange[]
      /** Where the range behind them starts; undefined: they are the last. */
      readonly end: BaseRange['start'] | undefined
      /** Newest first. */
      readonly young: readonly SegmentEntry[]
      readonly through: number
    }
  /** Ranges that no young segment has a word on. */
  | { readonly type: 'raise'; readonly through: number }
  | { readonly type: 'drop' }

/** Files that proved damaged, and names of ranges (`nameOfRange`) that could not be merged for one. */
export type Stuck = ReadonlySet<string>

export function nameOfRange({ start, segment }: BaseRange): string {
  return segment?.file ?? `${start.collection}/${start.key}`
}

/** Undefined: all is well as it is. */
export function planMerge(manifest: Manifest, limits: MergeLimits = MERGE_LIMITS, stuck: Stuck = new Set()): MergePlan | undefined {
  if (deadFiles(manifest).size > 0) return { type: 'drop' }
  return planYoung(manifest.young, limits, stuck) ?? planBase(manifest, limits, stuck)
}

/** What is not to be tried again where `plan` met damage in `file`. */
export function stuckBy(plan: MergePlan, file: string): string[] {
  if (plan.type !== 'base' || plan.ranges.some(({ segment }) => segment?.file === file)) return [file]
  return [file, ...plan.ranges.map(nameOfRange)]
}

/** In order. */
export function aliveIn({ fold }: Manifest): readonly number[] {
  return fold?.catalogue.map(entry => entry.id) ?? []
}

/** Segments of which nothing counts any more, by name. Those of a collection that has no entry are not among them: a round finds out what is left. */
export function deadFiles(manifest: Manifest): ReadonlySet<string> {
  const alive = aliveIn(manifest)
  return new Set(
    segmentsOf(manifest)
      .filter(segment => isDead(segment, alive))
      .map(segment => segment.file),
  )
}

/** A young segment that is merged into the base alone. Small records fill a file long before it has many bytes. */
function isGrown(entry: SegmentEntry, { youngBytesMax }: MergeLimits): boolean {
  return entry.bytes >= youngBytesMax || fullness(entry) >= FULL_SHARE
}

function fullness({ bytes, describedAt, records, rawBytes }: SegmentEntry): number {
  return Math.max(
    records / SEGMENT_RECORDS_MAX,
    (rawBytes + records * RECORD_ROOM_BYTES) / ((SEGMENT_BLOCKS_MAX - 2) * SEGMENT_BLOCK_RAW_BYTES),
    (bytes - describedAt) / SEGMENT_INDEX_BYTES_MAX,
  )
}

/** Young segments that merging with each other makes fewer, sooner or later: `fanIn` of them stand beside each other. */
export function countSmall(young: readonly SegmentEntry[], limits: MergeLimits, stuck: Stuck = new Set()): number {
  let count = 0
  let beside = 0
  for (const entry of young) {
    beside = isGrown(entry, limits) || stuck.has(entry.file) ? 0 : beside + 1
    if (beside >= limits.fanIn) count += beside === limits.fanIn ? beside : 1
  }
  return count
}

/** The newest run of `fanIn` segments that are alike. */
function planYoung(young: readonly SegmentEntry[], limits: MergeLimits, stuck: Stuck): MergePlan | undefined {
  const { fanIn, fewTimes, smallestBytes } = limits
  if (young.length <= fewTimes * fanIn) return undefined
  /** 0, 1, 2: each `fanIn` times as large as the one before. */
  const sizeOf = (entry: SegmentEntry): number => {
    if (isGrown(entry, limits) || stuck.has(entry.file)) return Number.POSITIVE_INFINITY
    return entry.bytes <= smallestBytes ? 0 : Math.ceil(Math.log(entry.bytes / smallestBytes) / Math.log(fanIn))
  }
  for (let at = 0; at + fanIn <= young.length; at++) {
    const size = sizeOf(young[at] as SegmentEntry)
    if (!Number.isFinite(size)) continue
    let end = at
    while (end < young.length && sizeOf(young[end] as SegmentEntry) <= size) end++
    const run = young.slice(at, end)
    if (run.length < fanIn || run.filter(entry => sizeOf(entry) === size).length < fanIn / 2) continue
    return { type: 'young', run: run.slice(0, fanIn) }
  }
  return undefined
}

function planBase(manifest: Manifest, limits: MergeLimits, stuck: Stuck): MergePlan | undefined {
  const { young, base } = manifest
  const whole = base.filter(range => !stuck.has(nameOfRange(range)))
  // The oldest young segments stand in its place for the newer ones.
  if (whole.length === 0) return isBaseDue(manifest, limits, stuck) ? { type: 'young', run: aboveStuck(young, stuck) } : undefined
  const least = leastOf(whole, range => range.through)
  const most = mostOf(whole, range => range.through)
  const newest = young[0]
  if (least < most) return planRange(manifest, most, limits, stuck)
  const cut = whole.length < base.length ? planCut(manifest, least, stuck) : undefined
  if (cut !== undefined) return cut
  if (newest === undefined || newest.through <= least) return planJoin(base, limits, stuck)
  const due = isBaseDue(manifest, limits, stuck) || isMostlyDeleted(manifest, limits, { stuck })
  return due ? planRange(manifest, newest.through, limits, stuck) : planJoin(base, limits, stuck)
}

/** The young segments that wait for a round hold so many times what begins it; where no range of the base can be merged, those above the oldest do. */
export function isBaseDue({ young, base }: Manifest, limits: MergeLimits, stuck: Stuck, times = 1): boolean {
  const whole = base.filter(range => !stuck.has(nameOfRange(range)))
  if (whole.length > 0) {
    const least = leastOf(whole, range => range.through)
    const above = young.filter(entry => entry.through > least)
    return isRoundDue(above, rewrittenFor(above, base), limits, times)
  }
  const run = aboveStuck(young, stuck)
  const oldest = run.at(-1)
  // Pieces of one merge cover the same epochs.
  const isBelow = (entry: SegmentEntry): boolean => entry.from === oldest?.from && entry.through === oldest.through
  const below = run.filter(isBelow)
  const above = run.filter(entry => !isBelow(entry))
  return above.length > 0 && isRoundDue(above, below, limits, times)
}

/** So much of the base was deleted, entry by entry, that a round through it begins. */
export function isMostlyDeleted(
  manifest: Manifest,
  { slackBytes, rounds }: MergeLimits,
  { stuck = new Set(), share = DELETED_SHARE }: { readonly stuck?: Stuck; readonly share?: number } = {},
): boolean {
  const whole = manifest.base.filter(range => !stuck.has(nameOfRange(range)))
  const least = leastOf(whole, range => range.through)
  const { tombstones } = held(manifest.young.filter(entry => entry.through > least))
  const below = whole.flatMap(range => range.segment ?? [])
  return deletedBytes(below, tombstones, manifest) >= rounds * Math.max(slackBytes, share * held(below).bytes)
}

/**
 * Stored bytes of the base's entries that were deleted, about: no more than were, but for tombstones of others. Entries that came since are among
 * those that live, and would hide as many: so segments that hold one collection are counted against what lives of it, too. No more than there are
 * tombstones: collections that are gone as a whole leave none, and what they have in segments that they share with others has a plan of its own.
 */
function deletedBytes(base: readonly SegmentEntry[], tombstones: number, { fold }: Manifest): number {
  const catalogue = fold?.catalogue ?? []
  const deletedOf = (segments: readonly SegmentEntry[], live: number, most: number): { records: number; bytes: number } => {
    const { records, bytes } = held(segments)
    const gone = Math.max(0, Math.min(most, records - live))
    return { records: gone, bytes: gone === 0 ? 0 : (gone * bytes) / records }
  }
  const live = entriesOf(catalogue)
  const all = deletedOf(base, live, tombstones)
  const alone = new Map<number, SegmentEntry[]>()
  for (const segment of base) {
    const { collection } = segment.first
    if (collection !== segment.last.collection) continue
    const beside = alone.get(collection)
    if (beside === undefined) alone.set(collection, [segment])
    else beside.push(segment)
  }
  let [bytes, left] = [0, tombstones]
  for (const { id, entries } of catalogue) {
    const deleted = deletedOf(alone.get(id) ?? [], entries, left)
    bytes += deleted.bytes
    left -= deleted.records
  }
  return Math.max(all.bytes, bytes)
}

/**
 * All ranges but those that are stuck know up to `through`: what is kept of young segments up to there is kept for these alone. Of those that are
 * older than a stuck one there will be no more.
 */
function planCut({ young, base }: Manifest, through: number, stuck: Stuck): MergePlan | undefined {
  const behind = base.map(range => range.through < through)
  const first = behind.indexOf(true)
  if (first < 0) return undefined
  const start = (base[first] as BaseRange).start
  const end = base[behind.lastIndexOf(true) + 1]?.start
  const run = aboveStuck(
    young.filter(entry => entry.through <= through),
    stuck,
  )
  // For certain: what may only lie there does so after it was cut, too.
  const reaches = ({ first, last }: SegmentEntry): boolean =>
    comparePlaces(highest(first), start) < 0 || (end !== undefined && comparePlaces(last, end) >= 0)
  return run.some(reaches) ? { type: 'young', run, within: { start, end } } : undefined
}

/** Newer than each that is stuck. */
function aboveStuck(young: readonly SegmentEntry[], stuck: Stuck): readonly SegmentEntry[] {
  const at = young.findIndex(entry => stuck.has(entry.file))
  return at < 0 ? young : young.slice(0, at)
}

/** Of the base what a round takes in: that over which a young segment reaches; the rest rises as it is. One pass, for it may be thousands of ranges. */
export function rewrittenFor(young: readonly SegmentEntry[], base: readonly BaseRange[]): readonly SegmentEntry[] {
  const isReached = sweep(young)
  return base.filter(({ start }, at) => isReached(start, base[at + 1]?.start)).flatMap(range => range.segment ?? [])
}

/** Of young segments: a round through this base begins when they hold as many bytes, or as many records and `least` bytes. */
export function roundAt(base: readonly SegmentEntry[], limits: MergeLimits): { bytes: number; records: number; least: number } {
  const { bytes, records } = held(base)
  const { slackBytes, slackRecords, rounds } = limits
  return {
    bytes: rounds * Math.max(slackBytes, bytes * ROUND_SHARE),
    records: rounds * Math.max(slackRecords, records * ROUND_SHARE),
    least: rounds * bytes * RECORDS_ROUND_SHARE,
  }
}

/** `young` hold so many times what begins a round through `base`. */
function isRoundDue(young: readonly SegmentEntry[], base: readonly SegmentEntry[], limits: MergeLimits, times = 1): boolean {
  const { bytes, records } = held(young)
  const at = roundAt(base, { ...limits, rounds: times * limits.rounds })
  return bytes >= at.bytes || (records >= at.records && bytes >= at.least)
}

/**
 * Stored bytes at which a segment of this base is closed: in a large one so many that a manifest may name all of them, and rounds do not fail for ever.
 * Those that are smaller are merged with their neighbours by the next round.
 */
export function cutBytesOf(base: readonly BaseRange[], { baseBytes }: MergeLimits): number {
  const bytes = base.reduce((sum, { segment }) => sum + (segment?.bytes ?? 0), 0)
  return Math.max(baseBytes, Math.min(BASE_SEGMENT_BYTES_MAX, Math.ceil(bytes / BASE_SEGMENTS)))
}

/**
 * Neighbours that know as much, and together fill no segment, become one as they are: of what passed through few entries may stay, and no round
 * comes to their ranges again. So many, for the one that they have become is written again with the next.
 */
function planJoin(base: readonly BaseRange[], limits: MergeLimits, stuck: Stuck): MergePlan | undefined {
  const cutBytes = cutBytesOf(base, limits)
  for (let at = 0; at + JOINED_MIN <= base.length; at++) {
    const { through } = base[at] as BaseRange
    let bytes = 0
    let full = 0
    let end = at
    for (; end < base.length && end - at < RANGES_MAX; end++) {
      const range = base[end] as BaseRange
      bytes += range.segment?.bytes ?? 0
      full += range.segment === null ? 0 : fullness(range.segment)
      // What may not fit into one file may come out as many.
      if (range.through !== through || stuck.has(nameOfRange(range)) || bytes > cutBytes || full > FULL_SHARE) break
    }
    if (end - at >= JOINED_MIN) return { type: 'base', ranges: base.slice(at, end), end: base[end]?.start, young: [], through }
  }
  return undefined
}

/**
 * Ranges that hold little but what is gone, and know as much as each other, are written anew as they are: of collections that are gone as a whole no
 * tombstone tells. `goneIn`: which share of a segment that is. Each frees three times what it writes, and holds nothing of it afterwards.
 */
export function planGone(
  { base }: Manifest,
  limits: MergeLimits,
  stuck: Stuck,
  goneIn: (segment: SegmentEntry) => number,
): MergePlan | undefined {
  const { slackBytes, rounds } = limits
  const shares = base.map(range => (range.segment === null || stuck.has(nameOfRange(range)) ? 0 : goneIn(range.segment)))
  const goneAt = (at: number): number => ((shares[at] ?? 0) >= DELETED_SHARE ? (shares[at] as number) : 0)
  const bytesAt = (at: number): number => base[at]?.segment?.bytes ?? 0
  const at = base.findIndex((_, index) => goneAt(index) > 0)
  if (at < 0 || base.reduce((sum, _, index) => sum + goneAt(index) * bytesAt(index), 0) < rounds * slackBytes) return undefined
  const { through } = base[at] as BaseRange
  const cutBytes = cutBytesOf(base, limits)
  let left = 0
  let end = at
  for (; end < base.length && end - at < RANGES_MAX && goneAt(end) > 0 && base[end]?.through === through; end++) {
    left += (1 - goneAt(end)) * bytesAt(end)
    if (end > at && left > cutBytes) break
  }
  return { type: 'base', ranges: base.slice(at, end), end: base[end]?.start, young: [], through }
}

/** The first range that does not know all up to `through`, with neighbours while together they are no more than one segment. */
function planRange(manifest: Manifest, through: number, limits: MergeLimits, stuck: Stuck): MergePlan {
  const { base, young } = manifest
  if (base.some(untouched(manifest, through))) return { type: 'raise', through }
  const at = base.findIndex(range => range.through < through && !stuck.has(nameOfRange(range)))
  const first = base[at] as BaseRange
  const cutBytes = cutBytesOf(base, limits)
  let bytes = first.segment?.bytes ?? 0
  let end = at + 1
  for (; end < base.length && end - at < RANGES_MAX; end++) {
    const next = base[end] as BaseRange
    bytes += next.segment?.bytes ?? 0
    if (next.through !== first.through || bytes > cutBytes || stuck.has(nameOfRange(next))) break
  }
  const stop = base[end]?.start
  return { type: 'base', ranges: base.slice(at, end), end: stop, young: wordsOn(young, first, stop, through), through }
}
