/** A manifest that is kept, and that the device does not give back: the rest of the past can be restored, and what is dead goes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestName } from '../src/format/index.ts'
import { type FoundManifest, filesOf, readManifest, readNewest } from '../src/manifest/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const newest = async (world: SimulatedStore) => ((await world.run(readNewest(world.storage))) as FoundManifest).manifest

async function fold(world: SimulatedStore, epoch: number): Promise<void> {
  const map = world.store.map<number>('map')
  for (let at = 0; at < 60; at++) map.set(`${at}`, epoch)
  await world.checkpoint()
  await world.pass(5000)
}

/** Five fold points, and the store opened again; the manifest of the first that is kept cannot be read. */
async function unread(errno: 'EIO' | 'EUCLEAN' = 'EIO') {
  const world = new SimulatedStore({ retention: { keepLast: 3, keepMs: 0 } })
  world.thresholds = { records: 50, graceMs: 100, fewTimes: 0, fanIn: 2 }
  await world.open()
  for (let epoch = 1; epoch <= 5; epoch++) await fold(world, epoch)
  await world.close()
  const { retained } = await newest(world)
  const first = retained[0] as { number: number; epoch: number }
  const path = manifestName(first.number)
  assert.ok((await world.run(world.storage.list('manifest'))).some(name => `manifest/${name}` === path))
  const names = filesOf(await world.run(readManifest(world.storage, first.number)))
  world.storage.inject({ operation: 'read', errno, path })
  await world.open({ retention: { keepLast: 4, keepMs: 0 } })
  return { world, path, first, retained, names }
}

for (const errno of ['EIO', 'EUCLEAN'] as const) {
  test(`the points behind the next one can be listed and restored, and the list says why others cannot (${errno})`, async () => {
    const { world, path, first, retained } = await unread(errno)
    const next = retained[1]?.epoch as number
    const points = await world.run(world.store.recoveryPoints())
    assert.deepEqual(
      points.map(({ epoch }) => epoch),
      Array.from({ length: 6 - next }, (_, at) => 5 - at),
    )
    const { lost } = points.at(-1) as (typeof points)[0]
    assert.deepEqual([lost?.firstLostEpoch, lost?.lastLostEpoch, lost?.file], [first.epoch, next - 1, path])
    assert.match(lost?.message ?? '', /EIO|-117/)
    await world.close()
    for (const { epoch } of points) {
      const reader = await world.open({ readOnly: true, restore: { at: epoch } })
      assert.equal(reader.map('map').get('0'), epoch)
      await world.close()
    }
    await assert.rejects(world.open({ readOnly: true, restore: { at: first.epoch } }), { code: 'TIDEMARK_STORAGE', file: path })
  })
}

test('what became dead since goes, and nothing that the one which cannot be read may name', async () => {
  const { world, path, names } = await unread()
  const there = async (): Promise<Set<string>> => {
    const files = new Set<string>()
    for (const folder of ['log', 'segment']) for (const name of await world.run(world.storage.list(folder))) files.add(`${folder}/${name}`)
    return files
  }
  await world.pass(60_000)
  const { failures, lastError } = world.store.stats().upkeep
  assert.ok(failures > 0 && failures < 3 && lastError?.includes(path), `${failures}: ${lastError}`)
  const before = await there()
  for (const file of names) assert.ok(before.has(file), file)
  const removed = world.store.stats().upkeep.filesRemoved
  const dead = new Set([...before, 'segment/00000002-00000007.seg', 'segment/00000002-00000008.seg'])
  for (const file of dead) if (!before.has(file)) await world.run((async () => (await world.storage.open(file, 'create')).close())())
  await world.pass(1000)
  await fold(world, 6)
  await world.pass(60_000)
  assert.ok(world.store.stats().upkeep.filesRemoved > removed, 'what came after it is looked at')
  assert.ok(!(await there()).has('segment/00000002-00000008.seg'))
  for (const file of names) assert.ok((await there()).has(file), `${file} is kept while its manifest is`)
  assert.equal(world.store.stats().upkeep.failures, failures)
  // It is not kept any more, and nor is what it stood on alone.
  for (let epoch = 7; epoch <= 12; epoch++) await fold(world, epoch)
  await world.pass(60_000)
  const now = await there()
  assert.ok([...names].some(file => !now.has(file)))
  const counted = new Set<string>()
  const manifest = await newest(world)
  for (const number of [manifest.number, ...manifest.retained.map(point => point.number)])
    for (const file of filesOf(await world.run(readManifest(world.storage, number)))) counted.add(file)
  for (const file of counted) assert.ok(now.has(file), file)
  assert.ok(now.size - counted.size <= 2, `${[...now].filter(file => !counted.has(file))}`)
  await world.close()
})

test('the one before the newest that cannot be read keeps files for no longer than it counts', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = { records: 50, graceMs: 100 }
  await world.open()
  for (let epoch = 1; epoch <= 3; epoch++) await fold(world, epoch)
  const { number } = await newest(world)
  world.storage.inject({ operation: 'read', errno: 'EIO', path: manifestName(number) })
  await fold(world, 4)
  await world.pass(120_000)
  assert.ok(world.store.stats().upkeep.failures < 3)
  const manifest = await newest(world)
  for (const name of await world.run(world.storage.list('segment'))) assert.ok(filesOf(manifest).has(`segment/${name}`), name)
  await world.close()
})
