/**
 * The attempts to make epochs durable, as the writer hears of them.
 *
 * Owns: the number of the attempt, whether the writer has to forget it. Does not own: the channel, when to try again (retry.ts).
 * Invariants: nothing is posted behind a failed attempt before the writer is told to forget it; what the channel does not take is thrown as
 * TIDEMARK_STORAGE, and fails the attempt: records in it are lost.
 */
import type { Block } from '../capture/index.ts'
import { handOverError } from '../storage/index.ts'
import type { ToWriter, WriterHost } from '../writer/index.ts'
import { commitOf, type Flight } from './flight.ts'

export class Attempts {
  #number = 0
  /** The one under way has failed. */
  failed = false
  readonly #host: Pick<WriterHost, 'post'>

  constructor(host: Pick<WriterHost, 'post'>) {
    this.#host = host
  }

  /** A message of the writer is of the one under way. */
  isNow(attempt: number): boolean {
    return attempt === this.#number
  }

  /** The next one begins, where that under way has failed. */
  begin(): void {
    if (!this.failed) return
    this.#post({ type: 'reset', attempt: ++this.#number })
    this.failed = false
  }

  batch({ bytes, records }: Block): void {
    this.#post({ type: 'batch', attempt: this.#number, bytes, records })
  }

  /** `block`: the last records of the epoch. */
  commit(flight: Flight, block: Block): void {
    this.#post(commitOf(flight, this.#number, block))
  }

  #post(message: ToWriter): void {
    try {
      this.#host.post(message)
    } catch (error) {
      throw handOverError(error)
    }
  }
}
