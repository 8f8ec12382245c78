/**
 * A cut that is void: when its capture is given back, when the service is told, and whether there is room for the new one.
 * Owns: the capture until then, what is not told yet, the timer of a new cut that waits. Does not own: the epoch, the new cut.
 * Invariants: nothing is given back inside a transaction, which may yet put back what was frozen. Nobody is told inside a transaction or a hold: what
 * a listener writes there would be part of it and go with its rollback, and it could wait for nothing. Who is told is so before the next cut.
 */
import { FULL_LOOK_MS } from '../base/limits.ts'
import type { Cancel } from '../base/scheduler.ts'
import type { Capture, Outbox, Space } from '../capture/index.ts'
import type { Holds } from './holds.ts'
import type { Turns } from './turns.ts'

export interface VoidCutParts {
  readonly space: Space
  readonly turns: Turns
  readonly outbox: Pick<Outbox, 'full'>
  readonly holds: Holds
  /** Its keys are dirty again. */
  readonly givenBack: () => void
}

export class VoidCut {
  readonly #parts: VoidCutParts
  #capture: Capture | undefined
  #untold: (() => void) | undefined
  #soon: Cancel | undefined

  constructor(parts: VoidCutParts) {
    this.#parts = parts
  }

  /** It is given back when the transaction ends. */
  get waits(): boolean {
    return this.#capture !== undefined
  }

  /** Called inside a call of the service; `tell` calls its listeners. */
  begin(capture: Capture, tell: () => void): void {
    const { space, turns, holds } = this.#parts
    this.#capture = capture
    this.#untold = tell
    if (space.transaction === undefined) this.giveBack()
    if (space.transaction === undefined && !holds.inside) this.tell()
    else turns.later(() => this.tell())
  }

  giveBack(): void {
    const capture = this.#capture
    if (capture === undefined) return
    this.#capture = undefined
    capture.giveBack(false)
    this.#parts.givenBack()
  }

  /** While the writer has no room, whatever a cut froze would be kept in memory at the first touch: then `recut` is called again soon. */
  waitsForRoom(recut: () => void): boolean {
    this.stop()
    if (!this.#parts.outbox.full) return false
    this.#soon = this.#parts.turns.after(FULL_LOOK_MS, recut)
    return true
  }

  /** No new cut is waited for. */
  stop(): void {
    this.#soon?.()
    this.#soon = undefined
  }

  tell(): void {
    const tell = this.#untold
    this.#untold = undefined
    tell?.()
  }
}
