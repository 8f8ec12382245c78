/** What the documents point to and name exists, and every RFC stands in the index. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'
import { RANKS } from './tidy-rules.ts'

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist'])

function documents(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) || entry.name.startsWith('.') ? [] : documents(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** Links of a document to files that are not there. */
function broken(path: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target]) => target as string)
    .filter(target => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
    .map(target => `${path} points to ${target}`)
}

test('links between documents lead somewhere', () => {
  assert.deepEqual(broken('README.md', '[a](docs/nowhere.md)'), ['README.md points to docs/nowhere.md'])
  const found = documents()
  assert.ok(found.includes('README.md') && found.includes('docs/rfcs/README.md'))
  assert.deepEqual(
    found.flatMap(path => broken(path, readFileSync(join(root, path), 'utf8'))),
    [],
  )
})

/** Files of the repository that a document names and that are not there; not where a name stands for several. */
function missing(path: string, text: string): string[] {
  return [...text.matchAll(/`((?:src|test|scripts|bench|docs|examples)\/[\w./-]+\.[a-z]+)`/g)]
    .map(([, file]) => file as string)
    .filter(file => !existsSync(join(root, file)))
    .map(file => `${path} names ${file}`)
}

test('the files that documents name exist', () => {
  assert.deepEqual(missing('docs/a.md', '`src/store.ts`, `src/nowhere.ts`, `src/format/*.test.ts`'), ['docs/a.md names src/nowhere.ts'])
  assert.deepEqual(
    documents().flatMap(path => missing(path, readFileSync(join(root, path), 'utf8'))),
    [],
  )
})

test('every RFC stands in the index', () => {
  const index = readFileSync(join(root, 'docs/rfcs/README.md'), 'utf8')
  const rfcs = readdirSync(join(root, 'docs/rfcs')).filter(name => name !== 'README.md')
  assert.ok(rfcs.length > 0)
  assert.deepEqual(
    rfcs.filter(name => !index.includes(`(${name})`)),
    [],
  )
})

test('the commands the documents name exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const named = (text: string): string[] =>
    [...text.matchAll(/\bnpm (?:run ([a-z:]+)|(start|test)\b)/g)].map(([, run, own]) => run ?? (own as string))
  assert.deepEqual(named('`npm run nowhere`, npm start  npm testing'), ['nowhere', 'start'])
  const found = new Set(documents().flatMap(path => named(readFileSync(join(root, path), 'utf8'))))
  for (const name of ['start', 'test', 'bench', 'crash', 'soak', 'pack']) assert.ok(found.has(name), `no document names npm run ${name}`)
  assert.deepEqual(
    [...found].filter(name => !(name in scripts)),
    [],
  )
})

test('the RFC of the house names every folder with its rank', () => {
  const house = readFileSync(join(root, 'docs/rfcs/0001-house.md'), 'utf8')
  const named = [...house.matchAll(/^ {4}([a-z]+)\/ +(\d+) /gm)].map(([, folder, rank]) => [folder as string, Number(rank)] as const)
  assert.deepEqual(Object.fromEntries(named), RANKS)
})
