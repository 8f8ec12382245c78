import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk, MemoryStorage } from './index.ts'

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
