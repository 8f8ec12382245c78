/** Folders of the file storage: their names are durable when `makeFolder` resolves, whatever became of the calls before it. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { hasCode } from '../base/errors.ts'
import { asyncCalls, type FileCalls, syncCalls } from './file-calls.ts'
import { type ErrnoName, FileStorage, isErrno, systemError } from './index.ts'

const home = mkdtempSync(join(tmpdir(), 'tidemark-folder-'))
after(() => rmSync(home, { recursive: true, force: true }))
let made = 0
const root = (): string => join(home, `${made++}`)

const isSystem = (errno: ErrnoName) => (error: unknown) => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, errno)

for (const [flavour, base] of Object.entries({ sync: syncCalls, async: asyncCalls })) {
  describe(flavour, () => {
    test('makeFolder syncs the name of every folder it made', async () => {
      const path = root()
      const opened: string[] = []
      const open = (name: string, flags: number, mode: number) => {
        opened.push(name)
        return base.open(name, flags, mode)
      }
      const storage = new FileStorage(join(path, 'deep', 'store'), { calls: { ...base, open } })
      await storage.makeFolder('')
      assert.deepEqual(opened, [dirname(home), home, path, join(path, 'deep')])
      opened.length = 0
      await storage.makeFolder('log')
      assert.deepEqual(opened, [join(path, 'deep', 'store')])
      // Whoever made one that is there may have been cut off before its sync.
      for (const [folder, above] of [
        ['log', join(path, 'deep', 'store')],
        ['', join(path, 'deep')],
      ] as const) {
        opened.length = 0
        await storage.makeFolder(folder)
        assert.deepEqual(opened, [above])
      }
    })

    test('makeFolder below a root that is gone makes nothing', async () => {
      const path = root()
      const storage = new FileStorage(path, { calls: base })
      await storage.makeFolder('')
      rmSync(path, { recursive: true })
      await assert.rejects(storage.makeFolder('log'), isSystem('ENOENT'))
      assert.equal(existsSync(path), false)
      await storage.makeFolder('')
      await storage.makeFolder('log')
    })

    test('makeFolder ends where nothing can be made in a folder that is there', async () => {
      const path = root()
      mkdirSync(path)
      let calls = 0
      const mkdir = (name: string, mode: number) => {
        if (++calls > 10) throw new Error('asks without end')
        if (name.startsWith(join(path, 'sealed'))) throw systemError('ENOENT', 'mkdir')
        return base.mkdir(name, mode)
      }
      const storage = new FileStorage(join(path, 'sealed', 'store'), { calls: { ...base, mkdir } })
      await assert.rejects(storage.makeFolder(''), isSystem('ENOENT'))
    })

    test('makeFolder answers the same however often it is called where the folder above is closed to this user', async () => {
      const path = root()
      mkdirSync(path)
      const open = (name: string, flags: number, mode: number) => {
        if (name === path) throw systemError('EACCES', 'open')
        return base.open(name, flags, mode)
      }
      const storage = new FileStorage(join(path, 'store'), { calls: { ...base, open } })
      for (let call = 1; call <= 2; call++) {
        await assert.rejects(storage.makeFolder(''), isSystem('EACCES'))
        assert.deepEqual(readdirSync(path), [])
      }
      // What somebody else has put something into stays.
      const mkdir = (name: string) => {
        mkdirSync(join(name, 'theirs'), { recursive: true })
      }
      await assert.rejects(new FileStorage(join(path, 'store'), { calls: { ...base, open, mkdir } }).makeFolder(''), isSystem('EACCES'))
      assert.ok(existsSync(join(path, 'store', 'theirs')))
      // It was made by who may do so.
      await storage.makeFolder('')
    })

    test('makeFolder says what is in its way', async () => {
      const path = root()
      mkdirSync(path)
      writeFileSync(join(path, 'file'), '')
      await assert.rejects(new FileStorage(join(path, 'file'), { calls: base }).makeFolder(''), isSystem('EEXIST'))
      await assert.rejects(new FileStorage(join(path, 'file', 'store'), { calls: base }).makeFolder(''), isSystem('ENOTDIR'))
      await new FileStorage(join(path, 'a', 'b', 'c'), { calls: base }).makeFolder('')
      await new FileStorage(join(path, 'a', 'b', 'd'), { calls: base }).makeFolder('')
      assert.ok(existsSync(join(path, 'a', 'b', 'd')))
    })
  })
}

/** Calls that note which names of folders no sync has made durable; from the `cut`th on all fail, as where the process was killed. */
class Noting {
  readonly loose = new Set<string>()
  cut = Number.POSITIVE_INFINITY
  #at = 0
  readonly #opened = new Map<number, string>()

  calls(): FileCalls {
    this.#at = 0
    return {
      ...syncCalls,
      stat: path => this.#next(() => syncCalls.stat(path)),
      mkdir: (path, mode) =>
        this.#next(() => {
          syncCalls.mkdir(path, mode)
          this.loose.add(path)
        }),
      rmdir: path =>
        this.#next(() => {
          syncCalls.rmdir(path)
          this.loose.delete(path)
        }),
      open: (path, flags, mode) =>
        this.#next(() => {
          const fd = syncCalls.open(path, flags, mode) as number
          this.#opened.set(fd, path)
          return fd
        }),
      fsync: fd =>
        this.#next(() => {
          for (const path of this.loose) if (dirname(path) === this.#opened.get(fd)) this.loose.delete(path)
        }),
    }
  }

  #next<T>(call: () => T): T {
    if (++this.#at >= this.cut) throw systemError('EIO', 'killed')
    return call()
  }
}

test('a makeFolder that was cut off, twice, leaves no name behind that the next one does not sync', async () => {
  let isWhole = false
  for (let first = 1; !isWhole; first++) {
    for (let second = 1, isSecondWhole = false; !isSecondWhole; second++) {
      const path = root()
      mkdirSync(path)
      const noting = new Noting()
      const make = async (cut: number): Promise<boolean> => {
        noting.cut = cut
        const storage = new FileStorage(join(path, 'a', 'state'), { calls: noting.calls() })
        return await storage.makeFolder('').then(
          () => true,
          () => false,
        )
      }
      isWhole = await make(first)
      isSecondWhole = await make(second)
      assert.equal(await make(Number.POSITIVE_INFINITY), true)
      assert.deepEqual([...noting.loose], [], `cut at ${first} and ${second}`)
    }
  }
})
