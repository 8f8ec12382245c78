/** A store as a map of files, to damage it by hand. */
import { folderOf, MemoryStorage, type Storage } from '../../src/storage/index.ts'

export type Files = ReadonlyMap<string, Buffer>

export async function filesOf(storage: Storage): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const folder of ['log', 'manifest', 'segment']) {
    for (const name of await storage.list(folder)) {
      const path = `${folder}/${name}`
      const file = await storage.open(path, 'read')
      files.set(path, await file.read(0, await file.size()))
      await file.close()
    }
  }
  return files
}

export async function storageOf(files: Files): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  for (const [path, bytes] of files) {
    await storage.makeFolder(folderOf(path))
    await storage.createIfAbsent(path, bytes)
  }
  return storage
}

export function withFile(files: Files, path: string, bytes: Buffer): Map<string, Buffer> {
  return new Map([...files, [path, bytes]])
}

export function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
  return copy
}

export function logFiles(files: Files): string[] {
  return [...files.keys()].filter(path => path.startsWith('log/')).sort()
}
