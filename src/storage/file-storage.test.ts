import assert from 'node:assert/strict'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { hasCode, type TidemarkError } from '../base/errors.ts'
import { asyncCalls, type FileCalls, syncCalls } from './file-calls.ts'
import { type ErrnoName, FileStorage, isErrno, storageError, systemError } from './index.ts'

const home = mkdtempSync(join(tmpdir(), 'tidemark-file-'))
after(() => rmSync(home, { recursive: true, force: true }))
let made = 0
const root = (): string => join(home, `${made++}`)

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const isSystem = (errno: ErrnoName) => (error: unknown) => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, errno)

/** A storage that records the calls it makes, with some calls replaced. */
async function recorded(
  base: FileCalls,
  replace: Partial<FileCalls> = {},
): Promise<{ storage: FileStorage; path: string; calls: string[] }> {
  const path = root()
  const calls: string[] = []
  const note = new Proxy(
    { ...base, ...replace },
    {
      get: (target, name: keyof FileCalls) => {
        const call = target[name] as (...args: unknown[]) => unknown
        return (...args: unknown[]) => {
          calls.push(name)
          return call(...args)
        }
      },
    },
  )
  const storage = new FileStorage(path, { calls: note })
  await storage.makeFolder('')
  calls.length = 0
  return { storage, path, calls }
}

const fail = (errno: ErrnoName, syscall: string) => () => {
  throw systemError(errno, syscall)
}

