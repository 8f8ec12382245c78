/**
 * How folding changes a manifest: pure functions, each guarded by predicates on (old, new) before anything is written (RFC 0006, 2).
 *
 * Invariants: the fold point rises and stays inside the log that is named; what the segments say of a place up to the fold point is the same
 * before and after a merge; a young segment leaves the list only merged into another, when every range of the base contains it, or when
 * all collections that it knows of are gone; the log reaches back to the oldest fold point that is kept. Only a fork (transitions.ts) goes back
 * behind a fold point. Of the past a manifest loses what retention does not ask for, by a fold and by `trim`, which are alike in it: no file is
 * removed by that, for the manifest before goes on to name it, and the collector keeps what that one names until the next is published.
 */
import { assert } from '../base/errors.ts'
import { leastOf, mostOf } from '../base/extremes.ts'
import { LOG_FILES_KEPT_MAX } from '../base/limits.ts'
import {
  type BaseRange,
  comparePlaces,
  cutEnds,
  FIRST_PLACE,
  type FoldPoint,
  highest,
  type LogEntry,
  type Manifest,
  type Place,
  type RetainedPoint,
  type SegmentEntry,
  segmentsOf,
} from '../format/index.ts'
import { assertNumbers } from './numbers.ts'
import { type AgesOf, type Retention, retain } from './retention.ts'

/** The fold point rises to `point`; `parts`, newest first, hold what came between. What retention does not ask for is not named any more. */
export function foldTo(old: Manifest, point: FoldPoint, parts: readonly SegmentEntry[], retention: Retention, agesOf: AgesOf): Manifest {
  const before = old.fold?.epoch ?? 0
  assert(point.epoch > before, 'a fold point rises')
  assert(point.nextId >= (old.fold?.nextId ?? 0), 'ids are not given again')
  assert(
    parts.every(part => part.from === before && part.through <= point.epoch && part.through > before),
    'new segments hold what came between',
  )
  const left: RetainedPoint = { number: old.number, epoch: before, timeMs: old.fold?.timeMs ?? point.timeMs }
  const retained = withinLog(old.log, retain([...old.retained, left], agesOf, retention), retention)
  const next: Manifest = {
    ...old,
    number: old.number + 1,
    fold: point,
    young: [...parts.map(cutEnds), ...old.young],
    retained,
    log: logFrom(old, retained, point),
  }
  checkFolded(old, next)
  return next
}

/**
 * The fold point stays where it is, and what retention does not ask for any more is not named: earlier manifests, and the log before the oldest
 * of those that are left. Undefined: it asks for all there is. `agesOf`: the fold point is the last of those it is asked for.
 */
export function trim(old: Manifest, retention: Retention, agesOf: AgesOf): Manifest | undefined {
  if (old.fold === null) return undefined
  const { epoch, timeMs } = old.fold
  const here: RetainedPoint = { number: old.number, epoch, timeMs }
  const retained = withinLog(
    old.log,
    retain(old.retained, points => agesOf([...points, here]), retention),
    retention,
  )
  const next: Manifest = { ...old, number: old.number + 1, retained, log: logFrom(old, retained, old.fold) }
  if (retained.length === old.retained.length && next.log.length === old.log.length) return undefined
  checkFolded(old, next)
  const kept = new Set(old.retained)
  assert(
    retained.every(point => kept.has(point)) && retained.length >= Math.min(old.retained.length, retention.keepLast - 1),
    'of the points that are kept no more than asked for go',
  )
  return next
}

/** Of points that are kept for a time, those go that need more of the log than LOG_FILES_KEPT_MAX files. */
function withinLog(log: readonly LogEntry[], points: readonly RetainedPoint[], retention: Retention): readonly RetainedPoint[] {
  const { keepLast, keepUpTo = -1 } = retention
  const beyond = log[log.length - LOG_FILES_KEPT_MAX - 1]?.end?.epoch ?? -1
  // The fold point itself is one of the last.
  return points.filter(({ epoch }, at) => epoch > beyond || at > points.length - keepLast || epoch <= keepUpTo)
}

/** The log from the oldest point that is kept on. */
function logFrom(old: Manifest, retained: readonly RetainedPoint[], fold: FoldPoint): readonly LogEntry[] {
  const oldest = retained[0]?.epoch ?? fold.epoch
  const log = old.log.filter(entry => entry.end === null || entry.end.epoch >= oldest)
  assert(
    log.some(entry => entry.file === fold.file && (entry.end === null || entry.end.epoch >= fold.epoch)),
    'the log goes on behind the fold point',
  )
  return log
}

/**
 * Young segments that stand beside each other become `merged`: one, disjoint pieces of one, or none where nothing of them counts any more.
 * `files`: newest first.
 */
