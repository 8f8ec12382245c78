/** What verify says of files that the device does not give back, and beside a writer that takes back what was read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../src/base/errors.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { MemoryDisk, MemoryStorage, type OpenMode, type StorageFile, storageError, systemError } from '../src/storage/index.ts'
import { Life } from './support/log-store.ts'

const never = (): undefined => undefined

/** Two log files of an epoch each. */
async function make(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  for (const name of ['a', 'b']) {
    const life = await Life.open({ storage: new MemoryStorage(disk), name })
    await life.mustCommit([[['key', name]]])
    await life.close()
  }
  return disk
}

class Looked extends MemoryStorage {
  before: (path: string, mode: OpenMode) => Promise<void> = async () => {}

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    await this.before(path, mode)
    return await super.open(path, mode)
  }
}

test('a log file that the device refuses to read is the one that is named', async () => {
  const disk = await make()
  const [first, second] = (await new MemoryStorage(disk).list('log')).sort().map(name => `log/${name}`)
  for (const file of [first, second]) {
    const storage = new Looked(disk)
    storage.before = async path => {
      if (path === file) throw storageError('read', path, systemError('EIO', 'read'))
    }
    const { ok, files } = await verifyStore(storage, never)
    assert.equal(ok, false)
    assert.deepEqual(
      files.filter(({ problem }) => problem !== undefined).map(each => each.file),
      [file],
    )
  }
})

const otherwise = (file: string): TidemarkError =>
  new TidemarkError('TIDEMARK_STORAGE', `a block of ${file} at 1024 reads otherwise than a moment ago`, { file })

/** The last log file reads otherwise than a moment ago, `times` times; each time after a later manifest, where `moves`. */
async function takenBack(times: number, moves: boolean): Promise<Looked> {
  const disk = await make()
  const last = `log/${(await new MemoryStorage(disk).list('log')).sort().at(-1)}`
  const storage = new Looked(disk)
  let count = 0
  storage.before = async (path, mode) => {
    if (path !== last || mode !== 'read' || count >= times) return
    count++
    const others = { storage: new MemoryStorage(disk), name: `other ${count}` }
    if (moves) await (await Life.open(others)).close()
    throw otherwise(path)
  }
  return storage
}

test('bytes that a living writer takes back while they are read: verify begins again, and blames no device', async () => {
  const { ok, epoch } = await verifyStore(await takenBack(1, true), never)
  assert.deepEqual([ok, epoch], [true, 2])
  for (const storage of [await takenBack(1, false), await takenBack(Number.POSITIVE_INFINITY, true)])
    await assert.rejects(verifyStore(storage, never), { code: 'TIDEMARK_STORAGE' })
})
