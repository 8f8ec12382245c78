/**
 * The attempts to make epochs durable, as the writer hears of them.
 *
 * Owns: the number of the attempt, whether the writer has to forget it, whether its commit is with the writer. Does not own: the channel, when to
 * try again (retry.ts).
 * Invariants: nothing is posted behind a failed attempt before the writer is told to forget it, which it is never while a commit is unanswered: that may
 * come through; what the channel does not take is thrown as TIDEMARK_STORAGE, and fails the attempt: records in it are lost.
 */
import type { TidemarkError } from '../base/errors.ts'
import type { Block } from '../capture/index.ts'
import { handOverError } from '../storage/index.ts'
import type { ToWriter, WriterHost } from '../writer/index.ts'
import { commitOf, type Flight } from './flight.ts'

export class Attempts {
  #number = 0
  #failed = false
  /** Only the writer's answer tells whether the epoch counts. */
  #unanswered = false
  #spoilt: TidemarkError | undefined
  readonly #host: Pick<WriterHost, 'post'>

  constructor(host: Pick<WriterHost, 'post'>) {
    this.#host = host
  }

  /** The one under way has failed. */
  get failed(): boolean {
    return this.#failed
  }

  /** What was drained behind the commit is lost, for this reason: nothing more is handed over, and no barrier falls, until that has failed. */
  get spoilt(): TidemarkError | undefined {
    return this.#spoilt
  }

  /** What is drained may be handed over. */
  get takes(): boolean {
    return !this.#failed && this.#spoilt === undefined
  }

  fail(): void {
    this.#failed = true
    this.#unanswered = false
    this.#spoilt = undefined
  }

  /** For what we met, not the writer. True: it is to fail once the commit is answered. */
  postpones(error: TidemarkError): boolean {
    if (this.#unanswered) this.#spoilt ??= error
    return this.#unanswered
  }

  /** The writer says so of the commit; false: of one of an attempt that is over. */
  committed(attempt: number): boolean {
    if (!this.isNow(attempt)) return false
    this.#unanswered = false
    return true
  }

  /** A message of the writer is of the one under way. */
  isNow(attempt: number): boolean {
    return attempt === this.#number
  }

  /** The next one begins, where that under way has failed. */
  begin(): void {
    if (!this.#failed) return
    this.#post({ type: 'reset', attempt: ++this.#number })
    this.#failed = false
  }

  batch({ bytes, records }: Block): void {
    this.#post({ type: 'batch', attempt: this.#number, bytes, records })
  }

  /** `block`: the last records of the epoch. */
  commit(flight: Flight, block: Block): void {
    this.#post(commitOf(flight, this.#number, block))
    this.#unanswered = true
  }

  #post(message: ToWriter): void {
    try {
      this.#host.post(message)
    } catch (error) {
      throw handOverError(error)
    }
  }
}
