/**
 * What every storage must do, as named checks: run them over a storage of your own before trusting it with a store.
 *
 *     for (const check of storageConformance(async () => new MyStorage())) test(check.name, check.run)
 *
 * Owns: the checks. Does not own: durability, which takes a power cut to see; the simulated storage and the fault tests do that.
 * Each check makes a fresh, empty storage whose root may not exist yet.
 */
import assert from 'node:assert/strict'
import { hasCode } from '../base/errors.ts'
import { isErrno, type Storage, type StorageFile } from '../storage/index.ts'

export interface ConformanceCheck {
  readonly name: string
  readonly run: () => Promise<void>
}

type Check = (storage: Storage) => Promise<void>

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

async function contentOf(storage: Storage, path: string): Promise<string> {
  const file = await storage.open(path, 'read')
  try {
    return (await file.read(0, (await file.size()) + 1)).toString('latin1')
  } finally {
    await file.close()
  }
}

async function put(storage: Storage, path: string, ...parts: readonly string[]): Promise<void> {
  const file = await storage.open(path, 'create')
  await file.append(parts.map(bytes))
  await file.sync()
  await file.close()
}

/** Rejects with TIDEMARK_STORAGE of this errno, and says which call on which file. */
async function rejectsWith(
  promise: Promise<unknown>,
  errno: Parameters<typeof isErrno>[1],
  operation: string,
  path: string,
): Promise<void> {
  await assert.rejects(promise, error => {
    const { info, file } = error as { info?: { operation?: unknown }; file?: unknown }
    assert.ok(hasCode(error, 'TIDEMARK_STORAGE'), `${error} should be TIDEMARK_STORAGE`)
    assert.ok(isErrno(error, errno as 'EIO'), `${error} should be ${errno}`)
    assert.equal(info?.operation, operation)
    assert.equal(file, path)
    return true
  })
}

async function rejectsAsBug(run: () => Promise<unknown>): Promise<void> {
  await assert.rejects(run, error => hasCode(error, 'TIDEMARK_BUG'))
}

async function withFile(storage: Storage, path: string, use: (file: StorageFile) => Promise<void>): Promise<void> {
  const file = await storage.open(path, 'create')
  try {
    await use(file)
  } finally {
    await file.close()
  }
}

