/**
 * What heavy upkeep may do now, as the scheduler says it (schedule/), and how far it lets itself be held.
 *
 * Owns: the level, and when it lapses. Does not own: the tail, the segments, the pace.
 * Invariants: a level that is not said again lapses to 'slow'; a hold lets the tail of the log grow by HELD_TABLES tables, the young segments to twice
 * of what begins a round otherwise, and those that merging with each other makes fewer to HELD_YOUNG_TIMES, and then counts for nothing: a restart and a
 * look-up cost a bounded time whatever is said, and so where every run is too short for a merge at its pace.
 */
import type { Manifest } from '../format/index.ts'
import type { UpkeepLevel } from '../schedule/index.ts'
import { countSmall, deadFiles, isBaseDue, isMostlyDeleted, type MergeLimits, type Stuck } from './policy.ts'

/**
 * Tables that may lie behind the fold point beyond those at which one is folded otherwise. Held: two, which with one more that comes meanwhile are
 * 8 MiB or 98,304 records for a restart to read. Free: half a one less, so that the busy time begins with little behind it.
 */
const HELD_TABLES = 2
const FREE_TABLES = -0.5
/**
 * Young segments that a look-up asks at most while merging is held, in times of `fanIn`, beside those that wait for a round through the base: of a
 * large base these are many, and no merge before that round would make them fewer.
 */
const HELD_YOUNG_TIMES = 6
/**
 * Young bytes and records at which a round through the base begins, against those at which it does otherwise. Free: what would be due in the busy time
 * is done before it comes; a round that begins at half takes in half as much and writes three quarters of what a whole one does.
 */
const HELD_ROUNDS = 2
const FREE_ROUNDS = 0.5
/** Of the base, deleted entry by entry: what is left is written in no time, and more can hardly be deleted. */
const HELD_DELETED_SHARE = 0.9

/**
 * Merging goes as fast as it can beyond so many times `fanIn` of those that it makes fewer, for each look-up asks all of them; those that wait for the
 * round through the base do not count here either.
 */
const CROWDED_YOUNG_TIMES = 6
/** More small ones than a run that ends leaves: half a merge beyond those that are let be. */
const LEFT_YOUNG_TIMES = 0.5

const NONE: Stuck = new Set()

/** Merging does not wait any more, whatever is said. What no merge would take in, for it is stuck, waits for none. */
export function isOverdue(manifest: Manifest, limits: MergeLimits, stuck = NONE, youngMax = HELD_YOUNG_TIMES * limits.fanIn): boolean {
  if (countSmall(manifest.young, limits, stuck) > youngMax) return true
  if (isBaseDue(manifest, limits, stuck, HELD_ROUNDS)) return true
  return isMostlyDeleted(manifest, limits, { stuck, share: HELD_DELETED_SHARE })
}

/** Merging does not keep to its pace any more. */
export function isCrowded({ young }: Manifest, limits: MergeLimits, stuck = NONE): boolean {
  return countSmall(young, limits, stuck) > CROWDED_YOUNG_TIMES * limits.fanIn
}

/** A run that ends does not leave it to the next, which may be as short. */
export function isLeft(manifest: Manifest, limits: MergeLimits, stuck = NONE): boolean {
  if (deadFiles(manifest).size > 0 || isMostlyDeleted(manifest, limits, { stuck })) return true
  return isOverdue(manifest, limits, stuck, (limits.fewTimes + LEFT_YOUNG_TIMES) * limits.fanIn)
}

export class Level {
  #level: UpkeepLevel = 'slow'
  #until = 0
  #ms = 1

  set(level: UpkeepLevel, now: number, ms: number): void {
    this.#level = level
    this.#until = now + ms
    this.#ms = Math.max(1, ms)
  }

  at(now: number): UpkeepLevel {
    return now < this.#until ? this.#level : 'slow'
  }

  /** Tables behind the fold point, more or fewer than otherwise. */
  tables(now: number): number {
    const level = this.at(now)
    return level === 'held' ? HELD_TABLES : level === 'free' ? FREE_TABLES : 0
  }

  /** When merging begins. */
  limits<L extends MergeLimits>(now: number, limits: L): L {
    return this.at(now) === 'free' ? { ...limits, rounds: limits.rounds * FREE_ROUNDS } : limits
  }

  /** Merging waits. */
  holdsMerge(now: number, manifest: Manifest, limits: MergeLimits, stuck = NONE): boolean {
    return this.at(now) === 'held' && !isOverdue(manifest, limits, stuck)
  }

  /** Work a second below which no job goes: what waited for the lull is done in it. */
  rate(now: number, work: number): number {
    return this.at(now) === 'free' ? (work * 1000) / this.#ms : 0
  }
}
