/** What a user installs stays small and runs no scripts. */
import assert from 'node:assert/strict'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'

/** All dependencies of the package together, as installed on one platform. */
const DEPENDENCIES_BYTES_MAX = 10 * 1024 * 1024

interface LockEntry {
  readonly version?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** Development only, for the benchmarks: they bring prebuilt programs, so blocking their install scripts costs nothing. */
const PREBUILT = [
  'node_modules/cbor-extract',
  'node_modules/classic-level',
  'node_modules/esbuild',
  'node_modules/lmdb',
  'node_modules/msgpackr-extract',
]

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> }
const production = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)

/** Bytes of a package's own files; packages nested in it are counted under their own name. */
function sizeOf(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) bytes += lstatSync(path).size
    else if (entry.name !== 'node_modules') bytes += sizeOf(path)
  }
  return bytes
}

test('the installed dependencies are at most 10 MB', () => {
  const sizes = production.filter(([path]) => existsSync(join(root, path))).map(([path]) => [path, sizeOf(join(root, path))] as const)
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0)
  assert.ok(sizes.length > 0 && total > 0, 'nothing was measured')
  assert.ok(total <= DEPENDENCIES_BYTES_MAX, `${total} bytes: ${JSON.stringify(Object.fromEntries(sizes))}`)
})

test('no dependency runs a script when it is installed', () => {
  const scripted = (packages: readonly (readonly [string, LockEntry])[]): string[] =>
    packages.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path)
  assert.deepEqual(scripted([['node_modules/a', { hasInstallScript: true }]]), ['node_modules/a'])
  assert.deepEqual(scripted(production), [])
  assert.deepEqual(
    scripted(Object.entries(lock.packages)).filter(path => !PREBUILT.includes(path)),
    [],
  )
  for (const [path] of production) {
    if (!existsSync(join(root, path))) continue
    const { scripts = {} } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as { scripts?: Record<string, string> }
    const found = ['preinstall', 'install', 'postinstall'].filter(name => name in scripts)
    assert.deepEqual(found, [], path)
  }
})

test('the lock file is whole for every platform, and says nothing of where the packages came from', () => {
  assert.ok(!/"resolved"\s*:/.test(readFileSync(join(root, 'package-lock.json'), 'utf8')))
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path !== '') assert.ok(entry.version && entry.integrity, `${path} has no version or no integrity`)
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      // npm leaves an entry out when it cannot see the package, and then refuses the file on a clean checkout.
      const there = `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages
      assert.ok(there, `${path} wants ${name}, which is not in the lock file: take a version that has all its packages`)
    }
  }
})
