/**
 * One writer to a directory: an operating-system lock on the file `lock`, held for as long as the process lives or until released.
 *
 * Owns: the lock file's descriptor and the text in the file. Does not own: fencing, which protects where no such lock reaches.
 * Invariants: the lock alone decides; the text in the file is for the error message and is believed by nobody; the file is never removed
 * (removing it could let a second process lock a new file under the same name); the locked descriptor is that of the file under the name.
 *
 * The lock belongs to the open file (OFD lock on Linux, flock on macOS, LockFileEx on Windows), not to the process: it refuses a second
 * holder inside the same process too, other opens and closes of the file do not release it, and the system drops it when the holder dies.
 * It is found by the file, so another path, mount or container with the same file meets the same lock. A child process does not inherit
 * the descriptor (it is opened close-on-exec). A network file system may not carry locks between hosts: see the documentation.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { TidemarkError } from '../base/errors.ts'
import { isErrno, storageError } from './errors.ts'
import { shortageIn } from './shortage.ts'

/** Name of the lock file in a store's directory. */
export const LOCK_FILE = 'lock'

/** The locked byte lies far beyond the text: on Windows a locked range cannot be read by others. */
const LOCKED_BYTE = 1024 * 1024 * 1024
const TEXT_BYTES_MAX = 4096
/** How often to start again when the file was replaced between opening and locking it. */
const ATTEMPTS_MAX = 8

/** What the holder tells about itself, for the error another process gets. */
export interface LockHolder {
  readonly host: string
  readonly boot: string
  readonly pid: number
  /** Start of the process in the system's own unit, to tell a process from a later one with the same number. */
  readonly started: string
  /** When the lock was taken, ISO 8601; empty where no clock said. */
  readonly since: string
}

export interface Lock {
  /** Gives the lock back; safe to call twice, and never throws. */
  release(): void
}

type TryLock = (fd: number, offset: number, length: number) => boolean

interface PrebuiltAddon {
  /** Throws EAGAIN when another open file holds the bytes. */
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void
}

export interface LockOptions {
  /** Loads the system's lock; for tests of machines without it. */
  readonly load?: () => Promise<{ tryLock: TryLock }>
}

/** The facts about this process; `nowMs` is the wall clock's, for the reader of the message; 0: unknown. */
export function lockHolder(nowMs: number): LockHolder {
  return {
    host: hostname(),
    boot: readFact('/proc/sys/kernel/random/boot_id').trim(),
    pid: process.pid,
    started:
      readFact('/proc/self/stat')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? '',
    since: nowMs > 0 ? new Date(nowMs).toISOString() : '',
  }
}

/**
 * Takes the lock of a directory that exists.
 * Throws TIDEMARK_LOCKED (another open store holds it; the message names it), TIDEMARK_LOCK_UNAVAILABLE (this machine or file system cannot
 * lock) or TIDEMARK_STORAGE (the lock file cannot be opened, or there are no descriptors, or no memory, to load the addon).
 */
export async function acquireLock(rootDir: string, holder: LockHolder, options: LockOptions = {}): Promise<Lock> {
  const tryLock = await loadTryLock(options.load)
  const path = resolve(rootDir, LOCK_FILE)
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const fd = openLockFile(path)
    let keep = false
    try {
      if (!lockNow(tryLock, fd, rootDir)) throw lockedError(rootDir, fd, holder)
      if (!isFileAt(path, fd)) continue
      writeText(fd, `${JSON.stringify(holder)}\n`)
      const held = heldLock(fd)
      keep = true
      return held
    } finally {
      if (!keep) close(fd)
    }
  }
  throw storageError('lock', LOCK_FILE, new Error(`the file was replaced ${ATTEMPTS_MAX} times while it was being locked`))
}

function heldLock(fd: number): Lock {
  let held = true
  const { ino, dev } = statOf(fd)
  return {
    release() {
      if (!held) return
      held = false
      try {
        const now = fs.fstatSync(fd, { bigint: true })
        // Somebody closed it, and the number is that of another file by now.
        if (now.ino !== ino || now.dev !== dev) return
        // The text stays, as it does behind a process that was killed: a write may hang with the file system, and the event loop with it.
        fs.closeSync(fd)
      } catch {
        // The system has dropped the lock with the descriptor, and who releases it has more to give back.
      }
    },
  }
}

function statOf(fd: number): fs.BigIntStats {
  try {
    return fs.fstatSync(fd, { bigint: true })
  } catch (cause) {
    throw storageError('lock', LOCK_FILE, cause)
  }
}

async function loadTryLock(load: LockOptions['load']): Promise<TryLock> {
  try {
    // Lazily: a machine without a prebuilt addon can still open a store with lock: 'none'.
    const addon = await (load ?? loadAddon)()
    return (fd, offset, length) => addon.tryLock(fd, offset, length)
  } catch (cause) {
    const shortage = shortageIn(cause)
    if (shortage !== undefined) throw storageError('lock', LOCK_FILE, shortage)
    throw unavailable('the addon for operating-system locks (fs-native-extensions) cannot be loaded', cause)
  }
}

async function loadAddon(): Promise<{ tryLock: TryLock }> {
  const prebuilt = loadPrebuilt()
  if (prebuilt !== undefined) return prebuilt
  const addon = await import('fs-native-extensions')
  return addon.default
}

