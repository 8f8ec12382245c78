/**
 * Upkeep of a store beside its writer: folds the log, merges segments, collects dead files; each in its own loop, none in a commit's way.
 *
 * Owns: when each is due, its pace. Does not own: how they are woken and retried (loops.ts), the manifest (`publish` has it), the log's end, files in use.
 * Invariants: a fold and a merge at most are under way; nothing thrown gets out; a job that failed leaves no file, or the collector one that a
 * manifest might name, and is begun again from the manifest as it is then, after a pause; after `stop` nothing is written. What is hurried, at
 * the end of a run or the start of the next, is the same job at another pace: its manifest has it whole, or nothing of it.
 */
import { STOPPED } from '../base/errors.ts'
import { MANIFEST_BYTES_MAX, MANIFEST_ROOM_BYTES } from '../base/limits.ts'
import type { Cancel } from '../base/scheduler.ts'
import { bytesOf, type CatalogueEntry, type Manifest } from '../format/index.ts'
import { LogLength } from '../log/index.ts'
import { assertNext, dropDead, foldTo, PointAges, raiseBase, repeat, trim } from '../manifest/index.ts'
import { floorRate, manifestToll, PacedStorage, Rhythm, upkeepToll, type Work } from '../pace/index.ts'
import type { UpkeepLevel } from '../schedule/index.ts'
import { isErrno, type Storage } from '../storage/index.ts'
import { AtRest, REPEAT_MS } from './at-rest.ts'
import { Collector, GRACE_MS } from './collect.ts'
import type { FoldingParts, Thresholds } from './contract.ts'
import { Density } from './density.ts'
import { foldLog, foldWork } from './fold.ts'
import { Gone } from './gone.ts'
import { isCrowded, isLeft, isOverdue, Level } from './level.ts'
import { type Loop, Loops } from './loops.ts'
import { mergeSegments, type WriteParts } from './merge.ts'
import { jobOf, rateOf } from './merge-job.ts'
import { SegmentNames } from './names.ts'
import { deadFiles, MERGE_LIMITS, planMerge } from './policy.ts'
import { Publisher } from './publisher.ts'
import { TAIL_LIMITS, Tail, type TailSize } from './tail.ts'
import { Unreadable } from './unreadable.ts'

/** At the end so many tables are folded, in this time or not. */
const FINISH_TABLES_MIN = 1
const FINISH_TABLES_MAX = 16
const FINISH_MS_MAX = 2000
/** Of it, for what was dead already when the run began. */
const FINISH_COLLECT_MS_MAX = 500
/** Looks for it are no closer together, however short the grace is. */
const RELEASE_LOOK_MS = 100
/** What runs before this one were too short for is made up for at full speed for so long: then it goes on at its pace. */
const LATE_MS = 10_000
/** What was left undone waits so long after `open`, unless the tail is long: a process that never lives longer would never fold. */
const START_MS = 1000

export class Folding {
  readonly #parts: FoldingParts
  readonly #limits: Thresholds
  readonly #collector: Collector
  readonly #names: SegmentNames
  readonly #loops: Loops
  readonly #timers = new Map<'level' | 'late', Cancel>()
  readonly #rhythms = new Set<Rhythm>()
  readonly #storage: Storage
  readonly #publisher: Publisher
  readonly #tail: Tail
  readonly #length: LogLength
  readonly #density = new Density()
  readonly #level = new Level()
  readonly #unreadable: Unreadable
  readonly #gone: Gone
  readonly #atRest: AtRest
  readonly #ages: PointAges
  /** Fold points may have grown too old since they were last looked at. */
  #mayTrim = false
  /** The end is near: folds go as fast as they can. */
  #finishing = false
  /** So do merges: earlier runs were too short for them, or this one was. */
  #late = false
  /** The merge that is under way, or was the last one, frees what collections that are gone hold in the base. */
  #frees = false
  /** It failed, and what it failed for is in no plan any more. */
  #goesOn = false
  #collectUntil = Number.POSITIVE_INFINITY
  #stopped = false

