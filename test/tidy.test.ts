/**
 * The house keeps its own order: the rules of tidy-rules.ts over every file of the checkout. Each rule is first shown text that
 * breaks it and text that does not, because a rule that cannot fail is a defect.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'
import { listFiles } from './support/checkout.ts'
import { temporaryFolder } from './temporary.ts'
import * as rules from './tidy-rules.ts'

const FILE_BYTES_MAX = 1 << 20
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> }
const dependencies = Object.keys(manifest.dependencies ?? {})

type Rule = (path: string, text: string) => string[]
interface Sample {
  readonly rule: Rule
  readonly bad: readonly (readonly [path: string, text: string])[]
  readonly good: readonly (readonly [path: string, text: string])[]
}

const declared: Rule = (path, text) => rules.onlyDeclaredPackages(path, text, dependencies)

// Put together from halves, so that this file passes its own rules.
const WORK = '/wo' + 'rk/'
const REGISTRY = 'registry.' + 'example.org'

const SAMPLES: Readonly<Record<string, Sample>> = {
  'files import lower ranks, and other folders through their index': {
    rule: rules.layers,
    bad: [
      ['src/base/a.ts', "import { b } from '../codec/index.ts'"],
      ['src/codec/a.ts', "import { b } from '../storage/index.ts'"],
      ['src/log/a.ts', "import { b } from '../format/frame.ts'"],
      ['src/log/a.ts', "import type { B } from '../writer/index.ts'"],
      ['src/log/a.ts', "const b = await import('../writer/index.ts')"],
      ['src/log/a.ts', "export * from '../store.ts'"],
      ['src/log/a.ts', "import {\n  b,\n  c,\n} from '../testing/index.ts'"],
      ['src/store.ts', "import { b } from './index.ts'"],
      ['src/store.ts', "import { b } from './log/append.ts'"],
      ['src/index.ts', "import { b } from './testing/index.ts'"],
      ['src/stray.ts', ''],
      ['src/attic/a.ts', ''],
      ['src/log/a.test.ts', "import { b } from '../writer/index.ts'"],
      ['src/log/a.test.ts', "import { b } from '../../test/support/log-store.ts'"],
      ['src/log/a.ts', "import { attempt } from '../../test/support/attempt.ts'"],
      ['src/log/a.ts', "import { b } from '../../bench/b.ts'"],
      ['src/log/a.ts', "import { open } from 'tidemark'"],
      ['bench/a.ts', "import { open } from '../src/index.ts'"],
      ['examples/flights/a.ts', "import { b } from '../other/b.ts'"],
      ['examples/flights/a.ts', "import { b } from 'tidemark/log'"],
      ['src/tools/a.ts', "import { open } from '../index.ts'"],
    ],
    good: [
      ['src/log/a.ts', "import { b } from '../base/errors.ts'\nimport { c } from '../format/index.ts'\nimport { d } from './scan.ts'"],
      ['src/log/a.test.ts', "import { b } from '../testing/index.ts'\nimport type { Expect } from '../../test/type-assert.ts'"],
      ['src/log/a.test.ts', "import { attempt } from '../../test/support/attempt.ts'"],
      ['src/log/a.test.ts', "import { segment } from '../../test/support/manifest.ts'"],
      ['src/store.ts', "import { b } from './options.ts'\nimport { c } from './writer/index.ts'"],
      ['src/index.ts', "export { open } from './store.ts'"],
      ['src/base/a.ts', "/** import { b } from '../codec/index.ts' */\n// import { b } from '../codec/index.ts'"],
      ['examples/flights/a.ts', "import { open } from 'tidemark'\nimport { b } from './service/b.ts'"],
    ],
  },
  'relative imports end in .ts': {
    rule: rules.relativeImportsEndInTs,
    bad: [
      ['src/a.ts', "import { b } from './b.js'"],
      ['test/a.ts', "import './b'"],
    ],
    good: [
      ['src/a.ts', "import { b } from './b.ts'\nimport fs from 'node:fs'"],
      ['test/a.ts', `const a = "await import('./b.js')"\nconst c = \`\nimport './b.js'\n\``],
    ],
  },
  'the engine imports only the dependencies of the package': {
    rule: declared,
    bad: [
      ['src/a.ts', "import fc from 'fast-check'"],
      ['src/a.ts', "const b = await import('@some/thing/part')"],
    ],
    good: [
      ['src/a.ts', "import fs from 'node:fs'"],
      ['src/a.test.ts', "import fc from 'fast-check'"],
      ...dependencies.map(name => ['src/a.ts', `import { a } from '${name}'`] as const),
    ],
  },
  'time, chance, files, the event loop and threads have one door each': {
    rule: rules.doors,
    bad: [
      ['src/log/a.ts', 'const now = Date.now()'],
      ['src/log/a.ts', 'const text = `at ${performance.now()}`'],
      ['src/log/a.ts', 'const now = new Date()'],
      ['src/log/a.ts', 'Math.random()'],
      ['src/log/a.ts', "import { readFile } from 'node:fs/promises'"],
      ['src/log/a.ts', "const fs = await import('node:fs')"],
      ['src/storage/memory.ts', "import fs from 'fs'"],
      ['src/log/a.ts', 'setTimeout(run, 10)'],
      ['src/base/clock.ts', 'setImmediate(run)'],
      ['src/log/a.ts', 'queueMicrotask(run)'],
      ['src/log/a.ts', "import { Worker } from 'node:worker_threads'"],
      ['src/testing/a.ts', 'setInterval(run, 10)'],
    ],
    good: [
      ['src/base/clock.ts', 'const now = Date.now()'],
      ['src/base/scheduler.ts', 'setTimeout(run, 10)'],
      ['src/storage/file-storage.ts', "import fs from 'node:fs'"],
      ['src/writer/thread-host.ts', "import { Worker } from 'node:worker_threads'"],
      ['src/log/a.test.ts', 'setTimeout(run, 10)'],
      ['src/log/a.ts', "// Date.now() would jump\nthrow new Error('use setTimeout')\nconst day = new Date(0)"],
    ],
  },
  'files stay short': {
    rule: rules.length,
    bad: [
      ['src/a.ts', 'a\n'.repeat(rules.LINES_MAX + 1)],
      ['test/a.test.ts', 'a\n'.repeat(rules.LINES_MAX + 1)],
    ],
    good: [
      ['src/a.ts', 'a\n'.repeat(rules.LINES_MAX)],
      ['README.md', 'a\n'.repeat(rules.LINES_MAX + 1)],
    ],
  },
  'no default exports': {
    rule: rules.noDefaultExport,
    bad: [
      ['src/a.ts', 'export default class A {}'],
      ['src/a.ts', 'export { a as default }'],
    ],
    good: [['src/a.ts', "// export default\nexport const words = 'export default'"]],
  },
  'no any': {
    rule: rules.noAny,
    bad: [
      ['src/a.ts', 'let a: any'],
      ['src/a.ts', 'f(a as any)'],
      ['src/a.ts', 'type A = Map<string, any>'],
      ['src/a.ts', 'let a: any[]'],
    ],
    good: [['src/a.ts', "// any of them\nconst a = 'any' + many.any(b) + /any/.source"]],
  },
  'nothing is left unfinished': {
    rule: rules.noUnfinished,
    bad: [
      ['src/a.ts', `// TO${'DO'} later`],
      ['docs/a.md', `FIX${'ME'}`],
    ],
    good: [['docs/a.md', 'The todo list of an example is called todos.']],
  },
  'no test is left out': {
    rule: rules.noSkippedTests,
    bad: [
      ['src/a.test.ts', `test.on${'ly'}('a', () => {})`],
      ['src/a.test.ts', `describe.sk${'ip'}('a', () => {})`],
      ['src/a.test.ts', `test('a', { sk${'ip'}: true }, () => {})`],
      ['src/a.test.ts', `test('a', { sk${'ip'}: 'not now' }, () => {})`],
      ['src/a.test.ts', `test('a', { on${'ly'}: true }, () => {})`],
      ['src/a.test.ts', `test.to${'do'}('a')`],
    ],
    good: [
      ['src/a.test.ts', "test('skip: true is a setting', { skip: missing('strace') }, () => {})"],
      ['src/a.test.ts', "test('a', { skip: 'b' in globalThis ? false : 'this Node.js has no b' }, () => {})"],
    ],
  },
  'no paths of a machine, no registry hosts': {
    rule: rules.noPlaces,
    bad: [
      ['docs/a.md', `see ${WORK}main`],
      ['src/a.ts', `const path = '/ro${'ot/'}x'`],
      ['a.json', `"url": "https://${REGISTRY}/a"`],
      ['package-lock.json', `"resolved": "ht${'tp'}s://example.org/a.tgz"`],
      ['.npmrc', 'registry=https://example.org'],
    ],
    good: [
      ['docs/a.md', `docs/wo${'rk'}/a.md, ./ho${'me'}/x, ~/ro${'ot'}/x and /t${'mp'}/x are fine`],
      ['package-lock.json', '"url": "https://opencollective.com/biome"'],
    ],
  },
}

