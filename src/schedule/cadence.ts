/**
 * The scheduler: says when the barrier falls and what upkeep may do, and why.
 *
 * What: is shown the engine at looks (`Seen`), and told of barriers and commits; answers whether a barrier is to fall, and when to look again.
 * Owns: everything learned (activity.ts, learned.ts, delta.ts), the state of each policy (window.ts, pause.ts, pressure.ts, exposure.ts,
 * upkeep-level.ts), the decisions made. Does not own: timers, the barrier, the writer, files.
 * Invariants: nothing is done between looks; an engine that has nothing to write is looked at once an interval, or a second where that is
 * longer, and more often where a change just behind a look would else be too old; every change of mind is a decision with its reason.
 */
import { LAG_INTERVALS_MAX, LOOP_LATE_MS } from '../base/limits.ts'
import type { ScheduleRecord, StoredDecision } from '../format/index.ts'
import { Activity } from './activity.ts'
import { Bursts } from './bursts.ts'
import { Delta } from './delta.ts'
import { Exposure } from './exposure.ts'
import { Learned } from './learned.ts'
import { LookTimes } from './look-times.ts'
import { Strain, type StrainFacts } from './strain.ts'
import type {
  BarrierReason,
  CadenceParts,
  CadenceSettings,
  Changed,
  Committed,
  CutReason,
  Decide,
  Decision,
  DecisionReason,
  DecisionType,
  Look,
  OwnRpo,
  ScheduleStats,
  Seen,
  Took,
  UpkeepLevel,
} from './types.ts'
import { UpkeepPlan } from './upkeep-level.ts'
import { planBarrier, Window } from './window.ts'
import { keysOf, Written } from './written.ts'

/** Of the RPO, until all is captured; the rest is the writer's. */
const CAPTURE_SHARE = 0.8
/** So many looks are "now", and so many the last while, or so much of the day when that is longer. */
const NOW_LOOKS = 3
const RECENT_LOOKS = 30
const RECENT_SHARE = 1 / 1440

export class Cadence {
  readonly settings: CadenceSettings
  readonly bursts = new Bursts()
  readonly #parts: CadenceParts
  readonly #learned: Learned
  readonly #activity: Activity
  readonly #delta = new Delta()
  readonly #written = new Written()
  readonly #exposure: Exposure
  readonly #window: Window
  readonly #strain: Strain
  readonly #upkeep: UpkeepPlan
  readonly #lookTimes: LookTimes
  readonly #lagMsMax: number
  #windowStart: number
  #looked: number
  #againAt: number
  #listedAtBarrier: readonly Changed[] = []
  /** A barrier was decided on and has not fallen. */
  #wanted: BarrierReason | undefined
  #failing = false
  #partsEnded = 0
  /** Collections that the last epoch left out. */
  #leftOut = 0
  readonly #decides: Decide = (type, reason, numbers) => this.#decide(type, reason, numbers)

