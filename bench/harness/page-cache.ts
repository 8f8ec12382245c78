/** The page cache, emptied where the system lets us. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

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
