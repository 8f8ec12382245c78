/**
 * From figures to recommendations. Pure.
 *
 * Invariants: what is recommended gains more than the error of its figures and more than GAIN_SHARE_MIN; where a store writes next to nothing,
 * or its history is too short to tell, nothing is; what rests on the meaning of the data is a hint.
 */
import { SEGMENT_BLOCK_RAW_BYTES } from '../base/limits.ts'
import type { LogRatios } from './measure.ts'
import { perSecond } from './timeline.ts'
import type { BlockMeasurement, CollectionProfile, Effect, IntervalEffect, Profile, Recommendation } from './types.ts'

type Figures = Omit<Profile, 'recommendations'>

/** Below this a store costs nothing worth a change. */
const BYTES_PER_SECOND_MIN = 1024
/** Spans that a figure must rest on. */
const SPANS_MIN = 10
/** Of what it costs now, that every step of a change must save. */
const GAIN_SHARE_MIN = 0.15
/** Barriers that must come as an interval makes them come. */
const REGULAR_SHARE_MIN = 0.6
/** Of the records, that must be redundant before it is worth telling them apart. */
const REDUNDANT_SHARE_MIN = 0.1
/** Of all bytes, and times a key is written: what a collection that could be built anew may look like. */
const REBUILDABLE_BYTES_SHARE_MIN = 0.2
const REBUILDABLE_REWRITES_MIN = 8
/** A rebuildable collection may lag so many intervals; the longest that was computed. */
const LAG = 8
/** Of the bytes, that large values must make. */
const LARGE_SHARE_MIN = 0.3
/** Raw / stored, below which compressing is work for nothing. */
const INCOMPRESSIBLE_RATIO = 1.03
/** Blocks of the log that go early are smaller than those that were measured, which are cut from whole epochs. */
const LOG_BLOCKS_ERROR_SHARE = 0.25
/** How much more a cold get may cost for fewer bytes. */
const GET_TIMES_MAX = 1.5
/** Timings differ by so much from one run to the next. */
const TIMING_ERROR_SHARE = 0.3
/** Bytes of the heap for a byte of a record, and for an entry: an object is several times as large as what is written of it. */
const HEAP_TIMES = 3
const HEAP_ENTRY_BYTES = 100
const HEAP_ERROR_SHARE = 0.5
/** The budget leaves so much room around the hot set, and is worth it for stores of at least so many heap bytes. */
const HOT_ROOM = 2
const HEAP_BYTES_MIN = 64 * 1024 * 1024
const HEAP_GAIN_MIN = 4

export interface StoreFacts {
  /** That there are, though one alone be looked at. */
  readonly collections: number
  /** What each compression makes of the log; undefined: one collection alone was looked at, and nothing is said of the store as one. */
  readonly logRatios: LogRatios | undefined
}

export function recommend(profile: Figures, { collections: there, logRatios }: StoreFacts): Recommendation[] {
  const { history, all, collections } = profile
  if (history.epochs < SPANS_MIN || all.records === 0) return []
  if (perSecond(history.logBytes, history.coveredMs) < BYTES_PER_SECOND_MIN) return []
  const found: Recommendation[] = []
  if (logRatios !== undefined) {
    add(found, interval(profile))
    add(found, compression(profile, logRatios))
    add(found, blockBytes(profile))
    add(found, memory(profile))
  }
  for (const collection of collections) {
    add(found, significant(profile, collection))
    // Where everything could be built anew, nobody would keep a store.
    if (there > 1) add(found, rebuildable(profile, collection))
    add(found, large(profile, collection))
  }
  return found
}

function add(found: Recommendation[], recommendation: Recommendation | undefined): void {
  if (recommendation !== undefined) found.push(recommendation)
}

/** What is set, most likely: the default where nothing tells. */
export function compressing(found: Profile['history']['compression']): BlockMeasurement['compression'] {
  return found === 'unknown' ? 'zstd' : found
}

/** The longest one of which every doubling saves enough. */
function interval({ history, intervals, all }: Figures): Recommendation | undefined {
  const [now] = intervals
  if (now === undefined || history.regularShare < REGULAR_SHARE_MIN) return undefined
  let best = now
  for (const next of intervals.slice(1)) {
    if (next.commitsPerSecond * (history.coveredMs / 1000) < SPANS_MIN || !saves(now, best, next)) break
    best = next
  }
  if (best === now) return undefined
  const left = all.merged.find(({ factor }) => factor === best.factor)?.bytesShare ?? 1
  const ofRecords = perSecond(history.blockBytes, history.coveredMs) * (1 - left)
  const cause =
    ofRecords >= (now.bytesPerSecond - best.bytesPerSecond) / 2
      ? `keys are written again within ${best.factor} intervals: one record for them instead of several is`
      : 'fewer commits, and blocks that hold more and compress better, are'
  const fewer = percent(1 - best.bytesPerSecond / now.bytesPerSecond)
  return {
    setting: 'checkpoint.intervalMs',
    kind: 'setting',
    from: roundly(now.intervalMs),
    to: best.factor * roundly(now.intervalMs),
    why: `${cause} ${fewer} fewer bytes in the log; a crash may then lose ${best.factor} times as long`,
    expected: {
      bytesPerSecond: { before: now.bytesPerSecond, after: best.bytesPerSecond, errorShare: best.errorShare },
      commitsPerSecond: {
        before: now.commitsPerSecond,
        after: best.commitsPerSecond,
        errorShare: best.factor / (now.commitsPerSecond * (history.coveredMs / 1000)),
      },
      lossMsMax: { before: now.intervalMs, after: best.intervalMs, errorShare: 0 },
    },
  }
}

