/**
 * One budget for all that is written: the log comes first, upkeep takes what is left of an even stream, and nothing that may wait exceeds the ceiling.
 *
 * What: observes what the log appends and how long syncs take; tells upkeep when it may go on, and whoever appends how long the ceiling
 * makes him wait. The stream's rate is what the log writes on the average and upkeep needs: what the log writes more than that in one moment,
 * upkeep writes less in the next.
 * Owns: the levels, the waits. Does not own: what is written, how fast upkeep needs to be (rhythm.ts), files.
 * Invariants: a commit whose turn has come waits for nothing but the ceiling, and there for no manifest; where upkeep that is behind waits for it,
 * too, commits leave it half of it. Upkeep never overdraws the ceiling by more than one append and manifests, pays for these before it goes on, and
 * never waits for ever: a share of what it needs is always let through; time is monotonic.
 */
import { STOPPED } from '../base/errors.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import { Bucket } from './bucket.ts'

export interface BudgetParts {
  readonly monotonic: () => number
  /** Without one there is no ceiling, and no upkeep. */
  readonly scheduler: Scheduler | undefined
  readonly bytesPerSecondMax: number
  /** Takes messages that have come and were not looked at, so that a commit among them is known of. */
  readonly look?: () => void
}

/** The log's mean rate is taken over so long: some checkpoints, and no hour. */
const LOG_MEAN_MS = 10_000
/** The stream is so much wider than what flows in it: its rates are estimates, and what silence loses is not made up for. */
const HEADROOM = 1.25
/** What upkeep did not use is good for so long; what the log wrote too much weighs on it for so long. */
const HOLD_MS = 30
const DEBT_MS = 1000
/** Of what upkeep needs, one part in so many is let through whatever the log does. */
const SHARE = 4
/** The ceiling: what was not used is good for so long. At least one append of upkeep fits. */
const CEILING_HOLD_MS = 100
const CEILING_BYTES_MIN = 64 * 1024
/** While upkeep is behind under the ceiling, early blocks of the log get one part in so many: each byte of the log costs as much again later. */
const BEHIND_SHARE = 3
/** And commits one part in so many, as long as upkeep waits for the ceiling: their records alone, with all collections in each, may take all of it. */
const BEHIND_COMMITS_SHARE = 2
/** What commits took beyond that part weighs on early blocks for so long. One block fits, unless the ceiling is very low. */
const EARLY_DEBT_MS = 10_000
/** After a sync of upkeep or of the log upkeep rests as long as that took, at most so long; after one of the log's but for its share. */
const REST_MS_MAX = 5000
/** A sync of upkeep gives way to a commit, but not for longer. */
const SYNC_WAIT_MS_MAX = 500
const LOOK_MS = 5
/** Weight of the newest sync in the mean. */
const SYNC_WEIGHT = 0.3

export class Budget {
  readonly #parts: BudgetParts
  /** The stream: fills with its rate, whoever writes takes from it. */
  readonly #stream: Bucket
  /** What upkeep gets at the least. */
  readonly #share: Bucket
  /** What the log and upkeep append. */
  readonly #ceiling: Bucket | undefined
  /** The same and manifests: what is left of the ceiling for upkeep. Never fuller. */
  readonly #left: Bucket | undefined
  readonly #early: Bucket | undefined
  readonly #needs = new Map<object, number>()
  readonly #waits = new Set<() => void>()
  /** Bytes of the log, each counting less the older it is. */
  #logBytes = 0
  #logAt: number
  #lastLogAt: number
  /** Commits that have come, and whether one of them is being written. */
  #commits = 0
  #committing = false
  #logWaits = 0
  /** Of upkeep, for the ceiling. */
  #upkeepWaits = 0
  /** Until then the ceiling is upkeep's, if that waits for it. */
  #logTurnAt = Number.NEGATIVE_INFINITY
  #restUntil = 0
  #logRestUntil = 0
  #logSyncedAt = Number.NEGATIVE_INFINITY
  #folds = false
  #stopped = false
  #logStopped = false
  #ending = false
  /** Of the log's file, mean of the last ones, ms. */
  logSyncMs = 0
  /** The fold point is too far behind: upkeep gets its part of the ceiling. */
  behind = false
  /** The log writes a seal: as a manifest it is small, is counted, and waits for nothing. */
  sealing = false
  /** Written so far. */
  readonly written = { log: 0, upkeep: 0 }

