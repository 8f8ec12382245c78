/** The log of a process that was killed may be in the page cache only: what a manifest says of it is true after a power cut, too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const KEYS = 200

/** Its last epoch is whole in the page cache and not on the device. Gives that epoch. */
async function killedBeforeSync(): Promise<{ world: SimulatedStore; epoch: number }> {
  const world = new SimulatedStore()
  await world.open()
  const map = world.store.map<number>('map')
  for (let at = 0; at < KEYS; at++) map.set(`${at}`, at)
  const { epoch } = await world.checkpoint()
  // The seal of that epoch.
  await world.pass(100)
  map.set('x', 1)
  const { storage, scheduler } = world
  storage.onCall = call => {
    if (call.operation === 'append' && call.path.startsWith('log/')) storage.powerOff()
  }
  await assert.rejects(world.run(world.store.checkpoint({ timeoutMs: 100 })))
  world.store.close().catch(() => {})
  world.storage = new SimulatedStorage({ seed: 3, scheduler, disk: storage.disk })
  return { world, epoch: epoch + 1 }
}

test('a fold of what a killed process left outlives a power cut', async () => {
  const { world, epoch } = await killedBeforeSync()
  world.thresholds = { records: 100 }
  await world.open()
  assert.equal(world.store.restored.epoch, epoch)
  await world.pass(5000)
  assert.equal(world.store.stats().upkeep.foldedEpoch, epoch)
  await world.crash()
  assert.equal(world.store.map<number>('map').get('x'), 1)
  assert.equal(world.store.map<number>('map').size, KEYS + 1)
})

test('what a killed process left is not folded where it cannot be synced, and nothing is committed upon it', async () => {
  const { world, epoch } = await killedBeforeSync()
  world.thresholds = { records: 100 }
  const heal = world.storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/' })
  await world.open()
  await world.pass(5000)
  heal()
  await world.pass(120_000)
  assert.equal(world.store.stats().upkeep.foldedEpoch, 0, 'a second sync proves nothing')
  world.store.map<number>('map').set('y', 1)
  await assert.rejects(world.checkpoint(), { code: 'TIDEMARK_FAILED' })
  world.store.close().catch(() => {})
  await world.crash()
  assert.equal(world.store.restored.epoch, epoch - 1)
})

for (const at of ['epoch', 'time'] as const) {
  test(`a fork at what a killed process left outlives a power cut (by ${at})`, async () => {
    const { world, epoch } = await killedBeforeSync()
    await world.open({ restore: { at: at === 'epoch' ? epoch : new Date(world.clock.now()) } })
    assert.equal(world.store.restored.epoch, epoch)
    world.store.map<number>('map').set('y', 2)
    const point = await world.checkpoint()
    await world.crash()
    assert.equal(world.store.restored.epoch, point.epoch)
    assert.equal(world.store.map<number>('map').get('x'), 1)
    assert.equal(world.store.map<number>('map').get('y'), 2)
  })
}

test('a fork at what cannot be synced is refused, and changes nothing', async () => {
  const { world, epoch } = await killedBeforeSync()
  world.storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/' })
  await assert.rejects(world.open({ restore: { at: epoch } }), { code: 'TIDEMARK_FAILED' })
  world.storage.heal()
  await world.crash()
  assert.equal(world.store.restored.epoch, epoch - 1)
  assert.equal(world.store.map<number>('map').size, KEYS)
})

test('a sync that failed is not made good by a second one: what was shown since is written again before anything is built upon it', async () => {
  const { world, epoch } = await killedBeforeSync()
  world.storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/', times: 1 })
  await world.open()
  world.store.map<number>('map').set('y', 1)
  await assert.rejects(world.checkpoint(), { code: 'TIDEMARK_FAILED' })
  await assert.rejects(world.close())
  await world.open()
  assert.equal(world.store.restored.epoch, epoch, 'the page cache shows it')
  world.store.map<number>('map').set('z', 1)
  const point = await world.checkpoint()
  await world.crash()
  assert.equal(world.store.restored.epoch, point.epoch)
  assert.equal(world.store.map<number>('map').get('x'), 1)
  assert.equal(world.store.map<number>('map').get('z'), 1)
})

test('the same for a fork, and for a fold', async () => {
  for (const by of ['fork', 'fold'] as const) {
    const { world, epoch } = await killedBeforeSync()
    world.storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/', times: 1 })
    const settings = by === 'fork' ? { restore: { at: epoch } } : {}
    if (by === 'fold') world.thresholds = { records: 100 }
    if (by === 'fork') await assert.rejects(world.open(settings), { code: 'TIDEMARK_FAILED' })
    else {
      await world.open()
      await world.pass(5000)
      assert.equal(world.store.stats().upkeep.foldedEpoch, 0)
      await world.run(world.store.close().catch(() => {}))
    }
    await world.open(settings)
    if (by === 'fold') await world.pass(5000)
    assert.equal(world.store.stats().upkeep.foldedEpoch, by === 'fold' ? epoch : 0)
    await world.crash()
    assert.equal(world.store.restored.epoch, epoch, by)
    assert.equal(world.store.map<number>('map').get('x'), 1)
  }
})