  constructor(parts: CadenceParts) {
    const { clock, settings } = parts
    const { intervalMs, intervalMsMax, cycleMs } = settings
    const now = clock.monotonic()
    this.#parts = parts
    this.settings = settings
    this.#lookTimes = new LookTimes(settings)
    const { lookMs } = this.#lookTimes
    this.#activity = new Activity(lookMs * NOW_LOOKS, Math.max(lookMs * RECENT_LOOKS, cycleMs * RECENT_SHARE))
    this.#learned = new Learned(cycleMs)
    this.#lagMsMax = Math.max(LAG_INTERVALS_MAX * intervalMs, intervalMsMax)
    this.#exposure =
      intervalMs === 0
        ? new Exposure(now, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
        : new Exposure(now, intervalMsMax, this.#lagMsMax)
    this.#window = new Window(settings)
    this.#strain = new Strain(now, settings)
    this.#upkeep = new UpkeepPlan(now, this.#learned.day.partMs)
    this.#windowStart = now
    this.#looked = now
    this.#againAt = now + this.firstLookMs
  }

  get firstLookMs(): number {
    return this.#lookTimes.firstMs(this.#exposure.reserveMs)
  }

  /** How busy the loop was of late, 0 to 1; 1 while that is not known. */
  load(): number {
    const { load } = this.#activity
    if (this.settings.intervalMs === 0) {
      // There are no looks.
      const now = this.#parts.clock.monotonic()
      if (now - this.#looked >= this.#lookTimes.lookMs) {
        load.add(this.#parts.loopLoad(), now - this.#looked)
        this.#looked = now
      }
    }
    return load.knownMs === 0 ? 1 : load.value
  }

  /** When the epoch under way has to be captured, by the monotonic clock, so that the RPO is met. */
  get captureBy(): number {
    const { flight } = this.#exposure
    return this.settings.intervalMs === 0 || flight === undefined
      ? Number.POSITIVE_INFINITY
      : flight.since + this.settings.intervalMsMax * CAPTURE_SHARE
  }

  /** What an epoch leaves out is taken by the next barrier once it is so old: that one has to be durable in time. */
  get leftOutMsMax(): number {
    return this.#lagMsMax - Math.max(this.settings.intervalMs, this.#exposure.reserveMs)
  }

  /** From a barrier to its acknowledgement, of late. */
  get commitMs(): number {
    return this.#exposure.commitMs
  }

  /** Captures that need not be made now wait. */
  get paused(): boolean {
    return this.#strain.paused
  }

  get upkeep(): UpkeepLevel {
    return this.#upkeep.level
  }

  /** What is said of upkeep holds for so long, unless it is said again, at a look at so many collections. */
  upkeepMs(collections: number): number {
    return Math.max(this.#learned.day.partMs, this.#lookTimes.fewMs(collections))
  }

  /** Newest last, those of earlier runs included. */
  get decisions(): readonly StoredDecision[] {
    return this.#learned.decisions.list()
  }

  /** Rises when there is more to keep than before. */
  get changes(): number {
    return this.#learned.decisions.made + this.#partsEnded
  }

  look(seen: Seen): Look {
    const { clock, loopLoad } = this.#parts
    const now = clock.monotonic()
    const ms = now - this.#looked
    const late = now - this.#againAt
    const { dirty, lag } = seen
    const listed = this.#listedAtBarrier
    this.#exposure.laggingSince = lag.laggingMs > 0 ? now - lag.laggingMs : undefined
    this.#observe(ms, loopLoad(), seen)
    if (this.#exposure.flight?.handedOver === false) this.#blocked(now)
    this.#looked = now
    if (!dirty) {
      this.#exposure.clean(now)
      this.#windowStart = now
    }
    this.#strain.look({ ...this.#strainFacts(now), inFlightBytes: seen.inFlightBytes, load: this.#activity.load.value }, this.#decides)
    this.#lookAtExposure(now, dirty, late)?.()
    if (this.#upkeep.look(now, this.#learned.day)) this.#upkeep.tell(this.#decides)
    // Who was told of something may have set a barrier, which took what was seen.
    const fell = this.#listedAtBarrier !== listed
    const againMs = fell ? Math.min(this.#lookTimes.lookMs, this.#window.targetMs) : this.#againMsOf(seen)
    const ended = this.bursts.ended({ keys: this.#written.keys, ms, lateMs: late, meanRate: this.#activity.recentRate })
    const look = dirty && !fell ? this.#plan(now, seen, ended) : { barrier: undefined, againMs }
    this.#wanted = look.barrier
    this.#againAt = now + look.againMs
    return look
  }

  /** The barrier fell, or a cut that was void moved to now. `changed`: what was listed then; `because`: unless it was decided here. */
  cut(changed: readonly Changed[], because: CutReason | undefined): { readonly againMs: number } {
    const now = this.#parts.clock.monotonic()
    const moved = this.#exposure.flight !== undefined
    const reason = because ?? this.#wanted ?? 'interval'
    this.#written.cut(changed)
    if (!moved) {
      this.#decide('barrier', reason, {
        windowMs: now - this.#windowStart,
        rpoMs: this.#exposure.ageMs(now, true),
        changedKeysMax: keysOf(changed),
        deltaBytes: this.#delta.bytes(changed),
      })
      this.#delta.cut(changed)
      this.#listedAtBarrier = changed
    }
    this.#exposure.cut(now)
    this.#wanted = undefined
    this.#windowStart = now
    const { lookMs } = this.#lookTimes
    this.#againAt = Math.min(this.#againAt, now + lookMs)
    return { againMs: Math.min(lookMs, this.#window.targetMs) }
  }

  /** The cut that has just fallen leaves this out. */
  leaves(changed: readonly Changed[]): void {
    this.#written.leaves(changed)
  }

  /** The cut of the epoch under way is void: what it took is listed again. */
  givenBack(): void {
    this.#written.givenBack()
  }

  /** The cut of the epoch under way is void, and a hold stands in the way of the next, until `cut`. */
  held(): void {
    this.#exposure.held()
  }

  /** All of the epoch under way is captured and goes to the writer. */
  handedOver(): void {
    this.#blocked(this.#parts.clock.monotonic())
    this.#exposure.handedOver()
  }

  committed({ records, written }: Committed): void {
    const now = this.#parts.clock.monotonic()
    this.#failing = false
    const late = now - this.#againAt
    // It may have been too old between two looks. Told when all is noted: who is told may set a barrier.
    const tell = this.#lookAtExposure(now, true, late)
    const bytesOf = new Map(written.map(({ id, bytes, asOf }) => [id, asOf === undefined ? bytes : undefined]))
    this.#delta.committed(bytesOf)
    this.#blocked(now)
    this.#exposure.committed(now)
    const { commitMs, reserveMs } = this.#exposure
    // What was left out stays listed: no other record of those keys made theirs needless.
    const listed = this.#listedAtBarrier.reduce((sum, { id, keys }) => sum + (bytesOf.get(id) === undefined ? 0 : keys), 0)
    const rewrites = listed === 0 ? 0 : Math.max(0, 1 - records / listed)
    const load = this.#activity.load.value
    const { saidMs } = this.#window
    const why = this.#window.committed({ rewrites, load, commitMs, reserveMs })
    const { targetMs } = this.#window
    tell?.()
    this.#decideLeftOut(written.filter(({ asOf }) => asOf !== undefined).length, now)
    if (why === undefined) return
    const numbers = { windowMs: targetMs, windowMsBefore: saidMs, rewriteShare: rewrites, loopLoad: load, commitMs }
    if (why === 'rewrites') this.#decide('widen', why, numbers)
    else this.#decide('narrow', why, numbers)
  }

  /** A critical collection has waited too long for its barrier, by an RPO of its own. */
  criticalBroken(numbers: OwnRpo): void {
    this.#decide('rpo-broken', this.#failing ? 'failing' : this.#exposure.becauseCritical(numbers), numbers)
  }

  /** What waited is durable. */
  criticalMet(numbers: { readonly rpoMsMax: number; readonly rpoMsWorst: number }): void {
    this.#decide('rpo-met', 'durable', numbers)
  }

  /** The writer gives credit for a block. */
  credited(took: Took | undefined): void {
    this.#strain.credited(took)
  }

  /** All that was cut is to be written again. */
  failed(): void {
    this.#failing = true
    this.#exposure.failed()
    this.#written.givenBack()
  }

  /** As of now; 0 to 1. */
  get pressure(): number {
    return this.#strain.pressure(this.#strainFacts(this.#parts.clock.monotonic()))
  }

  /** `dirty`: as `Seen` has it; `changed`: what is listed now. */
  stats(dirty: boolean, laggingMs: number, changed: readonly Changed[]): ScheduleStats {
    const now = this.#parts.clock.monotonic()
    const { intervalMs, intervalMsMax } = this.settings
    // Nobody else looks.
    if (intervalMs === 0 && !dirty) this.#exposure.clean(now)
    const rpoMs = this.#exposure.note(now, dirty)
    return {
      windowMs: this.#window.targetMs,
      lull: this.#activity.lull,
      paused: this.#strain.paused,
      upkeep: this.#upkeep.level,
      pressure: this.pressure,
      rpoMs,
      rpoMsWorst: this.#exposure.worstMs,
      rpoMsMax: intervalMs === 0 ? 0 : intervalMsMax,
      laggingMs,
      deltaBytes: Math.round(this.#delta.bytes(changed)),
      dayKnown: this.#learned.day.known,
      decisions: this.#learned.decisions.made,
    }
  }

  /** What the next run shall know. */
  record(): ScheduleRecord {
    return this.#learned.record(this.#parts.clock.now())
  }

  /** What an earlier run kept joins what was learned since. */
  remember(record: ScheduleRecord): void {
    this.#learned.remember(record)
  }

  #observe(ms: number, load: number, { changed, counted }: Seen): void {
    if (ms <= 0) return
    // A loop with nothing to do looks in time: as long as it was late and not busy the process was stopped.
    const busyMs = load * ms
    const livedMs = Math.min(ms, Math.max(1, this.#againAt - this.#looked) + LOOP_LATE_MS + busyMs)
    this.#exposure.stopped(this.#looked + livedMs, this.#looked + ms)
    const share = busyMs / livedMs
    this.#written.look(livedMs, changed, counted)
    const { rate } = this.#written
    this.#activity.observe(livedMs, share, rate)
    this.#upkeep.observe(livedMs, share, rate)
    if (this.#learned.day.observe(livedMs, this.#parts.clock.now(), share, rate)) this.#partsEnded++
  }

  /** The loop stood still until now, if a look is late. */
  #blocked(now: number): void {
    // Without an interval there are no looks, and none is late.
    if (this.settings.intervalMs > 0) this.#exposure.blocked(this.#againAt + LOOP_LATE_MS, now)
  }

  #plan(now: number, seen: Seen, burstEnded: boolean | undefined): Look {
    // Looks come more often for it.
    const behindBurst = this.#lookTimes.isFew(seen.collections) ? burstEnded : undefined
    const { lull, lullsExpected, busy } = this.#activity
    const plan = planBarrier(this.settings, {
      elapsedMs: now - this.#windowStart,
      ageMs: now - this.#exposure.uncutSince,
      reserveMs: this.#exposure.reserveMs,
      lagLeftMs: this.#lagLeftMs(seen),
      deltaBytes: this.#delta.bytes(seen.changed),
      targetMs: this.#window.targetMs,
      lull,
      lullsExpected,
      busy,
      behindBurst,
      paused: this.#strain.paused,
    })
    if (behindBurst === true && plan.falls !== undefined) this.bursts.fallsBehind()
    const lookMs = this.#lookTimes.dirtyMs(seen.collections)
    if (plan.falls !== undefined) return { barrier: plan.falls, againMs: lookMs }
    return { barrier: undefined, againMs: Math.max(1, Math.min(lookMs, plan.inMs)) }
  }

  /** There is nothing to write now. */
  #againMsOf(seen: Seen): number {
    const { flight, reserveMs } = this.#exposure
    return this.#lookTimes.cleanMs(seen.collections, reserveMs, this.#lagLeftMs(seen), flight !== undefined)
  }

  /** Until something that is left out has to be taken. */
  #lagLeftMs({ lag }: Seen): number {
    return lag.uncutMs > 0 ? this.leftOutMsMax - lag.uncutMs : Number.POSITIVE_INFINITY
  }

  /** What there is to tell about it. */
  #lookAtExposure(now: number, dirty: boolean, late: number): (() => void) | undefined {
    const turned = this.#exposure.look(now, dirty)
    if (turned === undefined) return undefined
    const exposure = this.#exposure
    const numbers = exposure.numbers(now, dirty, late)
    if (turned === 'met') return () => this.#decide('rpo-met', 'durable', { ...numbers, rpoMsWorst: exposure.worstMs })
    const { intervalMs } = this.settings
    const reason = this.#failing ? 'failing' : exposure.because(now, dirty, { lateMs: late, intervalMs, waits: this.#wanted !== undefined })
    return () => this.#decide('rpo-broken', reason, numbers)
  }

  /** An epoch is durable that left out so many collections. */
  #decideLeftOut(collections: number, now: number): void {
    const before = this.#leftOut
    this.#leftOut = collections
    if (collections === before) return
    if (collections > 0) this.#decide('left-out', 'pressure', { collections, laggingMs: this.#exposure.laggingMs(now) })
    else this.#decide('taken-in', 'durable', { collections: before })
  }

  #strainFacts(now: number): StrainFacts {
    return { now, failing: this.#failing, flightMs: this.#exposure.flightMs(now) }
  }

  #decide<Type extends DecisionType>(type: Type, reason: DecisionReason<Type>, numbers: Decision['numbers']): void {
    const decision: Decision = { time: this.#parts.clock.now(), type, reason, numbers }
    this.#learned.decisions.add(decision)
    this.#parts.decided(decision, this.#strain.pressureLast)
  }
}
