/** What the writer takes for an attempt that is over, for a store that is another's, and for a file that is full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../../src/format/index.ts'
import { readNewest } from '../../src/manifest/index.ts'
import { MemoryStorage } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type Block, blockBytes, catalogue, Life, readAll } from '../support/log-store.ts'

const commitOf = (attempt: number, epoch: number, block: Block) =>
  ({
    type: 'commit',
    ...{ attempt, epoch, timeMs: 1000, bytes: blockBytes(block), records: block.length, catalogue: catalogue(), refused: 0 },
  }) as const

test('an epoch that is longer than a file may be is in one file, whole', async () => {
  const storage = new MemoryStorage()
  const writer = await Life.open({ storage, compression: 'none', fileBytesMax: 500 })
  const blocks: Block[] = Array.from({ length: 5 }, (_, count) => [[`k${count}`, 'x'.repeat(300)]])
  for (let count = 0; count < 2; count++) await writer.mustCommit(blocks)
  await writer.close()
  const { epochs, opened } = await readAll(storage)
  assert.deepEqual(epochs, [
    { epoch: 1, blocks },
    { epoch: 2, blocks },
  ])
  assert.equal(opened.manifest.log.length, 2)
})

test('nothing of an attempt that is over is written, and its bytes are credited', async () => {
  const storage = new MemoryStorage()
  const writer = await Life.open({ storage, compression: 'none' })
  await writer.mustCommit([])
  writer.host.post({ type: 'reset', attempt: 2 })
  writer.host.post({ type: 'batch', attempt: 1, bytes: blockBytes([['old', '1']]), records: 1 })
  writer.host.post(commitOf(1, 2, [['old', '2']]))
  writer.attempt = 2
  await writer.mustCommit([[['new', '1']]])
  await writer.close()
  assert.deepEqual((await readAll(storage)).epochs.at(-1), { epoch: 2, blocks: [[['new', '1']]] })
  const credits = writer.messages.flatMap(message => (message.type === 'credit' ? message.attempt : []))
  assert.deepEqual(credits, [1, 1, 2])
})

test('a manifest that does not verify, under a number that was never tried, is of another writer; who is fenced stays so', async () => {
  const storage = new MemoryStorage()
  const writer = await Life.open({ storage, compression: 'none' })
  await writer.mustCommit([])
  const { number = 0 } = (await readNewest(storage))?.manifest ?? {}
  assert.ok(await storage.createIfAbsent(manifestName(number + 1), Buffer.from('not whole')))
  assert.equal((await writer.commit([[['a', '1']]])).type, 'fenced')
  await storage.remove(manifestName(number + 1))
  writer.host.post({ type: 'reset', attempt: 2 })
  writer.host.post(commitOf(2, 2, [['a', '2']]))
  await writer.close()
  assert.deepEqual(writer.acknowledged, [1])
})

test('a file that no manifest came to name is closed, however often that fails', async () => {
  const storage = new SimulatedStorage()
  const writer = await Life.open({ storage, compression: 'none' })
  const before = storage.openFiles
  for (let count = 0; count < 3; count++) {
    storage.inject({ operation: 'createIfAbsent', path: 'manifest/', errno: 'ENOSPC', nth: 1 })
    assert.equal((await writer.commit([[['a', '1']]])).type, 'failed')
    assert.equal(storage.openFiles, before)
  }
  await writer.mustCommit([[['a', '1']]])
  await writer.close()
})
