/**
 * Turns barriers into committed epochs, one at a time.
 *
 * What: decides when the barrier falls (asked for, or the interval is over), runs the capture in slices between turns, hands the commit
 * to the writer, and tells those who wait. After a failure everything is dirty again and the next barrier follows with back-off.
 * Owns: the epoch under way, who waits for which epoch, the stall budget. Does not own: the entries (capture/), the bytes (writer/).
 * Invariants: at most one epoch is in flight; a barrier falls between turns or inside the caller's `checkpoint()`, never inside a
 * transaction or an unbroken hold; an epoch is acknowledged only after the writer said it is durable; nothing here throws from a timer.
 */
import { hasCode, type TidemarkError } from '../base/errors.ts'
import type { Histogram } from '../base/histogram.ts'
import { VOIDS_MAX } from '../base/limits.ts'
import type { Cancel } from '../base/scheduler.ts'
import { Capture, type CaptureOwner, type Collection, Outbox, type VoidReason } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { type FromWriter, fromErrorData } from '../writer/index.ts'
import { Count } from './count.ts'
import { Counters } from './counters.ts'
import { Holds } from './holds.ts'
import { type Refusal, Refusals } from './refusals.ts'
import { Turns } from './turns.ts'
import type { CheckpointerParts, CheckpointPoint, EngineStatus, Flight } from './types.ts'
import { Waiters } from './waiters.ts'

/** A slice takes this share of the budget, which leaves room for the step that overruns. */
const SLICE_SHARE = 0.35
const BACK_OFF_MS_MIN = 100
const BACK_OFF_MS_MAX = 10_000

export class Checkpointer implements CaptureOwner {
  status: EngineStatus = 'ok'
  epoch: number
  degradedBy: TidemarkError | undefined
  readonly holds: Holds
  readonly counters = new Counters()
  readonly outbox: Outbox
  readonly #parts: CheckpointerParts
  readonly #refusals = new Refusals()
  readonly #waiters = new Waiters()
  readonly #turns: Turns
  #attempt = 0
  #resetNeeded = false
  #flight: Flight | undefined
  /** A cut that was voided inside a transaction: given back when the transaction ends. */
  #voided: Capture | undefined
  #wanted = false
  #backOffMs = 0
  #interval: Cancel | undefined
  #retry: Cancel | undefined
  #slice: Cancel | undefined

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.epoch = parts.epoch
    this.outbox = new Outbox(block =>
      this.#parts.host.post({ type: 'batch', attempt: this.#attempt, bytes: block.bytes, records: block.records }),
    )
    this.#turns = new Turns(parts.clock, parts.scheduler, error => this.#fatal(error))
    this.holds = new Holds(parts.scheduler, parts.clock, {
      broken: ms => parts.events.holdBroken({ ms }),
      free: () => this.#turns.later(() => this.#tryBarrier()),
    })
    parts.host.onMessage((message: FromWriter) => this.#turns.run(() => this.#receive(message)))
    this.#arm()
  }

