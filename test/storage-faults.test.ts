/**
 * The file storage on a real kernel that fails: full and aborted file systems, and system calls made to fail one at a time by strace.
 * Each case runs in a process of its own, file systems in a mount namespace of its own, so that nothing is left mounted.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { NO_MOUNTS, NO_STRACE } from './faults/machine.ts'
import { cannot } from './support/cannot.ts'

const MODULE = JSON.stringify(new URL('../src/storage/index.js', import.meta.url).href)
const CASE_MS_MAX = 30_000
const FLAVOURS = ['sync', 'async'] as const

const home = mkdtempSync(join(tmpdir(), 'tidemark-storage-faults-'))
after(() => rmSync(home, { recursive: true, force: true }))
let made = 0

function folder(): string {
  const path = join(home, `${made++}`)
  mkdirSync(path)
  return path
}

/** A program over `storage` in `root` that prints what `done` is given; `outcome` turns a call into its errno, or 'ok'. */
function program(root: string, flavour: string, body: string): string {
  return `
    const { FileStorage } = await import(${MODULE})
    const { spawnSync } = await import('node:child_process')
    const root = ${JSON.stringify(root)}
    const storage = new FileStorage(root, { flavour: ${JSON.stringify(flavour)} })
    const outcome = promise => promise.then(() => 'ok', error =>
      error.code === 'TIDEMARK_STORAGE' ? [error.info.operation, error.info.errno, error.hint !== undefined] : String(error.stack))
    const done = answer => console.log(JSON.stringify(answer))
    ${body}
  `
}

function run(t: TestContext, command: string, args: readonly string[]): unknown {
  // One thread in the pool: strace counts calls per thread. io_uring would pass by the injection.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env, timeout: CASE_MS_MAX })
  assert.equal(status, 0, `${t.name}: ${command} ended with ${signal ?? status} ${error ?? ''}\n${stderr}`)
  return JSON.parse(stdout)
}

const node = (code: string): string[] => [process.execPath, '--input-type=module', '-e', code]

