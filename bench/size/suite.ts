/** What a user's disk gives for the package and everything it depends on. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folderSize } from '../harness/files.ts'
import type { Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'

const LIMIT_MB = 10
/** Of the compiled benchmark: `.build/bench/size/suite.js`. */
const root = fileURLToPath(new URL('../../../', import.meta.url))

interface LockEntry {
  readonly dev?: boolean
  readonly devOptional?: boolean
}

export const size: Suite = {
  name: 'size',
  about: 'installed size with all dependencies',
  async run() {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> }
    const rows: [string, number][] = [['tidemark itself (dist)', folderSize(join(root, 'dist')).bytes / 1e6]]
    for (const [path, entry] of Object.entries(lock.packages)) {
      if (path === '' || entry.dev || entry.devOptional || !existsSync(join(root, path))) continue
      rows.push([path.replace(/^.*node_modules\//, ''), folderSize(join(root, path), ['node_modules']).bytes / 1e6])
    }
    const total = rows.reduce((sum, [, megabytes]) => sum + megabytes, 0)
    return {
      text: [table(['package', 'MB'], [...rows.sort((a, b) => b[1] - a[1]), ['all', total]])],
      bounds: [{ name: 'installed size with dependencies', measured: total, sense: 'at most', limit: LIMIT_MB, unit: 'MB', robust: true }],
      data: Object.fromEntries(rows),
    }
  },
}
