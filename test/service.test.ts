/** The public contract over time: holds, checkpoints, events, closing. Everything through real files. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { type CheckpointPoint, open, type Settings } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'

const ASKED: Settings = { checkpoint: { intervalMs: 0 } }

test('a hold keeps the barrier away until it ends, or until its time is over', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const cell = store.value('cell', 0)
  const result = await store.hold(async () => {
    cell.set(1)
    await setTimeout(5)
    cell.set(2)
    return 'done'
  })
  assert.equal(result, 'done')
  let ended = false
  const held = store.hold(
    async () => {
      cell.set(3)
      await setTimeout(40)
      cell.set(4)
      ended = true
    },
    { msMax: 10_000 },
  )
  const point = store.checkpoint().then(done => {
    assert.ok(ended, 'the barrier waited for the hold')
    return done
  })
  await Promise.all([held, point])
  const broken: number[] = []
  store.on('holdBroken', ({ ms }) => broken.push(ms))
  const endless = store.hold(() => setTimeout(200), { msMax: 10 })
  await store.checkpoint()
  assert.equal(broken.length, 1)
  await endless
  // Beyond what a timer takes, which would end it at once.
  await store.hold(() => setTimeout(50), { msMax: Number.POSITIVE_INFINITY })
  assert.equal(broken.length, 1)
  await failsWith('TIDEMARK_CLOSED', async () => {
    await store.close()
    await store.hold(() => 1)
  })
})

test('a checkpoint tells epoch, time, bytes and counts, and its event comes for automatic ones too', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 20 } })
  const points: CheckpointPoint[] = []
  const once: CheckpointPoint[] = []
  store.on('checkpoint', point => points.push(point))
  store.once('checkpoint', point => once.push(point))
  const map = store.map<number>('map')
  map.set('a', 1).set('b', 2)
  const point = await store.checkpoint()
  assert.ok(point.epoch >= 1 && point.time > 0 && point.bytes > 0 && point.rawBytes > 0)
  assert.equal(point.entries, 2)
  assert.deepEqual(point.refused, [])
  map.set('c', 3)
  while (points.at(-1)?.entries !== 3) await setTimeout(5)
  assert.deepEqual(
    points.map(({ epoch }) => epoch),
    points.map((_, at) => at + (points[0]?.epoch ?? 0)),
  )
  assert.equal(once.length, 1)
  const stats = store.stats()
  assert.equal(stats.epoch, points.at(-1)?.epoch)
  assert.equal(stats.checkpoints, points.length)
  assert.deepEqual(JSON.parse(JSON.stringify(stats.collections)), {
    map: {
      ...{ kind: 'map', codec: 'tide1', class: 'standard', entries: 3, dirtyMax: 0, insignificant: 0 },
      ...{ redundant: { records: 0, bytes: 0 }, unchanged: 0 },
    },
  })
  await store.close()
})

test('callers during a capture share the next epoch, and durable waits for what was made before', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<number, number>('map')
  for (let at = 0; at < 20_000; at++) map.set(at, at)
  const first = store.checkpoint()
  await setImmediate()
  map.set(-1, -1)
  const [second, third] = await Promise.all([store.checkpoint(), store.checkpoint(), store.durable()])
  const { epoch } = await first
  assert.equal(second.epoch, epoch + 1)
  assert.equal(third.epoch, epoch + 1)
  await store.durable()
  assert.equal(store.stats().epoch, epoch + 1, 'nothing to do, nothing done')
  await store.close()
})

test("events without a listener never throw; errors of a listener are the host's", async t => {
  const store = await open(temporaryFolder(t), ASKED)
  const map = store.map<unknown>('map')
  map.set('bad', () => 1)
  await assert.rejects(store.checkpoint(), { code: 'TIDEMARK_VALUE_REFUSED' })
  map.delete('bad')
  const caught = new Promise<Error>(resolve => process.setUncaughtExceptionCaptureCallback(resolve))
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  const off = (): void => assert.fail('it was taken off')
  store.on('checkpoint', off).off('checkpoint', off)
  store.once('checkpoint', () => {
    throw new Error('of the listener')
  })
  let after = 0
  store.on('checkpoint', () => after++)
  await store.checkpoint()
  assert.equal((await caught).message, 'of the listener')
  assert.equal(after, 1)
  await store.checkpoint()
  await store.close()
})

test('close makes everything durable, can be called twice, and gives back the lock', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  store.map<number>('map').set('a', 1)
  const closing = store.close()
  assert.equal(store.close(), closing)
  assert.equal(store.status, 'closed')
  await closing
  {
    await using again = await open(folder, ASKED)
    assert.equal(again.map<number>('map').get('a'), 1)
    again.map<number>('map').set('b', 2)
  }
  const last = await open(folder, ASKED)
  assert.equal(last.map<number>('map').get('b'), 2)
  await last.close()
})

test('a close that cannot make everything durable says so and still gives back the lock', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  store.map<unknown>('map').set('good', 1)
  store.map<unknown>('map').set('bad', () => 1)
  await failsWith('TIDEMARK_VALUE_REFUSED', () => store.close(), { collection: 'map', key: 'bad' })
  const again = await open(folder, ASKED)
  assert.deepEqual([...again.map('map')], [['good', 1]])
  await again.close()
})

test('a close in the middle of a checkpoint waits for it', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<number, number>('map')
  for (let at = 0; at < 30_000; at++) map.set(at, at)
  const point = store.checkpoint()
  map.set(-1, -1)
  await store.close()
  assert.ok((await point).epoch > 0)
  const again = await open(folder)
  assert.equal(again.map('map').size, 30_001)
  await again.close()
})

test("':memory:' is a store that leaves nothing behind", async () => {
  const store = await open(':memory:', ASKED)
  store.map<number>('map').set('a', 1)
  const point = await store.checkpoint()
  assert.equal(point.entries, 1)
  assert.equal((await store.recoveryPoints())[0]?.epoch, point.epoch)
  assert.ok(!existsSync(':memory:'))
  await store.close()
  const again = await open(':memory:')
  assert.equal(again.map('map').size, 0)
  await again.close()
})