test('bytes that are others than when the store was opened are not built upon, and not written again', async () => {
  const { world, epoch } = await killedBeforeSync()
  await world.open()
  const path = 'log/00000001-00000001.log'
  const content = world.storage.disk.lookup(path)
  assert.ok(content !== undefined)
  // Inside the block of the last epoch: the key, and the length of its value.
  const at = content.cache.view().indexOf('x\u0001', content.cache.length - 400)
  content.flip(at, 0)
  world.store.map<number>('map').set('y', 1)
  await assert.rejects(world.checkpoint(), { code: 'TIDEMARK_FAILED' })
  assert.ok(!world.storage.calls.some(({ operation, path: of }) => operation === 'overwrite' && of === path))
  world.store.close().catch(() => {})
  await world.crash()
  assert.equal(world.store.restored.epoch, epoch - 1)
})

test('bytes that are others once they were synced are not built upon: what was written again is read once more', async () => {
  const { world, epoch } = await killedBeforeSync()
  await world.open()
  const { storage } = world
  const path = 'log/00000001-00000001.log'
  const content = storage.disk.lookup(path)
  assert.ok(content !== undefined)
  const at = content.cache.view().indexOf('x\u0001', content.cache.length - 400)
  const open = storage.open.bind(storage)
  let syncs = 0
  storage.open = async (name, mode) => {
    const file = await open(name, mode)
    const sync = file.sync.bind(file)
    file.sync = async () => {
      await sync()
      if (name !== path) return
      syncs++
      content.flip(at, 0)
    }
    return file
  }
  world.store.map<number>('map').set('y', 1)
  await assert.rejects(world.checkpoint(), { code: 'TIDEMARK_FAILED', message: /does not read any more as it did/ })
  assert.equal(syncs, 1)
  world.store.close().catch(() => {})
  await world.crash()
  assert.equal(world.store.restored.epoch, epoch - 1)
})

test('a last epoch with its seal is on the device: neither is it written again nor synced', async () => {
  const world = new SimulatedStore()
  await world.open()
  world.store.map<number>('map').set('x', 1)
  await world.checkpoint()
  await world.pass(1000)
  const { storage, scheduler } = world
  world.store.close().catch(() => {})
  storage.powerOff()
  world.storage = new SimulatedStorage({ seed: 3, scheduler, disk: storage.disk })
  await world.open()
  world.store.map<number>('map').set('y', 1)
  await world.checkpoint()
  assert.ok(!world.storage.calls.some(({ operation, path }) => operation === 'sync' && path === 'log/00000001-00000001.log'))
  await world.crash()
  assert.equal(world.store.map<number>('map').get('y'), 1)
})

for (const call of ['durable', 'close'] as const) {
  test(`${call}() resolves when what a killed process left is on the device, though nothing was changed since`, async () => {
    const { world, epoch } = await killedBeforeSync()
    await world.open()
    assert.ok(
      !world.storage.calls.some(({ operation }) => operation === 'overwrite' || operation === 'append' || operation === 'sync'),
      'open reads',
    )
    assert.equal(world.store.map<number>('map').get('x'), 1)
    await world.run(world.store[call]())
    await world.crash()
    assert.ok(world.store.restored.epoch >= epoch)
    assert.equal(world.store.map<number>('map').get('x'), 1)
  })

  test(`${call}() rejects where that cannot be made so, and leaves it to the next run`, async () => {
    const { world, epoch } = await killedBeforeSync()
    world.storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/', times: 1 })
    await world.open()
    await assert.rejects(world.run(world.store[call]()), { code: 'TIDEMARK_FAILED' })
    if (call === 'durable') await assert.rejects(world.close())
    await world.open()
    await world.run(world.store[call]())
    await world.crash()
    assert.ok(world.store.restored.epoch >= epoch)
    assert.equal(world.store.map<number>('map').get('x'), 1)
  })
}

test('what a killed process left is on the device after an interval, though nothing is changed', async () => {
  const { world, epoch } = await killedBeforeSync()
  await world.open({ checkpoint: { intervalMs: 1000 } })
  await world.pass(3000)
  await world.crash()
  assert.ok(world.store.restored.epoch >= epoch)
})

test('a store that was closed is opened, durable() and closed without a byte in its log, and makes no epoch', async () => {
  const world = new SimulatedStore()
  await world.open()
  world.store.map<number>('map').set('x', 1)
  await world.close()
  for (let run = 0; run < 3; run++) {
    await world.open({ checkpoint: { intervalMs: 1000 } })
    await world.pass(3000)
    const before = world.storage.calls.length
    await world.run(world.store.durable())
    assert.deepEqual(world.storage.calls.slice(before), [])
    await world.close()
    const writes = world.storage.calls.slice(before).filter(({ operation, path }) => operation !== 'read' && path.startsWith('log'))
    assert.deepEqual(writes, [])
  }
  await world.open()
  assert.equal(world.store.restored.epoch, 1)
})
