/** A device that gives fewer bytes than there are, once or always: that is not the end of the log. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readExactly, Window } from '../../src/log/window.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import { Life, readAll } from '../support/log-store.ts'
import { answerReads } from '../support/wrong-answer.ts'

async function three(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  for (const key of ['a', 'b', 'c']) await life.mustCommit([[[key, key.repeat(500_000)]], [[`${key}2`, key]]])
  await life.close()
  return disk
}

test('one read that gives nothing, or half, ends no log', async () => {
  const disk = await three()
  for (const share of [0, 0.5]) {
    let reads = 0
    for (let short = 1; short === 1 || reads >= short - 1; short++) {
      const storage = new MemoryStorage(disk)
      reads = 0
      answerReads(storage, (path, _, bytes) =>
        path.startsWith('log/') && ++reads === short ? bytes.subarray(0, Math.floor(bytes.length * share)) : bytes,
      )
      const { epochs, report } = await readAll(storage)
      assert.deepEqual([epochs.length, report.torn, report.unproven], [3, null, null], `${share} of read ${short} of ${reads}`)
    }
    assert.ok(reads > 3, `${reads}`)
  }
})

test('where the bytes never come the storage is at fault, or the epochs before them are left, as asked for', async () => {
  const storage = new MemoryStorage(await three())
  answerReads(storage, (path, offset, bytes) => {
    if (!path.startsWith('log/')) return bytes
    return bytes.subarray(0, Math.max(0, 700_000 - offset))
  })
  await assert.rejects(readAll(storage), { code: 'TIDEMARK_STORAGE', message: /ends before its length/ })
  const { epochs, report } = await readAll(storage, { onDamage: 'fall-back' })
  assert.deepEqual([epochs.length, report.damage?.firstLostEpoch], [1, 2])
})

test('a file that is shorter by now ends there', async () => {
  const storage = new MemoryStorage(new MemoryDisk())
  await storage.makeFolder('log')
  const file = await storage.open('log/a', 'create')
  await file.append([Buffer.alloc(100, 1)])
  const window = new Window(await storage.open('log/a', 'read'), 100)
  await file.truncate(40)
  assert.equal((await window.view(10, 50)).length, 30)
  assert.equal(window.limit, 40)
  assert.equal((await window.view(50, 10)).length, 0)
  assert.equal((await readExactly(file, 30, 20)).length, 10)
  await Promise.all([file.close(), window.file.close()])
})
