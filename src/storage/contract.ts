/**
 * Where bytes live: the contract every storage keeps, with what is durable after each call.
 *
 * Owns the words; owns no state. Does not own retries (no call retries by itself), formats or locks.
 * "Durable" means: there after a power cut, as far as the device keeps its own promises.
 * Every call may reject with TIDEMARK_STORAGE (`cause` the system's error, `info: { errno, syscall, operation }`); match the errno, not
 * the name, since some errors have no name in Node. A path or an argument the caller had no right to pass rejects with TIDEMARK_ARGUMENT
 * (paths, which may come from a manifest) or TIDEMARK_BUG (everything else).
 *
 * Paths: names of letters, digits, '.', '_' and '-' (not starting with '.' or '-') joined by '/', relative to the storage's root; '' is the
 * root as a folder. Names differ by more than case on the file systems that fold it: the caller sees to that.
 */

/** read: no appends. create: fails (EEXIST) when the name exists. append: fails (ENOENT) when it does not; appends go to the end found now. */
export type OpenMode = 'read' | 'create' | 'append'

/** The words for `info.operation`, one for each call that can fail. */
export type StorageOperation =
  | 'list'
  | 'open'
  | 'createIfAbsent'
  | 'syncFolder'
  | 'remove'
  | 'exists'
  | 'size'
  | 'makeFolder'
  | 'append'
  | 'overwrite'
  | 'read'
  | 'sync'
  | 'truncate'
  | 'close'
  | 'lock'

/** A folder of files. Calls of several callers may overlap; the last word on who owns a name is `createIfAbsent`. */
export interface Storage {
  /**
   * Names of the files (not folders, not temporary files) in a folder, in byte order; a missing folder gives []. Says nothing about
   * durability: a name listed now may be gone after a power cut until `syncFolder`. A link counts as what it leads to; with 'named' one does, too, that
   * leads to nothing: what it stands for is away, and was there.
   */
  list(folder: string, away?: 'named'): Promise<string[]>
  /** Opens a file. Durable afterwards: nothing; a created name needs `syncFolder`. Errors: ENOENT, EEXIST, EMFILE, ENOSPC (no inode), EROFS, EACCES. */
  open(path: string, mode: OpenMode): Promise<StorageFile>
  /**
   * Puts whole content under a name unless the name exists: true when this call made it, false when it existed. Durable afterwards: the
   * content, not the name; `syncFolder` makes the name durable (the caller chooses the order of syncs). Of several callers one gets true.
   * After an error the name may exist or not, but never with part of the content: list and read before concluding anything.
   */
  createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean>
  /** Durable afterwards: every name made in, and removed from, this folder before the call. Not: the content of its files, nor the folder's own name. */
  syncFolder(folder: string): Promise<void>
  /** Removes a name; a missing one is no error. Until `syncFolder` a power cut may bring it back. Open files stay readable. */
  remove(path: string): Promise<void>
  /** Whether the name exists now, of a file or of a folder. */
  exists(path: string): Promise<boolean>
  /** The file's length in bytes now, durable or not. Errors: ENOENT. */
  size(path: string): Promise<number>
  /**
   * Makes a folder with those above it, the root only when it is the folder asked for. Durable afterwards: the folders and their names. An
   * existing folder is no error. Errors: ENOENT when the root is gone.
   */
  makeFolder(folder: string): Promise<void>
}

/**
 * An open file. One append, overwrite, sync, truncate or close at a time (overlap is TIDEMARK_BUG); reads may overlap anything but a close, which
 * waits for them. An error of append, overwrite, sync or truncate is final: these four reject with that same error from then on, because after it
 * nobody knows what is on the device (a second sync that succeeds proves nothing). Reading and closing go on.
 */
export interface StorageFile {
  readonly path: string
  /**
   * Appends the parts, whole or an error; one call to the system where possible. Durable afterwards: nothing, `sync` does that. After an
   * error any prefix of the parts may be in the file. Errors: ENOSPC, EDQUOT, EIO, EROFS. The parts are not kept and not changed.
   */
  append(parts: readonly Uint8Array[]): Promise<void>
  /**
   * Writes over bytes that are there, and never beyond the end of the file. Durable afterwards: nothing; until `sync` a power cut leaves each sector
   * as it was or as it is to be, and after an error any prefix may be written. Errors: EIO, EROFS, and ENOSPC or EDQUOT where the file system
   * writes to another place. The bytes are not kept and not changed.
   */
  overwrite(offset: number, bytes: Uint8Array): Promise<void>
  /** Up to `length` bytes from `offset`, fewer at the end of the file; memory the caller owns. What is read may not be durable yet. Errors: EIO. */
  read(offset: number, length: number): Promise<Buffer>
  /**
   * The same at once, holding the turn: only for a look-up that has to answer now, and only for little. A device that has to be waited for is
   * waited for. Throws what `read` rejects with. `memory` is for the bytes, where they fit and the file likes: what is given is a view of it then.
   */
  readNow(offset: number, length: number, memory?: Buffer): Buffer
  /** Durable afterwards: all bytes written, and the file's length; not its name. An error is final for this file. Errors: EIO, ENOSPC, EDQUOT. */
  sync(): Promise<void>
  /** The length in bytes now. */
  size(): Promise<number>
  /** Cuts the file to `length`, at most its size; appends go on there. Durable after `sync`; until then a power cut may undo it. */
  truncate(length: number): Promise<void>
  /** Gives the file back; safe to call twice. Syncs nothing. It may be the first to report an error of an earlier append. */
  close(): Promise<void>
}
