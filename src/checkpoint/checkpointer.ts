/**
 * Turns barriers into committed epochs, one at a time.
 *
 * What: lets the barrier fall when it is asked for or the scheduler says so, hands the commit to the writer, and tells those who wait. After
 * a failure everything is dirty again and the next barrier follows with back-off.
 * Owns: the epoch under way, who waits for which epoch. Does not own: when a barrier is due (schedule/, looks.ts), the entries (capture/), the
 * slices in which they are captured (drainer.ts before the barrier, round.ts behind it), the bytes (writer/).
 * Invariants: at most one epoch is in flight; a barrier falls between turns or inside the caller's `checkpoint()`, never inside a transaction,
 * an unbroken hold or an encoding; an epoch is acknowledged only after the writer said it is durable; nothing here throws from a timer.
 */
import { hasCode, type TidemarkError } from '../base/errors.ts'
import type { Histogram } from '../base/histogram.ts'
import { VOIDS_MAX } from '../base/limits.ts'
import { Capture, type CaptureOwner, type Collection, Drain, Outbox, type VoidReason } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import type { BarrierReason, CutReason } from '../schedule/index.ts'
import { type FromWriter, fromErrorData } from '../writer/index.ts'
import { Attempts } from './attempts.ts'
import { Classes } from './classes.ts'
import { Counters } from './counters.ts'
import { type Drained, Drainer } from './drainer.ts'
import { complete, type Flight, newFlight, noteCut, noteMoved, noteRefused, noteTaken, noteTime, noteVoid } from './flight.ts'
import { Holds } from './holds.ts'
import { Looks } from './looks.ts'
import { Pace } from './pace.ts'
import { type Refusal, Refusals } from './refusals.ts'
import { Retry } from './retry.ts'
import { Round } from './round.ts'
import { StallBudget } from './stall-budget.ts'
import { Turns } from './turns.ts'
import type { CheckpointerParts, CheckpointPoint, EngineStatus } from './types.ts'
import { VoidCut } from './void-cut.ts'
import { Waiters } from './waiters.ts'
import { Wish } from './wish.ts'

