/**
 * What `npm test` and `npm start` need before anything else can run: the packages of the lock file and, for the tests, a few
 * programs of the system. Plain JavaScript without dependencies, because it runs before there are any.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Oldest Node.js that can run this, as in package.json. */
const NODE_MIN = [20, 15]

/** Programs that tests start, and the Debian package each is in. */
export const SYSTEM_PROGRAMS = [
  { program: 'strace', package: 'strace', why: 'makes system calls of a test fail or lie, one at a time' },
  { program: 'unshare', package: 'util-linux', why: 'gives a test a small file system of its own, to fill it up' },
  { program: 'git', package: 'git', why: 'says which files of a checkout are judged; without it that is found by hand' },
  { program: 'bash', package: 'bash', why: 'runs the gate for a test' },
  { program: 'tar', package: 'tar', why: 'unpacks the package for a test' },
]

/** A network that hangs must not hang who waits for this. */
const SET_UP_MS_MAX = 15 * 60_000

/** Runs a program with its output shown, and returns its exit status (1 when it could not be started, or took too long). */
export function show(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options })
  if (result.error) console.error(`${program}: ${result.error.message}`)
  return result.status ?? 1
}

/**
 * Runs this same Node.js in this one's place: whoever stops this process means that one, which ends what it started first, and its status is
 * ours. `name`: what is told of an end by a signal.
 */
export function handOver(name, args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    console.error(`${process.execPath}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) console.error(`${name} was ended by ${signal}`)
    process.exitCode = code ?? 1
  })
}

/** Runs a program in silence. */
export function quiet(program, args, options = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    ...options,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? `${program}: ${result.error.message}\n` : ''}`
  return { ok: result.status === 0, output }
}

/** Path of a command-line tool among the packages, to be run by this same Node.js. */
export function tool(name) {
  const [scope, file] = { tsc: ['typescript', 'bin/tsc'], biome: ['@biomejs/biome', 'bin/biome'] }[name]
  return join(root, 'node_modules', scope, file)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    console.error(`Node.js ${NODE_MIN.join('.')} or later is needed; this is ${process.versions.node}`)
    process.exit(1)
  }
}

/** A list of `os`, `cpu` or `libc` as npm reads it: `!name` takes all but that one. */
function takes(list, value) {
  if (list === undefined) return true
  return !list.includes(`!${value}`) && (list.includes(value) || list.includes('any') || list.every(name => name.startsWith('!')))
}

function libc() {
  if (process.platform !== 'linux') return undefined
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
}

function isForHere(entry) {
  return takes(entry.os, process.platform) && takes(entry.cpu, process.arch) && (entry.libc === undefined || takes(entry.libc, libc()))
}

/** npm goes on without it. */
function mayFail(entry) {
  return entry?.optional === true || entry?.devOptional === true
}

/** Paths of the packages that are not installed and should be. Of one that is optional npm fails to fetch it without a word. */
function packagesLacking(lock, installed) {
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && installed.packages[path] === undefined && !entry.peer)
    .filter(([, entry]) => !mayFail(entry) || isForHere(entry))
    .map(([path]) => path)
}

/** True when what is installed is what the lock file says; packages for other platforms may be absent. */
export function packagesCurrent(lock, installed, unavailable = []) {
  if (packagesLacking(lock, installed).some(path => !unavailable.includes(path))) return false
  return Object.entries(installed.packages).every(([path, { version }]) => lock.packages[path]?.version === version)
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

/** What an earlier set-up wrote down; undefined where it did not, or was cut short in it. */
function recordIn(path) {
  if (!existsSync(join(root, path))) return undefined
  const text = readFileSync(join(root, path), 'utf8')
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// npm writes this file last, so an installation that was cut short has none, or a part of it.
const RECORD = 'node_modules/.package-lock.json'
/** By path of a package, how many installations in a row did not bring it. npm removes it with all the rest. */
const UNAVAILABLE = 'node_modules/.unavailable.json'

/**
 * Installs the packages when they are missing or not those of the lock file. One of this platform that npm could not fetch is tried for once more,
 * by the next command; from then on that is told, and no more.
 */
export function setUpPackages() {
  checkNode()
  const lock = readJson('package-lock.json')
  const lackingIn = installed => (installed === undefined ? [] : packagesLacking(lock, installed))
  const installed = recordIn(RECORD)
  const missed = recordIn(UNAVAILABLE) ?? {}
  const unavailable = Object.keys(missed).filter(path => missed[path] > 1 && mayFail(lock.packages[path]))
  if (installed !== undefined && packagesCurrent(lock, installed, unavailable)) {
    tellLacking(lackingIn(installed))
    return
  }
  // Not to the standard output, which belongs to what is set up.
  console.error('setting up: npm ci --include=dev --include=optional --ignore-scripts')
  const npm = process.env.npm_execpath
  // All of them, also where NODE_ENV or the settings of npm say that those for development are left out.
  const args = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const options = { stdio: ['ignore', 2, 'inherit'], timeout: SET_UP_MS_MAX }
  const status = npm
    ? show(process.execPath, [npm, ...args], options)
    : show('npm', args, { ...options, shell: process.platform === 'win32' })
  if (status !== 0) {
    console.error('npm ci failed; see above')
    process.exit(1)
  }
  const after = lackingIn(recordIn(RECORD))
  const failed = after.filter(path => mayFail(lock.packages[path]))
  if (failed.length > 0)
    writeFileSync(join(root, UNAVAILABLE), JSON.stringify(Object.fromEntries(failed.map(path => [path, (missed[path] ?? 0) + 1]))))
  tellLacking(after)
}

function tellLacking(paths) {
  if (paths.length > 0)
    console.error(
      `not installed, though this platform needs it: ${paths.join(', ')}; npm ci --include=dev --include=optional --ignore-scripts tries again`,
    )
}

function onPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some(folder => folder !== '' && [program, `${program}.exe`].some(name => existsSync(join(folder, name))))
}

/** Installs missing system programs where that is ours to do, and returns those that are still missing. */
export function setUpSystem() {
  const missing = SYSTEM_PROGRAMS.filter(({ program }) => !onPath(program))
  if (missing.length > 0 && process.platform === 'linux' && process.getuid?.() === 0 && onPath('apt-get')) {
    const packages = missing.map(entry => entry.package)
    console.error(`setting up: apt-get install ${packages.join(' ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const options = { env, timeout: SET_UP_MS_MAX }
    const install = () => quiet('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options)
    if (!install().ok) {
      quiet('apt-get', ['update', '-qq'], options)
      const again = install()
      if (!again.ok) console.error(again.output.trimEnd())
    }
  }
  return missing.filter(({ program }) => !onPath(program))
}