/**
 * The addon itself, from where its package keeps it: the package finds it by way of sixteen modules, which is a quarter of what `open` of an
 * empty store takes otherwise. Undefined where it is not there, cannot be loaded or is not what is expected: then the package has the word. Not for want
 * of descriptors or memory: an import that fails stays failed as long as the process lives.
 */
export function loadPrebuilt(require: (path: string) => unknown = createRequire(import.meta.url)): { tryLock: TryLock } | undefined {
  try {
    const path = `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`
    const addon = require(path) as PrebuiltAddon
    return typeof addon.tryLock === 'function' ? { tryLock: tryLockOf(addon) } : undefined
  } catch (error) {
    if (shortageIn(error) !== undefined) throw error
    return undefined
  }
}

/** As the package does it. */
function tryLockOf(addon: PrebuiltAddon): TryLock {
  return (fd, offset, length) => {
    try {
      addon.tryLock(fd, offset, length, true)
      return true
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EAGAIN') return false
      throw error
    }
  }
}

function unavailable(why: string, cause: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_LOCK_UNAVAILABLE', `the store cannot be locked: ${why}`, {
    hint: "set lock: 'none' (--no-lock in a command) if nothing else can open this store; its writers are then told apart by fencing alone",
    cause,
    file: LOCK_FILE,
  })
}

function openLockFile(path: string): number {
  try {
    return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  } catch (cause) {
    throw storageError('lock', LOCK_FILE, cause)
  }
}

function close(fd: number): void {
  try {
    fs.closeSync(fd)
  } catch {
    // The descriptor is gone all the same, and what was found out by it matters more.
  }
}

function lockNow(tryLock: TryLock, fd: number, rootDir: string): boolean {
  try {
    return tryLock(fd, LOCKED_BYTE, 1)
  } catch (cause) {
    if (isErrno(cause, 'EAGAIN', 'EACCES')) return false
    throw unavailable(`the file system of ${rootDir} refuses locks`, cause)
  }
}

/** Whether the name still leads to the file that was opened. */
function isFileAt(path: string, fd: number): boolean {
  try {
    const named = fs.statSync(path, { bigint: true })
    const opened = fs.fstatSync(fd, { bigint: true })
    return named.ino === opened.ino && named.dev === opened.dev
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return false
    throw storageError('lock', LOCK_FILE, cause)
  }
}

/** The text is a courtesy: a full disk does not keep a store from opening. */
function writeText(fd: number, text: string): void {
  try {
    fs.ftruncateSync(fd, 0)
    fs.writeSync(fd, text, 0)
  } catch {
    // The lock is held all the same; the next one to be refused learns less.
  }
}

function lockedError(rootDir: string, fd: number, own: LockHolder): TidemarkError {
  const holder = readHolder(fd)
  const here = holder !== undefined && holder.pid === own.pid && holder.host === own.host && holder.started === own.started
  const where = holder?.host === own.host ? '' : ` on host ${holder?.host}`
  const who = holder === undefined ? 'a process that left no name' : here ? 'this process' : `process ${holder.pid}${where}`
  const since = holder === undefined || holder.since === '' ? '' : `, since ${holder.since}`
  return new TidemarkError('TIDEMARK_LOCKED', `the store in ${rootDir} is open for writing by ${who}${since}`, {
    hint: here
      ? 'close the other store of this process first, or share it'
      : 'wait until it ends or stop it; the lock goes with the process, deleting the lock file is never the cure',
    file: LOCK_FILE,
    ...(holder === undefined ? {} : { info: { holder } }),
  })
}

/** The text as far as it makes sense. */
function readHolder(fd: number): LockHolder | undefined {
  try {
    const { host, boot, pid, started, since } = JSON.parse(readText(fd)) as Record<string, unknown>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid)) return undefined
    return { host: plain(host), boot: plain(boot), pid, started: plain(started), since: plain(since) }
  } catch {
    return undefined
  }
}

function readText(fd: number): string {
  const buffer = Buffer.alloc(TEXT_BYTES_MAX)
  return buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, buffer.length, 0))
}

/** Whether a file of that name is somebody else's, who would miss its text; of one that cannot be read, locking it has the word. */
export function isForeignLock(rootDir: string): boolean {
  let text: string
  try {
    const path = resolve(rootDir, LOCK_FILE)
    // Who opens a pipe waits for its other end.
    if (!fs.statSync(path).isFile()) return false
    const fd = fs.openSync(path, 'r')
    try {
      text = readText(fd)
    } finally {
      close(fd)
    }
  } catch {
    return false
  }
  return !isOurs(text)
}

/** Empty, or zeros where the power went before the text was on the disk, or what a holder tells about itself. */
function isOurs(text: string): boolean {
  if (/^[\0\s]*$/.test(text)) return true
  try {
    const { host, boot, pid, started, since } = JSON.parse(text) as Record<string, unknown>
    return Number.isSafeInteger(pid) && [host, boot, started, since].every(field => typeof field === 'string')
  } catch {
    return false
  }
}

/** Printable and short: it comes from a file anyone with the right to write there could have written. */
function plain(value: unknown): string {
  return typeof value === 'string' ? value.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) : 'unknown'
}

function readFact(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
