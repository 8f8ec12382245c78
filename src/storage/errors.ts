/**
 * System errors as TIDEMARK_STORAGE. Owns the hints; decides by errno alone, for libuv has no name for some (EDQUOT, ESTALE).
 */
import { getSystemErrorMap } from 'node:util'
import { type ErrorCode, hasCode, TidemarkError } from '../base/errors.ts'
import { isAllocationFailure, isOutOfMemory } from '../base/out-of-memory.ts'
import type { StorageOperation } from './contract.ts'

export type ErrnoName =
  | 'ENOSPC'
  | 'EDQUOT'
  | 'EIO'
  | 'EROFS'
  | 'EMFILE'
  | 'ENFILE'
  | 'ENOMEM'
  | 'EACCES'
  | 'EPERM'
  | 'ENOENT'
  | 'EEXIST'
  | 'EINVAL'
  | 'ENOTSUP'
  | 'ENOSYS'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'ENAMETOOLONG'
  | 'ELOOP'
  | 'ENOTEMPTY'
  | 'EAGAIN'
  | 'ENOLCK'
  | 'ESTALE'
  | 'EBADF'
  | 'EUCLEAN'
  | 'EBADMSG'
  | 'EINTR'
  | 'EFBIG'

/** Numbers that libuv passes through without a name: by platform. */
const NAMELESS: Partial<Record<NodeJS.Platform, Partial<Record<ErrnoName, number>>>> = {
  linux: { EDQUOT: -122, ESTALE: -116, ENOLCK: -37, EUCLEAN: -117, EBADMSG: -74 },
  darwin: { EDQUOT: -69, ESTALE: -70, ENOLCK: -77, EBADMSG: -94 },
  freebsd: { EDQUOT: -69, ESTALE: -70, ENOLCK: -77, EBADMSG: -89 },
}

const numbers = new Map<string, number>([...getSystemErrorMap()].map(([errno, [name]]) => [name, errno]))
for (const [name, errno] of Object.entries(NAMELESS[process.platform] ?? NAMELESS.linux ?? {})) numbers.set(name, errno)

/** The errno libuv reports for this condition here (negative), undefined where the platform has none. */
export function errnoOf(name: ErrnoName): number | undefined {
  return numbers.get(name)
}

/** Whether a system error, or the TIDEMARK_STORAGE error made of it, is one of these; also across threads. */
export function isErrno(error: unknown, ...names: readonly ErrnoName[]): boolean {
  const errno = errnoIn(error)
  return errno !== undefined && names.some(name => numbers.get(name) === errno)
}

/** The bytes are lost, or the file system found its own wrong, as far as anybody knows: nobody gets what lies there. */
export function isNotGivenBack(error: unknown): boolean {
  return isErrno(error, 'EIO', 'EUCLEAN', 'EBADMSG')
}

/** What the process or the machine is short of comes back. */
export function passesByItself(error: unknown): boolean {
  return isErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR')
}

/**
 * A read that may fail however often it is tried: what is not given back, and whatever else does not pass by itself, as behind a network mount that was
 * made anew. It says nothing about what is there: only for who can do without.
 */
export function mayStayUnread(error: unknown): boolean {
  if (isNotGivenBack(error)) return true
  const isRead = hasCode(error, 'TIDEMARK_STORAGE') && (error as TidemarkError).info?.['operation'] === 'read'
  return isRead && errnoIn(error) !== undefined && !passesByItself(error)
}

function errnoIn(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { errno, code, info } = error as { errno?: unknown; code?: unknown; info?: { errno?: unknown } }
  if (typeof errno === 'number') return errno
  // Of Node's permission model, which has no number for it.
  if (code === 'ERR_ACCESS_DENIED') return numbers.get('EACCES')
  return typeof info?.errno === 'number' ? info.errno : undefined
}

/** An error as the system would give it, for storages that are not a file system. */
export function systemError(name: ErrnoName, syscall: string, message?: string): Error {
  const errno = numbers.get(name) ?? -5
  const [code, text] = getSystemErrorMap().get(errno) ?? [`Unknown system error ${errno}`, 'unknown error']
  return Object.assign(new Error(`${code}: ${message ?? text}, ${syscall}`), { errno, code, syscall })
}

/** The hint where bytes are not what they were when they were written or read before. */
export const UNRELIABLE = 'the device or its memory is not reliable: check it before anything else'

/** Ends the hint of an error that a store which stays open gets over. */
const GO_ON = '; commits go on by themselves afterwards'

