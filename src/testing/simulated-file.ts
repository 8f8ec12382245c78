/**
 * An open file of the simulated storage: the same rules as any (HandleGuard), each call through the storage's one door for calls.
 * Owns: its append offset. Does not own: the content, the faults.
 */
import { assert } from '../base/errors.ts'
import { checkRange, HandleGuard, type OpenMode, roomFor, type StorageFile, systemError } from '../storage/index.ts'
import type { SimulatedFileContent } from './simulated-disk.ts'
import type { Fault } from './simulated-faults.ts'
import type { SimulatedStorage } from './simulated-storage.ts'

export class SimulatedFile implements StorageFile {
  readonly path: string
  readonly content: SimulatedFileContent
  readonly #guard: HandleGuard
  readonly #storage: SimulatedStorage
  #end: number

  constructor(path: string, mode: OpenMode, content: SimulatedFileContent, storage: SimulatedStorage) {
    this.path = path
    this.content = content
    this.#guard = new HandleGuard(path, mode)
    this.#storage = storage
    this.#end = content.cache.length
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#guard.change('append', () => {
      const bytes = Buffer.concat(parts)
      const effect = (): void => {
        const fits = Math.min(bytes.length, this.#room())
        this.#write(bytes.subarray(0, fits))
        if (fits < bytes.length) throw systemError('ENOSPC', 'write')
      }
      const faulty = (fault: Fault): void => {
        const { writtenBytes = 0 } = fault
        const count = writtenBytes === 'random' ? this.#storage.draw(bytes.length + 1) : Math.min(writtenBytes, bytes.length)
        this.#write(bytes.subarray(0, Math.min(count, this.#room())))
      }
      return this.#storage.run('append', this.path, bytes.length, effect, faulty)
    })
  }

  overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#guard.change('overwrite', async () => {
      checkRange(offset, bytes.length)
      const end = offset + bytes.length
      assert(end <= this.content.cache.length, `overwrite of ${this.path} up to ${end}, beyond its end`)
      const copy = Buffer.from(bytes)
      const write = (count: number): void => this.#storage.disk.overwrite(this.content, offset, copy.subarray(0, count))
      const faulty = ({ writtenBytes = 0 }: Fault): void =>
        write(writtenBytes === 'random' ? this.#storage.draw(copy.length + 1) : Math.min(writtenBytes, copy.length))
      await this.#storage.run('overwrite', this.path, copy.length, () => write(copy.length), faulty)
    })
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#guard.look('read', async () => {
      checkRange(offset, length)
      return this.#storage.run('read', this.path, length, () => this.#copy(offset, length))
    })
  }

  readNow(offset: number, length: number, memory?: Buffer): Buffer {
    return this.#guard.lookNow('read', () => {
      checkRange(offset, length)
      return this.#storage.runNow('read', this.path, length, () => this.#copy(offset, length, memory))
    })
  }

  sync(): Promise<void> {
    return this.#guard.change('sync', () => {
      const effect = (): void => {
        if (!this.#storage.lyingSync) this.content.sync()
      }
      const faulty = (fault: Fault): void => {
        if (fault.data !== 'keep') this.content.dropDirty(() => fault.data === 'part' && this.#storage.draw(2) === 1)
      }
      return this.#storage.run('sync', this.path, 0, effect, faulty)
    })
  }

  size(): Promise<number> {
    return this.#guard.look('size', () => this.#storage.run('size', this.path, 0, () => this.content.cache.length))
  }

  truncate(length: number): Promise<void> {
    return this.#guard.change('truncate', async () => {
      checkRange(0, length)
      assert(length <= this.content.cache.length, `truncate of ${this.path} to ${length}, beyond its end`)
      await this.#storage.run('truncate', this.path, 0, () => this.#storage.disk.truncate(this.content, length))
      this.#end = length
    })
  }

  close(): Promise<void> {
    return this.#guard.close(() => {
      const effect = (): void => this.#storage.forget(this)
      return this.#storage.run('close', this.path, 0, effect, effect)
    })
  }

  /** Not from Node's pool: the caller may transfer the memory. */
  #copy(offset: number, length: number, memory?: Buffer): Buffer {
    const there = this.content.cache.view().subarray(offset, offset + length)
    const copy = roomFor(there.length, memory)
    there.copy(copy)
    return copy
  }

  #room(): number {
    return this.content.cache.length - this.#end + this.#storage.disk.freeBytes
  }

  #write(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#storage.disk.write(this.content, this.#end, bytes)
    this.#end += bytes.length
  }
}
