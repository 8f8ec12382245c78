/**
 * A deterministic storage in memory with a power-loss model and injected faults. One seed, one behaviour.
 *
 * Owns: the calls, in order and numbered; open handles; faults, latency and lies. Does not own: the bytes and what a power cut leaves of
 * them (simulated-disk.ts).
 * Invariants: a call's effect happens at one moment, after its latency, and is in the call log before the caller hears of it; after the
 * power went no call has an effect.
 *
 *     const storage = new SimulatedStorage({ seed: 7 })
 *     storage.onCall = call => states.push(storage.crash({ mode: 'random', seed: call.step }))   // a power cut after every call
 *     storage.inject({ operation: 'sync', errno: 'EIO', nth: 3 })
 */
import type { Scheduler } from '../base/scheduler.ts'
import {
  checkFolder,
  checkPath,
  compareNames,
  folderOf,
  nameOf,
  type OpenMode,
  type Storage,
  type StorageFile,
  type StorageOperation,
  storageError,
  systemError,
} from '../storage/index.ts'
import { SeededRandom } from './random.ts'
import { type DataFate, type NameFate, SimulatedDisk, type SimulatedFileContent } from './simulated-disk.ts'
import { type Fault, FaultPlan } from './simulated-faults.ts'
import { SimulatedFile } from './simulated-file.ts'

export interface SimulatedStorageOptions {
  /** Seed of everything left to chance. Default 1. */
  readonly seed?: number
  /** The disk to start from; default an empty one. */
  readonly disk?: SimulatedDisk
  /** Space for all files; an append or a createIfAbsent that does not fit meets ENOSPC. Ignored with `disk`. */
  readonly capacityBytes?: number
  /** With a scheduler each call takes a time between the bounds; default 0 to 2 ms. */
  readonly scheduler?: Scheduler
  readonly latencyMs?: { readonly min: number; readonly max: number }
  /** sync answers and saves nothing: a device that lies about its cache. */
  readonly lyingSync?: boolean
  /** The same for syncFolder. */
  readonly lyingSyncFolder?: boolean
  /** The power goes right after the effect of this call (1 is the first), before the caller hears of it. */
  readonly powerCutAtStep?: number
}

/** How much of what was not synced a power cut leaves, in a word; `data` and `names` say it apart. */
export type CrashMode = 'lost' | 'kept' | 'names-only' | 'data-only' | 'prefix' | 'torn' | 'zeroed' | 'random'

export interface CrashOptions {
  /** Default 'random'. */
  readonly mode?: CrashMode
  readonly data?: DataFate
  readonly names?: NameFate
  /** Default: drawn from the storage's own seed. */
  readonly seed?: number
}

const FATES: Record<CrashMode, readonly [DataFate, NameFate]> = {
  lost: ['lost', 'lost'],
  kept: ['kept', 'kept'],
  'names-only': ['lost', 'kept'],
  'data-only': ['kept', 'lost'],
  prefix: ['prefix', 'kept'],
  torn: ['torn', 'kept'],
  zeroed: ['zeroed', 'kept'],
  random: ['random', 'random'],
}

export interface SimulatedCall {
  /** 1 for the first call of this storage. */
  readonly step: number
  readonly operation: StorageOperation
  readonly path: string
  /** Bytes handed in or out, where the call has any. */
  readonly bytes: number
  /** Of the injected or natural error, undefined when the call did what it should. */
  readonly errno: number | undefined
}

/** Calls kept in the log; older ones are forgotten first, so that a long life does not fill the memory. */
const CALLS_MAX = 100_000

export class SimulatedStorage implements Storage {
  readonly disk: SimulatedDisk
  readonly seed: number
  /** The latest calls in order, each entered when its effect has happened. */
  readonly calls: SimulatedCall[] = []
  /** Told of each call after its effect and before the caller hears of it: the place to take `crash()` from. */
  onCall: ((call: SimulatedCall) => void) | undefined
  readonly #options: SimulatedStorageOptions
  readonly #random: SeededRandom
  readonly #faults: FaultPlan
  readonly #open = new Set<SimulatedFile>()
  #steps = 0
  #off = false

  constructor(options: SimulatedStorageOptions = {}) {
    this.#options = options
    this.seed = options.seed ?? 1
    this.#random = new SeededRandom(this.seed)
    this.#faults = new FaultPlan(this.#random.fork())
    this.disk = options.disk ?? new SimulatedDisk(options.capacityBytes)
  }

