/**
 * From a plan to a merge: what it reads, how much that is, and how its outputs change the manifest.
 * Owns nothing. Invariant: a manifest in which the inputs do not stand any more is not changed.
 */
import { type BaseRange, FIRST_PLACE, type Manifest, type SegmentEntry } from '../format/index.ts'
import { mergeBase, mergeYoung } from '../manifest/index.ts'
import { type MergeRequest, rangeOf } from './merge.ts'
import { aliveIn, type MergePlan } from './policy.ts'

export interface MergeJob {
  readonly request: MergeRequest
  /** Raw bytes it reads. */
  readonly work: number
  /** Raw bytes of all that is merged before it is due again. */
  readonly round: number
  /** The manifest with the outputs in place of the inputs; undefined when the inputs are gone. */
  readonly next: (old: Manifest, outputs: readonly SegmentEntry[]) => Manifest | undefined
}

export function jobOf(plan: Extract<MergePlan, { type: 'young' | 'base' }>, manifest: Manifest, baseBytes: number): MergeJob {
  const alive = aliveIn(manifest)
  if (plan.type === 'young') {
    const { run } = plan
    const files = run.map(entry => entry.file)
    const from = (run.at(-1) as SegmentEntry).from
    const through = (run[0] as SegmentEntry).through
    const range = rangeOf(FIRST_PLACE, undefined)
    const work = rawBytesOf(run)
    return {
      request: { young: run, ranges: [], range, from, through, alive, tombstones: true, cutBytes: Number.POSITIVE_INFINITY },
      work,
      round: work,
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
    cutBytes: baseBytes,
  }
  const inputs = [...young, ...ranges.flatMap(range => range.segment ?? [])]
  return {
    request,
    work: rawBytesOf(inputs),
    round: rawBytesOf([...manifest.young, ...manifest.base.flatMap(range => range.segment ?? [])]),
    next: (old, outputs) => {
      const there = ranges.every(range =>
        old.base.some(
          one => one.segment?.file === range.segment?.file && one.through === range.through && one.start.key === range.start.key,
        ),
      )
      if (!there) return undefined
      const replaced = outputs.map((segment, at): BaseRange => ({ start: at === 0 ? first.start : segment.first, through, segment }))
      return mergeBase(old, ranges, replaced.length > 0 ? replaced : [{ start: first.start, through, segment: null }])
    },
  }
}

function rawBytesOf(entries: readonly SegmentEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.rawBytes, 0)
}
