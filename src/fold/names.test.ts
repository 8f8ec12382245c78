import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MANIFEST_FOLDER, SEGMENT_FOLDER, segmentName } from '../format/index.ts'
import { isErrno, MemoryStorage, nameOf } from '../storage/index.ts'
import { SegmentNames } from './names.ts'

class Crowded extends MemoryStorage {
  override async list(): Promise<string[]> {
    const own = [nameOf(segmentName(2, 9)), nameOf(segmentName(2, 3)), 'stray']
    return [...Array.from({ length: 300_000 }, (_, at) => nameOf(segmentName(1, at + 1))), ...own]
  }
}

test('the next name is behind all of the own token, however many files there are', async () => {
  const storage = new Crowded()
  await storage.makeFolder(MANIFEST_FOLDER)
  const names = new SegmentNames(storage, () => 2)
  await names.prepare()
  assert.equal(names.take().newFile(), segmentName(2, 10))
})

test('where the folder is made again no name is given twice', async () => {
  const storage = new MemoryStorage()
  await storage.makeFolder(MANIFEST_FOLDER)
  const names = new SegmentNames(storage, () => 2)
  await names.prepare()
  assert.equal(names.take().newFile(), segmentName(2, 1))
  names.forget()
  await names.prepare()
  assert.equal(names.take().newFile(), segmentName(2, 2))
})

test('where the manifests are not there no folder is made, and it is tried again', async () => {
  const storage = new MemoryStorage()
  const names = new SegmentNames(storage, () => 2)
  await assert.rejects(names.prepare(), error => isErrno(error, 'ENOENT'))
  assert.equal(await storage.exists(SEGMENT_FOLDER), false)
  await storage.makeFolder(MANIFEST_FOLDER)
  await names.prepare()
  assert.equal(await storage.exists(SEGMENT_FOLDER), true)
})
