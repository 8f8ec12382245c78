/**
 * What a checkpointer tells, and to whom. Owns nothing. Invariant: whoever keeps state of an event has taken it in before listeners are called, who may
 * ask for it.
 */
import type { CheckpointerEvents } from '../checkpoint/index.ts'
import type { UpkeepMessage } from '../writer/index.ts'
import type { Events } from './events.ts'
import type { Upkeep } from './upkeep.ts'

type Named = NonNullable<UpkeepMessage['named']>

/** Who has to know beside those who listen. */
export interface Knowing {
  readonly upkeep: Upkeep
  /** Takes up the segments that a manifest names. */
  readonly following: { take(named: Named): void } | undefined
  /** Keeps in which order entries were touched. */
  readonly order: { committed(): void }
}

export function forward(events: Events, { upkeep, following, order }: Knowing): Omit<CheckpointerEvents, 'looked'> {
  return {
    upkeep: message => {
      // First: the next change goes on from this one.
      if (message.named !== undefined) following?.take(message.named)
      upkeep.take(message)
    },
    checkpoint: point => {
      order.committed()
      events.emit('checkpoint', point)
    },
    barrier: info => events.emit('barrier', info),
    degraded: error => upkeep.commitFailed(error),
    recovered: () => upkeep.committedAgain(),
    failed: error => {
      upkeep.ended()
      events.emit('error', error)
    },
    refused: refusal => events.emit('refused', refusal),
    voided: info => events.emit('voided', info),
    holdBroken: info => events.emit('holdBroken', info),
    stall: info => events.emit('stall', info),
  }
}
