/**
 * How long a stretch of the log is for whoever reads it: its bytes, what is beside the records included, and what an epoch and a file cost by
 * themselves. Owns the place that was measured up to.
 */
import { LOG_EPOCH_COST, LOG_FILE_COST } from '../base/limits.ts'
import type { LogPosition } from '../format/index.ts'

export class LogLength {
  #file: string | null
  #bytes: number

  constructor(from: Pick<LogPosition, 'file' | 'bytes'>) {
    this.#file = from.file
    this.#bytes = from.bytes
  }

  /** From the place before to this one, which is behind the next commit. */
  to({ file, bytes }: Pick<LogPosition, 'file' | 'bytes'>): number {
    const length = file === this.#file ? Math.max(0, bytes - this.#bytes) : bytes + LOG_FILE_COST
    this.#file = file
    this.#bytes = bytes
    return length + LOG_EPOCH_COST
  }
}
