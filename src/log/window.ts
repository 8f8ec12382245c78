/**
 * A window over a log file: reads in large pieces, hands out views.
 *
 * Owns: the piece in memory. Invariants: nothing at or beyond `limit` is read; at most one piece is held, of SCAN_READ_BYTES or of the
 * length asked for; a piece is never written to again, so views stay good as long as somebody holds them. One sector that the device does not
 * give back fails every read that reaches it: so what fails is asked for in ever smaller pieces, down to the very bytes of the view, and a view fails
 * only with one of its own. A read that gives fewer bytes than there are is no end of the file: that is where the file says it is.
 */
import { TidemarkError } from '../base/errors.ts'
import { SCAN_READ_BYTES } from '../base/limits.ts'
import { isNotGivenBack, type StorageFile, storageError, systemError } from '../storage/index.ts'

/** A device that gives something back only at times is asked so often. */
const READ_TRIES = 3
const ENDS_EARLY = 'the file ends before its length'

export class Window {
  readonly file: StorageFile
  /** The end of what may be read. */
  limit: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  /** Where a piece ended that was not given back: one that begins before it does better to end half way. */
  #failedEnd = 0

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
      this.#bytes = await this.#read(offset, end - offset, most)
      this.#start = offset
      // A living writer has cut it.
      if (this.#bytes.length < end - offset) this.limit = offset + this.#bytes.length
    }
    return this.#bytes.subarray(offset - this.#start, end - this.#start)
  }

  async #read(offset: number, least: number, most: number): Promise<Buffer> {
    for (let length = offset < this.#failedEnd ? Math.min(most, (this.#failedEnd - offset) >> 1) : most; length > least; length >>= 1) {
      try {
        const bytes = await this.file.read(offset, length)
        if (bytes.length >= least) return bytes
        break
      } catch (error) {
        if (!isUnreadable(error)) throw error
        this.#failedEnd = offset + length
      }
    }
    return await readExactly(this.file, offset, least)
  }

  /** Forgets what is held, so that a file that grew meanwhile is read again. */
  drop(): void {
    this.#bytes = Buffer.alloc(0)
    this.#start = 0
  }
}

/** These bytes and no others, fewer where the file ends. @throws TIDEMARK_STORAGE with `info.offset` and `info.length` where the device does not give them back */
export async function readExactly(file: StorageFile, offset: number, length: number): Promise<Buffer> {
  for (let tries = 1; ; tries++) {
    let failed: TidemarkError | undefined
    const bytes = await file.read(offset, length).catch(error => {
      if (!isUnreadable(error)) throw error
      failed = error
    })
    if (bytes !== undefined && (bytes.length >= length || bytes.length >= Math.min(length, (await file.size()) - offset))) return bytes
    if (tries < READ_TRIES) continue
    const { hint, info, message, cause } = failed ?? storageError('read', file.path, systemError('EIO', 'read', ENDS_EARLY))
    throw new TidemarkError('TIDEMARK_STORAGE', `${file.path} is not given back at ${offset}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause,
      file: file.path,
      info: { ...info, offset, length },
    })
  }
}

/**
 * `readExactly` gave up: nobody gets these bytes, as far as it was tried. Of a call that only leads to them, such as to open the file, one that fails
 * says nothing about what is there.
 */
export function isGivenUp(error: unknown): error is TidemarkError {
  return isUnreadable(error) && typeof error.info?.length === 'number'
}

/** The device does not give something back that is there, as far as anybody knows. */
export function isUnreadable(error: unknown): error is TidemarkError {
  return error instanceof TidemarkError && isNotGivenBack(error)
}

/** A block that was stored as it is lies in a piece of the file that is many times as long: whoever keeps it keeps a copy. */
export function ownMemory(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes
}