function saves(now: IntervalEffect, before: IntervalEffect, next: IntervalEffect): boolean {
  const gain = before.bytesPerSecond - next.bytesPerSecond
  return gain >= GAIN_SHARE_MIN * now.bytesPerSecond && gain > next.errorShare * next.bytesPerSecond
}

function measured(
  blocks: readonly BlockMeasurement[],
  way: Profile['history']['compression'],
  blockBytes: number,
): BlockMeasurement | undefined {
  return blocks.find(block => block.compression === way && block.blockBytes === blockBytes)
}

function compression({ history, blocks }: Figures, logRatios: LogRatios): Recommendation | undefined {
  const size = 64 * 1024
  const now = measured(blocks, history.compression, size)
  const zstd = measured(blocks, 'zstd', size)
  const none = measured(blocks, 'none', size)
  const best = zstd ?? measured(blocks, 'deflate', size)
  if (history.compression === 'unknown' || now === undefined || best === undefined || none === undefined) return undefined
  const change = (to: BlockMeasurement, why: string): Recommendation => ({
    setting: 'compression',
    kind: 'setting',
    from: history.compression,
    to: to.compression,
    why,
    expected: {
      bytesPerSecond: logEffect(history, logRatios, now.compression, to.compression),
      compressUs: { before: now.compressUs, after: to.compressUs, errorShare: TIMING_ERROR_SHARE },
      getUs: { before: now.getUs, after: to.getUs, errorShare: TIMING_ERROR_SHARE },
    },
  })
  if (history.compression === 'none') {
    const found = change(best, `records shrink to ${percent(1 / best.ratio)} of their bytes`)
    const { before, after, errorShare } = found.expected.bytesPerSecond as Effect
    const gain = before - after
    return gain >= GAIN_SHARE_MIN * before && gain > errorShare * after ? found : undefined
  }
  if (now.ratio / none.ratio < INCOMPRESSIBLE_RATIO) {
    return change(none, 'records do not shrink: compressing them is work for nothing')
  }
  const isFaster = zstd !== undefined && zstd.compressUs < now.compressUs / 2 && zstd.ratio > now.ratio * (1 - GAIN_SHARE_MIN / 2)
  if (history.compression === 'deflate' && isFaster) {
    return change(zstd, 'zstd makes blocks of about the same size in less than half of the time')
  }
  return undefined
}

/** Of the log only blocks are compressed. */
function logEffect(
  { logBytes, blockBytes, coveredMs }: Figures['history'],
  ratios: LogRatios,
  from: BlockMeasurement['compression'],
  to: BlockMeasurement['compression'],
): Effect {
  const [now, then] = [ratios.get(from), ratios.get(to)]
  const blocks = now === undefined || then === undefined ? blockBytes : (blockBytes * then.ratio) / now.ratio
  const after = logBytes - blockBytes + blocks
  const sampling = 2 * Math.hypot(now?.errorShare ?? 0, then?.errorShare ?? 0)
  return {
    before: perSecond(logBytes, coveredMs),
    after: perSecond(after, coveredMs),
    errorShare: (Math.hypot(sampling, LOG_BLOCKS_ERROR_SHARE) * blocks) / after,
  }
}

function blockBytes({ history, blocks, all }: Figures): Recommendation | undefined {
  const now = measured(blocks, compressing(history.compression), SEGMENT_BLOCK_RAW_BYTES)
  if (now === undefined || entryBytes(all) < HEAP_BYTES_MIN / HEAP_TIMES) return undefined
  const others = blocks.filter(block => block.compression === now.compression && block.level === now.level && block !== now)
  const better = others.filter(
    ({ ratio, getUs }) =>
      (ratio >= now.ratio / (1 - GAIN_SHARE_MIN) && getUs <= now.getUs * GET_TIMES_MAX) ||
      (getUs <= now.getUs / 2 && ratio >= now.ratio * (1 - GAIN_SHARE_MIN / 3)),
  )
  const [best] = better.sort((a, b) => a.getUs / a.ratio - b.getUs / b.ratio)
  if (best === undefined) return undefined
  return {
    setting: 'block size of segments',
    kind: 'hint',
    from: now.blockBytes,
    to: best.blockBytes,
    why:
      best.blockBytes > now.blockBytes
        ? 'larger blocks hold the same records in fewer bytes'
        : 'a cold get reads less, for hardly more bytes',
    expected: {
      storedBytesPerEntryByte: { before: 1 / now.ratio, after: 1 / best.ratio, errorShare: 0.1 },
      getUs: { before: now.getUs, after: best.getUs, errorShare: TIMING_ERROR_SHARE },
    },
  }
}

