/**
 * A storage whose bytes go through the budget: what is written waits for its room and is counted, syncs wait for their turn and are timed.
 *
 * Owns nothing. Does not own: the budget's rules, what is written. Invariant: what the storage underneath promises holds here, errors included.
 */
import type { OpenMode, Storage, StorageFile } from '../storage/index.ts'
import type { Budget } from './budget.ts'

/** Who writes: how it waits, and where it is counted. */
export interface Toll {
  /** Undefined: now. */
  room(bytes: number): Promise<void> | undefined
  wrote(bytes: number): void
  /** A manifest. */
  published(bytes: number): void
  syncTurn(): Promise<void> | undefined
  synced(ms: number): void
}

export function logToll(budget: Budget): Toll {
  return {
    room: () => budget.logRoom(),
    wrote: bytes => budget.logWrote(bytes),
    published: bytes => budget.logPublished(bytes),
    syncTurn: () => undefined,
    synced: ms => budget.logSynced(ms),
  }
}

/** For what the last run left in the log. */
export function proofToll(budget: Budget): Toll {
  return { ...logToll(budget), room: () => budget.proofRoom(), wrote: bytes => budget.proofWrote(bytes) }
}

export function upkeepToll(budget: Budget): Toll {
  return {
    room: bytes => budget.upkeepRoom(bytes),
    wrote: bytes => budget.upkeepWrote(bytes),
    published: bytes => budget.upkeepPublished(bytes),
    syncTurn: () => budget.upkeepSyncTurn(),
    synced: ms => budget.upkeepSynced(ms),
  }
}

/** Upkeep's manifests: one that is begun is ended at once, for the log may wait for its turn to publish. */
export function manifestToll(budget: Budget): Toll {
  return { ...upkeepToll(budget), room: () => undefined, syncTurn: () => undefined }
}

export class PacedStorage implements Storage {
  readonly #storage: Storage
  readonly #toll: Toll
  readonly #monotonic: () => number

  constructor(storage: Storage, toll: Toll, monotonic: () => number) {
    this.#storage = storage
    this.#toll = toll
    this.#monotonic = monotonic
  }

  async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await this.#storage.open(path, mode)
    return mode === 'read' ? file : new PacedFile(file, this.#toll, this.#monotonic)
  }

  /** A manifest: what it names is written already. It is counted, waits for nothing, and only upkeep waits for it. */
  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    this.#toll.published(bytes.length)
    return await this.#storage.createIfAbsent(path, bytes)
  }

  async syncFolder(folder: string): Promise<void> {
    await this.#toll.syncTurn()
    await this.#storage.syncFolder(folder)
  }

  list(folder: string, away?: 'named'): Promise<string[]> {
    return this.#storage.list(folder, away)
  }

  remove(path: string): Promise<void> {
    return this.#storage.remove(path)
  }

  exists(path: string): Promise<boolean> {
    return this.#storage.exists(path)
  }

  size(path: string): Promise<number> {
    return this.#storage.size(path)
  }

  makeFolder(folder: string): Promise<void> {
    return this.#storage.makeFolder(folder)
  }
}

class PacedFile implements StorageFile {
  readonly path: string
  readonly #file: StorageFile
  readonly #toll: Toll
  readonly #monotonic: () => number

  constructor(file: StorageFile, toll: Toll, monotonic: () => number) {
    this.path = file.path
    this.#file = file
    this.#toll = toll
    this.#monotonic = monotonic
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    let bytes = 0
    for (const part of parts) bytes += part.length
    await this.#pay(bytes)
    await this.#file.append(parts)
  }

  async overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#pay(bytes.length)
    await this.#file.overwrite(offset, bytes)
  }

  async sync(): Promise<void> {
    const turn = this.#toll.syncTurn()
    if (turn !== undefined) await turn
    const begin = this.#monotonic()
    await this.#file.sync()
    this.#toll.synced(this.#monotonic() - begin)
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#file.read(offset, length)
  }

  readNow(offset: number, length: number, memory?: Buffer): Buffer {
    return this.#file.readNow(offset, length, memory)
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length)
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #pay(bytes: number): Promise<void> {
    const room = this.#toll.room(bytes)
    if (room !== undefined) await room
    // Before it is written: what fails half way was written too.
    this.#toll.wrote(bytes)
  }
}
