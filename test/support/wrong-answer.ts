/** A device that answers otherwise than what is stored: bytes with a bit flipped, fewer of them, a file that is not there. */
import type { Storage, StorageFile } from '../../src/storage/index.ts'

/** Gives what the caller is told in place of these bytes. */
export type Answer = (path: string, offset: number, bytes: Buffer) => Buffer

/** Of files opened from now on. */
export function answerReads(storage: Storage, answer: Answer): void {
  const open = storage.open.bind(storage)
  storage.open = async (path, mode): Promise<StorageFile> => {
    const file = await open(path, mode)
    const read = file.read.bind(file)
    file.read = async (offset, length) => answer(path, offset, await read(offset, length))
    return file
  }
}

/** The first `times` reads of this byte have a bit flipped; how often it was read. */
export function flipReads(storage: Storage, file: string, at: number, times = 1): () => number {
  let reads = 0
  answerReads(storage, (path, offset, bytes) => {
    if (path !== file || at < offset || at >= offset + bytes.length || ++reads > times) return bytes
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(at - offset) ^ 1, at - offset)
    return flipped
  })
  return () => reads
}
