/** The page cache, emptied where the system lets us, and filled with what is to be warm. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Syncs, then drops every clean page, of all files of the machine; false where that is not permitted. */
export function dropPageCache(): boolean {
  try {
    spawnSync('sync')
    writeFileSync('/proc/sys/vm/drop_caches', '1')
    return true
  } catch {
    return false
  }
}

/** Reads every file in `folder` and below. */
export function fillPageCache(folder: string): void {
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) fillPageCache(path)
    if (!entry.isFile()) continue
    const fd = openSync(path, 'r')
    while (readSync(fd, buffer) > 0);
    closeSync(fd)
  }
}