  /** True when something changed that no barrier has cut yet. */
  get dirty(): boolean {
    if (this.#parts.space.catalogueChanged || this.#voided !== undefined) return true
    for (const collection of this.#parts.collections.values()) if (collection.dirty) return true
    return false
  }

  /** Engine time in turns of its own. */
  get stalls(): Histogram {
    return this.#turns.stalls
  }

  get refusals(): readonly Refusal[] {
    return this.#refusals.list()
  }

  /** Sets a barrier, now if nothing stands in its way; resolves when its epoch is durable. */
  checkpoint(timeoutMs: number): Promise<CheckpointPoint> {
    const waiter = this.#waiters.add(timeoutMs, this.#parts.scheduler, () => this.degradedBy)
    this.#wanted = true
    // Somebody waits now: the back-off ends.
    this.#retry?.()
    this.#retry = undefined
    this.#tryBarrier()
    return waiter
  }

  /** Resolves when all mutations made so far are durable. */
  async durable(timeoutMs: number): Promise<void> {
    if (this.dirty) await this.checkpoint(timeoutMs)
    else if (this.#flight !== undefined) await this.#waiters.join(timeoutMs, this.#parts.scheduler, () => this.degradedBy)
    else this.#refusals.assertNone()
  }

  /** Stops timers and fails whoever waits; nothing is sent to the writer any more. */
  stop(error: TidemarkError): void {
    this.status = this.status === 'failed' ? 'failed' : 'closed'
    this.#interval?.()
    this.#retry?.()
    this.#slice?.()
    this.#flight = undefined
    this.holds.stop()
    this.#waiters.fail(error)
  }

  /** The transaction that ran is over. */
  transactionEnded(): void {
    if (this.#voided === undefined) return
    this.#giveBackVoided()
  }

  // ---- CaptureOwner

  voided(reason: VoidReason, collection: string, key: Key | undefined): void {
    const flight = this.#flight
    const { space, events } = this.#parts
    if (flight === undefined || space.capture === undefined) return
    flight.voids++
    flight.cut = false
    this.counters.voids++
    this.#voided = flight.capture
    space.endCapture()
    this.#slice?.()
    this.#slice = undefined
    if (space.transaction === undefined) this.#giveBackVoided()
    events.voided({ reason, collection, key, voids: flight.voids })
  }

  refused(collection: Collection, key: Key, error: unknown): void {
    const { refusal, first } = this.#refusals.add(collection, key, error)
    this.#flight?.refusals.push(refusal)
    if (first) this.#turns.later(() => this.#parts.events.refused(refusal))
  }

  // ---- the barrier

  #giveBackVoided(): void {
    this.#voided?.giveBack(false)
    this.#voided = undefined
    const flight = this.#flight
    if (flight !== undefined) this.#turns.later(() => this.#recut(flight))
  }

  /** After a void: the cut moves to now. What the epoch already wrote stands; what changed since is captured again. */
  #recut(flight: Flight): void {
    // The epoch may have failed meanwhile, and another one begun, whose cut stands.
    if (flight !== this.#flight) return
    if (this.holds.inTheWay()) {
      this.#slice = this.#turns.after(1, () => {
        this.#slice = undefined
        this.#recut(flight)
      })
      return
    }
    flight.records += flight.capture.records
    flight.refusals = []
    this.#cut(flight)
    if (flight.voids > VOIDS_MAX) {
      this.counters.forced++
      flight.capture.run(() => false, true)
    }
    this.#continue()
  }

  #tryBarrier(): void {
    const { space, clock, host } = this.#parts
    if (!this.#wanted || this.#flight !== undefined || this.#retry !== undefined || this.status === 'failed' || this.status === 'closed')
      return
    if (space.transaction !== undefined || this.holds.inTheWay()) return
    this.#wanted = false
    this.#waiters.depart()
    if (this.#resetNeeded) {
      this.#resetNeeded = false
      this.#attempt++
      host.post({ type: 'reset', attempt: this.#attempt })
    }
    this.outbox.rawBytes = 0
    const flight: Flight = {
      epoch: this.epoch + 1,
      time: 0,
      started: clock.monotonic(),
      capture: undefined as unknown as Capture,
      count: undefined,
      catalogue: [],
      entries: 0,
      refusals: [],
      voids: 0,
      cut: false,
      committing: false,
      records: 0,
    }
    space.untracked?.inspect(this.#parts.collections.values())
    this.#flight = flight
    this.#cut(flight)
    this.#arm()
    this.#schedule()
  }

  #cut(flight: Flight): void {
    const { space, collections, clock, events } = this.#parts
    this.holds.barrierFell()
    flight.time = clock.now()
    flight.catalogue = []
    flight.entries = 0
    for (const collection of collections.values()) {
      const entries = collection.sizeMax
      flight.catalogue.push({ id: collection.id, kind: collection.kind, name: collection.name, codec: collection.codec.name, entries })
      flight.entries += entries
    }
    flight.catalogue.sort((one, other) => one.id - other.id)
    space.catalogueChanged = false
    space.uncommitted = true
    this.#refusals.retry()
    flight.capture = new Capture(collections.values(), flight.epoch, this.outbox, this)
    flight.count = undefined
    flight.cut = true
    space.capture = flight.capture
    space.refresh()
    events.barrier({ epoch: flight.epoch, time: flight.time })
  }

  #schedule(): void {
    this.#slice ??= this.#turns.later(() => {
      this.#slice = undefined
      this.#continue()
    })
  }