describe('a real file system', () => {
  const TMPFS = 'mount -t tmpfs -o size=1m,nr_inodes=12 none "$1"'
  const EXT4 = 'truncate -s 4M "$2" && mkfs.ext4 -q -F -m0 -N 64 "$2" && mount -o loop,errors=remount-ro "$2" "$1"'
  const EXT4_MISSING = NO_MOUNTS ?? cannot('mkfs.ext4', ['-V'])

  function onMount(t: TestContext, mount: string, flavour: string, body: string): unknown {
    const root = folder()
    const image = join(home, `${made++}.img`)
    const script = `mount --make-rprivate / && ${mount} && shift 2 && exec "$@"`
    return run(t, 'unshare', ['-m', 'sh', '-c', script, 'sh', root, image, ...node(program(root, flavour, body))])
  }

  const FILL = `
    const file = await storage.open('big', 'create')
    await storage.createIfAbsent('there', Buffer.from('x'))
    let whole = 0, last
    while ((last = await outcome(file.append([Buffer.alloc(60_000, 1), Buffer.alloc(5_000, 2)]).then(() => file.sync()))) === 'ok') whole++
    const again = await outcome(file.append([Buffer.alloc(1)]))
    const sync = await outcome(file.sync())
    const create = await outcome(storage.createIfAbsent('new', Buffer.alloc(200_000)))
    const readable = (await file.read(0, 65_000))[64_999]
    await file.close()
    await storage.remove('big')
    const next = await storage.open('next', 'create')
    const after = [await outcome(next.append([Buffer.alloc(200_000)])), await outcome(next.sync()), await outcome(next.close())]
    const { readdirSync } = await import('node:fs')
    done({ whole, last, again, sync, create, readable, after, names: readdirSync(root).filter(name => name !== 'lost+found').sort() })
  `

  for (const [kind, mount, missing] of [
    ['tmpfs', TMPFS, NO_MOUNTS],
    ['ext4', EXT4, EXT4_MISSING],
  ] as const) {
    for (const flavour of FLAVOURS) {
      test(`a full ${kind} gives ENOSPC, final for the file; space given back is used again (${flavour})`, t => {
        if (missing !== undefined) return t.skip(missing)
        const { whole, ...answer } = onMount(t, mount, flavour, FILL) as { whole: number }
        assert.ok(whole > 5 && whole < 80, `${whole} appends fitted`)
        assert.deepEqual(answer, {
          last: ['append', -28, true],
          again: ['append', -28, true],
          sync: ['append', -28, true],
          create: ['createIfAbsent', -28, true],
          readable: 2,
          after: ['ok', 'ok', 'ok'],
          names: ['next', 'there'],
        })
      })
    }
  }

  test('a file system without inodes gives ENOSPC at open and at createIfAbsent', t => {
    if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
    const body = `
      let last
      for (let at = 0; at < 100 && (last = await outcome(storage.open('f' + at, 'create'))) === 'ok'; at++);
      done([last, await outcome(storage.createIfAbsent('m', Buffer.from('x'))), await outcome(storage.makeFolder('log'))])
    `
    assert.deepEqual(onMount(t, TMPFS, 'sync', body), [
      ['open', -28, true],
      ['createIfAbsent', -28, true],
      ['makeFolder', -28, true],
    ])
  })

  test('a file system that the kernel gave up on gives EIO or EROFS, with a hint, and nothing new succeeds', t => {
    if (EXT4_MISSING !== undefined) return t.skip(EXT4_MISSING)
    const body = `
      const file = await storage.open('f', 'create')
      await file.append([Buffer.alloc(10_000, 1)])
      await file.sync()
      await storage.syncFolder('')
      await file.append([Buffer.alloc(10_000, 2)])
      const abort = spawnSync('mount', ['-o', 'remount,abort', root])
      if (abort.status !== 0) throw new Error('abort: ' + abort.stderr)
      done([await outcome(file.sync()), await outcome(storage.open('g', 'create')), await outcome(storage.createIfAbsent('m', Buffer.from('x'))),
        (await file.read(0, 20_000)).length >= 10_000])
    `
    const [sync, open, create, readable] = onMount(t, EXT4, 'sync', body) as [unknown, [string, number], [string, number], boolean]
    assert.ok(Array.isArray(sync) && [-5, -30].includes(sync[1]) && sync[2] === true, `the sync: ${JSON.stringify(sync)}`)
    assert.deepEqual(open, ['open', -30, true])
    assert.deepEqual(create, ['createIfAbsent', -30, true])
    assert.equal(readable, true)
  })
})

