/**
 * An open file of the file storage.
 *
 * Owns: the descriptor and this handle's append offset. Does not own: the name, other handles on the same file.
 * Invariants: writes are positioned, so nothing that moves a shared file position can displace them; the offset moves only when all parts
 * were written; a descriptor is never used after its close began.
 */
import { assert } from '../base/errors.ts'
import type { OpenMode, StorageFile } from './contract.ts'
import { systemError } from './errors.ts'
import type { FileCalls } from './file-calls.ts'
import { checkRange, HandleGuard, roomFor } from './handle-guard.ts'

/** Above this a read asks for the file's size first, so that a wild length cannot allocate wildly. */
const READ_TRUSTED_BYTES_MAX = 64 * 1024

/** Node takes at most 2^31 - 1 bytes in one read. */
const READ_CALL_BYTES_MAX = 1024 * 1024 * 1024

export class FileHandle implements StorageFile {
  readonly path: string
  readonly #calls: FileCalls
  readonly #guard: HandleGuard
  readonly #fd: number
  #end: number

  constructor(path: string, mode: OpenMode, calls: FileCalls, fd: number, end: number) {
    this.path = path
    this.#calls = calls
    this.#guard = new HandleGuard(path, mode)
    this.#fd = fd
    this.#end = end
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#guard.change('append', async () => {
      this.#end = await writeAll(this.#calls, this.#fd, parts, this.#end)
    })
  }

  overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#guard.change('overwrite', async () => {
      checkRange(offset, bytes.length)
      const { size } = await this.#calls.fstat(this.#fd)
      assert(offset + bytes.length <= size, `overwrite of ${this.path} up to ${offset + bytes.length}, beyond its end ${size}`)
      await writeAll(this.#calls, this.#fd, [bytes], offset)
    })
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#guard.look('read', async () => {
      checkRange(offset, length)
      let want = length
      if (want > READ_TRUSTED_BYTES_MAX) want = Math.min(want, Math.max(0, (await this.#calls.fstat(this.#fd)).size - offset))
      // Not from Node's pool: the caller may transfer the memory to another thread.
      const target = Buffer.allocUnsafeSlow(want)
      let done = 0
      while (done < want) {
        const count = await this.#calls.read(this.#fd, target, done, Math.min(want - done, READ_CALL_BYTES_MAX), offset + done)
        if (count === 0) break
        done += count
      }
      return done === want ? target : target.subarray(0, done)
    })
  }

  readNow(offset: number, length: number, memory?: Buffer): Buffer {
    return this.#guard.lookNow('read', () => {
      checkRange(offset, length)
      const want = length > READ_TRUSTED_BYTES_MAX ? Math.min(length, Math.max(0, this.#calls.sizeNow(this.#fd) - offset)) : length
      const target = roomFor(want, memory)
      let done = 0
      while (done < want) {
        const count = this.#calls.readNow(this.#fd, target, done, Math.min(want - done, READ_CALL_BYTES_MAX), offset + done)
        if (count === 0) break
        done += count
      }
      return done === want ? target : target.subarray(0, done)
    })
  }

  sync(): Promise<void> {
    // fdatasync writes the length too: it leaves out only what is not needed to read the data back (times, mode).
    return this.#guard.change('sync', async () => this.#calls.fdatasync(this.#fd))
  }

  size(): Promise<number> {
    return this.#guard.look('size', async () => (await this.#calls.fstat(this.#fd)).size)
  }

  truncate(length: number): Promise<void> {
    return this.#guard.change('truncate', async () => {
      checkRange(0, length)
      const { size } = await this.#calls.fstat(this.#fd)
      assert(length <= size, `truncate of ${this.path} to ${length}, beyond its end ${size}`)
      await this.#calls.ftruncate(this.#fd, length)
      this.#end = length
    })
  }

  close(): Promise<void> {
    return this.#guard.close(async () => this.#calls.close(this.#fd))
  }
}

/** Writes all parts from `position` on; the position after them. A short write goes on where it stopped, so that the next call tells why. */
export async function writeAll(calls: FileCalls, fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  let rest = parts.filter(part => part.length > 0)
  let at = position
  while (rest.length > 0) {
    const written = await calls.write(fd, rest, at)
    if (written <= 0) throw systemError('EIO', 'write', 'nothing was written')
    at += written
    rest = dropBytes(rest, written)
  }
  return at
}

function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  const rest: Uint8Array[] = []
  for (const part of parts) {
    if (skip >= part.length) {
      skip -= part.length
      continue
    }
    rest.push(skip === 0 ? part : part.subarray(skip))
    skip = 0
  }
  return rest
}
