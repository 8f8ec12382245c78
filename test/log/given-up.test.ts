/** A file that was given up keeps the sign that its last epoch was whole: what is damaged later in that epoch is no torn tail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Failpoint, noFailpoint } from '../../src/base/failpoint.ts'
import { FRAME_HEADER_BYTES, GENESIS, LOG_HEADER_BYTES, openCompress } from '../../src/format/index.ts'
import { LogWriter } from '../../src/log/index.ts'
import { readNewest } from '../../src/manifest/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { blockBytes, Life, readAll, scanAll } from '../support/log-store.ts'
import { SimulatedStore } from '../support/simulated-store.ts'

/** A byte of the first block. */
const BLOCK_AT = LOG_HEADER_BYTES + FRAME_HEADER_BYTES + 3

test('after an append that found no space and a kill, damage in the last epoch is refused', async () => {
  const world = new SimulatedStore()
  const map = (await world.open()).map<number>('map').set('a', 1)
  await world.checkpoint()
  const { storage } = world
  const file = (await world.run(readNewest(storage)))?.manifest.log.at(-1)?.file ?? assert.fail('no file of the log')
  storage.inject({ operation: 'append', path: 'log/', errno: 'ENOSPC', writtenBytes: 100 })
  map.set('a', 2)
  const failed = world.store.checkpoint()
  failed.catch(() => {})
  await world.pass(5000)
  assert.ok(storage.faults > 1, 'in the file and in the next one')
  world.storage = storage.restart({ scheduler: world.scheduler })
  const damage = (): unknown => world.storage.disk.lookup(file)?.flip(BLOCK_AT, 1)
  damage()
  await assert.rejects(world.open(), { code: 'TIDEMARK_LOG_DAMAGED' })
  damage()
  assert.deepEqual([(await world.open()).restored.epoch, world.store.map('map').get('a'), world.store.restored.notes], [1, 1, []])
  await world.close()
})

async function begin(storage: SimulatedStorage): Promise<LogWriter> {
  await storage.makeFolder('log')
  const parts = { monotonic: () => 0, failpoint: noFailpoint, commitWaits: () => false, compress: await openCompress('none') }
  return await LogWriter.create({ ...parts, storage, storeId: '0'.repeat(32), token: 1, sequence: 1, base: GENESIS, salt: 5 })
}

for (const sealed of [true, false]) {
  test(`the space behind an epoch ${sealed ? 'with' : 'without'} a seal is given back, but for a sign that it was whole`, async () => {
    for (const writtenBytes of [0, 10, FRAME_HEADER_BYTES, 100]) {
      for (const blocks of [0, 2]) {
        const storage = new SimulatedStorage()
        const log = await begin(storage)
        const bytes = blockBytes([['key', 'value '.repeat(20)]])
        const { position } = await log.commit({ epoch: 1, timeMs: 1, refused: 0, catalogue: [] }, bytes, 1)
        if (sealed) await log.seal()
        const whole = log.length
        for (let block = 0; block < blocks; block++) await log.block(bytes, 1)
        storage.inject({ operation: 'append', errno: 'ENOSPC', writtenBytes, nth: 1 })
        await assert.rejects(log.block(bytes, 1), { code: 'TIDEMARK_STORAGE' })
        await log.close()
        assert.equal(await log.tailCounts(position), false)
        const most = Math.min(await storage.size(log.file), whole + (sealed ? 0 : FRAME_HEADER_BYTES))
        await log.truncateTail(position)
        assert.equal(await storage.size(log.file), most)
        const hasSign = sealed || blocks > 0 || writtenBytes >= FRAME_HEADER_BYTES
        const scanned = () => scanAll({ storage, storeId: '0'.repeat(32), log: [{ file: log.file, end: null }] })
        const { epochs, report } = await scanned()
        assert.deepEqual([epochs.length, report.end, report.damage], [1, position, null])
        assert.equal(report.unproven === null, sealed)
        storage.disk.lookup(log.file)?.flip(BLOCK_AT, 1)
        if (hasSign) await assert.rejects(scanned(), { code: 'TIDEMARK_LOG_DAMAGED' })
        else assert.equal((await scanned()).report.torn?.unsealedEpoch, 1)
      }
    }
  })
}

test('an epoch of which the commit is whole and the echo is not is disowned before its file is cut: a kill there leaves it to nobody', async () => {
  for (const before of [1, 3]) {
    const storage = new SimulatedStorage()
    const killed: Failpoint = async name => {
      if (name === 'fail.truncate') throw new Error('killed')
    }
    const writer = await Life.open({ storage, compression: 'none', failpoint: killed })
    let epochBytes = 0
    for (let count = 0; count < before; count++) epochBytes = (await writer.mustCommit([])).logBytes
    // Of an epoch without blocks one half is the commit, and the other its echo.
    storage.inject({ operation: 'append', errno: 'ENOSPC', nth: 1, writtenBytes: epochBytes / 2 + 10 })
    assert.equal((await writer.commit([])).type, 'failed')
    const { epochs, report, opened } = await readAll(storage)
    assert.deepEqual([epochs.length, report.unproven, report.damage], [before, null, null])
    assert.ok(opened.manifest.log.every(entry => entry.end !== null))
    await writer.close()
  }
})
