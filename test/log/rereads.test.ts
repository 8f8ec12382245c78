/** A device that answers otherwise the second time: an epoch that was verified is read again for its blocks, and those are checked, too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { openForReading } from '../../src/restore/index.ts'
import { MemoryDisk, MemoryStorage, type OpenMode, type StorageFile } from '../../src/storage/index.ts'
import { type Block, blockOf, Life } from '../support/log-store.ts'

/** In the first block of the first epoch. */
const FLIPPED_AT = LOG_HEADER_BYTES + FRAME_HEADER_BYTES + 1000

/** Flips a bit of a log file from the second read of it on. */
class Forgetful extends MemoryStorage {
  reads = 0
  flips = true

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    if (mode !== 'read' || !path.startsWith('log/')) return file
    const read = file.read.bind(file)
    file.read = async (offset, length) => {
      const bytes = await read(offset, length)
      const at = FLIPPED_AT - offset
      if (at < 0 || at >= bytes.length || ++this.reads < 2 || !this.flips) return bytes
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      return bytes
    }
    return file
  }
}

test('a block that reads otherwise than when its epoch was verified is never given out', async () => {
  const disk = new MemoryDisk()
  // Longer than what is held of a file.
  const blocks: Block[] = ['a', 'b', 'c'].map(key => [[key, key.repeat(500_000)]])
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  await life.mustCommit(blocks)
  await life.close()
  for (const flips of [false, true]) {
    const storage = new Forgetful(disk)
    storage.flips = flips
    const { storeId, log } = (await openForReading(storage)).manifest
    const given: Block[] = []
    const scanned = (async () => {
      for await (const item of new LogScan({ storage, storeId, log })) if (item.type === 'block') given.push(blockOf(item.bytes))
    })()
    if (flips)
      await assert.rejects(scanned, error => hasCode(error, 'TIDEMARK_STORAGE') && /otherwise than a moment ago/.test(String(error)))
    else await scanned
    assert.deepEqual(given, flips ? [] : blocks)
    assert.equal(storage.reads, 2, 'once to verify it, once for its blocks')
  }
})