for (const [flavour, base] of Object.entries({ sync: syncCalls, async: asyncCalls })) {
  describe(flavour, () => {
    test('an append is one call to the system, a commit two', async () => {
      const { storage, calls } = await recorded(base)
      const file = await storage.open('f', 'create')
      calls.length = 0
      await file.append([bytes('a'), bytes(''), bytes('b'), bytes('c')])
      await file.sync()
      assert.deepEqual(calls, ['write', 'fdatasync'])
      await file.close()
    })

    test('createIfAbsent syncs the content before the name appears, and leaves nothing else', async () => {
      const { storage, path, calls } = await recorded(base)
      assert.equal(await storage.createIfAbsent('m', bytes('x')), true)
      assert.deepEqual(calls, ['open', 'write', 'fsync', 'close', 'link', 'unlink'])
      assert.equal(await storage.createIfAbsent('m', bytes('y')), false)
      assert.deepEqual(readdirSync(path), ['m'])
      assert.equal(statSync(join(path, 'm')).nlink, 1)
    })

    test('files and folders are private to their owner', async () => {
      const { storage, path } = await recorded(base)
      await storage.makeFolder('log')
      await (await storage.open('log/f', 'create')).close()
      await storage.createIfAbsent('m', bytes('x'))
      const modeOf = (name: string): number => statSync(join(path, name)).mode & 0o777
      if (process.platform !== 'win32')
        assert.deepEqual([modeOf(''), modeOf('log'), modeOf('log/f'), modeOf('m')], [0o700, 0o700, 0o600, 0o600])
    })

    test('a short write goes on where it stopped', async () => {
      const short = (fd: number, parts: readonly Uint8Array[], position: number) =>
        base.write(fd, [(parts[0] as Uint8Array).subarray(0, 3)], position)
      const { storage, calls } = await recorded(base, { write: short })
      const file = await storage.open('f', 'create')
      await file.append([bytes('abcdefgh'), bytes('ij'), bytes('klmn')])
      assert.equal((await file.read(0, 99)).toString(), 'abcdefghijklmn')
      assert.equal(calls.filter(name => name === 'write').length, 6)
      await file.append([bytes('op')])
      assert.equal((await file.read(12, 99)).toString(), 'mnop')
      await file.close()
    })

    test('a write that gets nowhere is an error, not a loop', async () => {
      const { storage } = await recorded(base, { write: () => 0 })
      const file = await storage.open('f', 'create')
      await assert.rejects(file.append([bytes('a')]), isSystem('EIO'))
      await file.close()
    })

    test('an error of append or sync is final for the file', async () => {
      const { storage } = await recorded(base, { fdatasync: fail('EIO', 'fdatasync') })
      const file = await storage.open('f', 'create')
      await file.append([bytes('a')])
      let first: unknown
      await file.sync().catch(error => {
        first = error
      })
      assert.ok(isSystem('EIO')(first))
      await assert.rejects(file.append([bytes('b')]), error => error === first)
      await assert.rejects(file.sync(), error => error === first)
      assert.equal(await file.size(), 1)
      await file.close()
    })

    test('createIfAbsent leaves no temporary file behind, whichever call fails', async () => {
      for (const [name, errno] of [
        ['write', 'ENOSPC'],
        ['fsync', 'EIO'],
        ['close', 'EDQUOT'],
        ['link', 'EROFS'],
      ] as const) {
        const closing = (fd: number) => {
          if (name !== 'close') return base.close(fd)
          syncCalls.close(fd)
          throw systemError('EDQUOT', 'close')
        }
        const replace = name === 'close' ? { close: closing } : { [name]: fail(errno, name) }
        const path = root()
        mkdirSync(path)
        const storage = new FileStorage(path, { calls: { ...base, ...replace } })
        await assert.rejects(storage.createIfAbsent('m', bytes('x')), error => {
          assert.ok(isSystem(errno)(error), `${name}: ${error}`)
          assert.equal((error as TidemarkError).info?.operation, 'createIfAbsent')
          return true
        })
        assert.deepEqual(readdirSync(path), [], name)
      }
    })

    test('without links a name still goes to one caller, with synced content', async () => {
      for (const errno of ['EPERM', 'ENOTSUP', 'ENOSYS', 'EISDIR'] as const) {
        const { storage, path, calls } = await recorded(base, { link: fail(errno, 'link') })
        assert.equal(await storage.createIfAbsent('m', bytes('x')), true)
        assert.deepEqual(calls, ['open', 'write', 'fsync', 'close', 'link', 'open', 'write', 'fsync', 'close', 'unlink'])
        assert.equal(await storage.createIfAbsent('m', bytes('y')), false)
        const won = await Promise.all(['a', 'b', 'c'].map(text => storage.createIfAbsent('n', bytes(text))))
        assert.equal(won.filter(Boolean).length, 1)
        assert.equal(readFileSync(join(path, 'n'), 'latin1'), ['a', 'b', 'c'][won.indexOf(true)])
        assert.deepEqual(readdirSync(path).sort(), ['m', 'n'])
      }
    })

    test('without links an error takes the name away again', async () => {
      let syncs = 0
      const fsync = (fd: number) => {
        if (++syncs === 2) throw systemError('EIO', 'fsync')
        return base.fsync(fd)
      }
      const path = root()
      mkdirSync(path)
      const storage = new FileStorage(path, { calls: { ...base, link: fail('EPERM', 'link'), fsync } })
      await assert.rejects(storage.createIfAbsent('m', bytes('x')), isSystem('EIO'))
      assert.deepEqual(readdirSync(path), [])
    })

    test('temporary files are hidden, and removed when they are old', async () => {
      const { storage, path } = await recorded(base)
      const temporary = '.tmp-0123456789abcdef-m'
      writeFileSync(join(path, temporary), 'half')
      writeFileSync(join(path, '.tmp-not-ours'), 'x')
      mkdirSync(join(path, '.tmp-0123456789abcdef-folder'))
      utimesSync(join(path, temporary), 1000, 1000)
      // A crash between link and unlink leaves a second name of a file that is in use.
      await storage.createIfAbsent('m', bytes('whole'))
      linkSync(join(path, 'm'), join(path, '.tmp-00000000000000aa-m'))
      assert.deepEqual(await storage.list(''), ['.tmp-not-ours', 'm'])
      const found = (await storage.temporaries('')).sort((a, b) => b.bytes - a.bytes)
      assert.deepEqual(
        found.map(file => [file.name, file.bytes]),
        [
          ['.tmp-00000000000000aa-m', 5],
          [temporary, 4],
        ],
      )
      assert.deepEqual(await storage.removeTemporaries('', 2_000_000), [temporary])
      assert.deepEqual(await storage.removeTemporaries('', Number.POSITIVE_INFINITY), ['.tmp-00000000000000aa-m'])
      assert.equal(readFileSync(join(path, 'm'), 'latin1'), 'whole')
      assert.deepEqual(await storage.removeTemporaries('nowhere', 0), [])
    })

    test('the temporary file of a call under way is left alone', async () => {
      let helped: string[] | undefined
      const { storage } = await recorded(base, {
        link: async (from, to) => {
          helped = await storage.removeTemporaries('', Number.POSITIVE_INFINITY)
          return base.link(from, to)
        },
      })
      assert.equal(await storage.createIfAbsent('m', bytes('x')), true)
      assert.deepEqual(helped, [])
    })

    test('a folder sync that the file system does not know is no error; any other failure is', async () => {
      await (await recorded(base, { fsync: fail('EINVAL', 'fsync') })).storage.syncFolder('')
      const broken = new FileStorage(home, { calls: { ...base, fsync: fail('EIO', 'fsync') } })
      await assert.rejects(broken.syncFolder(''), isSystem('EIO'))
    })
  })
}

