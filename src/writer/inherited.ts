/**
 * What the last run left in the log file that was open: its last epoch must be on the device before a manifest says so (RFC 0003, 9).
 *
 * Owns: whether it is. Does not own: who has to wait for it (a roll, a fold).
 * Invariant: it is written again and synced once at most; once that failed this writer builds no epoch upon it, and everybody who asks is told.
 */
import { hasCode } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { proveEpoch } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import type { WriterFacts } from './contract.ts'

export class Inherited {
  readonly #storage: Storage
  readonly #failpoint: Failpoint
  readonly #facts: Pick<WriterFacts, 'manifest' | 'acceptedEnd' | 'unproven'>
  #proven: Promise<void> | undefined

  constructor(storage: Storage, failpoint: Failpoint, facts: Pick<WriterFacts, 'manifest' | 'acceptedEnd' | 'unproven'>) {
    this.#storage = storage
    this.#failpoint = failpoint
    this.#facts = facts
  }

  /** @throws TIDEMARK_FAILED, then and for ever; the storage's error where the next call may try again */
  prove(): Promise<void> {
    this.#proven ??= this.#prove()
    return this.#proven
  }

  async #prove(): Promise<void> {
    const { manifest, acceptedEnd, unproven } = this.#facts
    if (unproven === null) return
    try {
      await this.#failpoint('roll.sync-old')
      await proveEpoch(this.#storage, manifest.storeId, unproven, acceptedEnd)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_FAILED')) this.#proven = undefined
      throw error
    }
  }
}