const CHECKS: Readonly<Record<string, Check>> = {
  'a missing folder lists as empty': async storage => {
    assert.deepEqual(await storage.list('nowhere'), [])
    assert.deepEqual(await storage.list(''), [])
  },

  'list names the files of one folder, in byte order, without folders': async storage => {
    await storage.makeFolder('log/deep')
    for (const name of ['b', 'a', 'B', '10', '9', 'log/x', 'log/deep/y']) await put(storage, name)
    assert.deepEqual(await storage.list(''), ['10', '9', 'B', 'a', 'b'])
    assert.deepEqual(await storage.list('log'), ['x'])
    assert.deepEqual(await storage.list('log/deep'), ['y'])
  },

  'makeFolder makes all folders above, and again is no error': async storage => {
    await storage.makeFolder('a/b/c')
    await storage.makeFolder('a/b/c')
    await storage.makeFolder('')
    await put(storage, 'a/b/c/file', 'x')
    await storage.syncFolder('a/b/c')
    await storage.syncFolder('a')
    await storage.syncFolder('')
    assert.equal(await contentOf(storage, 'a/b/c/file'), 'x')
  },

  'open create makes an empty file and refuses an existing one': async storage => {
    await withFile(storage, 'f', async file => {
      assert.equal(file.path, 'f')
      assert.equal(await file.size(), 0)
    })
    await rejectsWith(storage.open('f', 'create'), 'EEXIST', 'open', 'f')
  },

  'open of a missing file or folder says ENOENT': async storage => {
    await rejectsWith(storage.open('f', 'read'), 'ENOENT', 'open', 'f')
    await rejectsWith(storage.open('f', 'append'), 'ENOENT', 'open', 'f')
    await rejectsWith(storage.open('nowhere/f', 'create'), 'ENOENT', 'open', 'nowhere/f')
    await rejectsWith(storage.size('f'), 'ENOENT', 'size', 'f')
    await rejectsWith(storage.createIfAbsent('nowhere/f', bytes('x')), 'ENOENT', 'createIfAbsent', 'nowhere/f')
    await rejectsWith(storage.syncFolder('nowhere'), 'ENOENT', 'syncFolder', 'nowhere')
    assert.equal(await storage.exists('nowhere/f'), false)
  },

  'append puts all parts in order, empty ones too, and keeps none': async storage => {
    await withFile(storage, 'f', async file => {
      const part = bytes('ab')
      await file.append([part, bytes(''), bytes('c')])
      part.fill(0)
      await file.append([])
      await file.append([bytes('')])
      await file.append([bytes('de')])
      await file.sync()
      assert.equal(await file.size(), 5)
    })
    assert.equal(await contentOf(storage, 'f'), 'abcde')
    assert.equal(await storage.size('f'), 5)
  },

  'append takes thousands of parts and views into larger buffers': async storage => {
    const source = Buffer.alloc(6000, 'x')
    for (let at = 0; at < source.length; at++) source[at] = 97 + (at % 26)
    const parts = Array.from({ length: 3000 }, (_, at) => source.subarray(at * 2, at * 2 + 2))
    await withFile(storage, 'f', async file => {
      await file.append(parts)
      assert.ok((await file.read(0, 6000)).equals(source))
    })
  },

  'append goes to the end found at open, and a second handle sees it': async storage => {
    await put(storage, 'f', 'one')
    const file = await storage.open('f', 'append')
    const reader = await storage.open('f', 'read')
    await file.append([bytes('two')])
    assert.equal((await reader.read(0, 100)).toString(), 'onetwo')
    assert.equal(await reader.size(), 6)
    await file.close()
    await reader.close()
  },

  'read gives what is there: from inside, over the end, beyond the end, nothing': async storage => {
    await withFile(storage, 'f', async file => {
      await file.append([bytes('abcdef')])
      assert.equal((await file.read(2, 2)).toString(), 'cd')
      assert.equal((await file.read(4, 100)).toString(), 'ef')
      assert.equal((await file.read(6, 1)).length, 0)
      assert.equal((await file.read(1_000_000, 10)).length, 0)
      assert.equal((await file.read(0, 0)).length, 0)
      assert.equal((await file.read(0, Number.MAX_SAFE_INTEGER)).toString(), 'abcdef')
    })
  },

  'readNow gives what read gives, what was appended just before it too': async storage => {
    await withFile(storage, 'f', async file => {
      await file.append([bytes('abcdef')])
      for (const [offset, length] of [
        [2, 2],
        [4, 100],
        [6, 1],
        [1_000_000, 10],
        [0, 0],
        [0, Number.MAX_SAFE_INTEGER],
      ] as const) {
        assert.deepEqual(file.readNow(offset, length), await file.read(offset, length))
      }
      const read = file.readNow(0, 3)
      read.fill(0)
      assert.equal(file.readNow(0, 3).toString(), 'abc')
      assert.ok(read.buffer.byteLength < 1024, 'memory of its own')
      const memory = Buffer.alloc(5)
      for (const length of [2, 5, 6, 100]) assert.equal(file.readNow(1, length, memory).toString(), 'bcdef'.slice(0, length))
      assert.equal(file.readNow(6, 1, memory).length, 0)
      assert.throws(
        () => file.readNow(-1, 1),
        error => hasCode(error, 'TIDEMARK_BUG'),
      )
    })
    await put(storage, 'large', 'x'.repeat(200_000))
    const large = await storage.open('large', 'read')
    assert.equal(large.readNow(100_000, 200_000).length, 100_000)
    await storage.remove('large')
    assert.equal(large.readNow(199_999, 2).toString(), 'x', 'the name may be gone')
    await large.close()
    assert.throws(
      () => large.readNow(0, 1),
      error => hasCode(error, 'TIDEMARK_BUG'),
    )
  },

  'what was read belongs to the reader': async storage => {
    await withFile(storage, 'f', async file => {
      await file.append([bytes('abc')])
      ;(await file.read(0, 3)).fill(0)
      const read = await file.read(0, 3)
      assert.equal(read.toString(), 'abc')
      assert.ok(read.buffer.byteLength < 1024, 'memory of its own, which may be transferred')
    })
  },

  'truncate cuts, and appends go on there': async storage => {
    await withFile(storage, 'f', async file => {
      await file.append([bytes('abcdef')])
      await file.truncate(2)
      assert.equal(await file.size(), 2)
      await file.append([bytes('Z')])
      await file.truncate(3)
      await file.sync()
    })
    assert.equal(await contentOf(storage, 'f'), 'abZ')
    await withFile(storage, 'g', file => rejectsAsBug(() => file.truncate(1)))
  },

  'overwrite changes bytes that are there and nothing else; appends go on at the end': async storage => {
    await put(storage, 'f', 'abcdef')
    const file = await storage.open('f', 'append')
    const part = bytes('XY')
    await file.overwrite(1, part)
    part.fill(0)
    await file.overwrite(5, bytes('Z'))
    await file.overwrite(6, bytes(''))
    await file.append([bytes('gh')])
    await file.overwrite(7, bytes('H'))
    assert.equal((await file.read(0, 9)).toString(), 'aXYdeZgH')
    await file.sync()
    await file.close()
    assert.equal(await contentOf(storage, 'f'), 'aXYdeZgH')
    for (const [offset, text] of [
      [0, 'x'],
      [-1, ''],
    ] as const) {
      await withFile(storage, `g${offset}`, other => rejectsAsBug(() => other.overwrite(offset, bytes(text))))
    }
  },

  'changes are refused on a file open for reading; reading it and syncing it are not': async storage => {
    await put(storage, 'f', 'abc')
    const file = await storage.open('f', 'read')
    await rejectsAsBug(() => file.append([bytes('x')]))
    await rejectsAsBug(() => file.overwrite(0, bytes('x')))
    await rejectsAsBug(() => file.truncate(0))
    await file.sync()
    assert.equal((await file.read(0, 9)).toString(), 'abc')
    await file.close()
  },

  'close twice is no error, and every other call after it is a bug': async storage => {
    const file = await storage.open('f', 'create')
    await file.close()
    await file.close()
    await rejectsAsBug(() => file.append([bytes('x')]))
    await rejectsAsBug(() => file.read(0, 1))
    await rejectsAsBug(() => file.overwrite(0, bytes('')))
    await rejectsAsBug(() => file.sync())
    await rejectsAsBug(() => file.size())
    await rejectsAsBug(() => file.truncate(0))
  },

  'two changes of one file at a time are a bug, and the first one succeeds': async storage => {
    await withFile(storage, 'f', async file => {
      const first = file.append([bytes('abc')])
      await rejectsAsBug(() => file.append([bytes('x')]))
      await first
      await file.append([bytes('d')])
      assert.equal((await file.read(0, 9)).toString(), 'abcd')
    })
  },

  'close waits for reads': async storage => {
    await put(storage, 'f', 'abc')
    const file = await storage.open('f', 'read')
    const reads = [file.read(0, 3), file.read(1, 2)]
    await file.close()
    assert.deepEqual((await Promise.all(reads)).map(String), ['abc', 'bc'])
  },

  'createIfAbsent makes a name once, with whole content': async storage => {
    await storage.makeFolder('manifest')
    assert.equal(await storage.createIfAbsent('manifest/1', bytes('first')), true)
    assert.equal(await storage.createIfAbsent('manifest/1', bytes('second')), false)
    assert.equal(await contentOf(storage, 'manifest/1'), 'first')
    assert.equal(await storage.createIfAbsent('manifest/2', bytes('')), true)
    assert.equal(await storage.size('manifest/2'), 0)
    assert.deepEqual(await storage.list('manifest'), ['1', '2'], 'nothing else may be listed')
  },

  'createIfAbsent has one winner among many, and the content is the winner’s': async storage => {
    await storage.makeFolder('manifest')
    for (let round = 0; round < 10; round++) {
      const path = `manifest/${round}`
      const won = await Promise.all(Array.from({ length: 8 }, (_, at) => storage.createIfAbsent(path, bytes(`writer ${at}`))))
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal(await contentOf(storage, path), `writer ${won.indexOf(true)}`)
    }
  },

  'createIfAbsent and open create respect each other’s names': async storage => {
    await put(storage, 'f', 'x')
    assert.equal(await storage.createIfAbsent('f', bytes('y')), false)
    assert.equal(await storage.createIfAbsent('g', bytes('y')), true)
    await rejectsWith(storage.open('g', 'create'), 'EEXIST', 'open', 'g')
  },

  'remove takes the name away; a missing one is no error; an open file stays readable': async storage => {
    await put(storage, 'f', 'abc')
    const file = await storage.open('f', 'read')
    await storage.remove('f')
    await storage.remove('f')
    await storage.remove('nowhere/f')
    assert.equal(await storage.exists('f'), false)
    assert.deepEqual(await storage.list(''), [])
    assert.equal((await file.read(0, 9)).toString(), 'abc')
    await file.close()
    assert.equal(await storage.createIfAbsent('f', bytes('new')), true)
    assert.equal(await contentOf(storage, 'f'), 'new')
  },

  'exists and size follow the file': async storage => {
    assert.equal(await storage.exists('f'), false)
    await put(storage, 'f', 'abc')
    assert.equal(await storage.exists('f'), true)
    assert.equal(await storage.size('f'), 3)
    assert.equal(await storage.exists('folder'), false)
    await storage.makeFolder('folder')
    assert.equal(await storage.exists('folder'), true)
  },

  'paths that lead out of the root, or are no plain names, are refused': async storage => {
    for (const path of ['..', '../f', 'a/../../f', '/f', '/', 'a//b', 'a/', './f', '.hidden', 'a\\b', 'a\0b', 'é', 'a b', '', '-x']) {
      const calls: (() => Promise<unknown>)[] = [
        () => storage.open(path, 'create'),
        () => storage.createIfAbsent(path, bytes('x')),
        () => storage.remove(path),
        () => storage.exists(path),
        () => storage.size(path),
      ]
      if (path !== '')
        calls.push(
          () => storage.list(path),
          () => storage.syncFolder(path),
          () => storage.makeFolder(path),
        )
      for (const call of calls) await assert.rejects(call, error => hasCode(error, 'TIDEMARK_ARGUMENT'), JSON.stringify(path))
    }
  },
}

/** The checks over the storages that `make` gives, each over one of its own. */
export function storageConformance(make: () => Promise<Storage>): ConformanceCheck[] {
  return Object.entries(CHECKS).map(([name, check]) => ({
    name,
    run: async () => {
      const storage = await make()
      if (name !== 'a missing folder lists as empty') await storage.makeFolder('')
      await check(storage)
    },
  }))
}
