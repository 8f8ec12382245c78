/**
 * The plans of upkeep's pace: when a fold begins, how long its bar is, how fast is merged. Pure functions of what was observed.
 *
 * Owns: the shares. Does not own: the clock, the work. A table is the measure: what is folded at once (TABLE_RAW_BYTES, TABLE_RECORDS).
 * Invariants: with commits of one size at even times a fold is begun so early, and has so short a bar, that no more than two tables lie
 * behind the fold point; no rate is below the floor, so that every job ends.
 */

/** Upkeep's rate, stored bytes a second, is never below this while the store works, nor below the other while nothing is written: a lull. */
export const FLOOR_BYTES_PER_SECOND = 64 * 1024
export const IDLE_BYTES_PER_SECOND = 1024 * 1024
/** Nothing was written for two intervals and this long: a lull. */
const IDLE_MS = 3000

/** The tail is folded before it is longer than this. */
const TAIL_TABLES = 2
/** Less is not worth a file, unless it is all there will be. */
const FOLD_TABLES_MIN = 0.5
/** Of the time until the next fold is due: what is left is for what goes wrong. */
const FOLD_SHARE = 0.9
const FOLD_MS_MAX = 30_000
/** Its bar is no shorter than for this part of an interval. */
const LATE_SHARE = 0.6
/** A fold that was held up goes at most so many times as fast as it was meant to. */
const FOLD_SPEED_MAX = 2
const MERGE_MS_MAX = 600_000

/**
 * Tables behind the fold point at which a fold begins, where each commit brings `perCommit`. Small commits: a table, less half a commit, for a
 * commit goes beyond it; as much comes while it is folded. Large ones: the fold lasts until the next commit, and there must be room for that
 * one and for one more.
 */
export function foldAt(perCommit: number): number {
  return Math.max(FOLD_TABLES_MIN, Math.min(1 - perCommit / 2, TAIL_TABLES - 2 * perCommit))
}

/** When the next fold is due, as far as can be told, and never before anything was committed; `tables`: what has come since this one began. */
export function foldDueAt(flow: { readonly intervalMs: number; readonly lastAt: number }, perCommit: number, tables: number): number {
  if (perCommit <= 0) return Number.POSITIVE_INFINITY
  const commits = Math.max(1, Math.ceil((foldAt(perCommit) - tables) / perCommit - 1e-9))
  return flow.lastAt + commits * flow.intervalMs
}

export interface FoldPace {
  readonly work: number
  readonly begin: number
  /** Of the whole job, ms. */
  readonly barMs: number
}

/** The bar of a fold that begins now. One that begins late, because the one before was, does not make up for it in a burst. */
export function foldBarMs(now: number, dueAt: number, intervalMs: number): number {
  return Math.min(FOLD_MS_MAX, Math.max(dueAt - now, intervalMs * LATE_SHARE) * FOLD_SHARE)
}

/**
 * Work a second: what is left over what is left of the time, by the bar it was begun with or the shorter one that it would be given now; never
 * slower than the whole was meant to be, nor much faster.
 */
export function foldRate({ work, begin, barMs }: FoldPace, left: number, now: number, newBarMs: number): number {
  if (barMs <= 0) return Number.POSITIVE_INFINITY
  const mean = (work * 1000) / barMs
  const end = begin + Math.min(barMs, newBarMs)
  return Math.max(mean, (left * 1000) / Math.max(end - now, barMs / FOLD_SPEED_MAX))
}

/** What a byte of the log costs in merges, raw. */
export interface MergeCost {
  /** Times it is merged among young segments. */
  readonly levels: number
  /** Raw bytes that a round through the base takes, and those of young segments it takes in. */
  readonly roundBytes: number
  readonly youngBytes: number
}

/**
 * Work a second at which merging keeps up with what is folded, as work a second too, and is not done before it is due again. A round that takes
 * longer finds more young segments when it begins again, each byte of which then costs less: it needs no reserve.
 */
export function mergeRate(folded: number, cost: MergeCost, work: number): number {
  const round = cost.youngBytes > 0 ? cost.roundBytes / cost.youngBytes : 1
  const rate = folded * (cost.levels + round)
  return Math.max(rate, (work * 1000) / MERGE_MS_MAX)
}

/** Stored bytes a second below which no job goes. */
export function floorRate(silentMs: number, intervalMs: number): number {
  return silentMs > IDLE_MS + 2 * intervalMs ? IDLE_BYTES_PER_SECOND : FLOOR_BYTES_PER_SECOND
}