describe('system calls that fail', () => {
  interface Case {
    readonly name: string
    /** What strace is told, with the root for `-P` where only calls on one path are meant. */
    readonly inject: (root: string) => readonly string[]
    readonly body: string
    readonly answer: unknown
    readonly left?: readonly string[]
  }

  const COMMITS = `
    const file = await storage.open('f', 'create')
    const outcomes = []
    for (let at = 0; at < 3; at++) {
      outcomes.push(await outcome(file.append([Buffer.alloc(100, at), Buffer.alloc(50, at)])), await outcome(file.sync()))
    }
    done([...outcomes, await outcome(file.close())])
  `
  const on = (path: string, what: string) => (root: string) => ['-P', join(root, path), '-e', `inject=${what}`]
  const CREATE = "done([await outcome(storage.createIfAbsent('m', Buffer.from('x'))), await storage.exists('m')])"

  const CASES: readonly Case[] = [
    {
      name: 'EIO at the second fdatasync is final: no later sync is even tried',
      inject: on('f', 'fdatasync:error=EIO:when=2'),
      body: COMMITS,
      answer: ['ok', 'ok', 'ok', ['sync', -5, true], ['sync', -5, true], ['sync', -5, true], 'ok'],
    },
    {
      name: 'EDQUOT, which has no name in libuv, at an append',
      inject: on('f', 'pwritev,pwritev2,pwrite64:error=EDQUOT:when=3'),
      body: COMMITS,
      answer: ['ok', 'ok', 'ok', 'ok', ['append', -122, true], ['append', -122, true], 'ok'],
    },
    {
      name: 'EIO at close',
      inject: on('f', 'close:error=EIO:when=1'),
      body: COMMITS,
      answer: ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', ['close', -5, true]],
    },
    {
      name: 'EMFILE at open',
      inject: on('f', 'open,openat:error=EMFILE:when=1'),
      body: "done([await outcome(storage.open('f', 'create')), await outcome(storage.open('f', 'create'))])",
      answer: [['open', -24, true], 'ok'],
    },
    {
      name: 'EIO at the sync of a folder',
      inject: on('log', 'fsync:error=EIO:when=2'),
      body: "await storage.makeFolder('log'); done([await outcome(storage.syncFolder('log')), await outcome(storage.syncFolder('log'))])",
      answer: ['ok', ['syncFolder', -5, true]],
    },
    {
      name: 'EIO at a read',
      inject: on('f', 'pread64,preadv:error=EIO:when=1'),
      body: `
        const file = await storage.open('f', 'create')
        await file.append([Buffer.from('abc')])
        done([await outcome(file.read(0, 3)), (await file.read(0, 3)).toString()])
      `,
      answer: [['read', -5, true], 'abc'],
    },
    {
      name: 'a createIfAbsent whose content cannot be synced leaves neither the name nor a temporary file',
      inject: () => ['-e', 'inject=fsync:error=EIO:when=1'],
      body: CREATE,
      answer: [['createIfAbsent', -5, true], false],
    },
    {
      name: 'a createIfAbsent where links are unsupported succeeds without',
      inject: () => ['-e', 'inject=link,linkat:error=EPERM'],
      body: CREATE,
      answer: ['ok', true],
      left: ['m'],
    },
    {
      name: 'a createIfAbsent whose link fails',
      inject: () => ['-e', 'inject=link,linkat:error=EROFS'],
      body: CREATE,
      answer: [['createIfAbsent', -30, true], false],
    },
    {
      name: 'a createIfAbsent whose temporary file cannot be removed has succeeded all the same',
      inject: () => ['-e', 'inject=unlink,unlinkat:error=EIO'],
      body: `
        const made = await outcome(storage.createIfAbsent('m', Buffer.from('x')))
        const [temporary] = await storage.temporaries('')
        done([made, await storage.list(''), /^\\.tmp-[0-9a-f]{16}-m$/.test(temporary?.name)])
      `,
      answer: ['ok', ['m'], true],
    },
  ]

  for (const { name, inject, body, answer, left } of CASES) {
    for (const flavour of FLAVOURS) {
      test(`${name} (${flavour})`, t => {
        if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
        const root = folder()
        const args = ['-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', ...inject(root), ...node(program(root, flavour, body))]
        assert.deepEqual(run(t, 'strace', args), answer)
        if (left !== undefined) assert.deepEqual(readdirSync(root), left)
        if (body === CREATE && left === undefined) assert.deepEqual(readdirSync(root), [])
      })
    }
  }

  test('a process killed between the link and the removal of the temporary file leaves a whole name, and the rest is found later', t => {
    if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
    const root = folder()
    const args = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=unlink,unlinkat:signal=SIGKILL']
    const { signal, status } = spawnSync('strace', [...args, ...node(program(root, 'sync', CREATE))], {
      encoding: 'utf8',
      timeout: CASE_MS_MAX,
    })
    assert.ok(signal === 'SIGKILL' || status !== 0)
    assert.ok(existsSync(join(root, 'm')))
    const body = `
      const file = await storage.open('m', 'read')
      const removed = await storage.removeTemporaries('', Number.POSITIVE_INFINITY)
      done([(await file.read(0, 9)).toString(), await storage.list(''), removed.length])
    `
    const [command, ...rest] = node(program(root, 'sync', body))
    assert.deepEqual(run(t, command as string, rest), ['x', ['m'], 1])
  })
})
