/** Falling back from damage before the fold point, where nothing of the damaged file is needed: what is written afterwards stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoldPoint } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { openStore } from '../src/open.ts'
import { copyStore } from '../src/restore/copy.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { MemoryStorage } from '../src/storage/index.ts'
import { SeededRandom, type SimulatedDisk } from '../src/testing/index.ts'
import { MANUAL } from './support/cli.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const SMALL = { bytes: 2000, fanIn: 3, smallestBytes: 3000, youngBytesMax: 20_000, slackBytes: 5000, slackRecords: 300, baseBytes: 4000 }

const DAMAGES: Record<string, (disk: SimulatedDisk, fold: FoldPoint & { file: string }) => void> = {
  'has no header': (disk, { file }) => change(disk, file, content => disk.write(content, 0, Buffer.alloc(1024))),
  'is too short': (disk, { file, bytes }) => change(disk, file, content => disk.truncate(content, bytes - 1)),
  'is missing': (disk, { file }) => {
    disk.setName(file, undefined)
    disk.syncFolder('log')
  },
}

type Content = NonNullable<ReturnType<SimulatedDisk['lookup']>>

function change(disk: SimulatedDisk, file: string, how: (content: Content) => void): void {
  const content = disk.lookup(file)
  assert.ok(content !== undefined)
  how(content)
  content.sync()
}

async function foldOf(world: SimulatedStore): Promise<FoldPoint & { file: string }> {
  const fold = (await world.run(readNewest(world.storage)))?.manifest.fold
  assert.ok(fold?.file != null, 'something was folded')
  return fold as FoldPoint & { file: string }
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`the file of the fold point ${what}: what is acknowledged after falling back is there at the next open, and is folded`, async () => {
    const world = new SimulatedStore()
    world.thresholds = { ...SMALL, graceMs: 100 }
    const first = await world.open()
    const map = first.map<string, string>('map')
    for (let at = 0; at < 60; at++) map.set(`key ${at}`, `some text of entry ${at}, to be folded`)
    await world.checkpoint()
    await world.pass(5000)
    const fold = await foldOf(world)
    map.set('lost', 'behind the fold point')
    await world.checkpoint()
    await world.close()
    assert.equal((await foldOf(world)).epoch, fold.epoch, 'the last epoch is not folded')
    damage(world.storage.disk, fold)

    const fallen = await world.open({ restore: { onDamage: 'fall-back' } })
    assert.equal(fallen.restored.epoch, fold.epoch)
    assert.equal(fallen.restored.lost?.file, fold.file)
    fallen.map<string, string>('map').set('new', '1')
    await world.checkpoint()
    for (const onDamage of ['fall-back', 'refuse'] as const) {
      const again = await world.crash({ restore: { onDamage } })
      assert.equal(again.restored.lost, undefined)
      assert.equal(again.map<string, string>('map').get('new'), '1')
      assert.equal(again.map('map').size, 61)
    }
    const later = world.store.map<string, string>('map')
    for (let at = 0; at < 60; at++) later.set(`key ${at}`, `another text of entry ${at}, to be folded`)
    await world.checkpoint()
    await world.pass(5000)
    assert.equal(world.store.stats().upkeep.lastError, undefined)
    assert.ok((await foldOf(world)).epoch > fold.epoch, 'folding goes on')
    await world.close()
  })
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`the file of the fold point ${what}: after falling back a copy is made before anything else is written, and holds`, async () => {
    const world = new SimulatedStore()
    world.thresholds = { ...SMALL, graceMs: 100 }
    const map = (await world.open()).map<string, string>('map')
    for (let at = 0; at < 60; at++) map.set(`key ${at}`, `some text of entry ${at}, to be folded`)
    await world.checkpoint()
    await world.pass(5000)
    const fold = await foldOf(world)
    await world.close()
    damage(world.storage.disk, fold)
    await world.open({ restore: { onDamage: 'fall-back' } })
    await world.close()

    const target = new MemoryStorage()
    const { epoch, entries } = await world.run(copyStore(world.storage, target, new SeededRandom(1), () => undefined))
    assert.deepEqual([epoch, entries], [fold.epoch, 60])
    const { ok, files } = await verifyStore(target, () => undefined)
    assert.deepEqual([ok, files.flatMap(({ problem }) => problem ?? [])], [true, []])
    const again = await openStore('copy', MANUAL, { storage: target, writer: 'inline' })
    assert.equal(again.map('map').size, 60)
    again.map('map').set('new', 1)
    await again.close()
    assert.equal((await verifyStore(target, () => undefined)).epoch, fold.epoch + 1)
  })
}

for (const damage of ['is missing', 'has no header'] as const) {
  test(`a closed file of the tail whose first epoch was damaged ${damage} later: after falling back nothing of it is needed`, async () => {
    const world = new SimulatedStore()
    world.fileBytesMax = 1
    const map = (await world.open()).map<number>('map')
    for (let epoch = 1; epoch <= 3; epoch++) {
      map.set('n', epoch)
      await world.checkpoint()
    }
    await world.close()
    const log = (await world.run(readNewest(world.storage)))?.manifest.log ?? []
    const second = log[1]?.file as string
    change(world.storage.disk, second, content => world.storage.disk.write(content, 1024, Buffer.alloc(24)))
    const fallen = await world.open({ restore: { onDamage: 'fall-back' } })
    assert.deepEqual([fallen.restored.epoch, fallen.restored.lost?.file], [1, second])
    for (let epoch = 2; epoch <= 3; epoch++) {
      fallen.map<number>('map').set('n', epoch * 10)
      await world.checkpoint()
    }
    await world.close()

    if (damage === 'is missing') DAMAGES['is missing']?.(world.storage.disk, { file: second } as never)
    else change(world.storage.disk, second, content => world.storage.disk.write(content, 0, Buffer.alloc(1024)))
    const target = new MemoryStorage()
    assert.equal((await world.run(copyStore(world.storage, target, new SeededRandom(1), () => undefined))).epoch, 3)
    assert.equal((await verifyStore(target, () => undefined)).ok, true)
    const copy = await openStore('copy', MANUAL, { storage: target, writer: 'inline' })
    assert.equal(copy.map('map').get('n'), 30)
    await copy.close()
    assert.equal((await world.run(verifyStore(world.storage, () => undefined))).ok, true)
    for (const onDamage of ['fall-back', 'refuse'] as const) {
      const again = await world.open({ restore: { onDamage } })
      assert.deepEqual([again.restored.epoch, again.restored.lost, again.map('map').get('n')], [3, undefined, 30])
      assert.deepEqual(
        (await world.run(again.recoveryPoints())).map(({ epoch }) => epoch),
        [3, 2, 1],
      )
      await world.close()
    }
  })
}
