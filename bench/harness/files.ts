/** Sizes of folders, and a store for several turns. */
import { copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface FolderSize {
  /** Bytes of the files' contents. */
  readonly bytes: number
  /** Bytes of the blocks they take up; 0 where the system does not say. */
  readonly blockBytes: number
  readonly files: number
}

/** The files in `folder` and below whose names end so; folders named in `without` are left out. */
export function folderSize(folder: string, without: readonly string[] = [], ending = ''): FolderSize {
  let bytes = 0
  let blockBytes = 0
  let files = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (without.includes(entry.name)) continue
      const inner = folderSize(path, without, ending)
      bytes += inner.bytes
      blockBytes += inner.blockBytes
      files += inner.files
    } else if (entry.name.endsWith(ending)) {
      const stat = lstatSync(path)
      bytes += stat.size
      blockBytes += (stat.blocks ?? 0) * 512
      files++
    }
  }
  return { bytes, blockBytes, files }
}

/** The store that lies in `from` once more; its segments, which nobody writes to, under a second name only. */
export function copyStore(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  const copy = (source: string, target: string): void => {
    mkdirSync(target, { recursive: true })
    for (const entry of readdirSync(source, { withFileTypes: true })) {
      const [path, name] = [join(source, entry.name), join(target, entry.name)]
      if (entry.isDirectory()) copy(path, name)
      else if (name.endsWith('.seg')) linkSync(path, name)
      else copyFileSync(path, name)
    }
  }
  copy(from, to)
}

/** On the way out a process that is being ended may still make files: Node.js 20 tries again only to remove the folder itself. */
export function removeNow(folder: string): void {
  for (let tries = 0; tries < 20; tries++) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}