/** Every file of the checkout that git does not ignore. */
function checkout(): Map<string, string> {
  const files = new Map<string, string>()
  for (const path of listFiles(root)) {
    if (!existsSync(join(root, path))) continue
    if (!statSync(join(root, path)).isFile() || statSync(join(root, path)).size > FILE_BYTES_MAX) continue
    const bytes = readFileSync(join(root, path))
    if (!bytes.includes(0)) files.set(path, bytes.toString('utf8'))
  }
  return files
}

const files = checkout()

test('the checkout is really read', () => {
  for (const path of ['src/base/errors.ts', 'package-lock.json', 'test/tidy.test.ts', 'scripts/test.mjs']) assert.ok(files.has(path), path)
})

test('a checkout that git does not list is read all the same, without what is ignored', t => {
  const folder = temporaryFolder(t)
  const gitignore = readFileSync(join(root, '.gitignore'), 'utf8')
  const kept = ['.ci/run', '.gitignore', 'a.ts', 'src/b/c.ts', 'src/data/d.tgz.ts', 'src/dist']
  const left = ['.git/config', 'node_modules/a/a.ts', 'examples/node_modules/a.ts', 'dist/a.ts', '.build/a.js', '.data/a', 'b.tgz']
  for (const path of [...kept, ...left]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), path === '.gitignore' ? gitignore : '')
  }
  assert.deepEqual(listFiles(folder).toSorted(), kept)
})

