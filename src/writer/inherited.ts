/**
 * The log file that was open when this writer came: what it holds must be on the device before a manifest says so (RFC 0003, 9).
 *
 * Owns: whether it is. Does not own: who has to wait for it (a roll, a fold).
 * Invariant: it is synced once at most; once that failed no epoch can be built upon it any more, and everybody who asks is told.
 */
import { hasCode } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import type { LogPosition, Manifest } from '../format/index.ts'
import { syncLog } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'

export class Inherited {
  readonly #storage: Storage
  readonly #failpoint: Failpoint
  /** `null`: there is none, or no accepted epoch lies in it. */
  readonly #file: string | null
  #synced: Promise<void> | undefined

  constructor(storage: Storage, failpoint: Failpoint, manifest: Manifest, acceptedEnd: LogPosition) {
    this.#storage = storage
    this.#failpoint = failpoint
    const open = manifest.log.find(entry => entry.end === null)
    this.#file = open !== undefined && open.file === acceptedEnd.file ? open.file : null
  }

  /** @throws TIDEMARK_FAILED, then and for ever; the storage's error where the next call may try again */
  sync(): Promise<void> {
    this.#synced ??= this.#sync()
    return this.#synced
  }

  async #sync(): Promise<void> {
    if (this.#file === null) return
    try {
      await this.#failpoint('roll.sync-old')
      await syncLog(this.#storage, this.#file)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_FAILED')) this.#synced = undefined
      throw error
    }
  }
}
