import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILPOINTS, type Failpoint } from '../../src/base/failpoint.ts'
import { EARLY_SYNC_BYTES } from '../../src/base/limits.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { Life, readAll } from '../support/log-store.ts'

test('what is committed is there for a reader, for the next writer, and across rolls', async () => {
  const disk = new MemoryDisk()
  const expected: unknown[] = []
  for (let life = 0; life < 3; life++) {
    const writer = await Life.open({ storage: new MemoryStorage(disk), name: `life ${life}`, fileBytesMax: 2000 })
    assert.deepEqual(writer.found.epochs, expected)
    for (let count = 0; count < 5; count++) {
      const blocks = [
        [
          ['a', `${life}.${count}`],
          ['b', 'x'.repeat(300)],
        ],
        [['a', undefined]],
      ] as const
      const message = await writer.mustCommit(blocks)
      expected.push({ epoch: message.epoch, blocks })
    }
    await writer.close()
  }
  const { epochs, report, opened } = await readAll(new MemoryStorage(disk))
  assert.deepEqual(epochs, expected)
  assert.deepEqual(report.healed, [])
  assert.equal(report.torn, null)
  assert.equal(report.damage, null)
  assert.equal(opened.manifest.token, 3)
  assert.ok(opened.manifest.log.length > 3)
})

test('an epoch without records is an epoch', async () => {
  const disk = new MemoryDisk()
  const writer = await Life.open({ storage: new MemoryStorage(disk) })
  await writer.mustCommit([])
  await writer.close()
  const { epochs } = await readAll(new MemoryStorage(disk))
  assert.deepEqual(epochs, [{ epoch: 1, blocks: [] }])
})

test('every failpoint is reached, and no other', async () => {
  const reached = new Set<string>()
  const failpoint: Failpoint = async name => {
    reached.add(name)
  }
  const storage = new SimulatedStorage({ seed: 1 })
  for (let life = 0; life < 2; life++) {
    const writer = await Life.open({ storage, name: `life ${life}`, failpoint, compression: 'none' })
    await writer.mustCommit([[['big', 'x'.repeat(EARLY_SYNC_BYTES + 1)]], [['small', 'y']]])
    storage.inject({ operation: 'sync', errno: 'EIO', nth: 1 })
    assert.equal((await writer.commit([])).type, 'failed')
    await writer.mustCommit([])
    await writer.close()
  }
  assert.deepEqual([...reached].sort(), [...FAILPOINTS].sort())
})
