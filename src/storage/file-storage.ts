/**
 * A storage in a directory of the file system.
 *
 * Owns: how each promise of the contract is kept with system calls, and the temporary files of `createIfAbsent`.
 * Does not own: retries, the lock, what the files mean, the order of syncs.
 * Invariants: nothing outside the root is touched (but for making the root itself durable); files are 0600 and folders 0700; a name made by
 * `createIfAbsent` never shows part of its content, except where links are unsupported (see there).
 *
 * Where folders cannot be synced (Windows; file systems that answer EINVAL) `syncFolder` does nothing: there a name's durability is up to
 * the file system.
 */
import { constants } from 'node:fs'
import { dirname, parse, resolve } from 'node:path'
import { type Random, systemRandom } from '../base/random.ts'
import type { OpenMode, Storage, StorageFile, StorageOperation } from './contract.ts'
import { isErrno, storageError } from './errors.ts'
import { asyncCalls, type DirectoryEntry, type FileCalls, syncCalls } from './file-calls.ts'
import { FileHandle, writeAll } from './file-handle.ts'
import { checkFolder, checkPath, compareNames, folderOf, isTemporaryName, nameOf, temporaryName } from './paths.ts'

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const CREATE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
/** A folder is listed so often where names go meanwhile. */
const LISTINGS_MAX = 8
const FLAGS: Record<OpenMode, number> = { read: constants.O_RDONLY, create: CREATE_FLAGS, append: constants.O_RDWR }

export interface FileStorageOptions {
  /** sync: blocking calls, for a thread of its own. async (default): the thread pool, for the main thread. */
  readonly flavour?: 'sync' | 'async'
  /** The system calls to use; for tests of what systems without some of them do. */
  readonly calls?: FileCalls
  /** Where the names of temporary files come from. */
  readonly random?: Random
}

/** A temporary file that a `createIfAbsent` left behind, or is using now. */
export interface TemporaryFile {
  /** Its name in the folder; no call of the contract accepts it. */
  readonly name: string
  readonly bytes: number
  /** Time of its last change by the file system's clock, milliseconds since 1970. */
  readonly changedMs: number
}

export class FileStorage implements Storage {
  readonly root: string
  readonly #calls: FileCalls
  readonly #random: Random
  /** Temporary files of calls under way here; the helpers leave them alone. */
  readonly #using = new Set<string>()

  constructor(root: string, options: FileStorageOptions = {}) {
    this.root = resolve(root)
    this.#random = options.random ?? systemRandom
    this.#calls = options.calls ?? (options.flavour === 'sync' ? syncCalls : asyncCalls)
  }

  async list(folder: string, away?: 'named'): Promise<string[]> {
    const names = await this.#entries(checkFolder(folder), away === 'named')
    return names.filter(name => !isTemporaryName(name)).sort(compareNames)
  }