const HINTS: readonly (readonly [readonly ErrnoName[], string])[] = [
  [['ENOSPC'], `the disk is out of space or inodes: free some (df -h, df -i)${GO_ON}`],
  [['EDQUOT'], `the disk quota of this user or project is used up: raise it or free space${GO_ON}`],
  [['EFBIG'], `no file may grow as large here: raise the limit (ulimit -f), or use a file system without one${GO_ON}`],
  [
    ['EIO', 'ESTALE', 'EUCLEAN', 'EBADMSG'],
    'the device or network file system failed: look at the kernel log (dmesg) and the disk before trusting it again',
  ],
  [['EROFS'], 'the file system is read-only, often remounted so by the kernel after an error: look at the kernel log, then remount it'],
  [['ENOENT'], 'the file, or the directory of the store, was moved away, unmounted or removed: put it back where it was'],
  [['EISDIR'], 'a folder stands where a file of the store belongs: move it away, and put the file back'],
  [['ENOTDIR'], 'a file stands where a folder of the store belongs: move it away, and put the folder back'],
  [['EMFILE'], 'too many open files: raise the limit (ulimit -n) or find what leaks them'],
  [['ENFILE'], 'too many open files of the whole system: raise the limit (fs.file-max) or find what leaks them'],
  [['ENOMEM'], 'the system is out of memory'],
  [
    ['EACCES', 'EPERM'],
    'this user may not do that here: check the owner and mode of the store and the folders above it, and what the permission model of Node.js allows, if it is on',
  ],
]

/** For a file of a store at work of which `what` is told. */
export function notWhereItWas(file: string, what: string, info?: TidemarkError['info'], cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_STORAGE', `${file} ${what}: the store's directory is not where it was`, {
    file,
    cause,
    hint: `the directory was moved away, unmounted or replaced: put it back where it was${GO_ON}`,
    ...(info === undefined ? {} : { info }),
  })
}

/** For a call that ends with it: nothing goes on by itself there. Any other error as it is. */
export function endedBy(error: unknown): unknown {
  if (!(error instanceof TidemarkError) || error.hint?.endsWith(GO_ON) !== true) return error
  const { code, message, hint, cause, file, info } = error
  const details = { hint: `${hint.slice(0, -GO_ON.length)}, then try again`, cause, ...(file && { file }), ...(info && { info }) }
  return new TidemarkError(code, message, details)
}

/** TIDEMARK_STORAGE for what the system said; one that is a TidemarkError already passes through. */
export function storageError(operation: StorageOperation | 'unpack', path: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause
  const error = isAllocationFailure(cause) ? memoryError(operation, cause) : cause
  return failed(`${operation} of ${path === '' ? "the store's directory" : path}`, error, operation, path)
}

function failed(what: string, cause: unknown, operation: string, file?: string): TidemarkError {
  const fields = (typeof cause === 'object' && cause !== null ? cause : {}) as { syscall?: unknown; message?: unknown }
  const hint = HINTS.find(([names]) => isErrno(cause, ...names))?.[1]
  return new TidemarkError('TIDEMARK_STORAGE', `${what} failed: ${fields.message ?? cause}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
    ...(file === undefined ? {} : { file }),
    info: {
      errno: errnoIn(cause),
      syscall: typeof fields.syscall === 'string' ? fields.syscall : undefined,
      operation,
    },
  })
}

/** Want of memory, as the system tells it. */
function memoryError(operation: string, cause: unknown): Error {
  return Object.assign(systemError('ENOMEM', operation, (cause as Error).message), { cause })
}

/**
 * For what `what`, work in memory, threw: TIDEMARK_STORAGE where that was want of memory, which passes as that of the system does. Any other error as it
 * is.
 */
export function shortageError(what: string, error: unknown): unknown {
  return isAllocationFailure(error) ? failed(what, memoryError('allocate', error), 'allocate') : error
}

/** TIDEMARK_STORAGE for a message that the writer's thread was not given. */
export function handOverError(cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause
  return failed('the hand-over to the writer', isAllocationFailure(cause) ? memoryError('allocate', cause) : cause, 'hand-over')
}

/**
 * For what unpacking a block of `file` threw and says nothing of its bytes, which is told without the file that needs them: what `withFile`
 * names, and want of memory or descriptors, which passes as that of the system does. Any other error as it is.
 */
export function unpackError(file: string, error: unknown): unknown {
  if (isOutOfMemory(error)) return storageError('unpack', file, memoryError('unpack', error))
  // Of what loading a decoder takes.
  if (isErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM')) return storageError('unpack', file, error)
  return withFile(file, error)
}

const TOLD_WITHOUT_FILE: readonly string[] = ['TIDEMARK_COMPRESSION_UNAVAILABLE', 'TIDEMARK_FORMAT_NEWER'] satisfies ErrorCode[]

/** What bytes of `file` need that this runtime, or this version, does not have, which who decodes them tells without it. Any other error as it is. */
export function withFile(file: string, error: unknown): unknown {
  if (!(error instanceof TidemarkError) || error.file !== undefined || !TOLD_WITHOUT_FILE.includes(error.code)) return error
  const { code, message, hint, info } = error
  return new TidemarkError(code, `${file}: ${message}`, {
    file,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(info === undefined ? {} : { info }),
  })
}