  #continue(): void {
    const flight = this.#flight
    if (flight === undefined || flight.committing || !flight.cut) return
    const { clock, stallMsMax, space } = this.#parts
    const end = clock.monotonic() + stallMsMax * SLICE_SHARE
    const expired = (): boolean => clock.monotonic() >= end
    const { capture } = flight
    if (!this.outbox.full) capture.run(expired)
    if (capture.finished) space.endCapture()
    const counted = capture.finished && this.#counted(flight, expired)
    if (this.#flight !== flight) return
    if (!counted) {
      // A full outbox is continued by the next credit.
      if (!this.outbox.full) this.#schedule()
      return
    }
    flight.committing = true
    flight.entries -= flight.count?.total ?? 0
    flight.records += capture.records
    const block = this.outbox.take()
    this.#parts.host.post({
      type: 'commit',
      attempt: this.#attempt,
      epoch: flight.epoch,
      timeMs: flight.time,
      bytes: block.bytes,
      records: block.records,
      catalogue: capture.complete(flight.catalogue, flight.count?.existed ?? new Map()),
      refused: flight.refusals.length,
    })
  }

  /** False: the time is up, or the stored state cannot be read now, which is tried again. */
  #counted(flight: Flight, expired: () => boolean): boolean {
    try {
      flight.count ??= new Count(flight.capture)
      return flight.count.run(expired)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE') && !hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED')) throw error
      this.#failed(error as TidemarkError)
      return false
    }
  }

  #receive(message: FromWriter): void {
    switch (message.type) {
      case 'credit':
        if (message.attempt !== this.#attempt) return
        this.outbox.credit(message.bytes)
        if (this.#flight?.committing === false) this.#schedule()
        return
      case 'committed':
        if (message.attempt === this.#attempt) this.#committed(message)
        return
      case 'failed':
        if (message.fatal) this.#fatal(fromErrorData(message.error))
        else if (message.attempt === this.#attempt) this.#failed(fromErrorData(message.error))
        return
      case 'fenced':
        this.#fatal(fromErrorData(message.error))
        return
      case 'upkeep':
        this.#parts.events.upkeep(message)
    }
  }

  #committed(message: Extract<FromWriter, { type: 'committed' }>): void {
    const flight = this.#flight
    if (flight === undefined) return
    const { clock, space, events } = this.#parts
    this.#flight = undefined
    space.uncommitted = false
    this.epoch = flight.epoch
    this.#backOffMs = 0
    this.#refusals.settle(flight.refusals)
    const point = this.counters.committed(flight, message, clock.monotonic())
    this.#waiters.arrive(point)
    if (this.status === 'degraded') {
      this.status = 'ok'
      this.degradedBy = undefined
      events.recovered()
    }
    events.checkpoint(point)
    if (this.#wanted) this.#turns.later(() => this.#tryBarrier())
  }

  #failed(error: TidemarkError): void {
    const { space, events } = this.#parts
    this.counters.failures++
    this.#resetNeeded = true
    const flight = this.#flight
    this.#flight = undefined
    this.#slice?.()
    this.#slice = undefined
    space.uncommitted = false
    space.endCapture()
    // A cut that was voided has been given back already, or is when the transaction ends.
    if (flight?.cut === true) flight.capture.giveBack(true)
    else if (this.#voided !== undefined) this.#giveBackVoided()
    this.holds.barrierFell()
    this.outbox.reset()
    space.catalogueChanged = true
    this.#waiters.back()
    this.#wanted = true
    this.#backOffMs = Math.min(BACK_OFF_MS_MAX, Math.max(BACK_OFF_MS_MIN, this.#backOffMs * 2))
    this.degradedBy = error
    this.status = 'degraded'
    this.#retry?.()
    this.#retry = this.#turns.after(this.#backOffMs, () => {
      this.#retry = undefined
      this.#tryBarrier()
    })
    events.degraded(error)
  }

  #fatal(error: TidemarkError): void {
    const { space, collections, events } = this.#parts
    if (this.status === 'failed' || this.status === 'closed') return
    this.status = 'failed'
    this.degradedBy = error
    this.#interval?.()
    this.#retry?.()
    this.#slice?.()
    space.endCapture()
    // Nothing will be written any more: what comes and goes from now on must not be remembered.
    space.uncommitted = false
    for (const collection of collections.values()) collection.freshAllowed = true
    this.#flight = undefined
    this.holds.stop()
    this.#waiters.fail(error)
    events.failed(error)
  }

  // ---- time

  #arm(): void {
    this.#interval?.()
    this.#interval = undefined
    const { intervalMs } = this.#parts
    if (intervalMs === 0) return
    this.#interval = this.#turns.after(intervalMs, () => {
      this.#interval = undefined
      this.#due()
    })
  }

  #due(): void {
    if (this.#flight === undefined && this.dirty && !this.#onlyRefused()) {
      this.#wanted = true
      this.#tryBarrier()
    } else if (this.#flight !== undefined && this.dirty) {
      // The last interval's epoch is still under way: the next barrier follows it.
      this.#wanted = true
    }
    if (this.#interval === undefined) this.#arm()
  }

  #onlyRefused(): boolean {
    if (this.#refusals.count === 0 || this.#parts.space.catalogueChanged) return false
    let keys = 0
    for (const collection of this.#parts.collections.values()) keys += collection.dirtyKeysMax
    return keys <= this.#refusals.count
  }
}
