import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segmentName } from '../format/index.ts'
import { MemoryStorage, nameOf } from '../storage/index.ts'
import { SegmentNames } from './names.ts'

class Crowded extends MemoryStorage {
  override async list(): Promise<string[]> {
    const own = [nameOf(segmentName(2, 9)), nameOf(segmentName(2, 3)), 'stray']
    return [...Array.from({ length: 300_000 }, (_, at) => nameOf(segmentName(1, at + 1))), ...own]
  }
}

test('the next name is behind all of the own token, however many files there are', async () => {
  const names = new SegmentNames(new Crowded(), () => 2)
  await names.prepare()
  assert.equal(names.take().newFile(), segmentName(2, 10))
})
