/**
 * Work in slices: whoever has long work to do asks between two steps whether the slice is over.
 * Owns the beginning of the slice. Invariant: a slice ends one step after its time, at most, and the next one begins behind the events that are
 * ready then. What is waited for between two steps counts as of the slice, which ends it sooner: its length says nothing of stalls.
 */
import { type Clock, systemClock } from './clock.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'

/** `undefined` while there is time; otherwise it is awaited. */
export type Pauser = () => Promise<void> | undefined

export interface PauserParts {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly scheduler: Pick<Scheduler, 'immediate'>
  readonly sliceMs: number
}

export function pauser({ clock, scheduler, sliceMs }: PauserParts): Pauser {
  let begin = clock.monotonic()
  return () => {
    if (clock.monotonic() - begin < sliceMs) return undefined
    return new Promise(done => {
      scheduler.immediate(() => {
        begin = clock.monotonic()
        done()
      })
    })
  }
}

/** Slices of what is done beside a service without a store of its own: half of the default stall budget. */
const BESIDE_MS = 0.5

export function systemPauser(): Pauser {
  return pauser({ clock: systemClock, scheduler: systemScheduler, sliceMs: BESIDE_MS })
}