export class Checkpointer implements CaptureOwner {
  status: EngineStatus = 'ok'
  epoch: number
  degradedBy: TidemarkError | undefined
  readonly holds: Holds
  readonly counters = new Counters()
  readonly classes: Classes
  readonly stallBudget: StallBudget
  readonly outbox: Outbox
  /** Engine time in turns of its own. */
  readonly stalls: Histogram
  readonly #parts: CheckpointerParts
  readonly #refusals: Refusals
  readonly #waiters: Waiters
  readonly #turns: Turns
  readonly #pace: Pace
  readonly #drain: Drain
  readonly #drainer: Drainer
  readonly #round: Round
  readonly #retry: Retry
  readonly #void: VoidCut
  readonly #looks: Looks
  readonly #attempts: Attempts
  /** A cut is being taken, or given back: what was frozen is listed only in part, and nothing goes on from there. */
  #halfway = false
  /** The engine stopped for good with an epoch under way that took something: that is listed nowhere, and never becomes durable. */
  #lost = false
  #flight: Flight | undefined
  readonly #wish = new Wish()

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#refusals = new Refusals(parts.space)
    this.#waiters = new Waiters({ ...parts, last: () => parts.space.forbidden === 'closed', why: () => this.degradedBy })
    this.epoch = parts.epoch
    this.#attempts = new Attempts(parts.host)
    this.outbox = new Outbox(block => this.#attempts.batch(block))
    this.stallBudget = new StallBudget(parts.space, parts.stallMsMax, info => parts.events.stall(info))
    this.#turns = new Turns(parts, error => this.#broken(error), this.stallBudget)
    this.stalls = this.#turns.stalls
    this.holds = new Holds(parts, {
      broken: ms => parts.events.holdBroken({ ms }),
      free: () => this.#turns.later(() => (this.#flight?.cut === false ? this.#recut(this.#flight) : this.#tryBarrier())),
    })
    const { clock, stallMsMax, space, cadence } = parts
    this.classes = new Classes(parts, this.#turns, this.#refusals, () => this.#due('rpo'))
    this.#retry = new Retry(this.#turns, { clock, space, stallMsMax })
    this.#void = new VoidCut({ space, turns: this.#turns, outbox: this.outbox, holds: this.holds, givenBack: () => this.#gaveBack() })
    this.#pace = new Pace(cadence.settings.intervalMs)
    this.#drain = new Drain(this.outbox)
    const slices = { clock, space, stallMsMax, load: () => cadence.load(), turns: this.#turns, outbox: this.outbox, pace: this.#pace }
    this.#drainer = new Drainer({
      ...slices,
      drain: this.#drain,
      collections: () => this.classes.early(),
      watched: cadence.settings.intervalMs > 0,
      allowed: () => this.status === 'ok' && this.#attempts.takes && !cadence.paused && this.#flight?.committing !== false,
    })
    this.#round = new Round({
      ...slices,
      bursts: cadence.bursts,
      captureBy: () => cadence.captureBy,
      captured: flight => this.#captured(flight),
      failed: error => this.#failed(error),
    })
    parts.host.onMessage((message: FromWriter) => this.holds.outside(() => this.#turns.run(() => this.#receive(message))))
    this.#looks = new Looks(parts, this.#turns, {
      state: () => ({ dirty: this.exposed, inFlightBytes: this.outbox.inFlight, ...this.classes.late(this.epoch + 1) }),
      due: reason => this.#due(reason),
      drains: () => this.#drainer.wake(),
    })
    this.#drainer.wake()
  }

  /** True when something changed that no barrier has cut yet; while an entry is drained it is listed nowhere. */
  get dirty(): boolean {
    const drains = this.outbox.encoding && this.#flight?.committing !== false
    return drains || this.#parts.space.catalogueChanged || this.#void.waits || this.classes.dirty
  }

  /** As `dirty`, but for what waits for a reason of its own: values refused before, collections that the next epoch would leave out. */
  get exposed(): boolean {
    return this.#lost || (this.dirty && !this.#refusals.areAll(this.#parts.collections.values()) && !this.classes.canWait(this.epoch + 1))
  }

  get drained(): Drained {
    return this.#drainer.total
  }

  get refusals(): readonly Refusal[] {
    return this.#refusals.list()
  }

  /** Sets a barrier, now if nothing is in its way; resolves when its epoch is durable. `whole`: with everything, and its last round not spread. */
  checkpoint(timeoutMs: number, whole = false): Promise<CheckpointPoint> {
    const waiter = this.#waiters.add(timeoutMs)
    this.#wish.ask(whole)
    if (whole) this.classes.takeAll()
    // The epoch under way is in the way of the next.
    this.#round.hurry()
    // What `close` asks for has no other moment.
    this.#retry.asked(this.#parts.space.forbidden === 'closed')
    this.#turns.guard(() => this.#tryBarrier())
    return waiter
  }

  /** Resolves when all mutations made so far are durable. */
  async durable(timeoutMs: number): Promise<void> {
    this.classes.takeIn(this.#flight)
    // `close` leaves nobody behind whose barrier has not fallen yet.
    const closes = this.#parts.space.forbidden === 'closed'
    const whole = this.#flight?.refused.count === 0
    if (this.dirty || (closes && this.#waiters.waiting && !whole)) await this.#refusals.unlessGone(this.checkpoint(timeoutMs, true))
    else if (this.#flight !== undefined) {
      this.#round.hurry()
      this.#flight.hurried = true
      // All that the last barrier would take is in it: who waits for that one need not, unless this one refused what was gone before they asked.
      if (closes && whole) this.#waiters.depart()
      if (!this.#waiters.waiting) this.#wish.callOff(this.classes)
      await this.#refusals.unlessGone(this.#waiters.join(timeoutMs))
    } else this.#refusals.assertNone()
  }

  /** Stops timers and fails whoever waits; nothing is sent to the writer any more. */
  stop(error: TidemarkError): void {
    this.status = this.status === 'failed' ? 'failed' : 'closed'
    this.#halt(error)
  }

  /** The transaction that ran is over. */
  transactionEnded(): void {
    this.#void.giveBack()
  }

  // ---- CaptureOwner

  voided(reason: VoidReason, collection: string, key: Key | undefined): void {
    const flight = this.#flight
    const { space, events } = this.#parts
    if (flight === undefined || space.capture === undefined) return
    noteVoid(flight, reason)
    this.counters.voids++
    const { capture, voids } = flight
    space.endCapture()
    this.#round.stop()
    this.#void.begin(capture, () => events.voided({ reason, collection, key, voids }))
  }

  refused(collection: Collection, key: Key, error: unknown): void {
    const { refusal, first } = this.#refusals.add(collection, key, error)
    if (this.#flight !== undefined) noteRefused(this.#flight, refusal)
    if (first) this.#turns.later(() => this.#parts.events.refused(refusal))
  }

  // ---- the barrier

  #gaveBack(): void {
    this.#parts.cadence.givenBack()
    const flight = this.#flight
    if (flight !== undefined) this.#turns.later(() => this.#recut(flight))
  }

  /** After a void: the cut moves to now. What the epoch already wrote stands; what changed since is captured again. */
  #recut(flight: Flight): void {
    // Another epoch may have begun, whose cut stands, or the cut has moved already.
    if (flight !== this.#flight || flight.cut) return
    // A codec may have made it void while the record was made that is lost.
    flight.capture.assertWhole()
    if (this.#void.waitsForRoom(() => this.#recut(flight))) return
    // The end of the last hold comes here by itself.
    if (this.holds.inTheWay()) return void this.#parts.cadence.held()
    noteMoved(flight)
    this.#cut(flight)
    if (flight.torn > VOIDS_MAX) {
      this.counters.forced++
      flight.capture.run(() => false, true)
    }
    if (flight.cut) this.#round.begin(flight)
    this.#round.slice()
  }

  #tryBarrier(): void {
    const { space, clock } = this.#parts
    if (!this.#wish.wanted || this.#flight !== undefined || this.#retry.waiting || this.status === 'failed' || this.status === 'closed')
      return
    // Asked for by a codec in the midst of the drain, which the barrier would cut in two.
    if (this.outbox.encoding) return void this.#turns.later(() => this.#tryBarrier())
    if (space.transaction !== undefined || this.#attempts.spoilt !== undefined || this.holds.inTheWay()) return
    const because = this.#waiters.waiting ? 'asked' : this.#attempts.failed ? 'retry' : this.#wish.rpoDue ? 'rpo' : undefined
    this.#waiters.depart()
    this.#attempts.begin()
    const now = clock.monotonic()
    this.#pace.barrier(now)
    const flight = newFlight({
      epoch: this.epoch + 1,
      started: now,
      records: this.#drain.barrier(),
      dueAt: now + this.#pace.spreadMs(this.#waiters.aboard),
      asked: this.#waiters.aboard,
      hurried: this.#wish.hurry,
      whole: this.classes.departs(),
    })
    this.#wish.grant()
    this.#flight = flight
    // Calls codecs, which may ask for a barrier, that is the next one, or for a hold.
    this.holds.barrierFalls(() => space.untracked?.inspect(this.#parts.collections.values()))
    this.#cut(flight, because)
    // Whoever asked meanwhile waits for the next epoch, and this one is in its way.
    flight.hurried ||= this.#waiters.waiting || this.#wish.hurry
    if (flight.cut) this.#round.begin(flight)
  }

  /** Who is told of it may write: that is in it. */
  #cut(flight: Flight, because?: CutReason): void {
    const { space, clock, events } = this.#parts
    this.holds.barrierFalls(() => {
      this.#void.tell()
      this.#looks.barrierFell(because)
      noteTime(flight, clock.now())
      space.letIn(() => events.barrier({ epoch: flight.epoch, time: flight.time }))
    })
    flight.exposed ||= this.exposed
    this.#halfway = true
    const taken = this.classes.cut(flight)
    noteTaken(flight, taken)
    space.catalogueChanged = false
    this.#refusals.retry()
    noteCut(flight, new Capture(taken, flight.epoch, this.outbox, this, flight.linked, flight.preImageBytesMax))
    this.#halfway = false
    space.capture = flight.capture
    space.refresh()
  }

  #captured(flight: Flight): void {
    const { space, cadence } = this.#parts
    complete(flight, this.counters.spared(space.recent.spared))
    this.#pace.steer(flight.records, space.rewrites.records)
    space.rewrites.endEpoch()
    this.#attempts.commit(flight, this.outbox.take())
    cadence.handedOver()
    this.#drainer.wake()
  }

  #receive(message: FromWriter): void {
    switch (message.type) {
      case 'credit':
        if (!this.#attempts.isNow(message.attempt)) return
        this.outbox.credit(message.bytes)
        this.#parts.cadence.credited(message.took)
        this.#round.resume()
        return
      case 'committed':
        if (this.#attempts.committed(message.attempt)) this.#committed(message)
        return
      case 'failed':
        if (message.fatal) this.#fatal(fromErrorData(message.error))
        else if (this.#attempts.isNow(message.attempt) && !this.#attempts.failed) this.#failed(fromErrorData(message.error))
        return
      case 'fenced':
        this.#fatal(fromErrorData(message.error))
        return
      case 'upkeep':
        this.#parts.events.upkeep(message)
    }
  }

  /** Decisions are told last: whoever then asks for a checkpoint gets the next one. */
  #committed(message: Extract<FromWriter, { type: 'committed' }>): void {
    const flight = this.#flight
    if (flight === undefined) return
    const { clock, events, cadence } = this.#parts
    this.#flight = undefined
    flight.capture.landed()
    this.epoch = flight.epoch
    this.#retry.reset()
    this.#refusals.settle()
    const tellMet = this.classes.committed(flight)
    const point = this.counters.committed(flight, message, clock.monotonic())
    this.#waiters.arrive(point)
    cadence.committed(flight)
    tellMet?.()
    if (this.status === 'degraded') {
      this.status = 'ok'
      this.degradedBy = undefined
      events.recovered()
    }
    this.#drainer.wake()
    events.checkpoint(point)
    if (this.#wish.wanted) this.#turns.later(() => this.#tryBarrier())
    if (this.#attempts.spoilt !== undefined) this.#failed(this.#attempts.spoilt)
  }

  #failed(error: TidemarkError): void {
    if (this.status === 'failed' || this.status === 'closed') return
    const { space, events, collections } = this.#parts
    this.#parts.cadence.failed()
    this.#attempts.fail()
    this.#halfway = true
    const flight = this.#flight
    this.#flight = undefined
    this.#round.stop()
    this.#void.stop()
    space.endCapture()
    // A cut that was voided has been given back already, or is when the transaction ends.
    if (flight?.cut === true) flight.capture.giveBack(true)
    else this.#void.giveBack()
    this.#drain.abandon(collections.values())
    this.counters.failed(space.recent.spared)
    space.rewrites.endEpoch()
    this.holds.barrierFell()
    this.outbox.mend()
    this.outbox.reset()
    this.classes.failed(flight)
    space.catalogueChanged = true
    this.#waiters.back()
    this.#wish.hurry ||= flight?.hurried === true && this.#waiters.waiting
    // Without an interval the drain's failure is no reason for a checkpoint: the next that is asked for is the next attempt.
    this.#wish.wanted ||= flight !== undefined || this.#waiters.waiting || this.#parts.cadence.settings.intervalMs > 0
    this.degradedBy = error
    this.status = 'degraded'
    this.#retry.after(() => this.#tryBarrier(), this.#waiters.waiting)
    this.#halfway = false
    events.degraded(error)
  }

  /** A turn threw this. What passes fails the attempt. */
  #broken(error: TidemarkError): void {
    if (!hasCode(error, 'TIDEMARK_STORAGE') || this.#halfway) this.#fatal(error)
    else if (!this.#attempts.postpones(error)) this.#turns.guard(() => this.#failed(error))
  }

  #fatal(error: TidemarkError): void {
    if (this.status === 'failed' || this.status === 'closed') return
    const { cadence, events } = this.#parts
    this.status = 'failed'
    cadence.failed()
    this.degradedBy = error
    this.#lost = this.#flight?.exposed === true
    this.#halt(error)
    this.#looks.last()
    events.failed(error)
  }

  #halt(error: TidemarkError): void {
    if (this.#flight?.cut === true) this.#flight.capture.landed()
    this.#parts.space.end()
    for (const part of [this.#looks, this.#retry, this.#round, this.#void, this.#drainer, this.classes, this.outbox]) part.stop()
    this.#flight = undefined
    this.holds.stop()
    this.#waiters.fail(error)
  }

  /** While an epoch is under way the barrier follows it: it is hurried for an RPO, and for a delta that would go on growing meanwhile. */
  #due(reason: BarrierReason | undefined): void {
    // A look before may have decided on one that could not fall yet, and whose moment has passed: nobody else wants it, and no hold waits for it.
    if (reason === undefined) {
      this.#wish.wanted &&= this.#waiters.waiting || this.#wish.rpoDue || this.#attempts.failed
      if (!this.#wish.wanted && this.#flight === undefined) this.holds.barrierFell()
      return
    }
    this.#wish.due(reason)
    if (this.#wish.hurry || reason === 'delta') this.#round.hurry()
    this.#tryBarrier()
  }
}
