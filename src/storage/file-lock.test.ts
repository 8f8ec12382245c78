import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs, {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { hasCode, type TidemarkError } from '../base/errors.ts'
import { loadPrebuilt } from './file-lock.ts'
import { acquireLock, isErrno, isForeignLock, LOCK_FILE, type LockHolder, lockHolder, systemError } from './index.ts'

const NOW_MS = 1767225600000
const MODULE = JSON.stringify(new URL('./index.js', import.meta.url).href)
const home = mkdtempSync(join(tmpdir(), 'tidemark-lock-'))
const children = new Set<ChildProcess>()
let made = 0

after(() => rmSync(home, { recursive: true, force: true }))
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

function folder(): string {
  const path = join(home, `${made++}`)
  mkdirSync(path)
  return path
}

const acquire = (path: string) => acquireLock(path, lockHolder(NOW_MS))

/** Takes the lock in another process and tells its process id, or the error; goes on until it is killed. */
function holding(path: string, then = ''): string {
  return `
    const { acquireLock, lockHolder } = await import(${MODULE})
    try {
      await acquireLock(${JSON.stringify(path)}, lockHolder(${NOW_MS}))
      console.log(JSON.stringify({ pid: process.pid }))
      ${then}
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message, info: error.info }))
    }
    setInterval(() => {}, 1000)
  `
}

interface Answer {
  readonly pid?: number
  readonly code?: string
  readonly message?: string
  readonly info?: { readonly holder: LockHolder }
}

async function start(program: string, args: readonly string[]): Promise<{ child: ChildProcess; answer: Answer }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  assert.ok(child.stdout)
  const [line] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => ['{}'])])) as [Buffer | string]
  return { child, answer: JSON.parse(`${line}`) as Answer }
}

const startNode = (code: string) => start(process.execPath, ['--input-type=module', '-e', code])

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
  children.delete(child)
}

async function refusal(path: string): Promise<TidemarkError & { info: { holder: LockHolder } }> {
  try {
    ;(await acquire(path)).release()
  } catch (error) {
    assert.ok(hasCode(error, 'TIDEMARK_LOCKED'), `${error}`)
    return error as TidemarkError & { info: { holder: LockHolder } }
  }
  return assert.fail('the lock was free')
}

test('one process cannot take the same lock twice, and can after a release', async () => {
  const path = folder()
  const lock = await acquire(path)
  const error = await refusal(path)
  assert.match(error.message, /by this process, since 2026-01-01T00:00:00\.000Z/)
  assert.match(error.hint ?? '', /close the other store/)
  assert.equal(error.info.holder.pid, process.pid)
  lock.release()
  lock.release()
  const next = await acquire(path)
  await refusal(path)
  next.release()
})

test('a descriptor that somebody else closed is no failure of a release, and what has its number since is left alone', async t => {
  if (!existsSync('/proc/self/fd')) return t.skip('this system does not list descriptors')
  for (const reused of [false, true]) {
    const path = folder()
    const lock = await acquire(path)
    const fd = descriptorOf(join(path, LOCK_FILE))
    closeSync(fd)
    const other = join(path, 'other')
    writeFileSync(other, 'text')
    const open = reused ? openSync(other, 'r+') : undefined
    if (reused) assert.equal(open, fd, 'the lowest free number')
    lock.release()
    assert.equal(readFileSync(other, 'utf8'), 'text')
    if (open !== undefined) closeSync(open)
    ;(await acquire(path)).release()
  }
})

