/** Numbers of manifests: eight hex digits, so there is an end to them, and a file may have one that no store gave. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, type TidemarkError } from '../src/base/errors.ts'
import { encodeManifest, type Manifest, manifestName } from '../src/format/index.ts'
import { listManifests, newestNumber, readManifest, readNewest } from '../src/manifest/index.ts'
import { copyStore } from '../src/restore/index.ts'
import { SeededRandom, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

const LAST = 0xffff_ffff

async function filled(): Promise<SimulatedStore> {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 1, records: 1, paced: false, graceMs: 100 }
  ;(await world.open()).map('map').set('k', 1)
  await world.checkpoint()
  await world.pass(60_000)
  await world.close()
  return world
}

/** The store has given as many numbers as that, and of its manifests the newest is left. */
async function raise({ storage }: SimulatedStore, number: number): Promise<void> {
  const numbers = await listManifests(storage)
  const manifest: Manifest = { ...(await readManifest(storage, numbers.at(-1) as number)), number, retained: [] }
  for (const old of numbers) await storage.remove(manifestName(old))
  await storage.createIfAbsent(manifestName(number), encodeManifest(manifest))
  await storage.syncFolder('manifest')
}

const read = (world: SimulatedStore): Promise<unknown> =>
  world.open({ readOnly: true }).then(async reader => {
    const value = reader.map('map').get('k')
    await world.run(reader.close())
    return value
  })

test('a stray manifest far above the newest is refused by its name, before anything is written; all can be read', async () => {
  for (const number of [LAST, 0x7fff_ffff]) {
    const world = await filled()
    const file = manifestName(number)
    await world.run(world.storage.createIfAbsent(file, Buffer.from('stray')))
    const before = await world.run(world.storage.list('manifest'))
    const refused = await world.open().then(
      () => assert.fail('it was opened'),
      error => error as TidemarkError,
    )
    assert.ok(hasCode(refused, 'TIDEMARK_MANIFEST_DAMAGED'), `${refused}`)
    assert.equal(refused.file, file)
    assert.match(refused.message, new RegExp(`^${file} does not verify, and is no manifest of this store`))
    assert.match(refused.hint ?? '', new RegExp(`move ${file} out of it`))
    assert.deepEqual(await world.run(world.storage.list('manifest')), before)
    assert.equal(await read(world), 1)
    await world.run(world.storage.remove(file))
    assert.equal((await world.open()).map('map').get('k'), 1)
    await world.close()
  }
})

test('a copy counts from the newest manifest there is, though it does not verify; not from a stray one', async () => {
  const world = await filled()
  const newest = await world.run(newestNumber(world.storage))
  const copied = async (): Promise<number> => {
    const target = new SimulatedStorage({ seed: 3, scheduler: world.scheduler })
    await world.run(copyStore(world.storage, target, new SeededRandom(1), () => undefined))
    return await world.run(newestNumber(target))
  }
  world.storage.rot(1, manifestName(newest))
  assert.equal(await copied(), newest + 1)
  for (const number of [LAST, 0x7fff_fff0]) {
    await world.run(world.storage.createIfAbsent(manifestName(number), Buffer.from('stray')))
    assert.equal(await copied(), newest + 1)
    await world.run(world.storage.remove(manifestName(number)))
  }
})

test('once every number is given the store says so wherever it needs one, keeps what it has, and a copy of it goes on', async () => {
  const world = await filled()
  await world.run(raise(world, LAST - 2))
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('k', 2)
  await world.checkpoint()
  assert.equal(await world.run(newestNumber(world.storage)), LAST)
  await world.pass(600_000)
  assert.match(store.stats().upkeep.lastError ?? '', /numbers of manifests of this store were given/)
  const segments = await world.run(world.storage.list('segment'))
  assert.equal(segments.length, 1, 'nothing is folded that could not be named')
  map.set('k', 3)
  await world.checkpoint()
  await world.close()

  await failsWith('TIDEMARK_NUMBERS_SPENT', () => world.open())
  assert.equal(await read(world), 3)
  const source = world.storage
  world.storage = new SimulatedStorage({ seed: 3, scheduler: world.scheduler })
  await world.run(copyStore(source, world.storage, new SeededRandom(1), () => undefined))
  assert.equal(await world.run(newestNumber(world.storage)), 2)
  const again = await world.open()
  assert.equal(again.map('map').get('k'), 3)
  again.map('map').set('k', 4)
  await world.checkpoint()
  await world.pass(60_000)
  assert.ok(again.stats().upkeep.folds > 0)
  await world.close()
  assert.equal(await read(world), 4)
})

test('a commit that needs a new file of the log, where no manifest can name it, is refused with what to do; nothing is left of the try', async () => {
  const world = await filled()
  await world.run(raise(world, LAST - 1))
  const store = await world.open()
  assert.equal((await world.run(readNewest(world.storage)))?.newestNumber, LAST)
  const files = await world.run(world.storage.list('log'))
  store.map<number>('map').set('k', 2)
  const refused = await world.checkpoint().then(
    () => assert.fail('it was committed'),
    error => error as TidemarkError,
  )
  assert.equal(refused.code, 'TIDEMARK_NUMBERS_SPENT')
  assert.match(refused.hint ?? '', /tidemark copy/)
  assert.deepEqual(await world.run(world.storage.list('log')), files)
  // No later try goes better.
  assert.equal(store.stats().status, 'failed')
  await failsWith('TIDEMARK_FAILED', () => world.checkpoint())
  assert.equal(store.map('map').get('k'), 2)
  await world.close().catch(() => {})
  assert.equal(await read(world), 1)
})
