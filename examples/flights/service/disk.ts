/** What the system says of files: how much this process has read so far, and how much lies in a folder. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of all reads of this process, from the page cache too; undefined where the system does not count them (it is Linux that does). */
export function bytesRead(): number | undefined {
  try {
    const count = /^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}

/** Of all files in the folder and below; 0 where there is none. */
export function bytesIn(folder: string): number {
  try {
    let bytes = 0
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath ?? entry.path, entry.name)).size
    }
    return bytes
  } catch {
    // A file that went meanwhile, or no folder: the service without the engine has none.
    return 0
  }
}
