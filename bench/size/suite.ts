/** What a user's disk gives for the package and everything it depends on. */
import { existsSync, readFileSync, statSync } from 'node:fs'
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
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: readonly string[] }
    const own = files.reduce((sum, entry) => sum + sizeOf(entry), 0)
    const rows: [string, number][] = [['tidemark itself', own / 1e6]]
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

/** Bytes of one entry of `files` in package.json: a file, a folder, or all files below a folder with a certain ending. */
function sizeOf(entry: string): number {
  const [folder, ending = ''] = entry.split('/**/*') as [string, string?]
  const path = join(root, folder)
  if (!existsSync(path)) throw new Error(`package.json publishes ${entry}, which is not there: build first`)
  if (statSync(path).isFile()) return statSync(path).size
  return folderSize(path, [], ending).bytes
}
