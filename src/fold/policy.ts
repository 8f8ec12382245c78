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

/** When segments are merged. */
export interface MergeLimits {
  /** So many young segments of like size become one. */
  readonly fanIn: number
  /**
   * Up to so many times `fanIn` young segments are let be: a look-up asks their filters in a few microseconds, and the next round through the
   * base takes them all. Where the base is large, and the round far, each byte is merged among young ones first.
   */
  readonly fewTimes: number
  /** Young segments up to this size are alike; from `youngBytesMax` on they are merged into the base alone. */
  readonly smallestBytes: number
  readonly youngBytesMax: number
  /** A base smaller than twice this is merged when the young segments hold so much. */
  readonly slackBytes: number
  readonly slackRecords: number
  /** A round through the base begins at so many times what begins one otherwise. */
  readonly rounds: number
  /** Stored bytes at which a base segment is closed. */
  readonly baseBytes: number
}

export const MERGE_LIMITS: MergeLimits = {
  fanIn: 8,
  fewTimes: 3,
  smallestBytes: 1024 * 1024,
  youngBytesMax: YOUNG_SEGMENT_BYTES_MAX,
  slackBytes: 8 * 1024 * 1024,
  slackRecords: 8 * TABLE_RECORDS,
  rounds: 1,
  baseBytes: BASE_SEGMENT_BYTES,
}

/** Of the base: a round rewrites all of it, so a smaller share would write more, a larger one keep more that is superseded. */
const ROUND_SHARE = 0.9

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
export function planMerge(manifest: Manifest, limits: MergeLimits = MERGE_LIMITS): MergePlan | undefined {
  return planDrop(manifest) ?? planYoung(manifest.young, limits) ?? planBase(manifest, limits)
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
  const segments = [...manifest.young, ...manifest.base.flatMap(range => range.segment ?? [])]
  return segments.some(segment => isDead(segment, alive)) ? { type: 'drop' } : undefined
}

/** The newest run of `fanIn` segments that are alike. */
function planYoung(young: readonly SegmentEntry[], { fanIn, fewTimes, smallestBytes, youngBytesMax }: MergeLimits): MergePlan | undefined {
  if (young.length <= fewTimes * fanIn) return undefined
  /** 0, 1, 2: each `fanIn` times as large as the one before. */
  const sizeOf = (entry: SegmentEntry): number => {
    if (entry.bytes >= youngBytesMax) return Number.POSITIVE_INFINITY
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

function planBase(manifest: Manifest, limits: MergeLimits): MergePlan | undefined {
  const { young, base } = manifest
  const least = Math.min(...base.map(range => range.through))
  const most = Math.max(...base.map(range => range.through))
  const newest = young[0]
  if (least < most) return planRange(manifest, most, limits.baseBytes)
  if (newest === undefined) return undefined
  const above = held(young)
  const at = roundAt(
    base.flatMap(range => range.segment ?? []),
    limits,
  )
  const due = above.bytes >= at.bytes || above.records >= at.records
  return due ? planRange(manifest, newest.through, limits.baseBytes) : undefined
}

/** Of young segments: a round through this base begins when they hold as many bytes, or as many records. */
export function roundAt(base: readonly SegmentEntry[], limits: MergeLimits): { bytes: number; records: number } {
  const { bytes, records } = held(base)
  const { slackBytes, slackRecords, rounds } = limits
  return { bytes: rounds * Math.max(slackBytes, bytes * ROUND_SHARE), records: rounds * Math.max(slackRecords, records * ROUND_SHARE) }
}

export function held(entries: readonly SegmentEntry[]): { bytes: number; records: number } {
  return {
    bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0),
    records: entries.reduce((sum, entry) => sum + entry.records, 0),
  }
}

/** The first range that does not know all up to `through`, with neighbours while together they are no more than one segment. */
function planRange(manifest: Manifest, through: number, baseBytes: number): MergePlan {
  const { base, young } = manifest
  if (base.some((_, at) => isUntouched(manifest, at, through))) return { type: 'raise', through }
  const at = base.findIndex(range => range.through < through)
  const first = base[at] as BaseRange
  let bytes = first.segment?.bytes ?? 0
  let end = at + 1
  for (; end < base.length; end++) {
    const next = base[end] as BaseRange
    bytes += next.segment?.bytes ?? 0
    if (next.through !== first.through || bytes > baseBytes) break
  }
  const stop = base[end]?.start
  return { type: 'base', ranges: base.slice(at, end), end: stop, young: wordsOn(young, first, stop, through), through }
}