export function mergeYoung(old: Manifest, files: readonly string[], merged: readonly SegmentEntry[]): Manifest {
  const at = old.young.findIndex(entry => entry.file === files[0])
  const run = at < 0 ? [] : old.young.slice(at, at + files.length)
  assert(files.length > 0 && run.length === files.length && run.every((entry, index) => entry.file === files[index]), 'a run of segments')
  const [newest, oldest] = [run[0] as SegmentEntry, run.at(-1) as SegmentEntry]
  assert(
    merged.every(entry => entry.from === oldest.from && entry.through === newest.through) &&
      sum(merged, entry => entry.records) <= sum(run, entry => entry.records),
    'merged segments cover what they replace',
  )
  const young = [...old.young.slice(0, at), ...merged.map(cutEnds), ...old.young.slice(at + files.length)]
  const next: Manifest = { ...old, number: old.number + 1, young }
  checkFolded(old, next)
  return next
}

/** The base ranges `replaced`, which stand beside each other, become `ranges`; young segments that no range needs any more go. */
export function mergeBase(old: Manifest, replaced: readonly BaseRange[], ranges: readonly BaseRange[]): Manifest {
  const first = replaced[0]
  const at = old.base.findIndex(range => first !== undefined && comparePlaces(range.start, first.start) === 0)
  const end = at + replaced.length
  assert(at >= 0 && replaced.every((range, index) => sameRange(range, old.base[at + index])), 'the ranges are as they were')
  assert(ranges.length > 0 && comparePlaces((ranges[0] as BaseRange).start, (first as BaseRange).start) === 0, 'ranges start alike')
  const stop = old.base[end]
  assert(stop === undefined || comparePlaces((ranges.at(-1) as BaseRange).start, stop.start) < 0, 'ranges end alike')
  assert(
    ranges.every(({ start, segment }, index) => {
      const before = ranges[index - 1]?.segment ?? null
      const isBehind = before === null || comparePlaces(before.last, start) < 0
      return index === 0 || (isBehind && (segment === null || comparePlaces(start, segment.first) <= 0))
    }),
    'a range starts behind what was written before it, and not behind its own',
  )
  const least = mostOf(replaced, range => range.through)
  const most = mostOf(old.young, entry => entry.through, least)
  assert(
    ranges.every(range => range.through >= least && range.through <= most),
    'a range knows more than before, and nothing that no segment knew',
  )
  const named = ranges.map(range => ({ ...range, segment: range.segment === null ? null : cutEnds(range.segment) }))
  const base = joinEmpty([...old.base.slice(0, at), ...named, ...old.base.slice(end)])
  const needed = leastOf(base, range => range.through)
  const next: Manifest = { ...old, number: old.number + 1, base, young: old.young.filter(entry => entry.through > needed) }
  checkFolded(old, next)
  return next
}

/** Base ranges that no young segment up to epoch `through` has a word on know all up to it as they are. */
export function raiseBase(old: Manifest, through: number): Manifest {
  assert(
    old.young.some(entry => entry.through === through) || old.base.some(range => range.through === through),
    'a range rises to what is known',
  )
  const isUntouched = untouched(old, through)
  const base = joinEmpty(old.base.map((range, at) => (isUntouched(range, at) ? { ...range, through } : range)))
  const needed = leastOf(base, range => range.through)
  const next: Manifest = { ...old, number: old.number + 1, base, young: old.young.filter(entry => entry.through > needed) }
  checkFolded(old, next)
  return next
}

/**
 * Whether a range of the base knows less than up to `through`, and no young segment up to there has a word on it. To be asked of the ranges in their
 * order: all of them take one pass over the young segments, for there may be thousands of both, and more where ranges know unlike much.
 */
export function untouched({ base, young }: Manifest, through: number): (range: BaseRange, at: number) => boolean {
  const sweeps = new Map<number, ReturnType<typeof sweep>>()
  return (range, at) => {
    const before = range.through
    if (before >= through) return false
    let isReached = sweeps.get(before)
    if (isReached === undefined) {
      isReached = sweep(young.filter(entry => entry.through > before && entry.through <= through))
      sweeps.set(before, isReached)
    }
    return !isReached(range.start, base[at + 1]?.start)
  }
}

/** Whether one of these segments may know of places from `start` up to before `end`. Ranges rise from one question to the next. */
export function sweep(young: readonly SegmentEntry[]): (start: Place, end: Place | undefined) => boolean {
  const rising = young.toSorted((one, other) => comparePlaces(one.first, other.first))
  let at = 0
  /** How far those reach that begin before the range ends. */
  let reach: Place | undefined
  return (start, end) => {
    for (; at < rising.length; at++) {
      const { first, last } = rising[at] as SegmentEntry
      if (end !== undefined && comparePlaces(first, end) >= 0) break
      const most = highest(last)
      if (reach === undefined || comparePlaces(most, reach) > 0) reach = most
    }
    return reach !== undefined && comparePlaces(reach, start) >= 0
  }
}

