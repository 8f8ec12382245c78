/** Whether what belongs to the program is there, told at once. Owns nothing; of a store nobody asks so. */
import { existsSync, realpathSync } from 'node:fs'
import { isErrno } from './errors.ts'

/** Of what is no file (`data:`, where a bundler put it into the program) it is taken for granted. */
export function isThere(url: URL): boolean {
  return url.protocol !== 'file:' || existsSync(url)
}

/** What the system says of the working directory where it was removed, while Node.js goes on to give the name that it had. */
export function workingDirectoryGone(platform = process.platform): Error | undefined {
  // A directory in use cannot be removed there, and of a volume without a drive letter the call says ENOENT.
  if (platform === 'win32') return undefined
  try {
    realpathSync.native('.')
  } catch (error) {
    // Where it may not be looked at it is taken for granted.
    if (isErrno(error, 'ENOENT')) return error as Error
  }
  return undefined
}
