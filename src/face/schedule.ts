/** The scheduler of a store, what keeps what it learned, its decisions as events, and its figures. Owns nothing but their lives. */
import type { Clock, LoopLoad } from '../base/clock.ts'
import type { Collection } from '../capture/index.ts'
import { type Checkpointer, changedIn } from '../checkpoint/index.ts'
import { Cadence, type CadenceSettings, Keeper, type ScheduleStats } from '../schedule/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Events } from './events.ts'

export interface Schedule {
  readonly cadence: Cadence
  /** After each look of the scheduler. */
  readonly looked: () => void
  /** Keeps what was learned. */
  readonly stop: () => Promise<void>
}

/** `collections`: those alive. */
export function scheduleStats(
  cadence: Cadence | undefined,
  checkpointer: Checkpointer | undefined,
  collections: Iterable<Collection>,
): ScheduleStats | undefined {
  if (cadence === undefined || checkpointer === undefined) return undefined
  const { classes, epoch, exposed } = checkpointer
  const { lag, left } = classes.late(epoch + 1)
  return cadence.stats(exposed, lag.laggingMs, changedIn(collections, left).changed)
}

/** `storage`: undefined where nothing is kept. */
export function startSchedule(
  parts: { readonly clock: Clock; readonly loopLoad: LoopLoad; readonly settings: CadenceSettings; readonly events: Events },
  storage: Storage | undefined,
): Schedule {
  const { clock, loopLoad, settings, events } = parts
  events.clock = clock
  const cadence = new Cadence({
    clock,
    loopLoad,
    settings,
    decided: (decision, pressure) => {
      events.emit('decision', decision)
      const { type, reason } = decision
      if (type === 'pressure-high' || type === 'pressure-low') events.emit('pressure', { high: type === 'pressure-high', pressure, reason })
    },
  })
  if (storage === undefined) return { cadence, looked: () => {}, stop: async () => {} }
  const keeper = new Keeper({ storage, clock, record: () => cadence.record(), remember: record => cadence.remember(record) })
  return {
    cadence,
    looked: () => keeper.look(cadence.changes),
    // Without an interval nothing is learned.
    stop: () => keeper.stop(settings.intervalMs > 0 ? cadence.changes : 0),
  }
}
