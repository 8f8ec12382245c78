/** What is wrong with the path of a store. Owns nothing. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../base/errors.ts'
import { type ErrnoName, isErrno } from './errors.ts'

/** The path itself is the reason, or what this user may do there: trying again does not help. */
const NO_PATH: readonly ErrnoName[] = ['ENOTDIR', 'ENAMETOOLONG', 'ELOOP']
const NOT_WRITABLE: readonly ErrnoName[] = ['EEXIST', 'EISDIR', 'ENOENT', 'EACCES', 'EPERM', 'EROFS']
/** What their hints say is of a store that is there. */
const OF_THE_STORE: readonly ErrnoName[] = ['ENOENT', 'ENOTDIR']

/** TIDEMARK_DIRECTORY where the path is a file, leads through one or is none, or cannot be written to; any other error as it is. */
export function directoryError(path: string, error: unknown, toDo: 'reads' | 'writes'): unknown {
  if (!isErrno(error, ...NO_PATH) && !(toDo === 'writes' && isErrno(error, ...NOT_WRITABLE))) return error
  const {
    message,
    hint: told,
    file = '',
  } = error as { readonly message: string; readonly hint?: string | undefined; readonly file?: string }
  const [folder = ''] = file.split('/')
  if (isErrno(error, 'ENOTDIR') && folder !== '' && isDirectory(path)) {
    const hint = `correct the path; where it is that of a store, ${told}`
    return new TidemarkError('TIDEMARK_DIRECTORY', `${join(path, folder)} is no directory`, { cause: error, hint })
  }
  const hint = told === undefined || isErrno(error, ...OF_THE_STORE) ? 'correct the path' : told
  const what = isErrno(error, 'ENOTDIR') ? 'is no directory' : `cannot be used as a directory: ${message}`
  return new TidemarkError('TIDEMARK_DIRECTORY', `${path} ${what}`, { cause: error, hint })
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
