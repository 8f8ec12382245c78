/** Reading a log file while its writer appends to it: what is seen of an append may end anywhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME_MAGIC } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { MemoryDisk, MemoryStorage, type OpenMode, type StorageFile } from '../../src/storage/index.ts'
import { filesOf, logFiles } from '../support/files.ts'
import { Life, readAll } from '../support/log-store.ts'

/** Of each file no more than `visible` bytes are there yet. */
class Growing extends MemoryStorage {
  visible = Number.POSITIVE_INFINITY

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    const { size, read } = file
    return Object.assign(file, {
      size: async () => Math.min(this.visible, await size.call(file)),
      read: (offset: number, length: number) => read.call(file, offset, Math.max(0, Math.min(length, this.visible - offset))),
    })
  }
}

async function make() {
  const disk = new MemoryDisk()
  const writer = await Life.open({ storage: new MemoryStorage(disk) })
  const ends: number[] = []
  for (let epoch = 0; epoch < 4; epoch++) ends.push((await writer.mustCommit([[[`key ${epoch}`, 'x'.repeat(100)]]])).position.bytes)
  await writer.close()
  const { opened } = await readAll(new MemoryStorage(disk))
  const files = await filesOf(new MemoryStorage(disk))
  const [path] = logFiles(files) as [string]
  return { disk, ends, bytes: files.get(path) as Buffer, path, files, manifest: opened.manifest }
}

test('an echo that was cut when its epoch was seen, and is whole when the next is looked for, leads nobody astray', async () => {
  const { disk, ends, bytes, manifest } = await make()
  const { storeId, log } = manifest
  for (const at of [0, 1, 2]) {
    const end = ends[at] as number
    const echoAt = bytes.lastIndexOf(FRAME_MAGIC, end - 1)
    for (let cut = echoAt; cut < end; cut++) {
      // All there is in the end, no more than the whole append, and that with half of the next one.
      for (const [then, epochs] of [
        [Number.POSITIVE_INFINITY, 4],
        [end, at + 1],
        [end + 70, at + 1],
      ] as const) {
        const storage = new Growing(disk)
        storage.visible = cut
        const scan = new LogScan({ storage, storeId, log })
        for await (const item of scan) if (item.type === 'commit' && item.commit.epoch === at + 1) storage.visible = then
        assert.equal(scan.report.damage, null)
        assert.equal(scan.report.end.epoch, epochs, `cut at ${cut} of ${echoAt} to ${end}`)
        assert.deepEqual(scan.report.healed, [])
        if (then === end) assert.equal(scan.report.torn, null)
      }
    }
  }
})

test('what stands behind a cut echo is damage when it is not the echo of the commit before it', async () => {
  const { ends, bytes, path, files, manifest } = await make()
  const { storeId, log } = manifest
  const end = ends[0] as number
  const echoAt = bytes.lastIndexOf(FRAME_MAGIC, end - 1)
  const damaged = Buffer.from(bytes)
  damaged[end - 3] = (damaged[end - 3] as number) ^ 1
  const storage = new Growing()
  for (const [name, content] of new Map([...files, [path, damaged]])) {
    await storage.makeFolder(name.slice(0, name.indexOf('/')))
    await storage.createIfAbsent(name, content)
  }
  storage.visible = echoAt + 10
  const scan = new LogScan({ storage, storeId, log })
  await assert.rejects(
    async () => {
      for await (const item of scan) if (item.type === 'commit') storage.visible = Number.POSITIVE_INFINITY
    },
    { code: 'TIDEMARK_LOG_DAMAGED' },
  )
})
