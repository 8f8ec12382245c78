/**
 * The calls to the system that the file storage is made of, in two flavours behind one table: `await` works on both.
 *
 * sync: blocks the calling thread. For the writer's own thread: the thread pool of the process, which the host program may have filled
 *   with slow work of its own, cannot delay a commit. A commit that begins a file, or one that failed, is delayed by it where upkeep is
 *   publishing a manifest at that moment: these go through the pool, so that their syncs delay no commit, and one is published at a time.
 * async: the thread pool. For the main thread, which must not block.
 * Owns nothing. Errors are the system's, untouched.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'

type Maybe<T> = T | Promise<T>

export interface DirectoryEntry {
  readonly name: string
  isFile(): boolean
  isSymbolicLink(): boolean
}

export interface FileCalls {
  open(path: string, flags: number, mode: number): Maybe<number>
  close(fd: number): Maybe<void>
  /** May write less than asked; one call to the system where possible. */
  write(fd: number, parts: readonly Uint8Array[], position: number): Maybe<number>
  /** May read less than asked; 0 at the end. */
  read(fd: number, target: Uint8Array, offset: number, length: number, position: number): Maybe<number>
  /** `read`, in either flavour at once. */
  readNow(fd: number, target: Uint8Array, offset: number, length: number, position: number): number
  fstat(fd: number): Maybe<fs.Stats>
  /** `fstat`, in either flavour at once. */
  sizeNow(fd: number): number
  stat(path: string): Maybe<fs.Stats>
  ftruncate(fd: number, length: number): Maybe<void>
  fdatasync(fd: number): Maybe<void>
  fsync(fd: number): Maybe<void>
  readdir(path: string): Maybe<DirectoryEntry[]>
  link(from: string, to: string): Maybe<void>
  unlink(path: string): Maybe<void>
  mkdir(path: string, mode: number): Maybe<void>
  /** Only an empty one. */
  rmdir(path: string): Maybe<void>
}

export const syncCalls: FileCalls = {
  open: (path, flags, mode) => fs.openSync(path, flags, mode),
  close: fd => fs.closeSync(fd),
  write: (fd, parts, position) => {
    const [only] = parts
    return parts.length === 1 && only !== undefined ? fs.writeSync(fd, only, 0, only.length, position) : fs.writevSync(fd, parts, position)
  },
  read: (fd, target, offset, length, position) => fs.readSync(fd, target, offset, length, position),
  readNow: (fd, target, offset, length, position) => fs.readSync(fd, target, offset, length, position),
  fstat: fd => fs.fstatSync(fd),
  sizeNow: fd => fs.fstatSync(fd).size,
  stat: path => fs.statSync(path),
  ftruncate: (fd, length) => fs.ftruncateSync(fd, length),
  fdatasync: fd => fs.fdatasyncSync(fd),
  fsync: fd => fs.fsyncSync(fd),
  readdir: path => fs.readdirSync(path, { withFileTypes: true }),
  link: (from, to) => fs.linkSync(from, to),
  unlink: path => fs.unlinkSync(path),
  mkdir: (path, mode) => fs.mkdirSync(path, mode),
  rmdir: path => fs.rmdirSync(path),
}

const write = promisify(fs.write)
const writev = promisify(fs.writev)
const read = promisify(fs.read)

export const asyncCalls: FileCalls = {
  open: promisify(fs.open) as FileCalls['open'],
  close: promisify(fs.close),
  write: async (fd, parts, position) => {
    const [only] = parts
    if (parts.length === 1 && only !== undefined) return (await write(fd, only, 0, only.length, position)).bytesWritten
    return (await writev(fd, parts, position)).bytesWritten
  },
  read: async (fd, target, offset, length, position) => (await read(fd, target, offset, length, position)).bytesRead,
  readNow: syncCalls.readNow,
  fstat: fd => promisify(fs.fstat)(fd),
  sizeNow: syncCalls.sizeNow,
  stat: path => fs.promises.stat(path),
  ftruncate: promisify(fs.ftruncate) as FileCalls['ftruncate'],
  fdatasync: promisify(fs.fdatasync),
  fsync: promisify(fs.fsync),
  readdir: path => fs.promises.readdir(path, { withFileTypes: true }),
  link: (from, to) => fs.promises.link(from, to),
  unlink: path => fs.promises.unlink(path),
  mkdir: (path, mode) => fs.promises.mkdir(path, mode),
  rmdir: path => fs.promises.rmdir(path),
}
