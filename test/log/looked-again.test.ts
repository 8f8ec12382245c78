/** A device that answers wrong once where a log file is read: what would be given up for it is looked at again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES, SEAL_BYTES } from '../../src/format/index.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import { Life, readAll } from '../support/log-store.ts'
import { answerReads, flipReads } from '../support/wrong-answer.ts'

/** Four epochs, each in a file of its own where these are not long. */
async function four(fileBytesMax?: number): Promise<{ disk: MemoryDisk; files: string[]; ends: number[] }> {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const life = await Life.open({ storage, compression: 'none', ...(fileBytesMax === undefined ? {} : { fileBytesMax }) })
  const ends: number[] = []
  for (const key of ['a', 'b', 'c', 'd']) ends.push((await life.mustCommit([[[key, key.repeat(900)]]])).position.bytes)
  await life.close()
  return { disk, files: (await storage.list('log')).map(name => `log/${name}`), ends }
}

/** The first read that reaches this place gives zeros from there on; how often it was read. */
function zeroRead(storage: MemoryStorage, file: string, from: number): () => number {
  let reads = 0
  answerReads(storage, (path, offset, bytes) => {
    if (path !== file || offset + bytes.length <= from || ++reads > 1) return bytes
    return Buffer.concat([bytes.subarray(0, from - offset), Buffer.alloc(bytes.length - (from - offset))])
  })
  return () => reads
}

test('who falls back gives up nothing for one wrong read of a file, be it of its header or of a block', async () => {
  const { disk, files } = await four(1)
  assert.ok(files.length >= 4)
  for (const file of files.slice(0, 4)) {
    for (const at of [undefined, LOG_HEADER_BYTES + 10, LOG_HEADER_BYTES + 500]) {
      const storage = new MemoryStorage(disk)
      const reads = at === undefined ? zeroRead(storage, file, 0) : flipReads(storage, file, at)
      const { epochs, report } = await readAll(storage, { onDamage: 'fall-back' })
      assert.deepEqual([epochs.length, report.damage, report.torn], [4, null, null], `${file} at ${at}`)
      assert.ok(reads() > 0)
    }
  }
})

test('nor for one answer that a file is not there', async () => {
  const { disk, files } = await four(1)
  for (const file of files.slice(0, 4)) {
    const storage = new MemoryStorage(disk)
    const exists = storage.exists.bind(storage)
    let asked = 0
    storage.exists = async path => (path === file && ++asked === 1 ? false : await exists(path))
    const { epochs, report } = await readAll(storage, { onDamage: 'fall-back' })
    assert.deepEqual([epochs.length, report.damage], [4, null], file)
    assert.ok(asked > 1)
  }
})

/** The writer was killed before it sealed the last epoch. */
async function unsealed(): Promise<{ disk: MemoryDisk; file: string; before: number }> {
  const { disk, files, ends } = await four()
  const [file, before, end] = [files[0] as string, ends[2] as number, ends[3] as number]
  const handle = await new MemoryStorage(disk).open(file, 'append')
  await handle.truncate(end)
  await handle.close()
  return { disk, file, before }
}

test('an epoch that nothing was appended to yet is not taken for torn by one wrong read, of a block or of all of it', async () => {
  const { disk, file, before } = await unsealed()
  for (const onDamage of ['refuse', 'fall-back'] as const) {
    for (const wrong of [flipReads, zeroRead]) {
      const storage = new MemoryStorage(disk)
      const reads = wrong(storage, file, before + 100)
      const { epochs, report } = await readAll(storage, { onDamage })
      assert.deepEqual([epochs.length, report.torn, report.unproven?.before.bytes], [4, null, before])
      assert.ok(reads() > 1)
    }
  }
})

test('what a kill leaves of an epoch, cut by the end of the file, is read once', async () => {
  for (const more of [20, 300]) {
    const { disk, file, before } = await unsealed()
    const handle = await new MemoryStorage(disk).open(file, 'append')
    await handle.truncate(before + more)
    await handle.close()
    const storage = new MemoryStorage(disk)
    const reads = flipReads(storage, file, before + 5, 0)
    const { epochs, report } = await readAll(storage)
    // A seal that is whole is the sign of the epoch before.
    const bytes = more === 20 ? more : more - FRAME_HEADER_BYTES - SEAL_BYTES
    assert.deepEqual([epochs.length, report.torn?.bytes, report.torn?.unsealedEpoch, reads()], [3, bytes, null, 1])
  }
})
