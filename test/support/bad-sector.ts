/** A part of a file that the device does not give back, however it is read. */
import { type Storage, type StorageFile, storageError, systemError } from '../../src/storage/index.ts'

export interface Read {
  readonly path: string
  readonly operation: 'read' | 'readNow'
  readonly offset: number
  readonly length: number
}

/** Of files opened from now on: `met` is told each read, and throws where it is to fail. */
export function watchReads(storage: Storage, met: (read: Read) => void): void {
  const open = storage.open.bind(storage)
  storage.open = async (path, mode): Promise<StorageFile> =>
    new Proxy(await open(path, mode), {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (name !== 'read' && name !== 'readNow') return member.bind(target)
        // As a method of its own, so that what `met` throws rejects where a read would.
        const now = (offset: number, length: number, memory?: Buffer): unknown => {
          met({ path, operation: name, offset, length })
          return member.call(target, offset, length, memory)
        }
        return name === 'readNow' ? now : async (offset: number, length: number) => await now(offset, length)
      },
    })
}

/** In files opened from now on, bytes from `start` up to `end` of this one. The function given back mends it. */
export function badSector(storage: Storage, file: string, start: number, end = Number.POSITIVE_INFINITY): () => void {
  let bad = true
  watchReads(storage, ({ path, offset, length }) => {
    if (bad && path === file && offset < end && offset + length > start) throw storageError('read', path, systemError('EIO', 'read'))
  })
  return () => {
    bad = false
  }
}
