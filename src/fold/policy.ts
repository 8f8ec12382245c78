/**
 * What to merge next: a pure function of the manifest (RFC 0006, 2).
 *
 * Owns: the shape that segments are kept in. Does not own: when and how fast, reading, writing.
 * Invariants: a round through the base goes on where it stopped, by looking at `through` alone; every plan makes the manifest smaller or
 * the base know more, so that plans end when nothing is folded meanwhile.
 */
import { BASE_SEGMENT_BYTES, TABLE_RECORDS, YOUNG_SEGMENT_BYTES_MAX } from '../base/limits.ts'
import type { BaseRange, Manifest, SegmentEntry } from '../format/index.ts'
import { isUntouched, wordsOn } from '../manifest/index.ts'

/** So many young segments of like size become one. */
export const FAN_IN = 8
/** A base smaller than twice this is merged when the young segments hold so much. */
const SLACK_BYTES = 8 * 1024 * 1024
const SLACK_RECORDS = 8 * TABLE_RECORDS
/** Young segments up to this size are alike. */
const SMALLEST_BYTES = 1024 * 1024

export type MergePlan =
  | { readonly type: 'young'; readonly run: readonly SegmentEntry[] }
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

/** Undefined: all is well as it is. */
export function planMerge(manifest: Manifest): MergePlan | undefined {
  return planDrop(manifest) ?? planYoung(manifest.young) ?? planBase(manifest)
}

/** No collection between its first and its last is alive. */
export function isDead(segment: SegmentEntry, alive: readonly number[]): boolean {
  return !alive.some(id => id >= segment.first.collection && id <= segment.last.collection)
}

export function aliveIn({ fold }: Manifest): readonly number[] {
  return fold?.catalogue.map(entry => entry.id) ?? []
}

function planDrop(manifest: Manifest): MergePlan | undefined {
  const alive = aliveIn(manifest)
  return manifest.base.some(({ segment }) => segment !== null && isDead(segment, alive)) ? { type: 'drop' } : undefined
}

/** The newest run of FAN_IN segments that are alike. */
function planYoung(young: readonly SegmentEntry[]): MergePlan | undefined {
  for (let at = 0; at + FAN_IN <= young.length; at++) {
    const size = sizeOf(young[at] as SegmentEntry)
    if (!Number.isFinite(size)) continue
    let end = at
    while (end < young.length && sizeOf(young[end] as SegmentEntry) <= size) end++
    const run = young.slice(at, end)
    if (run.length < FAN_IN || run.filter(entry => sizeOf(entry) === size).length < FAN_IN / 2) continue
    return { type: 'young', run: run.slice(0, FAN_IN) }
  }
  return undefined
}

/** 0, 1, 2: each FAN_IN times as large as the one before; those that are not merged any more are of a size of their own. */
function sizeOf({ bytes }: SegmentEntry): number {
  if (bytes >= YOUNG_SEGMENT_BYTES_MAX) return Number.POSITIVE_INFINITY
  return bytes <= SMALLEST_BYTES ? 0 : Math.ceil(Math.log(bytes / SMALLEST_BYTES) / Math.log(FAN_IN))
}

function planBase(manifest: Manifest): MergePlan | undefined {
  const { young, base } = manifest
  const least = Math.min(...base.map(range => range.through))
  const most = Math.max(...base.map(range => range.through))
  const newest = young[0]
  if (least < most) return planRange(manifest, most)
  if (newest === undefined) return undefined
  const held = (entries: readonly SegmentEntry[]): { bytes: number; records: number } => ({
    bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0),
    records: entries.reduce((sum, entry) => sum + entry.records, 0),
  })
  const above = held(young)
  const below = held(base.flatMap(range => range.segment ?? []))
  const due = above.bytes >= Math.max(SLACK_BYTES, below.bytes / 2) || above.records >= Math.max(SLACK_RECORDS, below.records / 2)
  return due ? planRange(manifest, newest.through) : undefined
}

/** The first range that does not know all up to `through`, with neighbours while together they are no more than one segment. */
function planRange(manifest: Manifest, through: number): MergePlan {
  const { base, young } = manifest
  if (base.some((_, at) => isUntouched(manifest, at, through))) return { type: 'raise', through }
  const at = base.findIndex(range => range.through < through)
  const first = base[at] as BaseRange
  let bytes = first.segment?.bytes ?? 0
  let end = at + 1
  for (; end < base.length; end++) {
    const next = base[end] as BaseRange
    bytes += next.segment?.bytes ?? 0
    if (next.through !== first.through || bytes > BASE_SEGMENT_BYTES) break
  }
  const stop = base[end]?.start
  return { type: 'base', ranges: base.slice(at, end), end: stop, young: wordsOn(young, first, stop, through), through }
}