/** The young segments that may know of places from the range up to before `end`, in the epochs after those of the range up to and with `through`. */
export function wordsOn(young: readonly SegmentEntry[], range: BaseRange, end: Place | undefined, through: number): SegmentEntry[] {
  return young.filter(
    entry =>
      entry.through > range.through &&
      entry.through <= through &&
      comparePlaces(highest(entry.last), range.start) >= 0 &&
      (end === undefined || comparePlaces(entry.first, end) < 0),
  )
}

/** No collection between its first and its last is alive. `alive`: in order; a look at each, for each segment, would hold the turn. */
export function isDead({ first, last }: SegmentEntry, alive: readonly number[]): boolean {
  let low = 0
  let high = alive.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((alive[middle] as number) < first.collection) low = middle + 1
    else high = middle
  }
  const next = alive[low]
  return next === undefined || next > last.collection
}

/** Base ranges of which nothing counts any more, by the names of their files, lose their segments, and young segments go. */
export function dropDead(old: Manifest, dead: ReadonlySet<string>): Manifest {
  const base = joinEmpty(
    old.base.map(range => (range.segment !== null && dead.has(range.segment.file) ? { ...range, segment: null } : range)),
  )
  const alive = old.fold?.catalogue.map(entry => entry.id) ?? []
  const gone = old.young.filter(segment => dead.has(segment.file))
  assert(
    gone.every(segment => isDead(segment, alive)),
    'a young segment is dropped when its collections are gone: one that is empty may be so by its tombstones',
  )
  const next: Manifest = { ...old, number: old.number + 1, base, young: old.young.filter(segment => !dead.has(segment.file)) }
  checkFolded(old, next)
  return next
}

/**
 * Neighbours in which nothing lies, and which know as much, are one: where all that comes goes again, the list is as long as what is there. A
 * range that has a segment is not made longer: what its file holds beyond it would count.
 */
function joinEmpty(base: readonly BaseRange[]): readonly BaseRange[] {
  return base.filter((range, at) => {
    const before = base[at - 1]
    return range.segment !== null || before === undefined || before.segment !== null || before.through !== range.through
  })
}

/** The same once more: the way back from the newest manifest is one that says the same, and what the one before it named is free. */
export function repeat(old: Manifest): Manifest {
  const next: Manifest = { ...old, number: old.number + 1 }
  checkFolded(old, next)
  return next
}

function checkFolded(old: Manifest, next: Manifest): void {
  assert(next.number === old.number + 1, 'manifest numbers rise')
  assertNumbers(next)
  assert(next.token === old.token && next.storeId === old.storeId && next.lineage === old.lineage, 'folding changes no owner')
  const covered = next.fold?.epoch ?? 0
  const segments = segmentsOf(next)
  assert(new Set(segments.map(entry => entry.file)).size === segments.length, 'a segment is named once')
  assert(
    segments.every(entry => entry.from < entry.through && entry.through <= covered),
    'no segment is beyond the fold point',
  )
  assert(
    next.young.every((entry, index) => {
      const newer = next.young[index - 1]
      return newer === undefined || (entry.through <= newer.through && entry.from <= newer.from)
    }),
    'young segments stand in order',
  )
  assert(next.base.length > 0 && comparePlaces((next.base[0] as BaseRange).start, FIRST_PLACE) === 0, 'the base has no gap before it')
  assert(
    next.base.every((range, index) => index === 0 || comparePlaces((next.base[index - 1] as BaseRange).start, range.start) < 0),
    'base ranges stand in order',
  )
  assert(
    next.log.every((entry, index) => sameEnd(entry, old.log[old.log.length - next.log.length + index])),
    'the log loses only its beginning',
  )
}

function sameEnd(a: LogEntry, b: LogEntry | undefined): boolean {
  return b !== undefined && a.file === b.file && a.end?.epoch === b.end?.epoch && a.end?.bytes === b.end?.bytes
}

function sameRange(a: BaseRange, b: BaseRange | undefined): boolean {
  return b !== undefined && comparePlaces(a.start, b.start) === 0 && a.through === b.through && a.segment?.file === b.segment?.file
}

function sum(entries: readonly SegmentEntry[], of: (entry: SegmentEntry) => number): number {
  return entries.reduce((total, entry) => total + of(entry), 0)
}
