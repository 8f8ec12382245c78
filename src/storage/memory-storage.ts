/**
 * A storage in memory, for `:memory:` stores and tests. Nothing survives the process, so there is nothing to sync.
 *
 * Owns: the bytes, in a MemoryDisk that several storages can share (a second storage over the same disk is a restart).
 * Does not own: any idea of a power cut; that is the simulated storage's.
 * Invariant: the same answers as the file storage, call for call (the conformance suite says so).
 */
import { constants } from 'node:buffer'
import { assert, TidemarkError } from '../base/errors.ts'
import type { OpenMode, Storage, StorageFile, StorageOperation } from './contract.ts'
import { storageError, systemError } from './errors.ts'
import { checkRange, HandleGuard, roomFor } from './handle-guard.ts'
import { checkFolder, checkPath, compareNames, folderOf, nameOf } from './paths.ts'

/** Bytes to set aside for a file that is to reach `end` and had so many. A buffer has a longest length: beyond half of it there is no doubling. */
export function capacityFor(end: number, capacity: number): number {
  return Math.max(end, Math.min(capacity * 2, constants.MAX_LENGTH), 256)
}

/** The bytes of one file. */
export class Content {
  #bytes: Buffer = Buffer.alloc(0)
  length = 0

  /** Writes at an offset not beyond the end. */
  write(offset: number, parts: readonly Uint8Array[]): number {
    let end = offset
    for (const part of parts) end += part.length
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(capacityFor(end, this.#bytes.length))
      this.#bytes.copy(grown, 0, 0, this.length)
      this.#bytes = grown
    }
    let at = offset
    for (const part of parts) {
      this.#bytes.set(part, at)
      at += part.length
    }
    this.length = Math.max(this.length, end)
    return end
  }

  read(offset: number, length: number, memory?: Buffer): Buffer {
    const end = Math.min(this.length, offset + length)
    if (offset >= end) return Buffer.alloc(0)
    const copy = roomFor(end - offset, memory)
    this.#bytes.copy(copy, 0, offset, end)
    return copy
  }

  truncate(length: number): void {
    this.length = length
  }
}

/** What a MemoryStorage keeps; hand the same one to a second storage to see what the first wrote. */
export class MemoryDisk {
  readonly folders = new Set<string>([''])
  readonly files = new Map<string, Content>()
}

class MemoryFile implements StorageFile {
  readonly path: string
  readonly #guard: HandleGuard
  #kept: Content | undefined
  #end: number

  constructor(path: string, mode: OpenMode, content: Content) {
    this.path = path
    this.#guard = new HandleGuard(path, mode)
    this.#kept = content
    this.#end = content.length
  }

  /** The guard lets nobody come here behind `close`. */
  get #content(): Content {
    return this.#kept as Content
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#guard.change('append', async () => {
      this.#end = this.#content.write(this.#end, parts)
    })
  }

  overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#guard.change('overwrite', async () => {
      checkRange(offset, bytes.length)
      assert(offset + bytes.length <= this.#content.length, `overwrite of ${this.path} up to ${offset + bytes.length}, beyond its end`)
      this.#content.write(offset, [bytes])
    })
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#guard.look('read', async () => {
      checkRange(offset, length)
      return this.#content.read(offset, length)
    })
  }

  readNow(offset: number, length: number, memory?: Buffer): Buffer {
    return this.#guard.lookNow('read', () => {
      checkRange(offset, length)
      return this.#content.read(offset, length, memory)
    })
  }

  sync(): Promise<void> {
    return this.#guard.change('sync', async () => {})
  }

  size(): Promise<number> {
    return this.#guard.look('size', async () => this.#content.length)
  }

  truncate(length: number): Promise<void> {
    return this.#guard.change('truncate', async () => {
      checkRange(0, length)
      assert(length <= this.#content.length, `truncate of ${this.path} to ${length}, beyond its end`)
      this.#content.truncate(length)
      this.#end = length
    })
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {
      this.#kept = undefined
    })
  }
}

export class MemoryStorage implements Storage {
  #disk: MemoryDisk | undefined

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk
  }

  async list(folder: string): Promise<string[]> {
    checkFolder(folder)
    return [...this.#there.files.keys()]
      .filter(path => folderOf(path) === folder)
      .map(nameOf)
      .sort(compareNames)
  }

  async open(path: string, mode: OpenMode): Promise<StorageFile> {
    checkPath(path)
    let content = this.#there.files.get(path)
    if (mode === 'create') {
      this.#needFolder('open', path)
      if (content !== undefined) throw storageError('open', path, systemError('EEXIST', 'open'))
      content = new Content()
      this.#there.files.set(path, content)
    }
    if (content === undefined) throw storageError('open', path, systemError('ENOENT', 'open'))
    return new MemoryFile(path, mode, content)
  }

  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    checkPath(path)
    this.#needFolder('createIfAbsent', path)
    if (this.#there.files.has(path)) return false
    const content = new Content()
    try {
      content.write(0, [bytes])
    } catch (cause) {
      throw storageError('createIfAbsent', path, cause)
    }
    this.#there.files.set(path, content)
    return true
  }

  async syncFolder(folder: string): Promise<void> {
    checkFolder(folder)
    if (!this.#there.folders.has(folder)) throw storageError('syncFolder', folder, systemError('ENOENT', 'open'))
  }

  async remove(path: string): Promise<void> {
    this.#there.files.delete(checkPath(path))
  }

  async exists(path: string): Promise<boolean> {
    return this.#there.files.has(checkPath(path)) || this.#there.folders.has(path)
  }

  async size(path: string): Promise<number> {
    const content = this.#there.files.get(checkPath(path))
    if (content === undefined) throw storageError('size', path, systemError('ENOENT', 'stat'))
    return content.length
  }

  async makeFolder(folder: string): Promise<void> {
    checkFolder(folder)
    for (let at = folder; at !== ''; at = folderOf(at)) this.#there.folders.add(at)
  }

  /** Lets go of the disk; whoever still comes is told. */
  end(): void {
    this.#disk = undefined
  }

  get #there(): MemoryDisk {
    if (this.#disk !== undefined) return this.#disk
    throw new TidemarkError('TIDEMARK_CLOSED', 'the store was in memory, and is closed', { hint: 'open it again' })
  }

  #needFolder(operation: StorageOperation, path: string): void {
    if (!this.#there.folders.has(folderOf(path))) throw storageError(operation, path, systemError('ENOENT', 'open'))
  }
}
