/**
 * The directory of a store before anything is written into it: ours, empty, or somebody else's, which stays as it is.
 *
 * Owns: which names are those of a store, what is told of others, and where a copy was cut short.
 * Does not own: what a manifest says (open.ts), how it is locked.
 * Invariant: the lock file is not touched, nor made, where there is no manifest and something of others.
 */
import { TidemarkError } from '../base/errors.ts'
import { LOG_FOLDER, logNumbers, MANIFEST_FOLDER, ORDER_FOLDER, SCHEDULE_FOLDER } from '../format/index.ts'
import { newestNumber, noStore, strayManifests } from '../manifest/index.ts'
import {
  acquireLock,
  directoryError,
  type FileStorage,
  isErrno,
  isForeignLock,
  LOCK_FILE,
  type Lock,
  type LockHolder,
  nameOf,
  type Storage,
} from '../storage/index.ts'

/** What a directory may hold that is no store yet, or has lost all that one stands on. */
const OWN = new Set([LOCK_FILE, MANIFEST_FOLDER, LOG_FOLDER, ORDER_FOLDER, SCHEDULE_FOLDER])

/** Stands in the target of a copy until that is whole, and longer where that was cut short in its last step. Empty. */
export const COPYING = 'copying'

/**
 * The directory is there, is ours or empty, and locked. `holder`: undefined where it is not to be locked. `create`: false where one without a store is
 * to stay as it is; where a first opening died one is told behind this (open.ts), so it gets a lock file, if that opening left none.
 * @throws TIDEMARK_NO_STORE
 */
export async function takeDirectory(files: FileStorage, holder: LockHolder | undefined, create: boolean): Promise<Lock | undefined> {
  try {
    const names = (await files.names()).filter(name => !OWN.has(name))
    if ((await newestNumber(files)) === 0) {
      const logs = await logsIn(files)
      // Another opening makes a manifest before it makes a file of the log.
      if ((await newestNumber(files)) === 0) {
        if (isForeignLock(files.root)) names.push(LOCK_FILE)
        await refuse(files, files.root, [...names, ...(await strayManifests(files))], logs)
        if (!create) throw noStore()
      }
    }
    await files.makeFolder('')
    return holder === undefined ? undefined : await acquireLock(files.root, holder)
  } catch (error) {
    throw directoryError(files.root, error, 'writes')
  }
}

/** For a directory without a manifest. @throws TIDEMARK_DIRECTORY */
export async function refuseForeign(storage: Storage): Promise<void> {
  const names = (await storage.list('')).filter(name => name !== LOCK_FILE)
  await refuse(storage, 'the directory', [...names, ...(await strayManifests(storage))], await logsIn(storage))
}

/** By their paths; a file where the folder would be, and a folder that is not to be looked into, stand for themselves. */
async function logsIn(storage: Storage): Promise<string[]> {
  try {
    return (await storage.list(LOG_FOLDER)).map(name => `${LOG_FOLDER}/${name}`)
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR', 'EACCES', 'EPERM')) throw error
    return [LOG_FOLDER]
  }
}

/**
 * Whether a directory without a whole manifest may be what a copy that was cut short left. That makes the folder of manifests durable before any of
 * `files`, those of the log and the segments: where it is gone, or where there is a folder that no copy makes, a store was.
 */
export async function isCutShort(storage: Storage, files: readonly string[]): Promise<boolean> {
  if (!(await storage.exists(COPYING)) || (await storage.size(COPYING)) > 0) return false
  for (const folder of [ORDER_FOLDER, SCHEDULE_FOLDER]) if (await storage.exists(folder)) return false
  return files.length === 0 || (await storage.exists(MANIFEST_FOLDER))
}

/**
 * For a store that has just been taken over. What is acknowledged from here on was never in a copy, so it must not be taken for a part of one when the
 * manifests are lost: it is durable that there is none before a writer begins.
 */
export async function endCopy(storage: Storage): Promise<void> {
  try {
    if (!(await storage.exists(COPYING)) || (await storage.size(COPYING)) > 0) return
    await storage.remove(COPYING)
    await storage.syncFolder('')
  } catch {
    // The store is as whole as before, and the next opening tries again.
  }
}

async function refuse(storage: Storage, directory: string, names: readonly string[], logs: readonly string[]): Promise<void> {
  if (names.length === 0 && logs.length === 0) return
  const isLost = logs.some(path => logNumbers(nameOf(path)) !== undefined)
  throw new TidemarkError('TIDEMARK_DIRECTORY', `${directory} is neither empty nor a store`, {
    hint: (await isCutShort(storage, logs))
      ? 'a copy into it was cut short: copy again, into the same directory'
      : isLost
        ? 'it holds log files and no manifest: put the folder `manifest` back, from the newest copy: with an older one what was written since may be given up'
        : 'give an empty directory, or one that holds a store',
    info: { found: [...names, ...logs].slice(0, 10) },
  })
}
