/**
 * Whether durability keeps up, and what is said where it does not: the pressure on the application, the pause of barriers.
 *
 * Owns: both, and whom the writer's bytes wait for. Does not own: the epoch under way, the load, what is done about it.
 * Invariant: without elastic windows barriers never pause.
 */
import { LOOK_MS_MIN } from '../base/limits.ts'
import { HandOff } from './hand-off.ts'
import { Pause } from './pause.ts'
import { Pressure, type PressureFacts } from './pressure.ts'
import type { CadenceSettings, Decide, Took } from './types.ts'

export interface StrainFacts {
  readonly now: number
  readonly failing: boolean
  /** Since the barrier of the epoch under way; 0: none is. */
  readonly flightMs: number
}

export class Strain {
  readonly #settings: CadenceSettings
  readonly #pressure: Pressure
  readonly #pause = new Pause()
  readonly #handOff: HandOff

  constructor(now: number, settings: CadenceSettings) {
    this.#settings = settings
    this.#pressure = new Pressure(now, Math.max(settings.intervalMs, LOOK_MS_MIN))
    this.#handOff = new HandOff(now)
  }

  /** Barriers wait, and captures that need not be made now. */
  get paused(): boolean {
    return this.#pause.paused
  }

  /** The pressure, as of now and at the last look. */
  pressure(facts: StrainFacts): number {
    return this.#pressure.value(this.#pressureFacts(facts))
  }
  get pressureLast(): number {
    return this.#pressure.last
  }

  credited(took: Took | undefined): void {
    this.#handOff.credited(took)
  }

  look(facts: StrainFacts & { readonly inFlightBytes: number; readonly load: number }, decide: Decide): void {
    const { now, flightMs, inFlightBytes, load } = facts
    const { intervalMs, elastic } = this.#settings
    const behind = this.#handOff.look(now, inFlightBytes, flightMs)
    const pressureFacts = { ...this.#pressureFacts(facts), inFlightBytes, behind }
    const turned = this.#pressure.look(pressureFacts)
    const numbers = { pressure: this.#pressure.value(pressureFacts), inFlightBytes, flightMs }
    if (turned === 'calm') decide('pressure-low', turned, numbers)
    else if (turned !== undefined) decide('pressure-high', turned, numbers)
    if (!elastic) return
    const why = this.#pause.look({ now, load, inFlightBytes, flightMs, behind, intervalMs })
    if (why === 'calm') decide('resume', why, { loopLoad: load, inFlightBytes, flightMs })
    else if (why !== undefined) decide('pause', why, { loopLoad: load, inFlightBytes, flightMs })
  }

  #pressureFacts({ now, failing, flightMs }: StrainFacts): PressureFacts {
    return { now, failing, flightMs, intervalMsMax: this.#settings.intervalMsMax }
  }
}
