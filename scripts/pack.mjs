/**
 * Makes what is released: builds from nothing, packs, and tries the tarball out as its user would, away from the checkout.
 *
 *   npm run pack      leaves tidemark-<version>.tgz in the root, or nothing when it does not work
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPackage } from './build.mjs'
import { quiet, root, setUpPackages } from './setup.mjs'

/** What the quick start stores, as the command line shows it. */
const STORED = /"score":\s*2/

function run(program, args, options) {
  const { ok, output } = quiet(program, args, options)
  if (!ok) throw new Error(`${program} ${args.join(' ')} failed:\n${output}`)
  return output
}

/** Packs what is built into this folder; the path of the tarball. */
export function pack(folder) {
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const npm = process.env.npm_execpath
  const args = ['pack', '--ignore-scripts', '--offline', '--loglevel=error', '--pack-destination', folder]
  if (npm) run(process.execPath, [npm, ...args])
  else run('npm', args, { shell: process.platform === 'win32' })
  return join(folder, `${name}-${version}.tgz`)
}

/**
 * Runs the first example of the README, and the command line on what it stored, from the tarball alone: unpacked under a path with all that paths
 * may have, beside the packages it declares and no others. Returns the files of the tarball.
 */
export async function tryOut(tarball) {
  const { transform } = await import('esbuild')
  const home = mkdtempSync(join(tmpdir(), 'tidemark 100% gepäckt '))
  const packages = join(home, 'node_modules')
  const unpacked = join(packages, 'tidemark')
  try {
    mkdirSync(unpacked, { recursive: true })
    run('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1'])
    const files = readdirSync(unpacked, { recursive: true }).map(path => path.replaceAll('\\', '/'))
    const { dependencies } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'))
    for (const name of Object.keys(dependencies)) {
      mkdirSync(dirname(join(packages, name)), { recursive: true })
      symlinkSync(join(root, 'node_modules', name), join(packages, name), 'junction')
    }
    const example = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(unpacked, 'README.md'), 'utf8'))[1]
    writeFileSync(join(home, 'quick-start.mjs'), (await transform(example, { loader: 'ts' })).code)
    run(process.execPath, ['quick-start.mjs'], { cwd: home })
    const command = join(unpacked, 'dist/bundle/cli.js')
    const shown = run(process.execPath, [command, 'show', './state', 'players', 'ada', '--json'], { cwd: home })
    if (!STORED.test(shown)) throw new Error(`the quick start stored something else:\n${shown}`)
    return files
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setUpPackages()
  // What an earlier build left, declarations above all, would be published too.
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  await buildPackage()
  const tarball = pack(root)
  try {
    await tryOut(tarball)
  } catch (error) {
    rmSync(tarball, { force: true })
    throw error
  }
  console.log(`${tarball} is built, packed and tried out: publish this file`)
}