/** What most writes go to, with room; only where it is a small part of all entries. */
function memory({ all }: Figures): Recommendation | undefined {
  const heap = (bytes: number, keys: number): number => HEAP_TIMES * bytes + HEAP_ENTRY_BYTES * keys
  const now = heap(entryBytes(all), all.entries)
  const hot = HOT_ROOM * heap(all.hotSet.bytes90, all.hotSet.keys90)
  if (now < HEAP_BYTES_MIN || now < HEAP_GAIN_MIN * hot || all.rewriteRatio < 2) return undefined
  const to = Math.max(HEAP_BYTES_MIN / 2, 2 ** Math.ceil(Math.log2(hot)))
  if (now < HEAP_GAIN_MIN * to) return undefined
  return {
    setting: 'budget.memoryBytesMax',
    kind: 'hint',
    from: 'Infinity',
    to,
    why: `${all.hotSet.keys90} of ${all.entries} entries take nine tenths of the writes; with restore.hydrate 'on-demand' the others need not be in the heap. Reads leave no trace in the log: it holds only if they go to the same entries`,
    expected: { heapBytes: { before: now, after: to, errorShare: HEAP_ERROR_SHARE } },
  }
}

/** Of all entries, were those that the history does not speak of like the others. */
function entryBytes({ entries, distinctBytes, distinctKeys }: CollectionProfile): number {
  return distinctKeys === 0 ? 0 : (entries * distinctBytes) / distinctKeys
}

/** Log bytes that go with record bytes of a collection. */
function logShare({ history }: Figures, bytesPerSecond: number): number {
  return history.rawBytes === 0 ? 0 : (bytesPerSecond * history.blockBytes) / history.rawBytes
}

function significant(
  profile: Figures,
  { name, redundantBytesShare, redundantShare, bytesPerSecond, sampledShare }: CollectionProfile,
): Recommendation | undefined {
  const before = logShare(profile, bytesPerSecond)
  if (redundantShare < REDUNDANT_SHARE_MIN || before * redundantBytesShare < BYTES_PER_SECOND_MIN / 4) return undefined
  return {
    setting: 'significant, or no set at all',
    kind: 'hint',
    collection: name,
    from: 'every set is written',
    to: 'a set that changes nothing is not made',
    why: `${percent(redundantShare)} of its records have the bytes of the one before: nothing had changed`,
    expected: { bytesPerSecond: { before, after: before * (1 - redundantBytesShare), errorShare: sampledShare === 1 ? 0.1 : 0.2 } },
  }
}

function rebuildable(profile: Figures, collection: CollectionProfile): Recommendation | undefined {
  const { name, bytes, rewriteRatio, bytesPerSecond, merged, kind } = collection
  const lagging = merged.find(({ factor }) => factor === LAG)
  const before = logShare(profile, bytesPerSecond)
  if (kind !== 'map' || lagging === undefined || profile.history.epochs < LAG * SPANS_MIN) return undefined
  if (bytes < REBUILDABLE_BYTES_SHARE_MIN * profile.history.rawBytes || rewriteRatio < REBUILDABLE_REWRITES_MIN) return undefined
  if (1 - lagging.bytesShare < 2 * GAIN_SHARE_MIN) return undefined
  return {
    setting: 'class',
    kind: 'hint',
    collection: name,
    from: 'standard',
    to: 'rebuildable',
    why: `each of its ${collection.distinctKeys} keys was written ${rewriteRatio.toFixed(1)} times; if it can be built anew from other data, it may lag: the figure is for ${LAG} intervals`,
    expected: { bytesPerSecond: { before, after: before * lagging.bytesShare, errorShare: lagging.errorShare + 0.1 } },
  }
}

function large(profile: Figures, { name, large: values, rewriteRatio, bytesPerSecond }: CollectionProfile): Recommendation | undefined {
  const before = logShare(profile, bytesPerSecond)
  if (values.bytesShare < LARGE_SHARE_MIN || rewriteRatio < 2 || before * values.bytesShare < BYTES_PER_SECOND_MIN) return undefined
  return {
    setting: 'size of values',
    kind: 'hint',
    collection: name,
    from: values.maxBytes,
    to: 'several entries, of which a change touches one',
    why: `${percent(values.bytesShare)} of its bytes are values of 64 KiB and more, each written whole whatever changed in it; the figure is the most there is to save`,
    expected: { bytesPerSecond: { before, after: before * (1 - values.bytesShare), errorShare: 1 } },
  }
}

/** Two digits: barriers come a little later than they are due. */
function roundly(ms: number): number {
  return Number(ms.toPrecision(2))
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
}