function descriptorOf(path: string): number {
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`) === path) return Number(name)
    } catch {
      // It was that of the listing.
    }
  }
  return assert.fail(`${path} is not open`)
}

test('opening and closing the lock file, as a backup or a reader does, does not release the lock', async () => {
  const path = folder()
  const lock = await acquire(path)
  closeSync(openSync(join(path, LOCK_FILE), 'r+'))
  assert.match(readFileSync(join(path, LOCK_FILE), 'utf8'), new RegExp(`"pid":${process.pid}`))
  await refusal(path)
  lock.release()
})

test('a thread of the same process is refused too', async () => {
  const path = folder()
  const lock = await acquire(path)
  const worker = new Worker(
    `import(${MODULE}).then(({ acquireLock, lockHolder }) => acquireLock(${JSON.stringify(path)}, lockHolder(0)))
      .then(() => 'acquired', error => error.code).then(word => require('node:worker_threads').parentPort.postMessage(word))`,
    { eval: true },
  )
  const [word] = (await once(worker, 'message')) as [string]
  await worker.terminate()
  assert.equal(word, 'TIDEMARK_LOCKED')
  await refusal(path)
  lock.release()
})

test('the error names the other process; when it is killed, the lock is free', async () => {
  const path = folder()
  const { child, answer } = await startNode(holding(path))
  assert.equal(answer.pid, child.pid)
  const error = await refusal(path)
  assert.match(error.message, new RegExp(`by process ${child.pid}, since 2026-`))
  assert.match(error.hint ?? '', /never the cure/)
  const { holder } = error.info
  assert.equal(holder.pid, child.pid)
  assert.equal(holder.host, hostname())
  if (process.platform === 'linux') {
    assert.match(holder.boot, /^[0-9a-f-]{36}$/)
    assert.match(holder.started, /^\d+$/)
  }
  await killed(child)
  assert.ok(existsSync(join(path, LOCK_FILE)))
  ;(await acquire(path)).release()
})

test('a child that outlives the holder does not keep the lock', async () => {
  const path = folder()
  const grandchild = `
    const { spawn } = await import('node:child_process')
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
    child.unref()
    console.log(JSON.stringify({ pid: child.pid }))`
  // The line with the grandchild's number is the second one, so the first is kept quiet.
  const { child, answer } = await startNode(holding(path, grandchild).replace('console.log(JSON.stringify({ pid: process.pid }))', ''))
  const grandchildPid = answer.pid as number
  try {
    await refusal(path)
    await killed(child)
    process.kill(grandchildPid, 0)
    ;(await acquire(path)).release()
  } finally {
    process.kill(grandchildPid, 'SIGKILL')
  }
})

test('what is left in the lock file is no obstacle and is believed by nobody', async () => {
  for (const text of ['', 'garbage \0\xff', '{"pid":1', `{"pid":${process.pid},"host":"h"}`, 'x'.repeat(100_000)]) {
    const path = folder()
    writeFileSync(join(path, LOCK_FILE), text)
    const lock = await acquire(path)
    assert.equal(JSON.parse(readFileSync(join(path, LOCK_FILE), 'utf8')).pid, process.pid)
    // A forged text changes the message, not the decision, and brings nothing into a terminal.
    writeFileSync(join(path, LOCK_FILE), JSON.stringify({ pid: 77, host: 'evil\u001b[31m', since: 5 }))
    assert.match((await refusal(path)).message, /by process 77 on host evil\?\[31m, since unknown$/)
    writeFileSync(join(path, LOCK_FILE), text)
    await refusal(path)
    lock.release()
  }
})

test('a release leaves the lock file: removing it could let two processes lock two files of one name', async () => {
  const path = folder()
  const lock = await acquire(path)
  lock.release()
  assert.ok(existsSync(join(path, LOCK_FILE)))
})

test('a release writes nothing: on a file system that hangs the event loop would wait for it', async () => {
  const path = folder()
  const lock = await acquire(path)
  const text = readFileSync(join(path, LOCK_FILE), 'utf8')
  assert.notEqual(text, '')
  lock.release()
  assert.equal(readFileSync(join(path, LOCK_FILE), 'utf8'), text)
  assert.equal(isForeignLock(path), false)
  const next = await acquire(path)
  await refusal(path)
  next.release()
})

test('a close that fails hides neither who holds the lock nor whose the file is', async t => {
  const path = folder()
  const held = await acquire(path)
  const foreign = folder()
  writeFileSync(join(foreign, LOCK_FILE), 'mine')
  const close = fs.closeSync
  const { mock } = t.mock.method(fs, 'closeSync', (fd: number) => {
    close(fd)
    throw systemError('EIO', 'close', LOCK_FILE)
  })
  await assert.rejects(acquire(path), { code: 'TIDEMARK_LOCKED' })
  assert.ok(isForeignLock(foreign))
  assert.equal(mock.callCount(), 2)
  mock.restore()
  held.release()
})

test('another path to the same directory meets the same lock', async t => {
  const path = folder()
  const other = folder()
  const lock = await acquire(path)
  const bind = 'mount --make-rprivate / && mount --bind "$1" "$2" && exec "$0" --input-type=module -e "$3"'
  const why = spawnSync('unshare', ['-m', 'sh', '-c', bind, 'true', path, other, ''], { encoding: 'utf8' })
  if (why.status !== 0) {
    lock.release()
    t.skip(`no mount namespaces here (${why.error?.message ?? why.stderr.trim()}); run as root`)
    return
  }
  assert.equal(existsSync(join(other, LOCK_FILE)), false, 'the mount is not visible here')
  const { answer } = await start('unshare', ['-m', 'sh', '-c', bind, process.execPath, path, other, holding(other)])
  assert.equal(answer.code, 'TIDEMARK_LOCKED')
  assert.equal(answer.info?.holder.pid, process.pid)
  lock.release()

  const { child, answer: second } = await start('unshare', ['-m', 'sh', '-c', bind, process.execPath, path, other, holding(other)])
  const error = await refusal(path)
  assert.equal(error.info.holder.pid, second.pid)
  await killed(child)
  ;(await acquire(path)).release()
})

test('without the addon, or where the file system cannot lock, opening says so and what to do', async () => {
  const path = folder()
  const loads = [
    async () => {
      throw new Error('no prebuild')
    },
    async () => ({
      tryLock: () => {
        throw Object.assign(new Error('no locks available'), { code: 'ENOLCK', errno: -37 })
      },
    }),
  ]
  for (const load of loads) {
    await assert.rejects(acquireLock(path, lockHolder(NOW_MS), { load }), error => {
      assert.ok(hasCode(error, 'TIDEMARK_LOCK_UNAVAILABLE'))
      assert.match((error as TidemarkError).hint ?? '', /lock: 'none' \(--no-lock in a command\)/)
      return true
    })
  }
  ;(await acquire(path)).release()
})

test('want of descriptors or memory, by which the addon is not loaded, is told as that and passes', async () => {
  const path = folder()
  const dlopen = (text: string): Error => Object.assign(new Error(`x.node: cannot open it: ${text}`), { code: 'ERR_DLOPEN_FAILED' })
  const wants = [
    ['EMFILE', systemError('EMFILE', 'open')],
    ['ENFILE', systemError('ENFILE', 'open')],
    ['ENOMEM', systemError('ENOMEM', 'read')],
    ['EMFILE', dlopen('Too many open files')],
    ['EMFILE', dlopen('No file descriptors available')],
    ['ENFILE', dlopen('Too many open files in system')],
    ['ENOMEM', dlopen('Cannot allocate memory')],
  ] as const
  for (const [name, want] of wants) {
    const load = (): never => {
      throw want
    }
    await assert.rejects(acquireLock(path, lockHolder(NOW_MS), { load }), error => {
      assert.ok(hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, name), `${error}`)
      assert.match((error as TidemarkError).hint ?? '', /too many open files|out of memory/)
      return true
    })
    // The package would not be loaded either, and the module that failed stays failed.
    assert.throws(
      () => loadPrebuilt(load),
      error => error === want,
    )
  }
  const missing = (): never => {
    throw dlopen('No such file or directory')
  }
  assert.equal(loadPrebuilt(missing), undefined)
  ;(await acquire(path)).release()
})

test('a directory that is not there is a storage error', async () => {
  await assert.rejects(acquire(join(home, 'nowhere')), error => hasCode(error, 'TIDEMARK_STORAGE'))
})

test('a lock file replaced between opening and locking is opened again', async () => {
  const path = folder()
  const addon = await import('fs-native-extensions')
  let calls = 0
  const load = async () => ({
    tryLock: (fd: number, offset: number, length: number): boolean => {
      if (calls++ === 0) {
        rmSync(join(path, LOCK_FILE))
        writeFileSync(join(path, LOCK_FILE), '')
      }
      return addon.default.tryLock(fd, offset, length)
    },
  })
  const lock = await acquireLock(path, lockHolder(NOW_MS), { load })
  assert.equal(calls, 2)
  await refusal(path)
  lock.release()
})

test('the addon is loaded from where its package keeps it, and locks as the package does', async () => {
  const prebuilt = loadPrebuilt()
  assert.ok(prebuilt, 'the package moved its addon: open still works, and takes longer')
  const byPackage = (await import('fs-native-extensions')).default
  for (const [first, second] of [
    [prebuilt, byPackage],
    [byPackage, prebuilt],
  ] as const) {
    const path = folder()
    const lock = await acquireLock(path, lockHolder(NOW_MS), { load: async () => first })
    await assert.rejects(acquireLock(path, lockHolder(NOW_MS), { load: async () => second }), (error: unknown) =>
      hasCode(error, 'TIDEMARK_LOCKED'),
    )
    lock.release()
    const again = await acquireLock(path, lockHolder(NOW_MS), { load: async () => second })
    again.release()
  }
})

test('a file system that fails once the lock is taken is told as that, and the lock is given back', async t => {
  const path = folder()
  const { fstatSync } = fs
  let calls = 0
  const { mock } = t.mock.method(fs, 'fstatSync', ((fd: number, options: { bigint: true }) => {
    if (++calls > 1) throw systemError('ESTALE', 'fstat')
    return fstatSync(fd, options)
  }) as typeof fstatSync)
  await assert.rejects(acquire(path), error => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, 'ESTALE'))
  assert.equal(calls, 2)
  mock.restore()
  ;(await acquire(path)).release()
})
