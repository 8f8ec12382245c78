/** A device that answers otherwise the second time: an epoch that was verified is read again for its blocks, and those are checked, too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES } from '../../src/format/index.ts'
import { type EpochPlace, LogScan, proveEpoch } from '../../src/log/index.ts'
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

test('what a run left is written again only from memory whose checksums hold: whatever a device answers, the bytes stay', async () => {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  for (const key of ['a', 'b', 'c']) await life.mustCommit([[[key, key.repeat(3000)]], [[`${key}2`, key.repeat(3000)]]])
  const plain = new MemoryStorage(disk)
  const { storeId, log } = (await openForReading(plain)).manifest
  await life.close()
  const { end } = await new LogScan({ storage: plain, storeId, log }).run()
  // Its seal would say that it was synced.
  const file = await plain.open(end.file as string, 'append')
  await file.truncate(end.bytes)
  await file.close()
  const place = (await new LogScan({ storage: plain, storeId, log }).run()).unproven as EpochPlace
  const { before } = place
  const bytesOf = async (): Promise<Buffer> => {
    const file = await plain.open(end.file as string, 'read')
    return await file.read(0, await file.size())
  }
  const whole = await bytesOf()
  await proveEpoch(plain, storeId, place, end)
  assert.deepEqual(await bytesOf(), whole)
  let refused = 0
  for (let at = before.bytes; at < end.bytes; at += 101) {
    for (let read = 1; read <= 12; read++) {
      let reads = 0
      const lying = new Lying(disk, () => ++reads === read, at)
      await proveEpoch(lying, storeId, place, end).catch(error => {
        assert.match(String((error as { code?: string }).code), /^TIDEMARK_(STORAGE|FAILED)$/)
        refused++
      })
      assert.ok((await bytesOf()).equals(whole), `read ${read} of ${at}`)
    }
  }
  assert.ok(refused > 50, `${refused}`)
})

/** Flips a bit at this place of a log file in the reads that it is asked for. */
class Lying extends MemoryStorage {
  readonly #lies: () => boolean
  readonly #at: number

  constructor(disk: MemoryDisk, lies: () => boolean, at: number) {
    super(disk)
    this.#lies = lies
    this.#at = at
  }

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    if (!path.startsWith('log/')) return file
    const read = file.read.bind(file)
    file.read = async (offset, length) => {
      const bytes = await read(offset, length)
      const at = this.#at - offset
      if (at >= 0 && at < bytes.length && this.#lies()) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      return bytes
    }
    return file
  }
}