test('a storage error tells what failed, with a hint by errno, and crosses a thread as plain data', () => {
  for (const [errno, hint] of [
    ['ENOSPC', /space/],
    ['EDQUOT', /quota/],
    ['EIO', /dmesg/],
    ['EROFS', /read-only/],
    ['EMFILE', /ulimit -n/],
    ['ENFILE', /whole system.*fs\.file-max/],
    ['ENOMEM', /memory/],
    ['EACCES', /owner and mode/],
    ['EPERM', /owner and mode/],
  ] as const) {
    const error = storageError('append', 'log/1.log', systemError(errno, 'write'))
    assert.equal(error.code, 'TIDEMARK_STORAGE')
    assert.equal(error.file, 'log/1.log')
    assert.match(error.hint ?? '', hint)
    assert.ok(isErrno(error, errno))
    assert.deepEqual(structuredClone(error.info), error.info)
    assert.deepEqual({ ...error.info, errno: 0 }, { errno: 0, syscall: 'write', operation: 'append' })
    assert.equal(storageError('close', 'x', error), error, 'what is one already stays itself')
  }
  assert.equal(storageError('sync', 'f', systemError('EDQUOT', 'fdatasync')).info?.errno, process.platform === 'linux' ? -122 : -69)
  // The name says nothing: libuv has none for some numbers.
  const nameless = Object.assign(new Error('?'), { errno: -122, code: 'Unknown system error -122', syscall: 'write' })
  if (process.platform === 'linux') assert.match(storageError('append', 'f', nameless).hint ?? '', /quota/)
  if (process.platform === 'linux') assert.match(storageError('read', 'f', systemError('EUCLEAN', 'read')).hint ?? '', /dmesg/)
  assert.equal(storageError('append', '', 'odd').message, "append of the store's directory failed: odd")
})

test('a folder closed to this user is refused with a hint', t => {
  if (process.getuid?.() !== 0) {
    const path = root()
    mkdirSync(path)
    chmodSync(path, 0)
    t.after(() => chmodSync(path, 0o700))
    return assert.rejects(new FileStorage(path).open('f', 'create'), isSystem('EACCES'))
  }
  const calls = { ...syncCalls, open: fail('EACCES', 'open') }
  return assert.rejects(new FileStorage(root(), { calls }).open('f', 'create'), isSystem('EACCES'))
})

test("what Node's permission model does not allow counts as closed to this user: a folder above the root is not ours to sync", async () => {
  const denied = Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' })
  const path = root()
  mkdirSync(path)
  const open: typeof syncCalls.open = (full, ...more) => {
    if (full !== path) throw denied
    return syncCalls.open(full, ...more)
  }
  await new FileStorage(path, { calls: { ...syncCalls, open } }).makeFolder('')
  const error = storageError('open', 'f', denied)
  assert.ok(isErrno(error, 'EACCES') && isErrno(denied, 'EACCES'))
  assert.match(error.hint ?? '', /permission model/)
})

test('the root may be reached through a link', async () => {
  const path = root()
  mkdirSync(path)
  const link = root()
  symlinkSync(path, link)
  const storage = new FileStorage(link)
  await storage.makeFolder('')
  await storage.createIfAbsent('m', bytes('x'))
  assert.deepEqual(readdirSync(path), ['m'])
})

for (const times of [2, Number.POSITIVE_INFINITY]) {
  test(`a file that goes beside a listing of names without types does not empty the folder (${times} times)`, async () => {
    let left = times
    const readdir: FileCalls['readdir'] = path => {
      if (left-- > 0) throw systemError('ENOENT', 'lstat')
      return syncCalls.readdir(path)
    }
    const { storage } = await recorded(syncCalls, { readdir })
    await storage.createIfAbsent('m', bytes('m'))
    if (times === 2) {
      assert.deepEqual(await storage.list(''), ['m'])
      left = times
      assert.deepEqual(await storage.names(), ['m'])
    } else {
      await assert.rejects(storage.list(''), isSystem('ENOENT'))
      await assert.rejects(storage.names(), isSystem('ENOENT'))
    }
    left = times
    assert.deepEqual(await storage.list('missing'), [])
  })
}

test('a link to a file is listed as one; a link to a folder is not, nor one to nothing, unless that is asked for', async () => {
  const path = root()
  mkdirSync(path)
  const storage = new FileStorage(path)
  await storage.makeFolder('log')
  writeFileSync(join(path, 'elsewhere'), 'x')
  symlinkSync(join(path, 'elsewhere'), join(path, 'log', 'a'))
  symlinkSync(path, join(path, 'log', 'b'))
  symlinkSync(join(path, 'nothing'), join(path, 'log', 'c'))
  symlinkSync(join(path, 'log', 'd'), join(path, 'log', 'd'))
  assert.deepEqual(await storage.list('log'), ['a'])
  assert.deepEqual(await storage.list('log', 'named'), ['a', 'c'])
})
