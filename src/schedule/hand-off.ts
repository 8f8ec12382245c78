/**
 * Whom the bytes that were handed over wait for: the writer's thread, or the storage behind it.
 *
 * Owns: how long the writer took for its last blocks, and since when it is silent. Does not own: the bytes.
 * Invariant: of a writer from whom nothing comes back the storage is said to be slow: a block is the work of milliseconds, and a wait has no end.
 */
import type { Took } from './types.ts'

/** Nothing came back for so long, or for half of the time that an epoch is under way. */
const SILENT_MS = 250
/** What the blocks before still count for, at each. */
const KEPT = 0.9

export class HandOff {
  #ms = 0
  #workMs = 0
  #heard = false
  /** Bytes were on their way at the last look. */
  #waited = false
  #silentSince: number

  constructor(now: number) {
    this.#silentSince = now
  }

  /** A block came back; `took`: where it was written, and not forgotten. */
  credited(took: Took | undefined): void {
    this.#heard = true
    if (took === undefined) return
    this.#ms = this.#ms * KEPT + took.ms
    this.#workMs = this.#workMs * KEPT + took.workMs
  }

  look(now: number, inFlightBytes: number, flightMs: number): 'writer' | 'storage' {
    // What was handed over since the last look has not waited since then.
    if (this.#heard || !this.#waited) this.#silentSince = now
    this.#waited = inFlightBytes > 0
    this.#heard = false
    const silentMs = now - this.#silentSince
    if (silentMs >= SILENT_MS || (flightMs > 0 && silentMs >= flightMs / 2)) return 'storage'
    return 2 * this.#workMs > this.#ms ? 'writer' : 'storage'
  }
}