for (const [name, { rule, bad, good }] of Object.entries(SAMPLES)) {
  test(name, () => {
    for (const [path, text] of bad) assert.notDeepEqual(rule(path, text), [], `not seen in ${path}: ${text.slice(0, 100)}`)
    for (const [path, text] of good) assert.deepEqual(rule(path, text), [], `wrongly seen in ${path}: ${text.slice(0, 200)}`)
    const problems = [...files].flatMap(([path, text]) => rule(path, text).map(problem => `${path} ${problem}`))
    if (problems.length > 0) assert.fail(problems.join('\n'))
  })
}

test('no imports in a circle', () => {
  const circle = new Map([
    ['src/a.ts', "import { b } from './b.ts'"],
    ['src/b.ts', "export * from './c/d.ts'"],
    ['src/c/d.ts', "import { a } from '../a.ts'"],
  ])
  assert.equal(rules.cycles(circle).length, 1)
  assert.deepEqual(rules.cycles(new Map([...circle, ['src/c/d.ts', "import type { A } from '../a.ts'"]])), [])
  const problems = rules.cycles(files)
  if (problems.length > 0) assert.fail(problems.join('\n'))
})

test('comments, strings, templates and expressions are told from code', () => {
  assert.equal(rules.blank("a // b\n'c' /* d */ e", true), "a     \n' '          e".replace(/ +e/, '         e'))
  assert.equal(rules.blank('`a${ f({ b: `c` }) }d` + e', true), '` ${ f({ b: ` ` }) } ` + e')
  assert.equal(rules.blank("x = /[/'`]/ ; y = 'z'", true).replace(/ +/g, ' '), "x = ; y = ' '")
  assert.equal(rules.blank('a / b / c', true), 'a / b / c')
  assert.equal(rules.blank("'it\\'s' + any", true), "'     ' + any")
})
