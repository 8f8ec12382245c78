/**
 * A window over a log file: reads in large pieces, hands out views.
 *
 * Owns: the piece in memory. Invariants: nothing at or beyond `limit` is read; at most one piece is held, of SCAN_READ_BYTES or of the
 * length asked for; a piece is never written to again, so views stay good as long as somebody holds them.
 */
import { SCAN_READ_BYTES } from '../base/limits.ts'
import type { StorageFile } from '../storage/index.ts'

export class Window {
  readonly file: StorageFile
  /** The end of what may be read. */
  limit: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(file: StorageFile, limit: number) {
    this.file = file
    this.limit = limit
  }

  /** `length` bytes from `offset`, fewer at the limit. */
  async view(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.limit)
    if (offset >= end) return Buffer.alloc(0)
    if (offset < this.#start || end > this.#start + this.#bytes.length) {
      const most = Math.min(Math.max(end - offset, SCAN_READ_BYTES), this.limit - offset)
      this.#bytes = await this.file.read(offset, most)
      this.#start = offset
    }
    return this.#bytes.subarray(offset - this.#start, end - this.#start)
  }

  /** Forgets what is held, so that a file that grew meanwhile is read again. */
  drop(): void {
    this.#bytes = Buffer.alloc(0)
    this.#start = 0
  }
}

/** A block that was stored as it is lies in a piece of the file that is many times as long: whoever keeps it keeps a copy. */
export function ownMemory(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes
}
