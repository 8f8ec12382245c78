/** What a fold makes due while a merge is being decided is merged all the same, though the store rests after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Manifest, SEGMENT_FOLDER } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const HOUR_MS = 3_600_000
const SLOW_MS = 60_000
const TEXT = 'some text, so that it takes space '.repeat(10)
const LIMITS = { records: 100, slackBytes: 100_000, slackRecords: 1_000_000, fewTimes: 1, graceMs: 100, paced: false }

async function manifestOf(world: SimulatedStore): Promise<Manifest> {
  return (await world.run(readNewest(world.storage)))?.manifest as Manifest
}

test('a collection that is dropped while a merge is being decided gives its space back, though the store rests then', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = LIMITS
  const store = await world.open()
  const write = async (name: string, count: number): Promise<void> => {
    for (let at = 0; at < count; at++) store.map<string>(name).set(`${at}`, TEXT)
    await world.checkpoint()
  }
  for (const name of ['first', 'gone', 'last']) for (let at = 0; at < 10; at++) store.map<string>(name).set(`${at}`, TEXT)
  await write('big', 1000)
  await world.pass(SLOW_MS)
  const { young, base } = await manifestOf(world)
  assert.deepEqual([young.length, base.length], [0, 1])
  const mixed = base[0]?.segment?.file as string
  const { storage } = world
  const open = storage.open.bind(storage)
  let reads = 0
  storage.open = async (path, mode) => {
    if (path === mixed && mode === 'read') {
      reads++
      await world.scheduler.sleep(SLOW_MS)
    }
    return await open(path, mode)
  }
  store.delete('gone')
  await write('dropped', 150)
  await world.pass(SLOW_MS / 4)
  assert.equal(reads, 1, 'what the segment holds of those that are gone is being read')
  store.delete('dropped')
  await write('other', 150)
  await world.pass(SLOW_MS / 4)
  const during = await manifestOf(world)
  assert.deepEqual([reads, during.fold?.epoch, during.young.length], [1, store.stats().epoch, 2])
  await world.pass(HOUR_MS)
  const after = await manifestOf(world)
  assert.equal(after.young.length, 1)
  const files = [...after.young, ...after.base.flatMap(range => range.segment ?? [])].map(({ file }) => file)
  const found = await world.run(storage.list(SEGMENT_FOLDER))
  assert.deepEqual(found.map(name => `${SEGMENT_FOLDER}/${name}`).sort(), files.sort())
  await world.close()
})
