/** What verify says of files that the device does not give back, and beside a writer that takes back what was read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
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
  before: (path: string) => Promise<void> = async () => {}

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    await this.before(path)
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
