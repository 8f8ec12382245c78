/** The package as a user gets it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type * as Package from '../src/index.ts'
import { root } from './root.ts'
import { cannot } from './support/cannot.ts'
import { temporaryFolder } from './temporary.ts'

const TARBALL = 'the tarball holds all that the package exports and no test, and works under a path with spaces, signs and umlauts'

test(TARBALL, { skip: cannot('tar', ['-cf', '-', '-C', root, 'package.json']) }, async t => {
  const script = (await import(pathToFileURL(join(root, 'scripts/pack.mjs')).href)) as {
    pack(folder: string): string
    tryOut(tarball: string): Promise<string[]>
  }
  const files = await script.tryOut(script.pack(temporaryFolder(t)))
  const { exports: entries, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>
    bin: Record<string, string>
  }
  const named = [...Object.values(entries), bin].flatMap(entry => (typeof entry === 'string' ? [entry] : Object.values(entry)))
  assert.ok(named.length > 1)
  assert.deepEqual(
    named.filter(path => !files.includes(posix.normalize(path))),
    [],
  )
  assert.ok(files.includes('dist/bundle/thread-main.js'))
  assert.deepEqual(
    files.filter(path => /\.test(-d)?\./.test(path)),
    [],
  )
})

/** The texts of a file of the package and of those it imports at once. */
function loadedWith(name: string, folder = join(root, 'dist/bundle'), seen = new Map<string, string>()): string[] {
  const text = readFileSync(join(folder, name), 'utf8')
  seen.set(name, text)
  for (const [, next = ''] of text.matchAll(/\bfrom"\.\/([^"]+)"/g)) if (!seen.has(next)) loadedWith(next, folder, seen)
  return [...seen.values()]
}

test('to open a directory no writer is loaded, and of what throws in any file of the package there is one class', async () => {
  const holdsWriter = (texts: readonly string[]): boolean => texts.some(text => text.includes('commit.acknowledge'))
  assert.ok(loadedWith('engine.js').length > 1)
  assert.equal(holdsWriter(loadedWith('engine.js')), false)
  assert.equal(holdsWriter(loadedWith('apart.js')), true)
  const { open, verify, TidemarkError } = (await import(pathToFileURL(join(root, 'dist/bundle/index.js')).href)) as typeof Package
  const store = await open(':memory:')
  store.map('m').set('k', 1)
  assert.equal((await store.checkpoint()).records, 1)
  await store.close()
  await assert.rejects(verify(join(root, 'src')), TidemarkError)
})

test('an error that nobody catches is told in a few lines, not behind a file of the package', () => {
  const url = JSON.stringify(pathToFileURL(join(root, 'dist/bundle/index.js')).href)
  const program = `const { open } = await import(${url}); (await open(':memory:')).map('m').set({}, 1)`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  assert.match(stderr, /TidemarkError: 'm': a key must be/)
  assert.ok(stderr.length < 4096, `${stderr.length} characters`)
})

for (const format of ['esm', 'cjs'] as const) {
  test(`bundled into one file (${format}) the package refuses to open, and makes nothing`, async () => {
    mkdirSync(join(root, '.build'), { recursive: true })
    const folder = mkdtempSync(join(root, '.build', 'bundled-'))
    try {
      const contents =
        "import { open } from 'tidemark'\nopen('./state').then(() => console.log('open'), error => console.log(error.code, error.hint))"
      const outfile = join(folder, format === 'esm' ? 'service.mjs' : 'service.cjs')
      const external = ['fs-native-extensions', '@toondepauw/node-zstd']
      await build({
        stdin: { contents, resolveDir: root },
        ...{ bundle: true, platform: 'node', format, outfile, external, logLevel: 'silent', absWorkingDir: root },
      })
      const { stdout, stderr } = spawnSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8' })
      assert.match(stdout, /^TIDEMARK_PACKAGE_INCOMPLETE .*external/, stderr)
      assert.deepEqual(readdirSync(folder), [basename(outfile)])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
}
