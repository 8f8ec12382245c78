/** A store that has come to rest keeps of its past what retention asks for, and no more; on a full disk that makes room. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, filesOf, readNewest } from '../src/manifest/index.ts'
import { PAST } from '../src/tools/past.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const MINUTE_MS = 60_000

/** Twenty fold points in so many files of the log, five seconds apart. */
async function folded(settings: ConstructorParameters<typeof SimulatedStore>[0]): Promise<SimulatedStore> {
  const world = new SimulatedStore(settings)
  world.thresholds = { records: 100, graceMs: 100 }
  world.fileBytesMax = 20_000
  await world.open()
  for (let round = 0; round < 20; round++) await write(world, round)
  return world
}

async function write(world: SimulatedStore, round: number): Promise<void> {
  const map = world.store.map<string>('map')
  for (let at = 0; at < 150; at++) map.set(`${at}`, `${round} of ${at}`.padEnd(200))
  await world.checkpoint()
  await world.pass(5000)
}

const newest = async (world: SimulatedStore) => ((await world.run(readNewest(world.storage))) as FoundManifest).manifest
const logs = (world: SimulatedStore): Promise<string[]> => world.run(world.storage.list('log'))

test('at rest fold points age out, and the log behind them goes', async () => {
  const world = await folded({ retention: { keepLast: 1, keepMs: MINUTE_MS } })
  const before = (await newest(world)).retained.length
  assert.ok(before > 0 && (await logs(world)).length > 10)
  await world.pass(5 * MINUTE_MS)
  const { retained, number } = await newest(world)
  assert.deepEqual(retained, [])
  assert.ok((await logs(world)).length <= 2, `${await logs(world)}`)
  await world.pass(60 * MINUTE_MS)
  assert.equal((await newest(world)).number, number, 'and then it is quiet')
  await world.close()
  assert.equal((await world.open()).map('map').get('149'), '19 of 149'.padEnd(200))
  await world.close()
})

test('no sooner than asked for, and those that are kept whatever their age stay with all that they stand on', async () => {
  const world = await folded({ retention: { keepLast: 3, keepMs: 10 * MINUTE_MS } })
  const before = await newest(world)
  await world.pass(9 * MINUTE_MS)
  assert.deepEqual((await newest(world)).retained, before.retained)
  await world.pass(60 * MINUTE_MS)
  const { retained, fold } = await newest(world)
  assert.deepEqual(retained, before.retained.slice(-2))
  assert.equal(fold?.epoch, before.fold?.epoch)
  const points = await world.run(world.store.recoveryPoints())
  assert.equal(points.at(-1)?.epoch, retained[0]?.epoch)
  assert.ok(points.every(({ lost }) => lost === undefined))
  await world.close()
  for (const { epoch } of points) {
    const reader = await world.open({ readOnly: true, restore: { at: epoch } })
    assert.equal(reader.map('map').get('149'), `${epoch - 1} of 149`.padEnd(200))
    await world.close()
  }
})

test('a run that folds nothing drops nothing for what the wall clock says, but for the time that passed in it', async () => {
  const world = await folded({ retention: { keepLast: 1, keepMs: 10 * MINUTE_MS } })
  await world.close()
  const { retained } = await newest(world)
  world.clock.jump(365 * 24 * 60 * MINUTE_MS)
  await world.open()
  await world.pass(9 * MINUTE_MS)
  assert.deepEqual((await newest(world)).retained, retained)
  await world.pass(5 * MINUTE_MS)
  assert.deepEqual((await newest(world)).retained, [])
  await world.close()
})

test('where no segment can be written any more, what ages out makes room all the same', async () => {
  const world = await folded({ retention: { keepLast: 1, keepMs: MINUTE_MS } })
  const before = (await logs(world)).length
  world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  const map = world.store.map<string>('map')
  for (let at = 0; at < 150; at++) map.set(`${at}`, 'more')
  await assert.rejects(world.run(world.store.checkpoint({ timeoutMs: 1000 })))
  await world.pass(5 * MINUTE_MS)
  assert.ok((await logs(world)).length < before / 2, `${(await logs(world)).length} of ${before}`)
  const manifest = await newest(world)
  assert.deepEqual(manifest.retained, [])
  for (const file of filesOf(manifest)) assert.ok(await world.run(world.storage.exists(file)), file)
  world.storage.heal()
  await world.pass(MINUTE_MS)
  await world.close()
  assert.equal((await world.open()).map('map').get('149'), 'more')
  await world.close()
})

test('an import keeps every fold point that was there, and of its own the newest alone, however many it makes', async () => {
  const world = await folded({ retention: { keepLast: 6, keepMs: 0 } })
  await world.close()
  const before = await newest(world)
  let past = [...before.retained.map(({ epoch }) => epoch), before.fold?.epoch]
  const points = (await readPoints(world)).map(({ epoch }) => epoch)
  // The second one comes behind one that failed.
  for (let imports = 0; imports < 2; imports++) {
    await world.open({ retention: PAST })
    for (let round = 20; round < 30; round++) await write(world, round)
    const { retained } = await newest(world)
    assert.deepEqual(
      retained.slice(0, past.length).map(({ epoch }) => epoch),
      past,
    )
    assert.equal(retained.length, past.length + 2)
    await world.close()
    const after = await newest(world)
    past = [...after.retained.map(({ epoch }) => epoch), after.fold?.epoch]
  }
  const readable = (await readPoints(world)).map(({ epoch }) => epoch)
  assert.deepEqual(readable.slice(-points.length), points)
  const reader = await world.open({ readOnly: true, restore: { at: points.at(-1) as number } })
  assert.match(reader.map<string>('map').get('149') ?? '', /^\d+ of 149/)
  await world.close()
})

async function readPoints(world: SimulatedStore): ReturnType<SimulatedStore['store']['recoveryPoints']> {
  const reader = await world.open({ readOnly: true })
  const points = await world.run(reader.recoveryPoints())
  await world.close()
  return points
}