  /** Calls so far. */
  get steps(): number {
    return this.#steps
  }

  /** Whether the power went or the process was killed: every call rejects from then on. */
  get off(): boolean {
    return this.#off
  }

  /** Calls that failed by injection so far. */
  get faults(): number {
    return this.#faults.failed
  }

  /** Files open now. */
  get openFiles(): number {
    return this.#open.size
  }

  /** Lets calls fail; the function given back ends it. */
  inject(fault: Fault): () => void {
    return this.#faults.inject(fault)
  }

  /** Takes all faults out. */
  heal(): void {
    this.#faults.clear()
  }

  /** What might be found after a power cut now, as a storage of its own without faults. This one goes on undisturbed. */
  crash(options: CrashOptions = {}): SimulatedStorage {
    const [data, names] = FATES[options.mode ?? 'random']
    const seed = options.seed ?? this.#random.u32()
    const disk = this.disk.afterPowerCut(options.data ?? data, options.names ?? names, new SeededRandom(seed))
    return new SimulatedStorage({ seed, disk })
  }

  /** No call of this storage has an effect or succeeds from now on; its open files are gone. Follow with `crash` or `restart`. */
  powerOff(): void {
    this.#off = true
    for (const file of this.#open) this.disk.unuse(file.content)
    this.#open.clear()
  }

  /** The process is killed, the machine goes on: this storage is off, and the one given back sees all that was written, synced or not. */
  restart(options: Omit<SimulatedStorageOptions, 'disk' | 'capacityBytes'> = {}): SimulatedStorage {
    this.powerOff()
    return new SimulatedStorage({ ...options, seed: options.seed ?? this.#random.u32(), disk: this.disk })
  }

  /** Flips bits of the files under a path, wherever they are stored; where it did. */
  rot(flips = 1, path = ''): { readonly path: string; readonly offset: number; readonly bit: number }[] {
    const done: { path: string; offset: number; bit: number }[] = []
    const paths = this.disk.paths().filter(name => name.startsWith(path) && (this.disk.lookup(name)?.cache.length ?? 0) > 0)
    for (let flip = 0; flip < flips && paths.length > 0; flip++) {
      const chosen = this.#random.pick(paths)
      const content = this.disk.lookup(chosen)
      if (content === undefined) continue
      const spot = { path: chosen, offset: this.#random.below(content.cache.length), bit: this.#random.below(8) }
      content.flip(spot.offset, spot.bit)
      done.push(spot)
    }
    return done
  }

  list(folder: string): Promise<string[]> {
    return this.#path('list', folder, checkFolder, () => {
      const names = this.disk
        .paths()
        .filter(path => folderOf(path) === folder)
        .map(nameOf)
      return names.sort(compareNames)
    })
  }

  open(path: string, mode: OpenMode): Promise<StorageFile> {
    const find = (): SimulatedFileContent => {
      let content = this.disk.lookup(path)
      if (mode === 'create') {
        this.#needFolder(path)
        if (content !== undefined) throw systemError('EEXIST', 'open')
        content = this.disk.make()
        this.disk.setName(path, content)
      }
      if (content === undefined) throw systemError('ENOENT', 'open')
      return content
    }
    const effect = (): StorageFile => {
      const content = find()
      const file = new SimulatedFile(path, mode, content, this)
      this.disk.use(content)
      this.#open.add(file)
      return file
    }
    // Nobody has what was opened: no more is left than a name.
    const faulty = ({ applied }: Fault): void => {
      if (applied === true) find()
    }
    return this.#path('open', path, checkPath, effect, 0, faulty)
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    return this.#path(
      'createIfAbsent',
      path,
      checkPath,
      () => {
        this.#needFolder(path)
        if (bytes.length > this.disk.freeBytes) throw systemError('ENOSPC', 'write')
        if (this.disk.lookup(path) !== undefined) return false
        this.disk.setName(path, this.disk.make(Buffer.from(bytes)))
        return true
      },
      bytes.length,
    )
  }

  syncFolder(folder: string): Promise<void> {
    return this.#path('syncFolder', folder, checkFolder, () => {
      if (!this.disk.folders.has(folder)) throw systemError('ENOENT', 'open')
      if (this.#options.lyingSyncFolder !== true) this.disk.syncFolder(folder)
    })
  }

