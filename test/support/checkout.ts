/** What files a checkout has: as git lists them, or found by hand where there is no git, or it refuses this checkout. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of all files that are not ignored; those not added yet too, so that a violation shows before the commit. */
export function listFiles(folder: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { status, stdout } = spawnSync('git', args, { cwd: folder, encoding: 'utf8', maxBuffer: 64 << 20 })
  const listed = status === 0 ? stdout.split('\0').filter(path => path !== '') : []
  // Nothing: it lies in a checkout of something else, which ignores it.
  return listed.length > 0 ? [...new Set(listed)] : walk(folder, '', ignored(readFileSync(join(folder, '.gitignore'), 'utf8')))
}

function walk(folder: string, prefix: string, ignores: (name: string, isFolder: boolean) => boolean): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap(entry => {
    const path = `${prefix}${entry.name}`
    if (ignores(entry.name, entry.isDirectory())) return []
    return entry.isDirectory() ? walk(folder, `${path}/`, ignores) : [path]
  })
}

/** By name alone, which is all that our file says. */
function ignored(text: string): (name: string, isFolder: boolean) => boolean {
  const patterns = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const rules = ['.git', ...patterns].map(pattern => {
    const [, name, folder] = /^([\w.*-]+)(\/?)$/.exec(pattern) ?? []
    if (name === undefined) throw new Error(`.gitignore: '${pattern}' is more than a name`)
    return { name: new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '.*')}$`), foldersOnly: folder === '/' }
  })
  return (name, isFolder) => rules.some(rule => rule.name.test(name) && (isFolder || !rule.foldersOnly))
}