  constructor(parts: BudgetParts) {
    this.#parts = parts
    const now = parts.monotonic()
    this.#logAt = this.#lastLogAt = now
    this.#stream = new Bucket(now, { holdMs: HOLD_MS, debtMs: DEBT_MS })
    this.#share = new Bucket(now, { holdMs: HOLD_MS, debtMs: DEBT_MS })
    const { bytesPerSecondMax: most, scheduler } = parts
    if (scheduler === undefined || most === Number.POSITIVE_INFINITY) return
    this.#ceiling = new Bucket(now, { holdMs: CEILING_HOLD_MS, holdBytesMin: CEILING_BYTES_MIN })
    this.#left = new Bucket(now, { holdMs: CEILING_HOLD_MS, holdBytesMin: CEILING_BYTES_MIN })
    this.#early = new Bucket(now, { holdMs: CEILING_HOLD_MS, debtMs: EARLY_DEBT_MS })
    for (const bucket of [this.#ceiling, this.#left]) {
      bucket.fill(now, most)
      bucket.top()
    }
    this.#early.fill(now, most / BEHIND_SHARE)
  }

  // ---- the log

  /** A commit has come; it is under way until `commitEnded`. */
  commitArrived(): void {
    this.#commits++
  }

  /** Its turn has come: the blocks that were sent before it are written. */
  commitBegins(): void {
    this.#committing = true
  }

  commitEnded(): void {
    this.#committing = false
    this.#commits--
  }

  get commitWaits(): boolean {
    this.#parts.look?.()
    return this.#commits > 0
  }

  /** Resolves when the log may append: at once, but under the ceiling; rejects with STOPPED once it was stopped. Undefined: now. */
  logRoom(): Promise<void> | undefined {
    return this.#logStopped || (!this.sealing && this.#logWaitMs() > 0) ? this.#waitForLog(false) : undefined
  }

  /** As `logRoom`, for what the last run left in the log and is written again: at once where the store closes, which loses nothing by it. */
  proofRoom(): Promise<void> | undefined {
    return this.#logStopped || (!this.#ending && this.#logWaitMs() > 0) ? this.#waitForLog(true) : undefined
  }

  /** What did not wait owes nothing: else the last epoch would wait for it. */
  proofWrote(bytes: number): void {
    if (this.#ending) this.written.log += bytes
    else this.logWrote(bytes)
  }

  logWrote(bytes: number): void {
    const now = this.#parts.monotonic()
    this.#ceiling?.take(now, bytes)
    if (this.#shares) {
      this.#early?.take(now, bytes)
      const turnMs = (BEHIND_COMMITS_SHARE * bytes * 1000) / this.#parts.bytesPerSecondMax
      this.#logTurnAt = Math.max(this.#logTurnAt, now + turnMs)
    }
    this.#logAdded(now, bytes)
  }

  /** A manifest of the log's: the commit behind it does not wait until it is paid for, which may take a minute. */
  logPublished(bytes: number): void {
    this.#logAdded(this.#parts.monotonic(), bytes)
  }

  /** The store closes: from now on the log goes first even where upkeep is behind, for what is not durable in time is lost. */
  beginEnding(): void {
    this.#ending = true
    for (const wake of this.#waits) wake()
  }

  /** The log writes nothing any more, not even what is under way. */
  stopLog(): void {
    this.#logStopped = true
    for (const wake of this.#waits) wake()
  }

  logSynced(ms: number): void {
    this.logSyncMs += (this.logSyncMs === 0 ? 1 : SYNC_WEIGHT) * (ms - this.logSyncMs)
    const now = this.#parts.monotonic()
    // Syncs of which one follows the other leave half of the time.
    const rest = Math.min(ms, (now - this.#logSyncedAt) / 2, REST_MS_MAX)
    this.#logRestUntil = Math.max(this.#logRestUntil, now + rest)
    this.#logSyncedAt = now
  }

  /** Since the log wrote something, ms. */
  get silentMs(): number {
    return this.#parts.monotonic() - this.#lastLogAt
  }

  // ---- upkeep

  /** What a job needs now, stored bytes a second; 0: it has ended. */
  need(job: object, bytesPerSecond: number): void {
    const now = this.#parts.monotonic()
    if (bytesPerSecond > 0) this.#needs.set(job, bytesPerSecond)
    else this.#needs.delete(job)
    this.#refill(now)
  }

  /** `fold` is under way until it settles. */
  async folding<T>(fold: () => Promise<T>): Promise<T> {
    this.#folds = true
    try {
      return await fold()
    } finally {
      this.#folds = false
    }
  }

  /** Ms for which upkeep rests before it goes on; `hurried`: it cannot leave the stream to the log any more. 0: none. */
  upkeepWaitMs(hurried: boolean): number {
    const now = this.#parts.monotonic()
    const rest = hurried ? 0 : this.#restUntil - now
    if (rest > 0) return rest
    if (hurried) return 0
    const turn = this.#turnMs(now)
    if (turn <= 0) return 0
    const share = this.#share.waitMs(now, 1)
    // Where nothing is needed nothing fills it: what the job before took too much would be waited for for ever.
    return share === Number.POSITIVE_INFINITY ? 0 : Math.min(turn, share)
  }

  /** Resolves when upkeep may append so much; rejects with STOPPED once it was stopped. Undefined: now. */
  upkeepRoom(bytes: number): Promise<void> | undefined {
    return this.#stopped || this.#upkeepCeilingMs(bytes) > 0 ? this.#waitForCeiling(bytes) : undefined
  }

  upkeepWrote(bytes: number): void {
    const now = this.#parts.monotonic()
    this.#ceiling?.take(now, bytes)
    this.#upkeepAdded(now, bytes)
  }

  /** A manifest of upkeep's: upkeep alone pays for it, later. */
  upkeepPublished(bytes: number): void {
    this.#upkeepAdded(this.#parts.monotonic(), bytes)
  }

  /** Resolves when no commit is under way, or has been for long enough. Undefined: now. */
  upkeepSyncTurn(): Promise<void> | undefined {
    if (this.#stopped || !this.#commitGoesFirst) return undefined
    return this.#waitForCommit()
  }

  upkeepSynced(ms: number): void {
    this.#restUntil = this.#parts.monotonic() + Math.min(ms, REST_MS_MAX)
  }

  /** Upkeep writes nothing any more. */
  stopUpkeep(): void {
    this.#stopped = true
    for (const wake of this.#waits) wake()
  }

  // ---- inside

  #logAdded(now: number, bytes: number): void {
    this.#logBytes = this.#faded(now) + bytes
    this.#logAt = this.#lastLogAt = now
    this.#refill(now)
    this.#stream.take(now, bytes)
    this.#left?.take(now, bytes)
    this.written.log += bytes
  }

  #upkeepAdded(now: number, bytes: number): void {
    // The share is for when the log is in the way.
    if (this.#turnMs(now) > 0) this.#share.take(now, bytes)
    this.#stream.take(now, bytes)
    this.#left?.take(now, bytes)
    this.written.upkeep += bytes
  }

  #faded(now: number): number {
    return this.#logBytes * Math.exp((this.#logAt - now) / LOG_MEAN_MS)
  }

  /** The rates of now. */
  #refill(now: number): void {
    let need = 0
    for (const rate of this.#needs.values()) need += rate
    const log = (this.#faded(now) * 1000) / LOG_MEAN_MS
    this.#stream.fill(now, Math.min(HEADROOM * (log + need), this.#parts.bytesPerSecondMax))
    this.#share.fill(now, need / SHARE)
  }

  /** For which the log is in the way, by its syncs or by what it writes; no more than 0: it is not. */
  #turnMs(now: number): number {
    return Math.max(this.#logRestUntil - now, this.#stream.waitMs(now, 1))
  }

  #logWaitMs(): number {
    if (this.#ceiling === undefined) return 0
    const now = this.#parts.monotonic()
    const wait = this.#ceiling.waitMs(now, 1)
    if (!this.#shares) return wait
    if (!this.#committing) return Math.max(wait, (this.#early as Bucket).waitMs(now, 1))
    return this.#upkeepWaits > 0 ? Math.max(wait, this.#logTurnAt - now) : wait
  }

  async #waitForLog(isProof: boolean): Promise<void> {
    this.#logWaits++
    try {
      for (;;) {
        if (this.#logStopped) throw STOPPED
        const ms = isProof && this.#ending ? 0 : this.#logWaitMs()
        if (ms <= 0) return
        await this.#sleep(ms, true)
      }
    } finally {
      this.#logWaits--
    }
  }

  /** Upkeep is behind, and has its part of the ceiling: while a fold is there to use it, which it is not between two that fail. */
  get #shares(): boolean {
    return this.behind && this.#folds && !this.#ending && this.#ceiling !== undefined
  }

  /** Upkeep does not overdraw, and lets the log go first, unless it is behind. */
  #upkeepCeilingMs(bytes: number): number {
    if (this.#left === undefined) return 0
    if (!this.#shares && (this.#logWaits > 0 || this.#commits > 0)) return LOOK_MS
    return this.#left.waitMs(this.#parts.monotonic(), bytes)
  }

  async #waitForCeiling(bytes: number): Promise<void> {
    this.#upkeepWaits++
    try {
      for (;;) {
        if (this.#stopped) throw STOPPED
        const ms = this.#upkeepCeilingMs(bytes)
        if (ms <= 0) return
        await this.#sleep(ms, false)
      }
    } finally {
      this.#upkeepWaits--
    }
  }

  /** One that lies behind early blocks which wait themselves, while upkeep is behind, has time. */
  get #commitGoesFirst(): boolean {
    return this.#shares ? this.#committing : this.commitWaits
  }

  async #waitForCommit(): Promise<void> {
    const { monotonic } = this.#parts
    const begin = monotonic()
    while (!this.#stopped && this.#commitGoesFirst && monotonic() - begin < SYNC_WAIT_MS_MAX) await this.#sleep(LOOK_MS, false)
  }

  #sleep(ms: number, keepAlive: boolean): Promise<void> {
    const { scheduler } = this.#parts
    return new Promise(resolve => {
      let cancel: Cancel | undefined
      const wake = (): void => {
        this.#waits.delete(wake)
        cancel?.()
        resolve()
      }
      this.#waits.add(wake)
      // What never fills is looked at again all the same: rates change.
      cancel = scheduler?.after(Math.max(1, Math.ceil(Math.min(ms, DEBT_MS))), wake, keepAlive)
      if (cancel === undefined) wake()
    })
  }
}
