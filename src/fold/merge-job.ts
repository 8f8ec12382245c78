/**
 * From a plan to a merge: what it reads, how much that is and what merging costs on the whole, and how its outputs change the manifest.
 * Owns nothing. Invariant: a manifest in which the inputs do not stand any more is not changed.
 */
import { type BaseRange, bytesOf, FIRST_PLACE, type Manifest, type SegmentEntry, startBetween } from '../format/index.ts'
import { mergeBase, mergeYoung } from '../manifest/index.ts'
import { type Flow, type MergeCost, mergeRate } from '../pace/index.ts'
import { type MergeRequest, RECORD_BYTES, rangeOf } from './merge.ts'
import { aliveIn, cutBytesOf, type MergeLimits, type MergePlan, rewrittenFor, roundAt } from './policy.ts'

export interface MergeJob {
  readonly request: MergeRequest
  /** Bytes it reads, raw, with what its records cost beside them; and what it will write, about. */
  readonly work: number
  readonly stored: number
  /** What each byte of the log costs in merges, in this store. */
  readonly cost: MergeCost
  /** The manifest with the outputs in place of the inputs; undefined when the inputs are gone. */
  readonly next: (old: Manifest, outputs: readonly SegmentEntry[]) => Manifest | undefined
}

export function jobOf(plan: Extract<MergePlan, { type: 'young' | 'base' }>, manifest: Manifest, limits: MergeLimits): MergeJob {
  const alive = aliveIn(manifest)
  const cost = costOf(manifest, limits)
  if (plan.type === 'young') {
    const { run } = plan
    const files = run.map(entry => entry.file)
    const from = (run.at(-1) as SegmentEntry).from
    const through = (run[0] as SegmentEntry).through
    const range = rangeOf(plan.within?.start ?? FIRST_PLACE, plan.within?.end)
    return {
      request: { young: run, ranges: [], range, from, through, alive, tombstones: true, cutBytes: Number.POSITIVE_INFINITY },
      ...effort(run),
      cost,
      next: (old, outputs) =>
        files.every(file => old.young.some(entry => entry.file === file)) ? mergeYoung(old, files, outputs) : undefined,
    }
  }
  const { ranges, end, young, through } = plan
  const first = ranges[0] as BaseRange
  const request = {
    young,
    ranges,
    range: rangeOf(first.start, end),
    from: 0,
    through,
    alive,
    tombstones: false,
    cutBytes: cutBytesOf(manifest.base, limits),
  }
  const inputs = ranges.flatMap(range => range.segment ?? [])
  const below = effort(inputs)
  const above = effort(young)
  // A young segment holds places of every range it reaches over; those of these ranges only are read. How much of it belongs where nothing is
  // yet, nobody knows.
  const reached = effort(rewrittenFor(young, manifest.base)).work
  const part = inputs.length > 0 && reached > 0 ? Math.min(1, below.work / reached) : 1
  return {
    request,
    work: below.work + part * above.work,
    stored: below.stored + part * above.stored,
    cost,
    next: (old, outputs) => {
      const there = ranges.every(range =>
        old.base.some(
          one => one.segment?.file === range.segment?.file && one.through === range.through && one.start.key === range.start.key,
        ),
      )
      if (!there) return undefined
      const replaced = outputs.map((segment, at): BaseRange => {
        const before = outputs[at - 1]
        return { start: before === undefined ? first.start : startBetween(before.last, segment.first), through, segment }
      })
      return mergeBase(old, ranges, replaced.length > 0 ? replaced : [{ start: first.start, through, segment: null }])
    },
  }
}

/** Work a second at which merges keep up with the commits, of which folds leave the share `left`. */
export function rateOf({ cost, work }: Pick<MergeJob, 'cost' | 'work'>, flow: Flow, left: number): number {
  return mergeRate(left * flow.perSecond(RECORD_BYTES), cost, work)
}

/** What it takes to read them and to write them again. */
function effort(entries: readonly SegmentEntry[]): { work: number; stored: number } {
  return {
    work: entries.reduce((sum, entry) => sum + entry.rawBytes + entry.records * RECORD_BYTES, 0),
    stored: bytesOf(entries),
  }
}

/** As it will be when a round is due through what the young segments reach over now. */
function costOf(manifest: Manifest, limits: MergeLimits): MergeCost {
  const base = rewrittenFor(manifest.young, manifest.base)
  const { bytes, records } = roundAt(base, limits)
  const below = { bytes: effort(base).stored, records: base.reduce((sum, entry) => sum + entry.records, 0) }
  // Young beside base when the round begins, by that of the two measures that makes it due first.
  const share = base.length > 0 ? Math.min(bytes / below.bytes, records / below.records) : Number.POSITIVE_INFINITY
  // Those that are let be, and those that the segments of each level are merged from.
  const many = bytes / limits.smallestBytes / (limits.fewTimes * limits.fanIn)
  const levels = many <= 1 ? 0 : Math.ceil(Math.log(many) / Math.log(limits.fanIn))
  return { levels, roundBytes: Number.isFinite(share) ? 1 + share : 1, youngBytes: Number.isFinite(share) ? share : 1 }
}
