export type { OpenMode, Storage, StorageFile, StorageOperation } from './contract.ts'
export {
  type ErrnoName,
  endedBy,
  errnoOf,
  handOverError,
  isErrno,
  isNotGivenBack,
  mayStayUnread,
  notWhereItWas,
  passesByItself,
  shortageError,
  storageError,
  systemError,
  UNRELIABLE,
  unpackError,
  withFile,
} from './errors.ts'
export { directoryError } from './file-directory.ts'
export { acquireLock, isForeignLock, LOCK_FILE, type Lock, type LockHolder, type LockOptions, lockHolder } from './file-lock.ts'
export { FileStorage, type FileStorageOptions, type TemporaryFile } from './file-storage.ts'
export { isThere, workingDirectoryGone } from './file-there.ts'
export { checkRange, HandleGuard, roomFor } from './handle-guard.ts'
export { MemoryDisk, MemoryStorage } from './memory-storage.ts'
export { checkFolder, checkPath, compareNames, folderOf, nameOf } from './paths.ts'
export { isShortage, shortageIn } from './shortage.ts'
