/**
 * The eyes and the clock of the scheduler: looks at the engine when it is time, and carries out what is decided.
 *
 * Owns: the timer of the next look, what upkeep was told last. Does not own: decisions (schedule/), the barrier (checkpointer.ts).
 * Invariants: one look is planned at most, and made however often barriers fall; without an interval there is none; a level of upkeep is said
 * again before it lapses, as long as it holds; after the loop stood still nothing is looked at before the messages that the writer sent meanwhile.
 */
import { LOOP_LATE_MS } from '../base/limits.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Collection } from '../capture/index.ts'
import type { BarrierReason, Changed, CutReason, Look, Seen, UpkeepLevel } from '../schedule/index.ts'
import { NONE_LEFT } from './lag.ts'
import type { Turns } from './turns.ts'
import type { CheckpointerParts } from './types.ts'

const DISTINCT = { distinct: true } as const
const WAITS = { waits: true } as const

/** What is looked at and acted upon. */
export interface Engine {
  /** `left`: what a barrier that fell now would leave out. */
  state(): Omit<Seen, 'changed' | 'collections' | 'counted'> & { readonly left: ReadonlySet<Collection> }
  /** A barrier is to fall, or none: one that was to fall and has not need not. */
  due(reason: BarrierReason | undefined): void
  /** There is something to capture, and no pause. */
  drains(): void
}

export class Looks {
  readonly #parts: CheckpointerParts
  readonly #turns: Turns
  readonly #engine: Engine
  #timer: Cancel | undefined
  /** When the timer is due. */
  #dueAt = 0
  #stopped = false
  #level: UpkeepLevel = 'slow'
  #saidAt = 0

  constructor(parts: CheckpointerParts, turns: Turns, engine: Engine) {
    this.#parts = parts
    this.#turns = turns
    this.#engine = engine
    this.#plan(parts.cadence.firstLookMs)
  }

  /** A cut is about to be taken of what is listed now. */
  barrierFell(because: CutReason | undefined): void {
    const { cadence, collections } = this.#parts
    this.#plan(cadence.cut(changedIn(collections.values()).changed, because).againMs)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.()
  }

  /** The engine stopped for good: what follows from that is decided, and nobody acts upon it. In a turn of its own, for a look may be what failed. */
  last(): void {
    if (this.#parts.cadence.settings.intervalMs > 0) this.#timer = this.#turns.later(() => void this.#decide())
  }

  /** The next look is so far away, or sooner where it was: barriers that come more often than looks must not keep them from being made. */
  #plan(ms: number): void {
    const { cadence, clock } = this.#parts
    if (this.#stopped || cadence.settings.intervalMs === 0) return
    const dueAt = clock.monotonic() + ms
    if (this.#timer !== undefined && this.#dueAt <= dueAt) return
    this.#timer?.()
    this.#dueAt = dueAt
    const look = (): void => {
      this.#timer = undefined
      this.#look()
    }
    this.#timer = this.#turns.after(ms, () => {
      // Timers run in front of messages: an epoch may long be durable.
      if (clock.monotonic() - this.#dueAt > LOOP_LATE_MS) this.#timer = this.#turns.later(look)
      else look()
    })
  }

  #look(): void {
    const { cadence, events } = this.#parts
    const { barrier, againMs, dirty } = this.#decide()
    this.#engine.due(barrier)
    if (dirty && !cadence.paused) this.#engine.drains()
    // The barrier that fell has planned the next look itself.
    if (this.#timer === undefined) this.#plan(againMs)
    if (!this.#stopped) this.#sayLevel()
    events.looked()
  }

  #decide(): Look & Pick<Seen, 'dirty'> {
    const { cadence, collections } = this.#parts
    const { left, ...state } = this.#engine.state()
    const { dirty } = state
    return { ...cadence.look({ ...state, ...changedIn(collections.values(), left), collections: collections.size }), dirty }
  }

  #sayLevel(): void {
    const { cadence, host, clock, collections } = this.#parts
    const level = cadence.upkeep
    const ms = cadence.upkeepMs(collections.size)
    const now = clock.monotonic()
    if (level === this.#level && (level === 'slow' || now - this.#saidAt < ms / 2)) return
    this.#level = level
    this.#saidAt = now
    host.post({ type: 'upkeep-level', level, ms })
  }
}

/** Keys that collections list as written since the last barrier. `counted`: every write is among them; `left`: what the next leaves out. */
export function changedIn(
  collections: Iterable<Collection>,
  left: ReadonlySet<Collection> = NONE_LEFT,
): { readonly changed: readonly Changed[]; readonly counted: boolean } {
  const changed: Changed[] = []
  let counted = true
  for (const collection of collections) {
    const { id, space, saturated, live, journal, arrivals, fresh } = collection
    // After a failure, or many of them, arrivals were forgotten. A refused key stays fresh, and was written once.
    const keys = saturated ? live.size : journal.end + Math.max(arrivals.end, fresh.size - space.refusedKeys(id))
    if (keys > 0)
      changed.push({
        id,
        keys,
        ...(saturated ? DISTINCT : undefined),
        ...(left.has(collection) ? WAITS : undefined),
        ...drainedOf(collection),
      })
    if (saturated) counted = false
  }
  return { changed, counted }
}

function drainedOf({ drained, drainedBytes, journal, arrivals }: Collection): Pick<Changed, 'drained'> | undefined {
  if (drainedBytes === 0) return undefined
  const passed = journal.end - journal.untaken(journal.end) + arrivals.end - arrivals.untaken(arrivals.end)
  // Of what a void cut gives back the records stand, and the lists begin anew.
  return { drained: { keys: Math.max(passed, drained.length), bytes: drainedBytes } }
}