  /** `tail`: what lies behind the fold point at the start. */
  constructor(parts: FoldingParts, tail: TailSize) {
    this.#parts = parts
    const manifestBytes = MANIFEST_BYTES_MAX - MANIFEST_ROOM_BYTES
    this.#limits = { ...MERGE_LIMITS, ...TAIL_LIMITS, manifestBytes, graceMs: GRACE_MS, paced: true, ...parts.thresholds }
    const { storage, monotonic, scheduler, manifest, check, failpoint, budget } = parts
    this.#storage = new PacedStorage(storage, upkeepToll(budget), monotonic)
    this.#names = new SegmentNames(this.#storage, () => manifest().token)
    const manifests = new PacedStorage(storage, manifestToll(budget), monotonic)
    this.#publisher = new Publisher({ ...parts, storage: this.#storage, manifests, bytesMax: this.#limits.manifestBytes })
    this.#tail = new Tail(this.#limits, tail, this.#publisher.publishedAt)
    this.#length = new LogLength(parts.end())
    this.#ages = new PointAges(monotonic, manifest().fold)
    const job = (loop: Loop) => (loop === 'fold' ? budget.folding(() => this.#fold()) : loop === 'merge' ? this.#merge() : this.#collect())
    this.#loops = new Loops({ scheduler, job, failed: (loop, error) => this.#failed(loop, error) })
    this.#atRest = new AtRest({
      ...{ scheduler, monotonic, manifest, retention: parts.retention, publishedAt: () => this.#publisher.publishedAt },
      dropped: () => this.ask(),
      aged: () => {
        this.#mayTrim = true
        this.#loops.wake('collect', 0)
      },
    })
    const again = (): void => this.#loops.wake('merge', 0)
    this.#unreadable = new Unreadable({ monotonic, scheduler, again })
    this.#gone = new Gone({ storage, scheduler, pause: () => this.#giveWay(), again })
    const inUse = (file: string): boolean => this.#names.inUse(file) || parts.inUse(file)
    const pause = (): Promise<void> => this.#giveWay(this.#collectUntil)
    const missing = (error: Error): void => this.#failed('collect', error)
    this.#collector = new Collector({
      ...{ storage, monotonic, manifest, check, failpoint, inUse, missing, pause },
      graceMs: this.#limits.graceMs,
    })
  }

  /** Begins with what was left undone, when who has just opened the store had time for what it opened it for. `catalogue`: what is alive. */
  start(catalogue: readonly CatalogueEntry[]): void {
    const ms = this.#limits.paced && !this.#tail.isLong ? START_MS : 0
    this.#late = isOverdue(this.#parts.manifest(), this.#limits)
    const livesOn = (): void => void (this.#late = false)
    if (this.#late) this.#timers.set('late', this.#parts.scheduler.after(LATE_MS, livesOn))
    this.#loops.wake('fold', ms)
    this.#loops.wake('merge', this.#late ? 0 : ms)
    this.#loops.wake('collect', Math.min(START_MS, this.#limits.graceMs))
    this.#atRest.committed(catalogue)
    this.#atRest.folded()
  }

  /** An epoch was acknowledged, and `end` is behind it. `catalogue`: what is alive after it. */
  committed(rawBytes: number, records: number, catalogue: readonly CatalogueEntry[]): void {
    const { monotonic, end } = this.#parts
    this.#tail.committed(monotonic(), { rawBytes, records, logBytes: this.#length.to(end()) })
    if (this.#tail.isDue) this.#loops.wake('fold', 0)
    this.#lookBehind()
    this.#atRest.committed(catalogue)
  }

  /** What was committed so far is to be in segments soon, however little it is. */
  ask(): void {
    this.#tail.ask()
    if (this.#tail.isDue) this.#loops.wake('fold', 0)
  }

  /** There may be files that nothing names, though no job has ended. */
  littered(): void {
    this.#loops.wake('collect', this.#limits.graceMs)
  }

  /**
   * Collects what nobody has looked at yet, folds what a restart would take long to read or what was dropped, merges what is overdue, where that takes
   * moments; then ends as `stop`.
   */
  async finish(): Promise<void> {
    if (this.#stopped) return await this.stop()
    const { scheduler, monotonic } = this.#parts
    const cancel = scheduler.after(FINISH_MS_MAX, () => void this.stop())
    this.#collectUntil = monotonic() + FINISH_COLLECT_MS_MAX
    await this.#loops.running('collect')
    if (!this.#stopped && !this.#collector.looked) await this.#loops.runNow('collect')
    // What was dropped: the next process may live no longer, nor the one after it.
    const dropped = this.#atRest.asks || this.#tail.isAsked
    if (dropped) this.#tail.ask()
    if ((dropped || this.#tail.tables >= FINISH_TABLES_MIN) && this.#tail.tables <= FINISH_TABLES_MAX) {
      this.#finishing = true
      for (const rhythm of this.#rhythms) rhythm.nudge()
      await this.#loops.running('fold')
      // It may be the first that has what was dropped meanwhile.
      if (this.#atRest.asks) this.#tail.ask()
      // A fold takes a part of it, or fails.
      const left = (): boolean => this.#tail.isAsked || this.#tail.tables >= FINISH_TABLES_MIN
      for (let before = Number.POSITIVE_INFINITY; !this.#stopped && left(); ) {
        if (this.#tail.tables >= before) break
        before = this.#tail.tables
        this.#tail.ask()
        await this.#loops.runNow('fold')
      }
    }
    await this.#finishMerges()
    cancel()
    await this.stop()
  }

  /** What runs as short as this one would leave to each other for ever; a range that is done stays done. */
  async #finishMerges(): Promise<void> {
    const { manifest } = this.#parts
    this.#timers.get('late')?.()
    const left = (): boolean => this.#frees || isLeft(manifest(), this.#limits, this.#unreadable.stuck)
    for (let before = 0; !this.#stopped && (this.#goesOn || before !== manifest().number) && left(); ) {
      this.#late = true
      for (const rhythm of this.#rhythms) rhythm.nudge()
      const running = this.#loops.running('merge')
      // What runs may have been decided before the last fold.
      if (running === undefined) before = manifest().number
      await (running ?? this.#loops.runNow('merge'))
    }
  }

  /** Ends every job where it is; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#atRest.stop()
    this.#loops.halt()
    this.#parts.budget.stopUpkeep()
    for (const rhythm of this.#rhythms) rhythm.stop()
    await this.#loops.ended()
    this.#unreadable.stop()
    this.#gone.stop()
  }

  /** What heavy work may do for the next `ms`; without a word after that, as always. */
  setLevel(level: UpkeepLevel, ms: number): void {
    const { monotonic, scheduler } = this.#parts
    if (this.#stopped) return
    const goOn = (): void => {
      if (this.#limits.paced) this.#tail.allow(this.#level.tables(monotonic()))
      if (this.#tail.isDue) this.#loops.wake('fold', 0)
      this.#loops.wake('merge', 0)
    }
    this.#level.set(level, monotonic(), ms)
    this.#timers.get('level')?.()
    this.#timers.set('level', scheduler.after(ms, goOn))
    goOn()
  }

  /** A tail that grows without bound is said so. */
  #lookBehind(): void {
    const { budget, report, monotonic } = this.#parts
    const ms = this.#tail.behindMs(monotonic())
    if (ms > 0 === budget.behind) return
    budget.behind = ms > 0
    report(ms > 0 ? { type: 'behind', ms, ...this.#tail.size } : { type: 'caughtUp' })
  }

  #failed(of: Loop, error: unknown): void {
    this.#parts.report({ type: 'failed', of, error })
    // A manifest that was begun may have left its segments; and a disk that is full has room when what is too old has gone.
    if (of !== 'collect') this.#loops.wake('collect', this.#limits.graceMs)
    this.#mayTrim ||= of === 'fold'
    // The next one takes all there is, whatever may wait by then: so it comes to where this one failed.
    if (of === 'fold') this.#tail.ask()
  }

  /** Gives the pause before the next one, when one is due. */
  async #fold(): Promise<number | undefined> {
    if (!this.#tail.isDue) return undefined
    this.#publisher.assertNotFull('fold')
    const { monotonic, failpoint, retention } = this.#parts
    const begin = monotonic()
    const reached = (): void => this.#tail.reached(monotonic(), this.#parts.manifest().fold?.epoch ?? 0)
    reached()
    const size = this.#tail.take()
    const paced = this.#tail.rate(begin)
    const rate: Work['rate'] = (...of) => (this.#finishing ? Number.POSITIVE_INFINITY : paced(...of))
    await this.#work({ bytes: foldWork(size), stored: size.rawBytes * this.#density.stored, rate }, async (parts, rhythm) => {
      await failpoint('fold.read')
      // A fold point is durable: so must be the log up to it.
      await this.#parts.inherited()
      const before = this.#parts.manifest()
      const folded = await foldLog(parts, before, this.#parts.end(), rhythm, size.all ? undefined : size)
      if (folded === undefined) {
        // One that failed has a manifest all the same.
        this.#tail.folded(monotonic(), size)
        return this.#folded(begin, 0)
      }
      const { point, segments } = folded
      await failpoint('fold.written')
      const ages = this.#ages.upTo(point)
      const to = (old: Manifest) => (old.fold?.epoch === before.fold?.epoch ? foldTo(old, point, segments, retention, ages) : undefined)
      reached()
      // Behind one that failed and turned out meanwhile to count, this one never does: what both took would be taken off twice.
      if (this.#parts.manifest().fold?.epoch === before.fold?.epoch) this.#tail.begun(point.epoch, folded.size)
      const taken = await this.#publisher.withSegments('fold', to, segments)
      await failpoint('fold.end')
      // This one, or one that failed and has a manifest all the same: what lies behind that one is to be folded still.
      reached()
      if (taken) this.#density.folded(folded.size.rawBytes, segments)
      this.#folded(begin, taken ? bytesOf(segments) : 0)
    })
    this.#atRest.folded()
    this.#loops.wake('merge', 0)
    this.#loops.wake('collect', this.#limits.graceMs)
    return this.#tail.isDue ? 0 : undefined
  }

  #folded(begin: number, bytesWritten: number): void {
    const { report, manifest, monotonic } = this.#parts
    this.#lookBehind()
    report({ type: 'folded', manifest: manifest(), bytesWritten, ms: monotonic() - begin })
  }

  async #merge(): Promise<number | undefined> {
    const { monotonic, failpoint, report } = this.#parts
    const begin = monotonic()
    const before = this.#parts.manifest()
    this.#goesOn = false
    const { stuck } = this.#unreadable
    if (this.#limits.paced && !this.#late && this.#level.holdsMerge(begin, before, this.#limits, stuck)) return undefined
    const limits = this.#limits.paced ? this.#level.limits(begin, this.#limits) : this.#limits
    const planned = planMerge(before, limits, stuck)
    const plan = planned ?? (await this.#gone.plan(before, limits, stuck))
    this.#frees = planned === undefined && plan !== undefined
    if (plan === undefined) return void (this.#late = false)
    let bytesWritten = 0
    if (plan.type === 'raise') await this.#publisher.plain(old => raiseBase(old, plan.through))
    else if (plan.type === 'drop') await this.#publisher.plain(old => dropDead(old, deadFiles(old)))
    else {
      this.#publisher.assertNotFull('merge')
      const job = jobOf(plan, before, limits)
      const rate = (): number =>
        this.#late || isCrowded(this.#parts.manifest(), this.#limits, this.#unreadable.stuck)
          ? Number.POSITIVE_INFINITY
          : rateOf(job, this.#tail.flow, this.#density.left)
      let described = false
      const work = async (parts: WriteParts, rhythm: Rhythm): Promise<void> => {
        await failpoint('merge.read')
        const outputs = await mergeSegments(parts, job.request, rhythm, () => (described = true)).catch(error => {
          this.#goesOn = this.#unreadable.failed({ plan, manifest: before, described, error })
          throw error
        })
        this.#unreadable.merged(plan)
        bytesWritten = bytesOf(outputs)
        await failpoint('merge.written')
        await this.#publisher.withSegments('merge', old => job.next(old, outputs), outputs)
        await failpoint('merge.end')
      }
      try {
        await this.#work({ bytes: job.work, stored: job.stored, rate }, work)
      } catch (error) {
        if (!this.#goesOn || this.#stopped) throw error
        this.#failed('merge', error)
        return 0
      }
    }
    this.#late &&= isOverdue(this.#parts.manifest(), this.#limits, this.#unreadable.stuck)
    report({ type: 'merged', manifest: this.#parts.manifest(), bytesWritten, ms: monotonic() - begin })
    this.#loops.wake('collect', this.#limits.graceMs)
    return 0
  }

  async #collect(): Promise<number | undefined> {
    const before = this.#collector.removed
    const more = await this.#collector.sweep()
    const files = this.#collector.removed - before
    if (files > 0) this.#parts.report({ type: 'collected', files })
    // Not before: what is dead already goes though the manifest cannot be written.
    const trimmed = (old: Manifest): Manifest | undefined => trim(old, this.#parts.retention, this.#ages.now)
    if (this.#mayTrim && trimmed(this.#parts.manifest()) !== undefined) {
      await this.#publisher.plain(trimmed)
      return this.#limits.graceMs
    }
    this.#mayTrim = false
    const pause = more ? this.#limits.graceMs : this.#collector.held ? await this.#release() : undefined
    // All that could be done is done.
    if (this.#collector.failure !== undefined) throw this.#collector.failure
    return pause
  }

  /** Between two files that are read or removed outside of a rhythm: messages come first, and a commit that is under way. */
  async #giveWay(until = Number.POSITIVE_INFINITY): Promise<void> {
    const { scheduler, budget, monotonic } = this.#parts
    await new Promise<void>(resolve => scheduler.immediate(resolve))
    await budget.upkeepSyncTurn()
    if (this.#stopped || monotonic() > until) throw STOPPED
  }

  /** A store that has come to rest is not to keep what it had before its last job; while it works, the next job's manifest does the same. */
  async #release(): Promise<number> {
    const { monotonic, manifest } = this.#parts
    const wait = this.#publisher.publishedAt + REPEAT_MS - monotonic()
    // Not longer at once: a job that ends meanwhile leaves files to look at.
    if (wait > 0) return Math.min(wait, Math.max(RELEASE_LOOK_MS, this.#limits.graceMs))
    const { number } = manifest()
    await this.#publisher.plain(old => (old.number === number ? repeat(old) : undefined))
    return this.#limits.graceMs
  }

  /** Runs a job in a rhythm of its own. */
  async #work(given: Work, job: (parts: WriteParts, rhythm: Rhythm) => Promise<void>): Promise<void> {
    const { random, compress, monotonic, scheduler, sliceMs, budget } = this.#parts
    const work = this.#limits.paced ? given : { ...given, rate: () => Number.POSITIVE_INFINITY }
    assertNext(this.#parts.manifest())
    await this.#names.prepare()
    const { newFile, end } = this.#names.take()
    const floor = (): number => (floorRate(budget.silentMs, this.#tail.flow.intervalMs) * work.bytes) / Math.max(1, work.stored)
    const rate: Work['rate'] = (left, now, total) => Math.max(work.rate(left, now, total), floor(), this.#level.rate(now, work.bytes))
    const rhythm = new Rhythm({ monotonic, scheduler, sliceMs, budget }, { ...work, rate })
    this.#rhythms.add(rhythm)
    try {
      if (this.#stopped) throw STOPPED
      await job({ storage: this.#storage, random, compress: await compress(), newFile }, rhythm)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) this.#names.forget()
      throw error
    } finally {
      this.#rhythms.delete(rhythm)
      rhythm.end()
      end()
    }
  }
}
