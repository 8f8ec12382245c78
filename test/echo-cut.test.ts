/** A closed file of the log that lost the end of its last echo, which nothing needs: the store is opened, committed to, and copied as any other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import { copyStore } from '../src/restore/index.ts'
import { MemoryStorage } from '../src/storage/index.ts'
import { SeededRandom } from '../src/testing/index.ts'

async function run(storage: MemoryStorage, epochs: number, name: string): Promise<number> {
  const settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast: 3, keepMs: 3_600_000 } } as const
  const store = await openStore('echo', settings, { storage, writer: 'inline' })
  for (let n = 0; n < epochs; n++) {
    store.map('map').set(`${name} ${n}`, n)
    await store.checkpoint()
  }
  await store.close()
  return store.restored.epoch
}

/** The last file that is closed, without the last bytes that count. */
async function cutEcho(storage: MemoryStorage): Promise<string> {
  const { log } = ((await readNewest(storage)) ?? assert.fail('there is no manifest')).manifest
  const closed = log.findLast(({ end }) => end !== null) ?? assert.fail('no file is closed')
  const file = await storage.open(closed.file, 'append')
  await file.truncate((closed.end?.bytes as number) - 10)
  await file.close()
  return closed.file
}

test('it is opened, and what is committed then is there at the next opening', async () => {
  const storage = new MemoryStorage()
  await run(storage, 3, 'first')
  await run(storage, 2, 'second')
  await cutEcho(storage)
  assert.deepEqual([await run(storage, 3, 'third'), await run(storage, 0, 'fourth')], [5, 8])
})

test('it is copied', async () => {
  const storage = new MemoryStorage()
  await run(storage, 3, 'first')
  await run(storage, 2, 'second')
  const file = await cutEcho(storage)
  const to = new MemoryStorage()
  assert.equal((await copyStore(storage, to, new SeededRandom(1), () => undefined)).epoch, 5)
  assert.ok(await to.exists(file))
  assert.equal(await run(to, 0, 'there'), 5)
})