  remove(path: string): Promise<void> {
    return this.#path('remove', path, checkPath, () => {
      if (this.disk.lookup(path) !== undefined) this.disk.setName(path, undefined)
    })
  }

  exists(path: string): Promise<boolean> {
    return this.#path('exists', path, checkPath, () => this.disk.lookup(path) !== undefined || this.disk.folders.has(path))
  }

  size(path: string): Promise<number> {
    return this.#path('size', path, checkPath, () => {
      const content = this.disk.lookup(path)
      if (content === undefined) throw systemError('ENOENT', 'stat')
      return content.cache.length
    })
  }

  makeFolder(folder: string): Promise<void> {
    return this.#path('makeFolder', folder, checkFolder, () => {
      for (let at = folder; at !== ''; at = folderOf(at)) this.disk.folders.add(at)
    })
  }

  /**
   * One call: waits its latency, meets its fault or has its effect, is entered in the log, and answers. For the storage's own files, which
   * bring effects of their own for a fault.
   */
  async run<T>(operation: StorageOperation, path: string, bytes: number, effect: () => T, faulty?: (fault: Fault) => void): Promise<T> {
    const { scheduler, latencyMs = { min: 0, max: 2 } } = this.#options
    if (scheduler !== undefined) {
      const wait = latencyMs.min + this.#random.float() * (latencyMs.max - latencyMs.min)
      await new Promise<void>(resolve => {
        scheduler.after(wait, resolve)
      })
    }
    return this.runNow(operation, path, bytes, effect, faulty)
  }

  /** One call that answers at once: without latency. */
  runNow<T>(operation: StorageOperation, path: string, bytes: number, effect: () => T, faulty?: (fault: Fault) => void): T {
    if (this.#off) throw this.#offError(operation, path)
    let error: unknown
    let result: T | undefined
    const fault = this.#faults.meet(operation, path)
    try {
      if (fault === undefined) result = effect()
      else if (faulty !== undefined) faulty(fault)
      else if (fault.applied === true) effect()
    } catch (cause) {
      error = cause
    }
    if (fault !== undefined) error = systemError(fault.errno, SYSCALLS[operation])
    this.#enter(operation, path, bytes, error)
    if (++this.#steps === this.#options.powerCutAtStep) this.powerOff()
    if (this.#off) throw this.#offError(operation, path)
    if (error !== undefined) throw storageError(operation, path, error)
    return result as T
  }

  /** Of the storage's own files. */
  get lyingSync(): boolean {
    return this.#options.lyingSync === true
  }

  /** Of the storage's own files. */
  draw(bound: number): number {
    return this.#random.below(bound)
  }

  /** Of the storage's own files. */
  forget(file: SimulatedFile): void {
    if (this.#open.delete(file)) this.disk.unuse(file.content)
  }

  async #path<T>(
    operation: StorageOperation,
    path: string,
    check: (path: string) => string,
    effect: () => T,
    bytes = 0,
    faulty?: (fault: Fault) => void,
  ): Promise<T> {
    check(path)
    return this.run(operation, path, bytes, effect, faulty)
  }

  #needFolder(path: string): void {
    if (!this.disk.folders.has(folderOf(path))) throw systemError('ENOENT', 'open')
  }

  #enter(operation: StorageOperation, path: string, bytes: number, error: unknown): void {
    const { errno } = (error ?? {}) as { errno?: number }
    const call: SimulatedCall = { step: this.#steps + 1, operation, path, bytes, errno }
    this.calls.push(call)
    if (this.calls.length > CALLS_MAX) this.calls.splice(0, CALLS_MAX / 2)
    this.onCall?.(call)
  }

  #offError(operation: StorageOperation, path: string): Error {
    return storageError(operation, path, systemError('EIO', 'none', 'the simulated power is off'))
  }
}

const SYSCALLS: Record<StorageOperation, string> = {
  list: 'scandir',
  open: 'open',
  createIfAbsent: 'write',
  syncFolder: 'fsync',
  remove: 'unlink',
  exists: 'stat',
  size: 'stat',
  makeFolder: 'mkdir',
  append: 'write',
  overwrite: 'write',
  read: 'read',
  sync: 'fdatasync',
  truncate: 'ftruncate',
  close: 'close',
  lock: 'open',
}
