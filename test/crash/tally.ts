/** Counts the lives of the long crash test, and says what was shown by them. */
import type { LifeResult } from './chain.ts'
import { PLACES } from './failpoints.ts'

export class Tally {
  readonly totals = { cycles: 0, killed: 0, reached: 0, withAcks: 0, acks: 0, epochs: 0, operations: 0 }
  readonly #places = new Map<string, { kills: number; missed: number }>()

  add({ place, end, acks, epochs, operations }: LifeResult): void {
    const { totals } = this
    totals.cycles++
    totals.acks += acks
    totals.epochs += epochs
    totals.operations += operations
    if (acks > 0) totals.withAcks++
    if (end === 'failpoint') totals.reached++
    if (end === 'failpoint' || end === 'killed') totals.killed++
    const entry = this.#places.get(place) ?? { kills: 0, missed: 0 }
    this.#places.set(place, entry)
    // One that closed was killed nowhere, and one that is killed elsewhere not at its point.
    if (end === 'closed' || (PLACES.includes(place) && end !== 'failpoint')) entry.missed++
    else entry.kills++
  }

  lines(seconds: string): string[] {
    const { cycles, killed, withAcks, acks, epochs, operations } = this.totals
    const places = [...this.#places].sort(([a], [b]) => (a < b ? -1 : 1))
    return [
      'kills by place (not reached in brackets):',
      ...places.map(([place, { kills, missed }]) => `  ${place.padEnd(32)} ${String(kills).padStart(5)} (${missed})`),
      `${cycles} cycles, ${killed} of them killed (${withAcks} with acknowledgements), ${acks} acknowledgements, ${epochs} epochs and ` +
        `${operations} operations restored and compared, ${seconds} s`,
    ]
  }

  /** Why the lives show nothing of what was asked; undefined where they do. */
  nothingShown(failpoint: string | undefined): string | undefined {
    if (failpoint !== undefined && this.totals.reached === 0) return `no life came to ${failpoint}: nothing was shown of it`
    return this.totals.killed === 0 ? 'no life was killed: nothing was shown' : undefined
  }
}
