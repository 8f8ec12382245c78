/** Programs of users, those of the README first, against the declarations in dist, strictly checked. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'

const OPTIONS = '--noEmit --strict --target es2023 --module nodenext --moduleDetection force --types node --skipLibCheck false'.split(' ')
const LIB = 'es2023,esnext.disposable'

/** Compiles programs that import the package by name, each by itself; returns what the compiler says, nothing when it is content. */
function compile(programs: readonly string[], lib = LIB): string {
  // Below the root, where 'tidemark' is this package and resolves through its exports.
  mkdirSync(join(root, '.build'), { recursive: true })
  const folder = mkdtempSync(join(root, '.build', 'user-'))
  try {
    const files = programs.map((_, at) => join(folder, `program-${at}.ts`))
    for (const [at, file] of files.entries()) writeFileSync(file, programs[at] as string)
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const result = spawnSync(process.execPath, [compiler, ...OPTIONS, '--lib', lib, '--ignoreConfig', ...files], {
      cwd: folder,
      encoding: 'utf8',
    })
    return result.status === 0 ? '' : `${result.stdout}${result.stderr}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const examples = (markdown: string): string[] => [...markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1] as string)

test('the examples of the README compile against the built package', () => {
  const found = examples(readFileSync(join(root, 'README.md'), 'utf8'))
  assert.ok(found.length > 0)
  assert.equal(compile(found), '')
  // That it would say so, of one among others.
  assert.match(
    compile(['const a = 1\n', 'const a = 2\n', "import { nothing } from 'tidemark'\nnothing()\n"]),
    /^program-2\.ts\S* .*nothing/,
  )
})

test('a map is a Map to the newest library of the compiler, too', () => {
  const program = `import { type Key, open } from 'tidemark'
const store = await open(':memory:')
export const all: Map<Key, number> = store.map<number>('all')
export const named: Map<string, Date> = store.map<Date, string>('named')
named.getOrInsert('now', new Date()).getTime()
store.map<number>('all').getOrInsertComputed('a', key => String(key).length).toFixed()
`
  assert.equal(compile([program], 'esnext'), '')
})
