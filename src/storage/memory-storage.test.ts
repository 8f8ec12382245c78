import assert from 'node:assert/strict'
import { constants } from 'node:buffer'
import { test } from 'node:test'
import { MemoryDisk, MemoryStorage } from './index.ts'
import { capacityFor } from './memory-storage.ts'

test('a second storage over the same disk sees what the first wrote; over another disk it does not', async () => {
  const disk = new MemoryDisk()
  const first = new MemoryStorage(disk)
  await first.makeFolder('log')
  const file = await first.open('log/1', 'create')
  await file.append([Buffer.from('abc')])
  const second = new MemoryStorage(disk)
  assert.equal((await (await second.open('log/1', 'read')).read(0, 9)).toString(), 'abc')
  assert.equal(await second.createIfAbsent('log/1', Buffer.from('x')), false)
  assert.deepEqual(await new MemoryStorage().list('log'), [])
})

test('want of memory is an error of the storage, and makes no file', async () => {
  const storage = new MemoryStorage()
  const tooLong = { length: constants.MAX_LENGTH + 1 } as Uint8Array
  const file = await storage.open('appended', 'create')
  await assert.rejects(file.append([tooLong]), { code: 'TIDEMARK_STORAGE', file: 'appended' })
  await assert.rejects(storage.createIfAbsent('made', tooLong), { code: 'TIDEMARK_STORAGE', file: 'made' })
  assert.deepEqual(await storage.list(''), ['appended'])
})

test('a file grows by doubling, to the longest buffer there is and no further', () => {
  const most = constants.MAX_LENGTH
  assert.equal(capacityFor(1, 0), 256)
  assert.equal(capacityFor(300, 256), 512)
  assert.equal(capacityFor(5000, 256), 5000)
  assert.equal(capacityFor(most / 2 + 2, most / 2 + 1), most)
  assert.equal(capacityFor(most, most - 1), most)
})