  async open(path: string, mode: OpenMode): Promise<StorageFile> {
    checkPath(path)
    return this.#try('open', path, async () => {
      const fd = await this.#calls.open(this.#full(path), FLAGS[mode], FILE_MODE)
      try {
        const end = mode === 'append' ? (await this.#calls.fstat(fd)).size : 0
        return new FileHandle(path, mode, this.#calls, fd, end)
      } catch (cause) {
        await quietly(() => this.#calls.close(fd))
        throw cause
      }
    })
  }

  /**
   * Writes and syncs a temporary file, then links it to its name: the link is the atomic step, and it fails when the name exists. Where
   * links are unsupported the file is made under its own name at once; the name still goes to one caller only, but a reader, or a crash in
   * between, can then see part of the content under it, so what is created must be able to tell that it is whole.
   */
  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    checkPath(path)
    return this.#try('createIfAbsent', path, async () => {
      const temporary = temporaryName(this.#random.bytes(8).toString('hex'), nameOf(path))
      const temporaryPath = resolve(this.#full(folderOf(path)), temporary)
      this.#using.add(temporary)
      try {
        await this.#writeNew(temporaryPath, bytes)
        await this.#calls.link(temporaryPath, this.#full(path))
      } catch (cause) {
        if (syscallOf(cause) !== 'link') throw cause
        if (isErrno(cause, 'EEXIST')) return false
        // Windows' word for a call that exFAT and FAT32 do not have becomes EISDIR.
        if (!isErrno(cause, 'EPERM', 'ENOTSUP', 'ENOSYS', 'EISDIR')) throw cause
        return await this.#createInPlace(path, bytes)
      } finally {
        await quietly(() => this.#calls.unlink(temporaryPath))
        this.#using.delete(temporary)
      }
      return true
    })
  }

  async syncFolder(folder: string): Promise<void> {
    checkFolder(folder)
    await this.#try('syncFolder', folder, () => this.#syncDirectory(this.#full(folder)))
  }

  async remove(path: string): Promise<void> {
    checkPath(path)
    await this.#try('remove', path, async () => {
      try {
        await this.#calls.unlink(this.#full(path))
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT')) throw cause
      }
    })
  }

  async exists(path: string): Promise<boolean> {
    checkPath(path)
    return this.#try('exists', path, async () => {
      try {
        await this.#calls.stat(this.#full(path))
        return true
      } catch (cause) {
        if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return false
        throw cause
      }
    })
  }

  async size(path: string): Promise<number> {
    checkPath(path)
    return this.#try('size', path, async () => (await this.#calls.stat(this.#full(path))).size)
  }

  async makeFolder(folder: string): Promise<void> {
    checkFolder(folder)
    await this.#try('makeFolder', folder, async () => {
      const isRoot = folder === ''
      // A directory that was taken away from a store at work is not made again by what it keeps beside the data.
      if (!isRoot) await this.#calls.stat(this.root)
      const top = isRoot ? parse(this.root).root : this.root
      const missing: string[] = []
      let there = this.#full(folder)
      // Not by Node's own `recursive`, which asks without end where a folder is there and nothing can be made in it, as in /proc.
      for (; there !== top && (await this.#isMissing(there)); there = dirname(there)) missing.push(there)
      // The name of what is there, too: whoever made it may have been cut off before this sync.
      if (there !== top) await this.#makeOne(there, isRoot)
      for (const path of missing.reverse()) await this.#makeOne(path, isRoot)
    })
  }

  /** Its name is synced before anything is made in it: so a cut leaves one name at most that is not, and the next call finds it first. */
  async #makeOne(path: string, isRoot: boolean): Promise<void> {
    let isMade = true
    try {
      await this.#calls.mkdir(path, FOLDER_MODE)
    } catch (cause) {
      // What the system answers for one that is there depends on the system.
      if (!(await this.#isDirectory(path))) throw cause
      isMade = false
    }
    try {
      await this.#syncDirectory(dirname(path))
    } catch (cause) {
      // Left there, it would be found by the next call, as if somebody else had made it.
      if (isMade) await quietly(() => this.#calls.rmdir(path))
      // Above the root the folders are not ours, and may be closed to us.
      if (isMade || !isRoot || !isErrno(cause, 'EACCES', 'EPERM')) throw cause
    }
  }

  async #isDirectory(path: string): Promise<boolean> {
    try {
      return (await this.#calls.stat(path)).isDirectory()
    } catch {
      return false
    }
  }

  /** Temporary files in a folder, for a report or for `removeTemporaries`. */
  async temporaries(folder: string): Promise<TemporaryFile[]> {
    const found: TemporaryFile[] = []
    for (const name of (await this.#entries(checkFolder(folder))).filter(isTemporaryName)) {
      if (this.#using.has(name)) continue
      try {
        const { size, mtimeMs } = await this.#calls.stat(resolve(this.#full(folder), name))
        found.push({ name, bytes: size, changedMs: mtimeMs })
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT')) throw storageError('list', folder, cause)
      }
    }
    return found
  }

  /**
   * Removes the temporary files that were last changed before `changedBeforeMs`; their names. Safe at any time for the store: a temporary
   * file is never what a name refers to (after the link the name holds the content by itself). A `createIfAbsent` under way in another
   * process would fail cleanly, so call it while holding the lock, or with a limit well in the past.
   */
  async removeTemporaries(folder: string, changedBeforeMs: number): Promise<string[]> {
    const stale = (await this.temporaries(folder)).filter(file => file.changedMs < changedBeforeMs)
    for (const { name } of stale) {
      try {
        await this.#calls.unlink(resolve(this.#full(folder), name))
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT')) throw storageError('remove', folder, cause)
      }
    }
    return stale.map(file => file.name)
  }

  #full(path: string): string {
    return resolve(this.root, path)
  }

  async #try<T>(operation: StorageOperation, path: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      throw storageError(operation, path, cause)
    }
  }

  /** Every name in the root, folders and hidden ones included; none when the root is missing. */
  async names(): Promise<string[]> {
    return (await this.#listed('')).map(entry => entry.name)
  }

  async #entries(folder: string, away = false): Promise<string[]> {
    const names: string[] = []
    for (const entry of await this.#listed(folder)) {
      const isLinked = entry.isSymbolicLink() && (await this.#isFile(folder === '' ? entry.name : `${folder}/${entry.name}`, away))
      if (entry.isFile() || isLinked) names.push(entry.name)
    }
    return names
  }

  /** A link to a file is read as the file, so it counts as one: a manifest that is not seen would keep its number from everybody. `away`: said of what is not there. */
  #isFile(path: string, away: boolean): Promise<boolean> {
    return this.#try('list', path, async () => {
      try {
        return (await this.#calls.stat(this.#full(path))).isFile()
      } catch (cause) {
        if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return away
        // It leads to itself, and never led anywhere.
        if (isErrno(cause, 'ELOOP')) return false
        throw cause
      }
    })
  }

  /** Nothing where the folder is missing. Where a file system does not say of what type a name is, one that goes beside the listing fails it, too. */
  #listed(folder: string): Promise<DirectoryEntry[]> {
    const full = this.#full(folder)
    return this.#try('list', folder, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#calls.readdir(full)
        } catch (cause) {
          if (!isErrno(cause, 'ENOENT')) throw cause
          if (await this.#isMissing(full)) return []
          if (attempt === LISTINGS_MAX) throw cause
        }
      }
    })
  }

  async #isMissing(path: string): Promise<boolean> {
    try {
      await this.#calls.stat(path)
      return false
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return true
      throw cause
    }
  }

  /** A new file with this content, synced and closed. */
  async #writeNew(fullPath: string, bytes: Uint8Array): Promise<void> {
    const fd = await this.#calls.open(fullPath, CREATE_FLAGS, FILE_MODE)
    try {
      await writeAll(this.#calls, fd, [bytes], 0)
      await this.#calls.fsync(fd)
    } catch (cause) {
      await quietly(() => this.#calls.close(fd))
      throw cause
    }
    await this.#calls.close(fd)
  }

  async #createInPlace(path: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#writeNew(this.#full(path), bytes)
      return true
    } catch (cause) {
      if (syscallOf(cause) === 'open') {
        if (isErrno(cause, 'EEXIST')) return false
        throw cause
      }
      await quietly(() => this.#calls.unlink(this.#full(path)))
      throw cause
    }
  }

  async #syncDirectory(fullPath: string): Promise<void> {
    if (process.platform === 'win32') return
    const fd = await this.#calls.open(fullPath, constants.O_RDONLY | constants.O_DIRECTORY, 0)
    try {
      await this.#calls.fsync(fd)
    } catch (cause) {
      if (!isErrno(cause, 'EINVAL')) throw cause
    } finally {
      await this.#calls.close(fd)
    }
  }
}

function syscallOf(cause: unknown): unknown {
  return (cause as { syscall?: unknown } | null)?.syscall
}

/** For cleaning up after an error, which is the one to report. */
async function quietly(run: () => unknown): Promise<void> {
  try {
    await run()
  } catch {
    // The first error counts.
  }
}
